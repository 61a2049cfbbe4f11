"""Affairs: what is known of one account, as a pure fold of its records.

Law: ``merge`` is associative and `Affairs()` changes nothing, so that any way of cutting the same records
into batches ends in the same affairs. Newest means newest by event time, and among equals the last one in
the log. Everything is bounded: of what is over, the oldest is forgotten.

What attaches late is given the same records again, from the ledger: a record has an id made from what
caused it, so one that comes twice is one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from genesis.operators.account.outcomes import AccountStatus, Decision, Fill, ParentOrder, PositionStatus
from genesis.operators.account.performance import Past
from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tiers import GateProgress

FILLS_MAX = 500
"""Trades of ours remembered, the newest."""

DECISIONS_MAX = 200
"""Decisions remembered, the newest."""

TIER_STEPS_MAX = 20
"""Changes of tier remembered beside them, the newest."""

WRITINGS_MAX = 50
"""Entries of the journal remembered beside them, the newest: when, and how many words."""

ORDERS_ENDED_MAX = 50
"""Parent orders that are over remembered, the newest."""

ORDERS_OPEN_MAX = 200
"""Parent orders at work remembered; the account has no more."""

MOODS_MAX = 1_440
"""Minutes of which the state of mind is remembered: a day."""

MINUTE_NS = 60_000_000_000

TIER_SUBJECT, JOURNAL_SUBJECT = "tier", "write_journal"


class Mood(msgspec.Struct, frozen=True, kw_only=True):
    """What the account's fold says of the trader's state.

    Attributes
    ----------
    event_ns
        Account's clock.
    level
        0 to 3.
    signs
        Sentences, the strongest sign first.
    until_ns
        When trading opens again, account's clock; 0 when it is not locked.
    calibrated
        False while his usual self is being learned.
    missing
        What keeps a rest from ending.
    debt
        Disciplined trades with a profit until sizes are full again.
    """

    event_ns: int
    level: int
    signs: tuple[str, ...] = ()
    until_ns: int = 0
    calibrated: bool = True
    missing: tuple[str, ...] = ()
    debt: int = 0


class Books(NamedTuple):
    """What the ledger keeps of an account that no topic tells: days, gates, what was realised by name.

    ``pairs`` and ``strategies`` are realised in quote asset by name over ``pairs_days`` days; the name of
    the trader's own orders is empty. ``correlations`` are those the checks use, by "A|B".
    """

    event_ns: int
    tier: Tier
    entered_ns: int
    halved_until_ns: int
    guarded: bool
    gates: tuple[GateProgress, ...]
    days: tuple[Past, ...]
    today: Past
    pairs: Mapping[str, Decimal]
    strategies: Mapping[str, Decimal]
    pairs_days: int
    correlations: Mapping[str, float]


class _Record(Protocol):
    @property
    def id(self) -> str:
        """Made from what caused it."""

    @property
    def event_ns(self) -> int:
        """Account's clock."""


R = TypeVar("R", bound=_Record)
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Affairs:
    """What is known; see the module.

    Attributes
    ----------
    status
        How the account stands; None before the first word.
    positions
        The newest word on each symbol, closed ones too.
    orders
        The newest word on each parent order, by its id.
    fills, decisions
        The newest, oldest first.
    tier_steps, writings
        Decisions on the tier and on entries of the journal, kept longer than the others.
    mood
        The newest word on the trader's state; None where nobody says anything.
    moods
        The newest level of each minute, as (event_ns, level), by minute of the account's clock.
    books
        What the ledger said last; None where it cannot be read.
    """

    status: AccountStatus | None = None
    positions: Mapping[str, PositionStatus] = field(default_factory=dict)
    orders: Mapping[str, ParentOrder] = field(default_factory=dict)
    fills: tuple[Fill, ...] = ()
    decisions: tuple[Decision, ...] = ()
    tier_steps: tuple[Decision, ...] = ()
    writings: tuple[Decision, ...] = ()
    mood: Mood | None = None
    moods: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    books: Books | None = None

    @property
    def event_ns(self) -> int:
        """The account's clock, as far as it is known here; 0 before the first word."""
        known = (each.event_ns for each in (self.status, self.books, self.mood) if each is not None)
        return max(known, default=0)


NOTHING = Affairs()


def merge(first: Affairs, then: Affairs) -> Affairs:
    """Return what is known after both; ``then`` came later in the log.

    >>> merge(NOTHING, Affairs(mood=Mood(event_ns=5, level=1))).mood.level
    1
    """
    if then is NOTHING:
        return first
    if first is NOTHING:
        return then
    return Affairs(
        status=_newer(first.status, then.status),
        positions=_newest_of(first.positions, then.positions),
        orders=_bounded(_newest_of(first.orders, then.orders)),
        fills=_joined(first.fills, then.fills, FILLS_MAX),
        decisions=_joined(first.decisions, then.decisions, DECISIONS_MAX),
        tier_steps=_joined(first.tier_steps, then.tier_steps, TIER_STEPS_MAX),
        writings=_joined(first.writings, then.writings, WRITINGS_MAX),
        mood=_newer(first.mood, then.mood),
        moods=_moods(first.moods, then.moods),
        books=_newer(first.books, then.books),
    )


