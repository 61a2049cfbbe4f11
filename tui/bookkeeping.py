"""Bookkeeping: what a dashboard that attaches late reads back from the ledger, and looks at again in a while.

The newest word on account, positions and orders, the newest entries of the audit chain (decisions and
trades), and of the account's own state what no topic tells: its days and its gates. It is read without a
key, for showing alone: whoever decides loads the same state with its seal checked. Everything is bounded,
and a ledger that cannot be read leaves the screens with what the topics say.
"""

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from genesis.connectors.settings import Settings
from genesis.operators.account import tier_facts, tiers
from genesis.operators.account.money import ZERO
from genesis.operators.account.outcomes import Decision, Fill
from genesis.operators.account.performance import Day, Past, Performance, calendar, pnl, return_of
from genesis.operators.account.tiers import Standing
from genesis.tui import affairs
from genesis.tui.affairs import NOTHING, Affairs, Books

AUDIT_ENTRIES = 2_000
"""Newest entries of the audit chain that are read back."""

AGAIN_S = 10.0
"""Pause between two looks."""

_AUDITED: dict[str, type[msgspec.Struct]] = {"decisions": Decision, "executions": Fill}


class _Kept(msgspec.Struct, kw_only=True):
    """What is read of an account's state; the rest of it is the fold's own."""

    now_ns: int
    head_number: int
    performance: Performance
    standing: Standing
    correlations: dict[str, float] = {}
    summary: tier_facts.Summary | None = None


_kept = msgspec.msgpack.Decoder(_Kept)


def _books(kept: _Kept) -> Books:
    performance, standing = kept.performance, kept.standing
    summary = tier_facts.summarised(performance, standing, kept.summary)
    facts = tier_facts.facts(performance, standing, summary, tier_facts.Held())
    return Books(
        event_ns=kept.now_ns,
        tier=standing.tier,
        entered_ns=standing.entered_ns,
        halved_until_ns=standing.halved_until_ns,
        guarded=standing.guarded,
        gates=tuple(tiers.progress(standing, facts)),
        days=tuple(calendar(performance)),
        today=_past(performance.today),
        pairs=_added([*performance.recent, performance.today], "pairs"),
        strategies=_added([*performance.recent, performance.today], "strategies"),
        pairs_days=len(performance.recent) + 1,
        correlations=kept.correlations,
    )


def books_of(snapshot: bytes) -> Books:
    """Return what a screen shows of an account's state.

    Raises
    ------
    msgspec.MsgspecError
        When it is none.
    """
    return _books(_kept.decode(snapshot))


def _past(day: Day) -> Past:
    return Past(day.day, day.end, pnl(day), return_of(day), day.trades)


def _added(days: list[Day], of: str) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for day in days:
        for name, realised in getattr(day, of).items():
            total[name] = total.get(name, ZERO) + realised
    return total


def read(ledger: Any, account_id: str) -> Affairs:
    """Return what a ledger knows of an account; nothing when it knows none of that name.

    Raises
    ------
    LedgerError
        When it cannot be read.
    msgspec.MsgspecError
        When something in it is of another version than this program.
    """
    found = NOTHING
    for topic, kind in affairs.KINDS.items():
        bodies = ledger.latest(account_id, topic) if topic != "executions" else ()
        records = [msgspec.json.decode(body, type=kind) for body in bodies]
        found = affairs.merge(found, affairs.of_records(records))
    for body in ledger.latest(account_id, affairs.TILT):
        found = affairs.merge(found, affairs.decoded(affairs.TILT, body, account_id) or NOTHING)
    snapshot = ledger.snapshot(account_id)
    if snapshot is None:
        return found
    kept = _kept.decode(snapshot)
    told = affairs.of_records(_audited(ledger, account_id, kept.head_number))
    return affairs.merge(affairs.merge(told, found), affairs.of_record(_books(kept)))


def _audited(ledger: Any, account_id: str, newest: int) -> Iterator[msgspec.Struct]:
    entries = ledger.audit_entries(account_id, max(newest - AUDIT_ENTRIES, 0), AUDIT_ENTRIES)
    for entry in entries:
        if entry.subject in _AUDITED:
            yield msgspec.json.decode(entry.body, type=_AUDITED[entry.subject])


def reader(settings: Settings) -> Callable[[], Affairs]:
    """Return what reads the ledger of these settings; it is opened once there is one, and after a failure."""
    opened: list[Any] = []

    def look() -> Affairs:
        from genesis.connectors.ledger import LedgerError, open_ledger

        try:
            if not opened:
                opened.append(open_ledger(settings, create=False))
            return read(opened[0], settings.account)
        except (LedgerError, msgspec.MsgspecError, OSError):
            while opened:
                opened.pop().close()
            return NOTHING

    return look


class Bookkeeper:
    """A thread that looks into the ledger now and then.

    Parameters
    ----------
    look
        Reads; see ``reader``.
    leave
        Called, from the thread, with what was read when that is news.
    fail
        Called, from the thread, with the defect that ended it.
    """

    def __init__(
        self,
        look: Callable[[], Affairs],
        leave: Callable[[Affairs], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._look, self._leave, self._fail = look, leave, fail
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="books", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that is under way is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        before = NOTHING
        try:
            while not self._stopping.is_set():
                found = self._look()
                if found not in (NOTHING, before):
                    self._leave(found)
                before = found
                self._stopping.wait(AGAIN_S)
        except BaseException as error:
            self._fail(error)
            raise
