"""The faults that the venue can be asked for: one table, from which help, parser and docs are made.

A fault is written ``KIND[:TARGET[:NAME=VALUE,...]]``, for example ``gap:BTCUSDT@depth:after=1000,count=5``.
"""

import math
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from genesis.connectors.venue.source import Kind
from genesis.operators.records import Market

Value = int | float | str


class FaultError(ValueError):
    """A fault is misspelt or impossible; the message says what was expected."""


class Scope(Enum):
    """What a fault acts on, thus what its target may be."""

    STREAM = "messages of the streams that the target names"
    CONNECTION = "connections that listen to a stream the target names"
    HANDSHAKE = "new websocket connections, of one market or all"
    REST = "answers of an endpoint: depth, exchangeInfo, time, ping, order, myTrades and so on"
    SNAPSHOT = "answers to depth requests for a symbol"
    ORDER = "new orders on a symbol"
    REPORT = "execution reports on a symbol"


class Parameter(NamedTuple):
    """A parameter of a fault: its default, which also gives its type, and its meaning."""

    default: Value
    doc: str
    choices: tuple[str, ...] = ()


class FaultKind(NamedTuple):
    """One kind of fault."""

    name: str
    scope: Scope
    doc: str
    parameters: dict[str, Parameter]
    example: str


COMMON = {
    "after": Parameter(0, "messages (or requests) of the target that pass unharmed first"),
    "at_s": Parameter(0.0, "not before this many seconds of source time after its first message"),
    "times": Parameter(1, "how often it happens, each time after `after` more; 0 for ever"),
}
"""Parameters of every fault."""

_COUNT = Parameter(1, "how many messages in a row")
_REQUESTS = Parameter(1, "how many requests in a row")
_ORDERS = Parameter(1, "how many orders in a row")
_REPORTS = Parameter(1, "how many reports in a row")