def _newer(first: Any, then: Any) -> Any:
    if first is None or then is None:
        return first if then is None else then
    return then if then.event_ns >= first.event_ns else first


def _newest_of(first: Mapping[str, R], then: Mapping[str, R]) -> Mapping[str, R]:
    if not then:
        return first
    return {**first, **{key: _newer(first.get(key), record) for key, record in then.items()}}


def _joined(first: tuple[R, ...], then: tuple[R, ...], most: int) -> tuple[R, ...]:
    """Return the records of both, each once, in the order of their time, the newest ``most``."""
    if not then:
        return first
    if not first or first[-1].event_ns < then[0].event_ns:
        return (first + then)[-most:]
    known = {record.id: record for record in (*first, *then)}
    return tuple(sorted(known.values(), key=_order))[-most:]


def _order(record: _Record) -> tuple[int, str]:
    return record.event_ns, record.id


def is_open(order: ParentOrder) -> bool:
    """Say whether a parent order is not over."""
    return order.status != "ended"


def _bounded(orders: Mapping[str, ParentOrder]) -> Mapping[str, ParentOrder]:
    if len(orders) <= ORDERS_ENDED_MAX:
        return orders
    kept: dict[str, ParentOrder] = {}
    for wanted, most in ((True, ORDERS_OPEN_MAX), (False, ORDERS_ENDED_MAX)):
        found = sorted((each for each in orders.values() if is_open(each) is wanted), key=_order)
        kept |= {each.parent_id: each for each in found[-most:]}
    return kept


def _moods(
    first: Mapping[int, tuple[int, int]], then: Mapping[int, tuple[int, int]]
) -> Mapping[int, tuple[int, int]]:
    if not then:
        return first
    both = dict(first)
    for minute, told in then.items():
        both[minute] = told if told[0] >= both.get(minute, told)[0] else both[minute]
    return {minute: both[minute] for minute in sorted(both)[-MOODS_MAX:]}


def of_record(record: Any) -> Affairs:
    """Return what one record says; a kind that is not shown says nothing."""
    match record:
        case AccountStatus():
            return Affairs(status=record)
        case PositionStatus():
            return Affairs(positions={record.symbol: record})
        case ParentOrder():
            return Affairs(orders={record.parent_id: record})
        case Fill():
            return Affairs(fills=(record,))
        case Decision():
            steps = (record,) if record.subject == TIER_SUBJECT else ()
            writings = (record,) if record.subject == JOURNAL_SUBJECT and record.accepted else ()
            return Affairs(decisions=(record,), tier_steps=steps, writings=writings)
        case Mood():
            at = (record.event_ns, record.level)
            return Affairs(mood=record, moods={record.event_ns // MINUTE_NS: at})
        case Books():
            return Affairs(books=record)
    return NOTHING


def of_records(records: Iterable[Any]) -> Affairs:
    """Return what records say, in the order of their log."""
    affairs = NOTHING
    for record in records:
        affairs = merge(affairs, of_record(record))
    return affairs


KINDS: Mapping[str, type[msgspec.Struct]] = {
    "account": AccountStatus,
    "positions": PositionStatus,
    "parent_orders": ParentOrder,
    "executions": Fill,
    "decisions": Decision,
}
"""What the topics hold that are folded here."""

TILT = "tilt"
"""The topic of the trader's state."""

TOPICS = (*KINDS, TILT)

_decoders = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}


class _Told(msgspec.Struct, kw_only=True):
    """What is read of a record of the trader's state; whatever else it holds is left to others."""

    event_ns: int
    level: int
    account_id: str = ""
    signs: list[Any] = []
    until_ns: int = 0
    locked_until_ns: int = 0
    calibrated: bool = True
    missing: list[str] = []
    debt: int = 0


_told = msgspec.json.Decoder(_Told)


def decoded(topic: str, value: bytes, account_id: str) -> Affairs | None:
    """Return what a message of a topic says of an account; None when it is about another one.

    Raises
    ------
    msgspec.MsgspecError
        When it is no such record.
    """
    if topic == TILT:
        told = _told.decode(value)
        record: Any = Mood(
            event_ns=told.event_ns,
            level=min(max(told.level, 0), 3),
            signs=tuple(_sentence(each) for each in told.signs),
            until_ns=max(told.until_ns, told.locked_until_ns),
            calibrated=told.calibrated,
            missing=tuple(told.missing),
            debt=max(told.debt, 0),
        )
        return of_record(record) if told.account_id in ("", account_id) else None
    record = _decoders[topic].decode(value)
    return of_record(record) if record.account_id == account_id else None


def _sentence(sign: Any) -> str:
    if isinstance(sign, dict):
        sign = sign.get("sentence") or sign.get("title") or sign.get("name") or ""
    return str(sign)
