"""Ledger: one process's way to the truth about the accounts.

The account flow commits each step of an account as one transaction: state, how far the log was read,
audit entries, outbox. The gateway takes the fence and puts every order down before it is sent. What is
not in here did not happen; what is in here can be rebuilt from here alone.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from genesis.connectors.ledger import accounts, chain, halts, orders, outbox
from genesis.connectors.ledger.accounts import Version
from genesis.connectors.ledger.anchor import Anchor, Line
from genesis.connectors.ledger.chain import Anchored
from genesis.connectors.ledger.engine import Database
from genesis.connectors.ledger.errors import (
    AlreadyRecorded,
    LedgerError,
    LedgerTampered,
)
from genesis.connectors.ledger.records import AuditReport, Outgoing, RecordedOrder, RefusedPermit, Saved
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import AuditEntry, ChildOrder

log = structlog.get_logger(__name__)


class Ledger:
    """The ledger as one process sees it. Threads may share it; they wait for each other."""

    def __init__(self, database: Database, audit_key: bytes, anchor_folder: Path | None) -> None:
        self._database = database
        self._key = audit_key
        self._anchor = Anchor(anchor_folder, audit_key) if anchor_folder is not None else None
        self._lock = threading.RLock()
        self._seen: dict[str, Version | None] = {}
        self._newest_pruned = 0
        self._anchor_fails = False

    @classmethod
    def open(
        cls, url: str, *, audit_key: bytes = b"", anchor: Path | None = None, create: bool = True
    ) -> Self:
        """Open a ledger, made and brought up to date as needed.

        Parameters
        ----------
        url
            ``sqlite:////folder/ledger.db`` or ``postgresql+psycopg://user@host/database``.
        audit_key
            Needed to load, commit and verify; the gateway and readers do without.
        anchor
            Folder of the anchor file; the account flow gives it. None writes and compares none.
        create
            False for readers: a missing or outdated ledger is a `NoLedger` then.

        Raises
        ------
        LedgerError
            When it cannot be opened; the message says why and what to do.
        """
        return cls(Database(url, create=create), audit_key, anchor)

    @property
    def where(self) -> str:
        """Where the ledger is, for people: it has no password."""
        return self._database.where

    def close(self) -> None:
        """Let go of the database. What was committed stays."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The account flow's side.

    def load(self, account_id: str) -> Saved | None:
        """Return the newest state of an account, or None when there is none yet.

        Raises
        ------
        LedgerTampered
            When state or chain are not what was written, or end before their anchor.
        """
        with self._lock:
            anchored = self._anchor.newest(account_id) if self._anchor is not None else None
            with self._database.reading() as connection:
                found = accounts.load(connection, self._need_key(), account_id)
                if anchored is not None:
                    _compare_with_anchor(connection, anchored)
            if found is None:
                self._seen[account_id] = None
                return None
            saves, saved = found
            self._seen[account_id] = Version(saves, saved.head)
            if saved.head.number > (anchored.number if anchored is not None else 0):
                # There was a crash between commit and anchor.
                self._put_anchor(account_id, saved.head)
            return saved

    def commit(
        self,
        account_id: str,
        *,
        before: Head,
        saved: Saved,
        audit: Sequence[AuditEntry],
        outbox: Sequence[Outgoing],
    ) -> None:
        """Keep one step of an account: all of it, on the disk, or nothing.

        Raises
        ------
        LedgerConflict
            When the stored account is not the one that this ledger loaded or committed last, or its
            chain does not end at ``before``.
        LedgerUnreachable
            When the database went away; only `load` can say then whether the step was kept.
        LedgerError
            When nothing was kept for another reason, which the message says.
        """
        _check_links(account_id, before, saved.head, audit)
        key = self._need_key()
        with self._lock:
            if account_id not in self._seen:
                self.load(account_id)
            expected = self._seen[account_id]
            if (expected.head if expected is not None else Head()) != before:
                raise accounts.conflict(account_id)
            # What was seen stays when this fails: had the step been kept, the next would be a conflict.
            with self._database.writing() as connection:
                try:
                    saves = accounts.commit(connection, key, account_id, expected, saved, (audit, outbox))
                except IntegrityError:
                    raise accounts.conflict(account_id) from None
            self._seen[account_id] = Version(saves, saved.head)
            if audit:
                self._put_anchor(account_id, saved.head)

    def unsent(self, limit: int = 1_000) -> list[Outgoing]:
        """Return the oldest records that are not marked as sent, in their order."""
        with self._lock, self._database.reading() as connection:
            return outbox.unsent(connection, limit)

    def mark_sent(self, numbers: Sequence[int]) -> None:
        """Mark records as sent, once the broker has confirmed them; what is not needed any more goes."""
        if not numbers:
            return
        with self._lock, self._database.writing() as connection:
            outbox.mark_sent(connection, numbers)
            if max(numbers) >= self._newest_pruned + outbox.PRUNE_ROWS:
                outbox.prune(connection)
                self._newest_pruned = max(numbers)

    def send_again(self) -> int:
        """Let all records that are still kept count as unsent: the broker has lost what it had.

        Readers know repeats by their id. Returns how many there are.
        """
        with self._lock, self._database.writing() as connection:
            return outbox.send_again(connection)

    # The gateway's side.

    def take_fence(self, name: str) -> int:
        """Return a token of the fence; every earlier token of that name is void from now on."""
        with self._lock, self._database.writing() as connection:
            return orders.take_fence(connection, name)

    def halt(self, account_id: str) -> int:
        """Halt an account for good: no gateway sends for it, neither the running one nor a later one."""
        with self._lock, self._database.writing() as connection:
            return halts.halt(connection, account_id)

    def is_halted(self, account_id: str) -> bool:
        """Say whether the kill switch was used on an account and not lifted."""
        with self._lock, self._database.reading() as connection:
            return halts.newest(connection, account_id).stands

    def newest_halt(self, account_id: str) -> halts.Halt:
        """Return the newest halt of an account, lifted or not; a gateway's token below its number is void."""
        with self._lock, self._database.reading() as connection:
            return halts.newest(connection, account_id)

    def lift_halt(self, account_id: str) -> None:
        """Let a gateway that starts from now on send again."""
        with self._lock, self._database.writing() as connection:
            halts.lift(connection, account_id)

    def record_order(self, token: int, order: ChildOrder) -> None:
        """Put down an order that is about to be sent; send it only when this has returned.

        An order that is right but came too late is recorded too, and ended as expired.

        Raises
        ------
        FenceLost
            When a later gateway has the fence.
        UnknownDecision
            When the ledger did not decide on exactly this order: its audit entry is unknown, or the
            outbox has no such child order, or another one has its id.
        AlreadyRecorded
            When it was recorded before and so may have been sent.
        """
        with self._lock, self._database.writing() as connection:
            try:
                orders.record(connection, token, order)
            except IntegrityError:
                raise AlreadyRecorded(
                    f"order {order.client_order_id!r} was recorded at the same moment: ask the venue"
                ) from None

    def is_decided(self, order: ChildOrder) -> bool:
        """Say whether the ledger decided on exactly this child order, a cancel for example."""
        with self._lock, self._database.reading() as connection:
            return outbox.decided(connection, order)

    def record_outcome(
        self, token: int, client_order_id: str, status: str, venue_order_id: int, filled_qty: str
    ) -> None:
        """Put down what became of a recorded order.

        What is older than what is known changes nothing: an open status after a terminal one, or less
        filled. ``venue_order_id`` is -1 while it is not known.

        Raises
        ------
        FenceLost
            When a later gateway has the fence.
        UnknownDecision
            When the order was never recorded.
        """
        with self._lock, self._database.writing() as connection:
            orders.record_outcome(connection, token, client_order_id, (status, venue_order_id, filled_qty))

    def open_orders(self, account_id: str) -> list[RecordedOrder]:
        """Return the orders that are recorded and have not ended, oldest first."""
        with self._lock, self._database.reading() as connection:
            return orders.recorded(connection, account_id, open_only=True, limit=0)

    def recorded_orders(self, account_id: str, limit: int) -> list[RecordedOrder]:
        """Return the newest recorded orders, ended ones too, oldest first."""
        with self._lock, self._database.reading() as connection:
            return orders.recorded(connection, account_id, open_only=False, limit=limit)

    def pending_children(self, account_id: str) -> list[ChildOrder]:
        """Return the child orders to send whose id was never recorded, oldest first.

        They may be on their way still, or a broker has lost them; recording them tells.
        """
        with self._lock, self._database.reading() as connection:
            return outbox.pending(connection, account_id, "send")

    def pending_cancels(self, account_id: str) -> list[ChildOrder]:
        """Return the cancels of orders that have not ended, as far as the ledger knows; oldest first."""
        with self._lock, self._database.reading() as connection:
            return outbox.pending(connection, account_id, "cancel")

    def record_trade(self, token: int, account_id: str, symbol: str, trade_id: int) -> None:
        """Put down the newest trade of a symbol that was handed on; an older one changes nothing.

        Raises
        ------
        FenceLost
            When a later gateway has the fence.
        """
        with self._lock, self._database.writing() as connection:
            orders.record_trade(connection, token, account_id, symbol, trade_id)

    def last_trade_ids(self, account_id: str) -> dict[str, int]:
        """Return the newest trade that was handed on, by symbol."""
        with self._lock, self._database.reading() as connection:
            return orders.last_trade_ids(connection, account_id)

    def refused_permit(self, account_id: str, client_order_id: str, code: str, detail: str) -> None:
        """Count a child order that the gateway refused."""
        with self._lock, self._database.writing() as connection:
            orders.refused_permit(connection, account_id, client_order_id, code, detail)

    def refused_permits(self, account_id: str) -> list[RefusedPermit]:
        """Return the child orders that the gateway refused, each with its count, the newest last."""
        with self._lock, self._database.reading() as connection:
            return orders.refused_permits(connection, account_id)

    # For readers.

    def accounts(self) -> list[str]:
        """Return the names of the accounts."""
        with self._lock, self._database.reading() as connection:
            return chain.known(connection)

    def latest(self, account_id: str, topic: str) -> list[bytes]:
        """Return the newest record, JSON, of each key of a topic.

        Topics are ``positions`` (by symbol), ``account``, ``parent_orders`` (by parent order) and
        ``decisions`` (the newest refusal).
        """
        with self._lock, self._database.reading() as connection:
            return outbox.latest(connection, account_id, topic)

    def snapshot(self, account_id: str) -> bytes | None:
        """Return an account's newest state for a screen: without a key, so its seal is not checked."""
        with self._lock, self._database.reading() as connection:
            return accounts.shown(connection, account_id)

    def audit_entries(self, account_id: str, after: int = 0, limit: int = 1_000) -> list[AuditEntry]:
        """Return the oldest audit entries of an account whose number is greater than ``after``."""
        with self._lock, self._database.reading() as connection:
            return chain.piece(connection, account_id, after, limit)

    def audit_report(self, account_id: str) -> AuditReport:
        """Read an account's chain whole, with its anchor and state, and return all that is wrong."""
        key = self._need_key()
        anchored = Anchored(self._anchor, self._anchor.size()) if self._anchor is not None else None
        with self._lock, self._database.reading() as connection:
            report = chain.report(connection, key, account_id, anchored)
            fault = accounts.state_fault(connection, key, account_id)
        return msgspec.structs.replace(report, faults=[*report.faults, fault]) if fault else report

    # Below: ours.

    def _need_key(self) -> bytes:
        if not self._key:
            raise LedgerError(
                "the ledger was opened without the audit key, so it can neither load nor commit"
            )
        return self._key

    def _put_anchor(self, account_id: str, head: Head) -> None:
        if self._anchor is None:
            return
        try:
            self._anchor.append(account_id, head)
            self._anchor_fails = False
        except OSError as error:  # the step is kept, so it goes on; the next one anchors this too
            if not self._anchor_fails:
                log.warning("anchor_not_written", path=str(self._anchor.path), reason=error.strerror)
            self._anchor_fails = True


def _compare_with_anchor(connection: Connection, line: Line) -> None:
    if chain.hash_at(connection, line.account_id, line.number) == line.head:
        return
    raise LedgerTampered(
        f"account {line.account_id!r} is not opened: its anchor saw audit entry {line.number}, the ledger "
        "does not have it: entries were cut off, or it is an older copy. Nothing is sent. If you put a "
        "backup in its place on purpose, move the anchor file away; `genesis audit verify` says more"
    )


def _check_links(account_id: str, before: Head, after: Head, audit: Sequence[AuditEntry]) -> None:
    head = before
    for entry in audit:
        if (entry.previous, entry.number, entry.account_id) != (head.hash, head.number + 1, account_id):
            raise ValueError(
                f"ledger: audit entry {entry.number} of {entry.account_id!r} does not follow entry "
                f"{head.number} of {account_id!r}; chain the entries one by one"
            )
        head = Head(entry.id, entry.number)
    if head != after:
        raise ValueError(
            f"ledger: the step ends at audit entry {head.number}, saved.head says {after.number}; "
            "save the head of the last entry"
        )
