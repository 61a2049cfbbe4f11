"""Watching: what the account sees of a simulated trader, as observations, and what the watch makes of it.

It stands beside the fold: it reads commands, decisions, fills and the account, and writes rows as
`tilt.observations` has them. Levels are kept, and nothing acts on them.
"""

import math
from typing import Any

import numpy as np

from genesis.operators.account.events import (
    AmendOrder,
    CancelOrders,
    Command,
    PlaceOrder,
    SetMode,
    SetStop,
    WriteJournal,
)
from genesis.operators.account.outcomes import Decision, Fill
from genesis.operators.account.state import Account, Working
from genesis.operators.personas.hands import Gesture
from genesis.operators.personas.market import SYMBOLS
from genesis.operators.tilt import watch
from genesis.operators.tilt.observations import OBSERVATION, ObservationKind

CLOCK_NS = 60 * 10**9
"""Time is told at least this far apart."""

STEP = 0.005
"""Change of a position's return that is told."""

MODES = {"active": 0.0, "reducing": 1.0, "halted": 2.0}


class Watching:
    """A trader under watch.

    Parameters
    ----------
    keeps
        Whether all rows are kept, for a stream that others tune on.
    """

    def __init__(self, keeps: bool = False) -> None:
        self.state: Any = watch.fresh()
        self.reading: watch.Reading | None = None
        self.rows: list[np.ndarray[Any, Any]] = []
        self._keeps = keeps
        self._clock_ns = 0
        self._bought_ns: dict[str, int] = {}
        self._returns: dict[str, float] = {}
        self._amended: dict[str, int] = {}
        self._stopping: set[str] = set()

    @property
    def level(self) -> int:
        """Level of tilt now."""
        return self.reading.level if self.reading is not None else 0

    @property
    def calibrated(self) -> bool:
        """Whether the watch says that it has learned enough."""
        return self.reading is not None and self.reading.calibrated

    def saw(self, event_ns: int, *seen: tuple[ObservationKind, float, float, str]) -> None:
        """Observe rows at a time: kind, value, other and pair."""
        if not seen:
            return
        rows = np.array(
            [(event_ns, int(kind), _number(symbol), value, other) for kind, value, other, symbol in seen],
            OBSERVATION,
        )
        if self._keeps:
            self.rows.append(rows)
        self.state, self.reading = watch.observe(self.state, rows)

    def gestured(self, event_ns: int, gestures: tuple[Gesture, ...]) -> None:
        """See what the dashboard tells of hands."""
        self.saw(
            event_ns,
            *((ObservationKind[each.what.upper()], each.value, each.other, each.symbol) for each in gestures),
        )

    def ticked(self, account: Account) -> None:
        """See time pass, and what is held move by a step."""
        now_ns, equity = account.now_ns, float(account.performance.equity)
        seen = []
        for symbol, position in account.portfolio.positions.items():
            view = account.views.get(symbol)
            worth = float(position.qty * view.mid) if view is not None else 0.0
            if worth < 6.0 or not equity:
                continue
            change = worth / float(position.cost) - 1.0
            if abs(change - self._returns.get(symbol, 0.0)) >= STEP:
                self._returns[symbol] = change
                seen.append((ObservationKind.MARKED, change, worth / equity, symbol))
        if now_ns - self._clock_ns >= CLOCK_NS and equity:
            self._clock_ns = now_ns
            today = account.performance.today
            pnl = float(today.end - today.start - today.transferred) / equity
            below = 1.0 - float(account.performance.value / account.performance.value_peak)
            seen.append((ObservationKind.CLOCK, pnl, below, ""))
        self.saw(now_ns, *seen)

    def decided(self, account: Account, command: Command, decision: Decision, asked: Working | None) -> None:
        """See a command and what became of it; ``asked`` is the order that it is about, before it."""
        kinds, now_ns = ObservationKind, account.now_ns
        equity = float(account.performance.equity) or math.nan
        if isinstance(command, PlaceOrder):
            share = float(command.notional) / equity if command.notional else math.nan
            if not decision.accepted:
                self.saw(now_ns, (kinds.REFUSED, share, 0.0, command.symbol))
            elif command.side == "buy":
                together = _together(account, command.symbol)
                self.saw(now_ns, (kinds.ORDER, share, together, command.symbol))
        elif isinstance(command, CancelOrders) and asked is not None:
            age_s = (now_ns - asked.begun_ns) / 1e9
            share = float(asked.qty * asked.arrival_price) / equity
            self.saw(now_ns, (kinds.CANCELLED, age_s, share, asked.symbol))
        elif isinstance(command, AmendOrder):
            count = self._amended[command.parent_id] = self._amended.get(command.parent_id, 0) + 1
            self.saw(now_ns, (kinds.AMENDED, float(count), 0.0, asked.symbol if asked else ""))
        elif isinstance(command, SetMode):
            self.saw(now_ns, (kinds.MODE_ASKED, MODES.get(command.mode, math.nan), 0.0, ""))
        elif isinstance(command, WriteJournal):
            self.saw(now_ns, (kinds.JOURNAL, float(len(command.text.split())), 0.0, ""))

    def moved(self, account: Account, command: SetStop, before: float) -> None:
        """See a stop-loss moved from a price; 0 when there was none."""
        position, view = account.portfolio.positions.get(command.symbol), account.views.get(command.symbol)
        after = float(account.stops.get(command.symbol, 0))
        if position is None or view is None or not before or not after:
            return
        mid = float(view.mid)
        change = mid * float(position.qty) / float(position.cost) - 1.0
        self.saw(account.now_ns, (ObservationKind.STOP_MOVED, (before - after) / mid, change, command.symbol))

    def stopped(self, symbol: str) -> None:
        """Hear that a stop-loss was reached; the next sale is its."""
        self._stopping.add(symbol)

    def filled(self, account: Account, fill: Fill, before: float) -> None:
        """See a trade; ``before`` is the unrealised return of what was held, NaN for nothing."""
        kinds, now_ns = ObservationKind, account.now_ns
        equity = float(account.performance.equity) or math.nan
        if fill.side == "buy":
            if math.isnan(before):
                self._bought_ns[fill.symbol], self._returns[fill.symbol] = now_ns, 0.0
            share = float(fill.qty) * float(fill.price) / equity
            self.saw(now_ns, (kinds.BOUGHT, share, before, fill.symbol))
            return
        share = float(fill.realised) / equity
        if fill.symbol in self._stopping:
            self._stopping.discard(fill.symbol)
            self.saw(now_ns, (kinds.STOPPED, share, 0.0, fill.symbol))
        else:
            held_s = (now_ns - self._bought_ns.get(fill.symbol, now_ns)) / 1e9
            self.saw(now_ns, (kinds.SOLD, share, held_s, fill.symbol))


def _number(symbol: str) -> int:
    return SYMBOLS.index(symbol) + 1 if symbol in SYMBOLS else 0


def _together(account: Account, symbol: str) -> float:
    """Return the mean correlation of a pair with what is held; NaN without."""
    found = [
        account.correlations.get(f"{min(symbol, name)}|{max(symbol, name)}", math.nan)
        for name, position in account.portfolio.positions.items()
        if name != symbol and float(position.cost) > 6.0
    ]
    return float(np.mean(found)) if found else math.nan
