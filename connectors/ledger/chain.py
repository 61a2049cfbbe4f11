"""Chain: the stored audit chain read and compared: with itself, with the account, with its anchor."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from genesis.connectors.ledger.anchor import Anchor
from genesis.connectors.ledger.errors import LedgerTampered
from genesis.connectors.ledger.records import AuditReport
from genesis.connectors.ledger.tables import ACCOUNTS, AUDIT
from genesis.operators.account.audit import Head, chained, faults
from genesis.operators.account.outcomes import AuditEntry

TAIL_ENTRIES = 1_000
"""So many of the newest entries are checked whenever an account is loaded; `verify` checks all."""

_PIECE_ROWS = 1_000


def piece(connection: Connection, account_id: str, after: int, limit: int) -> list[AuditEntry]:
    """Return the oldest entries of an account behind the one with number ``after``.

    Raises
    ------
    LedgerTampered
        When a row holds what no entry can, which SQLite lets an editor write.
    """
    query = select(AUDIT).where(AUDIT.c.account_id == account_id, AUDIT.c.number > after)
    rows = connection.execute(query.order_by(AUDIT.c.number).limit(limit)).mappings()
    names = AuditEntry.__struct_fields__
    try:
        return [msgspec.convert({name: row[name] for name in names}, AuditEntry) for row in rows]
    except msgspec.ValidationError as error:
        raise LedgerTampered(
            f"account {account_id!r} has an audit entry behind number {after} that nobody wrote so: {error}. "
            "Nothing is sent; the newest backup has the ledger as it was"
        ) from None


def entries(connection: Connection, account_id: str, after: int = 0) -> Iterator[AuditEntry]:
    """Yield the entries of an account behind the one with number ``after``, piece by piece."""
    while found := piece(connection, account_id, after, _PIECE_ROWS):
        yield from found
        after = found[-1].number


def newest(connection: Connection, account_id: str) -> Head:
    """Return where the stored entries of an account end."""
    query = select(AUDIT.c.id, AUDIT.c.number).where(AUDIT.c.account_id == account_id)
    row = connection.execute(query.order_by(AUDIT.c.number.desc()).limit(1)).first()
    return Head(row.id, row.number) if row is not None else Head()


def hash_at(connection: Connection, account_id: str, number: int) -> str | None:
    """Return the hash of one entry, or None when there is no such entry."""
    query = select(AUDIT.c.id).where(AUDIT.c.account_id == account_id, AUDIT.c.number == number)
    return connection.execute(query).scalar()


def tail_fault(connection: Connection, key: bytes, account_id: str, head: Head) -> str:
    """Return what is wrong with the end of a chain that should end at ``head``, or nothing."""
    first = max(0, head.number - TAIL_ENTRIES)
    before = Head() if first == 0 else Head(hash_at(connection, account_id, first) or "", first)
    for entry in entries(connection, account_id, first):
        start = Head(entry.previous, entry.number - 1)
        if chained(key, start, account_id, entry.event_ns, (entry.subject, entry.body)).id != entry.id:
            return f"audit entry {entry.number} was changed after it was written"
        if start != before:
            return f"audit entry {entry.number} does not follow the one before it"
        before = Head(entry.id, entry.number)
    return "" if before == head else _ends_elsewhere(before, head)


class Anchored(NamedTuple):
    """An anchor as it was before a chain was read."""

    anchor: Anchor
    size: int  # bytes


def report(connection: Connection, key: bytes, account_id: str, anchored: Anchored | None) -> AuditReport:
    """Read one account's chain whole and return what was found."""
    end = newest(connection, account_id)
    try:
        found = list(faults(key, entries(connection, account_id)))
    except LedgerTampered as fault:
        found = [str(fault).rstrip(".")]
    query = select(ACCOUNTS.c.head_hash, ACCOUNTS.c.head_number)
    row = connection.execute(query.where(ACCOUNTS.c.account_id == account_id)).first()
    if row is not None and Head(row.head_hash, row.head_number) != end:
        found.append(_ends_elsewhere(end, Head(row.head_hash, row.head_number)))
    line = anchored.anchor.newest(account_id, anchored.size) if anchored is not None else None
    if anchored is not None:
        found += _anchor_faults(connection, account_id, anchored, end)
    counted = select(func.count()).select_from(AUDIT).where(AUDIT.c.account_id == account_id)
    return AuditReport(
        account_id=account_id,
        entries=connection.execute(counted).scalar_one(),
        head=end,
        anchored=line.number if line is not None else 0,
        anchored_ns=line.time_ns if line is not None else 0,
        faults=found,
    )


def known(connection: Connection) -> list[str]:
    """Return the accounts that have a chain or a state."""
    accounts = set(connection.execute(select(ACCOUNTS.c.account_id)).scalars())
    return sorted(accounts | set(connection.execute(select(func.distinct(AUDIT.c.account_id))).scalars()))


def _anchor_faults(connection: Connection, account_id: str, anchored: Anchored, end: Head) -> Iterator[str]:
    anchor, size = anchored
    found, forged = 0, 0
    for place, line in anchor.lines(size):
        forged += line is None
        if line is None or line.account_id != account_id:
            continue
        found += 1
        stored = hash_at(connection, account_id, line.number)
        if stored is None:
            yield (
                f"the anchor saw entry {line.number}, and the chain ends with entry {end.number}: the newest "
                f"were cut off, or the ledger is an older copy (line {place} of {anchor.path})"
            )
            return
        if stored != line.head:
            yield (
                f"entry {line.number} is not the one that the anchor saw: the chain was written anew "
                f"(line {place} of {anchor.path})"
            )
            return
    if forged:
        yield f"{forged} lines of {anchor.path} are damaged, or made by somebody else"
    if not found and end.number:
        yield f"there is no anchor of it in {anchor.path}: whether its newest entries are there is not known"


def _ends_elsewhere(end: Head, expected: Head) -> str:
    return (
        f"the account stands at audit entry {expected.number}, and the chain ends with entry {end.number}"
        if end.number != expected.number
        else f"audit entry {end.number} is not the one that the account stands at"
    )