KINDS = {
    kind.name: kind
    for kind in (
        FaultKind(
            "disconnect",
            Scope.CONNECTION,
            "The connection ends; `miss` messages of the target pass before anything is sent again.",
            {
                "how": Parameter("abort", "TCP abort, or a close frame", ("abort", "1000", "1001")),
                "miss": Parameter(0, "messages that pass unsent afterwards"),
            },
            "disconnect:*:after=5000,how=1001,miss=100",
        ),
        FaultKind(
            "gap",
            Scope.STREAM,
            "Messages are left out.",
            {"count": _COUNT},
            "gap:BTCUSDT@depth:after=1000,count=5",
        ),
        FaultKind(
            "duplicate",
            Scope.STREAM,
            "Messages are sent twice.",
            {"count": _COUNT},
            "duplicate:BTCUSDT@trade:after=10,count=3",
        ),
        FaultKind(
            "out_of_order",
            Scope.STREAM,
            "A message is held back until `by` later ones of its stream are sent; 1 swaps two.",
            {"count": _COUNT, "by": Parameter(1, "messages of the stream that overtake it")},
            "out_of_order:usdm/BTCUSDT@depth:after=100,by=3",
        ),
        FaultKind(
            "silence",
            Scope.STREAM,
            "The streams say nothing, from connecting on if `after` is 0; what they would have said is lost.",
            {
                "for_ms": Parameter(1_000.0, "how long, in source time"),
                "until": Parameter(
                    "", "`reconnect`: until the client connects anew, instead", ("", "reconnect")
                ),
            },
            "silence:ETHUSDT@bookTicker:after=100,for_ms=30000",
        ),
        FaultKind(
            "stall",
            Scope.STREAM,
            "The whole venue pauses; nothing is lost.",
            {"wall_ms": Parameter(1_000.0, "how long, in real time")},
            "stall:*:after=2000,wall_ms=1500",
        ),
        FaultKind(
            "malformed",
            Scope.STREAM,
            "A message is cut in half, so that it is no JSON.",
            {"count": _COUNT, "keep": Parameter(0, "1: the whole message is sent before it")},
            "malformed:BTCUSDT@trade:after=20",
        ),
        FaultKind(
            "unknown_symbol",
            Scope.STREAM,
            "A message is followed by a copy of it for the symbol NOSUCHCOIN.",
            {"count": _COUNT},
            "unknown_symbol:BTCUSDT@bookTicker:after=20",
        ),
        FaultKind(
            "shutdown",
            Scope.CONNECTION,
            "The connection is told serverShutdown and closed (1001) after `grace` messages of the target.",
            {"grace": Parameter(100, "messages between the announcement and the end")},
            "shutdown:*:after=1000,grace=500",
        ),
        FaultKind(
            "cut",
            Scope.CONNECTION,
            "The connection is closed (1001) without notice, as at the end of its 24 hours.",
            {},
            "cut:*:after=3000",
        ),
        FaultKind(
            "refuse",
            Scope.HANDSHAKE,
            "New websocket connections fail.",
            {
                "count": Parameter(1, "how many attempts in a row"),
                "how": Parameter("reset", "TCP reset, or HTTP status", ("reset", "503", "429")),
            },
            "refuse:*:count=3",
        ),
        FaultKind(
            "429",
            Scope.REST,
            "Too many requests: status 429 with Retry-After, code -1003.",
            {"count": _REQUESTS, "retry_after_s": Parameter(1, "value of the header Retry-After")},
            "429:depth:count=2,retry_after_s=3",
        ),
        FaultKind(
            "418",
            Scope.REST,
            "Banned: status 418 with Retry-After, code -1003.",
            {"count": _REQUESTS, "retry_after_s": Parameter(120, "value of the header Retry-After")},
            "418:depth:retry_after_s=2",
        ),
        FaultKind(
            "slow_snapshot",
            Scope.SNAPSHOT,
            "A depth answer comes late.",
            {"count": _REQUESTS, "wall_ms": Parameter(1_500.0, "how late, in real time")},
            "slow_snapshot:BTCUSDT:wall_ms=1500",
        ),
        FaultKind(
            "stale_snapshot",
            Scope.SNAPSHOT,
            "A depth answer carries a lastUpdateId from before the client's stream began.",
            {"count": _REQUESTS, "by": Parameter(1_000, "how many update ids before it")},
            "stale_snapshot:BTCUSDT:count=2",
        ),
        FaultKind(
            "exchange_info_down",
            Scope.REST,
            "The exchange information is not to be had.",
            {"count": _REQUESTS, "status": Parameter(503, "status of the answer")},
            "exchange_info_down:*:count=3",
        ),
        FaultKind(
            "order_timeout",
            Scope.ORDER,
            "The answer to a new order is lost, before the order was accepted or after.",
            {
                "count": _ORDERS,
                "when": Parameter("after", "whether the order exists", ("before", "after")),
                "how": Parameter(
                    "-1007", "code -1007, a bare status 504, or never", ("-1007", "504", "silence")
                ),
            },
            "order_timeout:BTCUSDT:when=before,how=504",
        ),
        FaultKind(
            "reject_order",
            Scope.ORDER,
            "A new order is refused by the matching engine: code -2010.",
            {
                "count": _ORDERS,
                "msg": Parameter("This action is disabled on this account.", "the message, without comma"),
            },
            "reject_order:BTCUSDT:count=2",
        ),
        FaultKind(
            "expire_order",
            Scope.ORDER,
            "A new order is accepted, then EXPIRED by the price-range rule, unfilled.",
            {"count": _ORDERS},
            "expire_order:*:after=1",
        ),
        FaultKind(
            "partial_fill",
            Scope.ORDER,
            "Only a part of a new order can fill at once; the rest rests, or expires as its type says.",
            {"count": _ORDERS, "fraction": Parameter(0.5, "of its quantity that can fill at once")},
            "partial_fill:BTCUSDT:fraction=0.25",
        ),
        FaultKind(
            "drop_after_accept",
            Scope.ORDER,
            "A new order is accepted, but first all WebSocket API connections of its account end.",
            {"count": _ORDERS},
            "drop_after_accept:BTCUSDT",
        ),
        FaultKind(
            "duplicate_report",
            Scope.REPORT,
            "A report is sent twice.",
            {"count": _REPORTS},
            "duplicate_report:*",
        ),
        FaultKind(
            "lost_report", Scope.REPORT, "A report is not sent.", {"count": _REPORTS}, "lost_report:*:after=2"
        ),
        FaultKind(
            "user_shutdown",
            Scope.REPORT,
            "With a report its connections are told serverShutdown, and closed (1001) later.",
            {"grace_ms": Parameter(500.0, "how much later, in real time")},
            "user_shutdown:*:grace_ms=100",
        ),
        FaultKind(
            "clock_skew",
            Scope.REST,
            "The venue's clock is wrong, for `time` and for the timestamps of signed requests.",
            {
                "count": _REQUESTS,
                "by_ms": Parameter(5_000.0, "how wrong"),
                "way": Parameter("ahead", "ahead or behind", ("ahead", "behind")),
            },
            "clock_skew:order:count=3,by_ms=10000",
        ),
    )
}
"""All kinds by name."""

ENDPOINTS = (
    "depth", "exchangeInfo", "time", "ping", "order", "openOrders", "allOrders", "myTrades", "account",
    "session", "userDataStream",
)  # fmt: skip
"""Of REST, or the first word of a method of the WebSocket API."""

_STREAMS = {"trade": Kind.TRADE, "bookTicker": Kind.QUOTE, "depth": Kind.DIFF}
_TARGET = re.compile(r"(?:(spot|usdm|coinm)/)?(\*|[A-Z0-9_]{1,20})?(?:@(\w+))?")
_REST_TARGET = re.compile(r"(?:(spot|usdm|coinm)/)?(\*|\w+)?")


