"""Accounts: state, audit entries and outbox of an account, loaded and committed in one transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from genesis.connectors.ledger import chain, outbox
from genesis.connectors.ledger.errors import LedgerConflict, LedgerTampered
from genesis.connectors.ledger.records import Outgoing, Saved
from genesis.connectors.ledger.statements import ADD_ACCOUNT, ADD_AUDIT, PUT_SNAPSHOT, SWAP_ACCOUNT
from genesis.connectors.ledger.tables import ACCOUNTS, SNAPSHOTS
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import AuditEntry
from genesis.operators.account.signing import mac


class Version(NamedTuple):
    """Which state of an account a writer has seen."""

    saves: int
    head: Head


def load(connection: Connection, key: bytes, account_id: str) -> tuple[int, Saved] | None:
    """Return how often an account was committed, and its newest state; None when there is no account.

    Raises
    ------
    LedgerTampered
        When the state is not what was written, or the chain does not end where the state says.
    """
    account = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.account_id == account_id)).first()
    if account is None and chain.newest(connection, account_id) == Head():
        return None
    fault = state_fault(connection, key, account_id)
    if account is not None and not fault:
        head = Head(account.head_hash, account.head_number)
        fault = chain.tail_fault(connection, key, account_id, head)
    if account is None or fault:
        raise LedgerTampered(
            f"account {account_id!r} is not opened: {fault}. Nothing is sent. `genesis audit verify` says "
            "more; the newest backup has the ledger as it was"
        )
    row = connection.execute(_newest_snapshot(account_id, account.saves)).one()
    return account.saves, Saved(snapshot=row.snapshot, position=row.position, head=head)


def state_fault(connection: Connection, key: bytes, account_id: str) -> str:
    """Return what is wrong with the newest state of an account, or nothing."""
    account = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.account_id == account_id)).first()
    if account is None:
        return "the account itself is missing"
    row = connection.execute(_newest_snapshot(account_id, account.saves)).mappings().first()
    told = (account.saves, account.head_hash, account.head_number)
    if row is None or (row["saves"], row["head_hash"], row["head_number"]) != told:
        return "its newest state is missing"
    if not isinstance(row["snapshot"], bytes) or row["seal"] != _seal(key, account_id, dict(row)):
        return "its state was changed after it was written"
    return ""


def shown(connection: Connection, account_id: str) -> bytes | None:
    """Return the newest state of an account as it lies there, its seal not checked, to be shown alone."""
    saves = connection.execute(select(ACCOUNTS.c.saves).where(ACCOUNTS.c.account_id == account_id)).scalar()
    row = connection.execute(_newest_snapshot(account_id, saves)).first() if saves is not None else None
    return bytes(row.snapshot) if row is not None else None


def _newest_snapshot(account_id: str, saves: int) -> "Select[Any]":
    return select(SNAPSHOTS).where(SNAPSHOTS.c.account_id == account_id, SNAPSHOTS.c.slot == saves % 2)


def commit(
    connection: Connection,
    key: bytes,
    account_id: str,
    expected: Version | None,
    saved: Saved,
    written: tuple[Sequence[AuditEntry], Sequence[Outgoing]],
) -> int:
    """Write one step of an account over its ``expected`` version; return how many there are now.

    Raises
    ------
    LedgerConflict
        When the stored version is another.
    IntegrityError
        When another writer began the account at the same moment.
    """
    audit, outgoing = written
    saves = expected.saves + 1 if expected is not None else 1
    _write_account(connection, account_id, expected, Version(saves, saved.head))
    connection.execute(PUT_SNAPSHOT[connection.dialect.name], _snapshot(key, account_id, saves, saved))
    if audit:
        names = AuditEntry.__struct_fields__
        connection.execute(ADD_AUDIT, [{name: getattr(each, name) for name in names} for each in audit])
    if outgoing:
        outbox.put(connection, account_id, outgoing)
    return saves


def _write_account(
    connection: Connection, account_id: str, expected: Version | None, written: Version
) -> None:
    values: dict[str, Any] = {
        "saves": written.saves,
        "head_hash": written.head.hash,
        "head_number": written.head.number,
    }
    if expected is None:
        connection.execute(ADD_ACCOUNT, {"account_id": account_id, **values})
        return
    values["of_account"], values["expected_saves"] = account_id, expected.saves
    values["expected_hash"], values["expected_number"] = expected.head
    if connection.execute(SWAP_ACCOUNT, values).rowcount != 1:
        raise conflict(account_id)


def conflict(account_id: str) -> LedgerConflict:
    """Return the error of a writer that was not the only one."""
    return LedgerConflict(
        f"account {account_id!r} was changed by another process: only one may write it. Stop the other one; "
        "this one starts again from the ledger"
    )


def _snapshot(key: bytes, account_id: str, saves: int, saved: Saved) -> dict[str, Any]:
    row: dict[str, Any] = {
        "account_id": account_id,
        "slot": saves % 2,
        "saves": saves,
        "head_hash": saved.head.hash,
        "head_number": saved.head.number,
        "position": saved.position,
        "snapshot": saved.snapshot,
    }
    return {**row, "seal": _seal(key, account_id, row)}


def _seal(key: bytes, account_id: str, row: Mapping[str, Any]) -> str:
    told = (row["saves"], row["head_hash"], row["head_number"], row["position"])
    return mac(key, "snapshot", account_id, *map(str, told), hashlib.sha256(row["snapshot"]).hexdigest())
