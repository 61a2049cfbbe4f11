"""Faults at work: which message is dropped, doubled, delayed or broken, and what else is to be done.

Every fault counts the messages (or requests) of its target and acts by that count and by source time,
so the same faults on the same source do the same.
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from genesis.connectors.venue.fault_kinds import FaultError, FaultSpec, Scope
from genesis.connectors.venue.source import Instrument, Message
from genesis.operators.records import Market

HISTORY_MAX = 100
"""Firings of a fault that are remembered with their place."""


class Mangle(Enum):
    """What is done to a message on the wire."""

    NOTHING = 0
    CUT_IN_HALF = 1
    RENAMED = 2


class Action(Enum):
    """What is done to connections, or to the play."""

    ABORT = "abort"
    CLOSE = "close"
    ANNOUNCE = "announce the shutdown"
    MUTE = "mute until they reconnect"
    STALL = "stall"


class Delivery(NamedTuple):
    """One message to be sent, and how."""

    message: Message
    mangle: Mangle = Mangle.NOTHING


class Fault:
    """One fault that was asked for, and how often it has happened."""

    def __init__(self, number: int, spec: FaultSpec) -> None:
        self.number = number
        self.spec = spec
        self.target = spec.aim()
        self.seen = 0
        self.fired = 0
        self.affected = 0
        self.history: deque[int] = deque(maxlen=HISTORY_MAX)  # receive time at each firing, ns
        self._after = int(spec.number("after"))
        self._at_ns = int(spec.number("at_s") * 1e9)
        self._times = int(spec.number("times"))
        self._count = max(1, int(spec.parameters.get("count", 1)))
        self._next_at = self._after
        self._left = 0
        self._until_ns = 0
        self._held: list[tuple[Message, int]] = []

    @property
    def is_of_connections(self) -> bool:
        """Whether it acts on connections or on the play, not on messages."""
        of_stream = self.spec.kind == "stall" or bool(self.spec.parameters.get("until"))
        return self.spec.scope == Scope.CONNECTION or of_stream

    @property
    def is_spent(self) -> bool:
        """Whether it will never act again."""
        over = bool(self._times) and self.fired >= self._times
        return over and not self._left and not self._until_ns and not self._held

    def fires(self, now_ns: int, start_ns: int) -> bool:
        """Count one message or request; return whether the fault begins with it."""
        self.seen += 1
        over = bool(self._times) and self.fired >= self._times
        if over or self.seen <= self._next_at or now_ns - start_ns < self._at_ns:
            return False
        self.fired += 1
        self.history.append(now_ns)
        self._next_at = self.seen + self._after
        return True

    def acts(self, now_ns: int, start_ns: int) -> bool:
        """Count one message or request; return whether it is affected, for faults that last ``count``."""
        if self._left:
            self.seen += 1
            self._left -= 1
            self._next_at = self.seen + self._after
        elif self.fires(now_ns, start_ns):
            self._left = self._count - 1
        else:
            return False
        self.affected += 1
        return True

    def apply(self, delivery: Delivery, start_ns: int) -> list[Delivery]:
        """Return what becomes of a message of the target."""
        message = delivery.message
        kind = self.spec.kind
        if kind == "out_of_order":
            return self._reordered(delivery, start_ns)
        if kind == "silence":
            return [] if self._is_silent(message, start_ns) else [delivery]
        if not self.acts(message.recv_ns, start_ns):
            return [delivery]
        if kind == "gap":
            return []
        if kind == "duplicate":
            return [delivery, delivery]
        if kind == "unknown_symbol":
            return [delivery, Delivery(message, Mangle.RENAMED)]
        cut = Delivery(message, Mangle.CUT_IN_HALF)
        return [delivery, cut] if self.spec["keep"] else [cut]

    def on_connection(self, now_ns: int, start_ns: int) -> tuple[Action | None, bool]:
        """Count one message; return what is to be done before it is sent, and whether it is lost."""
        kind = self.spec.kind
        if self._left:
            self._left -= 1
            self.seen += 1
            self._next_at = self.seen + self._after
            closes = kind == "shutdown" and not self._left
            return Action.CLOSE if closes else None, kind == "disconnect"
        if not self.fires(now_ns, start_ns):
            return None, False
        self.affected += 1
        if kind == "shutdown":
            self._left = max(1, int(self.spec.number("grace")))
            return Action.ANNOUNCE, False
        if kind == "disconnect":
            miss = int(self.spec.number("miss"))
            self._left = max(0, miss - 1)
            return Action.ABORT if self.spec["how"] == "abort" else Action.CLOSE, miss > 0
        return {"cut": Action.CLOSE, "silence": Action.MUTE}.get(kind, Action.STALL), False

    def release(self) -> list[Delivery]:
        """Return the messages still held back, at the end of the source."""
        held, self._held = self._held, []
        return [Delivery(message) for message, _ in held]

    def _is_silent(self, message: Message, start_ns: int) -> bool:
        if message.recv_ns < self._until_ns:
            self.seen += 1
        else:
            self._until_ns = 0
            if not self.fires(message.recv_ns, start_ns):
                return False
            self._until_ns = message.recv_ns + int(self.spec.number("for_ms") * 1e6)
        self._next_at = self.seen + self._after
        self.affected += 1
        return True

    def _reordered(self, delivery: Delivery, start_ns: int) -> list[Delivery]:
        message = delivery.message
        if self.acts(message.recv_ns, start_ns):
            self._held.append((message, int(self.spec.number("by"))))
            return []
        deliveries = [delivery]
        still_held = []
        for held, overtaken_by in self._held:
            if held.stream != message.stream or held.market != message.market:
                still_held.append((held, overtaken_by))
            elif overtaken_by > 1:
                still_held.append((held, overtaken_by - 1))
            else:
                deliveries.append(Delivery(held))
        self._held = still_held
        return deliveries

    def describe(self) -> dict[str, object]:
        """Return the fault as the control interface shows it."""
        return {
            "id": self.number,
            "kind": self.spec.kind,
            "target": self.spec.target,
            "parameters": self.spec.parameters,
            "seen": self.seen,
            "fired": self.fired,
            "affected": self.affected,
            "fired_at_recv_ns": list(self.history),
            "spent": self.is_spent,
        }


class Faults:
    """All faults of a venue.

    Parameters
    ----------
    instruments
        What there is, to refuse faults on symbols that are not.
    start_ns
        Receive time of the source's first message.
    """

    def __init__(self, instruments: Iterable[Instrument], start_ns: int) -> None:
        self._symbols = {(each.market, each.symbol) for each in instruments}
        self._start_ns = start_ns
        self._all: dict[int, Fault] = {}
        self._number = 0
        self._on_messages: list[Fault] = []
        self.due: list[tuple[Fault, Action]] = []  # what the player is to do before the message is sent

    @property
    def is_active(self) -> bool:
        """Whether any fault looks at messages."""
        return bool(self._on_messages)

    @property
    def fired(self) -> int:
        """How often faults have happened."""
        return sum(fault.fired for fault in self._all.values())

    def add(self, spec: FaultSpec) -> Fault:
        """Arm a fault.

        Raises
        ------
        FaultError
            When its target names a symbol that the venue does not have.
        """
        target = spec.aim()
        known = {symbol for market, symbol in self._symbols if target.market in (None, market)}
        if target.symbol and target.symbol not in known:
            raise FaultError(
                f"fault {spec.kind}: unknown symbol {target.symbol!r} in target {spec.target!r};"
                f" there are {', '.join(sorted(known)[:10]) or 'none'}{' …' if len(known) > 10 else ''}"
            )
        self._number += 1
        fault = self._all[self._number] = Fault(self._number, spec)
        self._sort()
        return fault

    def remove(self, number: int | None = None) -> int:
        """Disarm one fault, or all; return how many."""
        gone = [number] if number is not None else list(self._all)
        count = sum(self._all.pop(each, None) is not None for each in gone)
        self._sort()
        return count

    def describe(self) -> list[dict[str, object]]:
        """Return all faults as the control interface shows them."""
        return [fault.describe() for fault in self._all.values()]

    def on_message(self, message: Message) -> list[Delivery]:
        """Return what is sent for a message; what else is to be done is then in ``due``."""
        deliveries = [Delivery(message)]
        for fault in self._on_messages:
            if not fault.target.hits(message.market, message.symbol, message.kind):
                continue
            if fault.is_of_connections:
                action, is_lost = fault.on_connection(message.recv_ns, self._start_ns)
                if action is not None:
                    self.due.append((fault, action))
                if is_lost:
                    deliveries = []
            else:
                deliveries = [new for old in deliveries for new in fault.apply(old, self._start_ns)]
        return deliveries

    def at_end(self) -> list[Delivery]:
        """Return the messages still held back when the source has ended."""
        return [delivery for fault in self._on_messages for delivery in fault.release()]

    def on_request(self, market: Market, endpoint: str, now_ns: int, symbol: str = "") -> list[Fault]:
        """Return the faults that an HTTP request meets; ``endpoint`` is ``websocket`` for a handshake."""
        met = []
        for fault in self._all.values():
            target = fault.target
            if target.market not in (None, market):
                continue
            hits = {
                Scope.REST: endpoint != "websocket" and target.endpoint in ("", endpoint),
                Scope.SNAPSHOT: endpoint == "depth" and target.symbol in ("", symbol),
                Scope.HANDSHAKE: endpoint == "websocket",
            }
            if hits.get(fault.spec.scope) and fault.acts(now_ns, self._start_ns):
                met.append(fault)
        return met

    def on_trading(self, scope: Scope, symbol: str, now_ns: int) -> list[Fault]:
        """Return the faults that a new order, or a report, of a symbol meets."""
        return [
            fault
            for fault in self._all.values()
            if fault.spec.scope == scope
            and fault.target.symbol in ("", symbol)
            and fault.acts(now_ns, self._start_ns)
        ]

    def _sort(self) -> None:
        scopes = (Scope.STREAM, Scope.CONNECTION)
        self._on_messages = [fault for fault in self._all.values() if fault.spec.scope in scopes]