class Target(NamedTuple):
    """What a fault is aimed at; what is None or empty is any."""

    market: Market | None = None
    symbol: str = ""
    kind: Kind | None = None
    endpoint: str = ""

    def hits(self, market: Market, symbol: str, kind: Kind) -> bool:
        """Return whether a message is meant."""
        return (
            self.market in (None, market)
            and self.symbol in ("", symbol)
            and (self.kind in (None, kind) and kind != Kind.SNAPSHOT)
        )


@dataclass(frozen=True)
class FaultSpec:
    """A fault as it was asked for, checked.

    Raises
    ------
    FaultError
        When kind, target or a parameter is not what the table `KINDS` allows.
    """

    kind: str
    target: str = "*"
    parameters: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultError(f"fault: unknown kind {self.kind!r}; there are {', '.join(KINDS)}")
        for name, value in self.parameters.items():
            _check(self.kind, name, value)
        self.aim()

    @property
    def scope(self) -> Scope:
        """What it acts on."""
        return KINDS[self.kind].scope

    def __getitem__(self, name: str) -> Value:
        """Return a parameter, or its default."""
        default = (COMMON | KINDS[self.kind].parameters)[name].default
        return self.parameters.get(name, default)

    def number(self, name: str) -> float:
        """Return a numeric parameter."""
        return float(self[name])

    def aim(self) -> Target:
        """Return the target understood."""
        target = "" if self.target == "*" else self.target
        if self.scope == Scope.REST:
            match = _REST_TARGET.fullmatch(target)
            endpoint = "" if match is None or match[2] in (None, "*") else match[2]
            if match is None or (endpoint and endpoint not in ENDPOINTS):
                raise FaultError(
                    f"fault {self.kind}: target must be [market/]ENDPOINT with one of {', '.join(ENDPOINTS)}"
                    f" or *, was {self.target!r}"
                )
            if self.kind == "exchange_info_down":
                endpoint = "exchangeInfo"
            return Target(_market(match[1]), endpoint=endpoint)
        match = _TARGET.fullmatch(target)
        if match is None or (match[3] and match[3] not in _STREAMS):
            raise FaultError(
                f"fault {self.kind}: target must be [market/]SYMBOL[@trade|@bookTicker|@depth] or *,"
                f" was {self.target!r}"
            )
        symbol = "" if match[2] in (None, "*") else match[2]
        return Target(_market(match[1]), symbol, _STREAMS[match[3]] if match[3] else None)


def _market(name: str | None) -> Market | None:
    return Market[name.upper()] if name else None


def _check(kind: str, name: str, value: Value) -> None:
    allowed = COMMON | KINDS[kind].parameters
    if name not in allowed:
        raise FaultError(f"fault {kind}: unknown parameter {name!r}; there are {', '.join(allowed)}")
    default, _doc, choices = allowed[name]
    if choices and str(value) not in choices:
        raise FaultError(
            f"fault {kind}: {name} must be one of {', '.join(filter(None, choices))}, was {value!r}"
        )
    if isinstance(default, str):
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or value < 0 or (isinstance(default, int) and value != int(value)):  # type: ignore[operator]
        expected = "a whole number" if isinstance(default, int) else "a number"
        raise FaultError(f"fault {kind}: {name} must be {expected} from 0, was {value!r}")


def parse_fault(text: str) -> FaultSpec:
    """Return the fault that a text such as ``gap:BTCUSDT@depth:after=1000,count=5`` asks for.

    Raises
    ------
    FaultError
        When it is not understood.

    Examples
    --------
    >>> parse_fault("gap:BTCUSDT@depth:after=1000,count=5")
    FaultSpec(kind='gap', target='BTCUSDT@depth', parameters={'after': 1000, 'count': 5})
    """
    kind, _, rest = text.partition(":")
    target, _, pairs = rest.partition(":")
    parameters: dict[str, Value] = {}
    for pair in filter(None, pairs.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise FaultError(f"fault {kind}: expected NAME=VALUE, was {pair!r}")
        known = KINDS[kind].parameters if kind in KINDS else {}
        default = (COMMON | known).get(name.strip(), Parameter("", "")).default
        parameters[name.strip()] = value.strip() if isinstance(default, str) else _number(value.strip())
    return FaultSpec(kind, target or "*", parameters)


def _number(text: str) -> Value:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def faults_table() -> str:
    """Return the table of all faults in Markdown."""
    lines = ["| fault | acts on | what happens | parameters (default) | example |", "|---|---|---|---|---|"]
    for kind in KINDS.values():
        parameters = "; ".join(
            f"`{name}` ({each.default if each.default != '' else 'none'}): {each.doc}"
            for name, each in kind.parameters.items()
        )
        cells = (f"`{kind.name}`", kind.scope.value, kind.doc, parameters or "none", f"`{kind.example}`")
        lines.append("| " + " | ".join(cells) + " |")
    common = "; ".join(f"`{name}` ({each.default}): {each.doc}" for name, each in COMMON.items())
    return "\n".join(lines) + f"\n\nEvery fault also takes {common}.\n"
