"""Orders sent through the recorded market: one run, all starts of a case, and what they cost."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.slicing_replay import FRAME_NS, Child, Fill, Tape, walk
from genesis.operators import execution_cost, market_impact
from genesis.operators.arrays import Floats, Rows
from genesis.operators.execution_cost import Fills, Orders
from genesis.operators.slicing import decisions
from genesis.operators.slicing.orders import (
    EVENT,
    PPM,
    Algorithm,
    DecisionKind,
    EventKind,
    Market,
    Parent,
    Routing,
    child_event,
)
from genesis.operators.slicing.params import Adaptivity, Params
from genesis.operators.slicing.plans import plan

SECOND_NS = 10**9
HORIZON_S = 60
FIRST_S = 30
"""First start, s into the recording: before it the market is looked at."""

STEP_S = 2
"""Time between two starts, s."""

SLICES = 10
IMPACT = market_impact.parameters(coefficient=1.0, recovery_s=1.0)

_FREE = Params(Algorithm.TWAP, HORIZON_S * SECOND_NS, SLICES, participation_max_ppm=PPM)
METHODS: dict[str, Params] = {
    "one market order": replace(_FREE, algorithm=Algorithm.ONE),
    "TWAP": _FREE,
    "VWAP": replace(_FREE, algorithm=Algorithm.VWAP),
    "Almgren–Chriss": replace(_FREE, algorithm=Algorithm.SHORTFALL, half_life_ns=20 * SECOND_NS),
    "POV, 10 %": replace(_FREE, algorithm=Algorithm.POV, rate_ppm=100_000),
    "iceberg": replace(_FREE, algorithm=Algorithm.ICEBERG),
    "TWAP, adaptive": replace(_FREE, adaptivity=Adaptivity(favourable_full_ppm=300)),
    "TWAP, rests first": replace(_FREE, patience_ns=4 * SECOND_NS),
}
"""What is compared; all in 60 s, and in 10 slices but the first."""

CAPPED = replace(_FREE, participation_max_ppm=100_000)
"""TWAP under the rule that binds: at most 10 % of the volume."""


class Run(NamedTuple):
    """What became of one order."""

    fills: list[Fill]
    left_lots: int
    left_ticks: int  # what the rest would cost at the end: lots times ticks
    end_frame: int


class Costs(NamedTuple):
    """Costs of one case, in bps of the decision price; rows are starts, both sides beside each other."""

    parts: Floats  # shape (starts, 2, 6): as `execution_cost.PARTS`; the book as recorded
    depletion: Floats  # shape (starts, 2): what is added when the book refills slowly
    law: Floats  # shape (starts, 2): … when all pay the square-root law
    done: Floats  # shape (starts, 2): share that the algorithm filled by itself
    maker: Floats  # shape (starts, 2): share filled by resting
    slippage: Floats  # shape (starts, 2): against the market's VWAP from start to end

    def total(self, model: str) -> Floats:
        """Return the cost in all under one model of impact, shape (starts, 2)."""
        added = {"recorded": 0.0, "depletion": self.depletion, "law": self.law}[model]
        return np.asarray(self.parts[:, :, 5] + added)


def starts(tape: Tape) -> list[int]:
    """Return the frames at which orders start."""
    last = tape.frame_ns.size - (HORIZON_S + 2) * SECOND_NS // FRAME_NS
    return list(range(FIRST_S * SECOND_NS // FRAME_NS, last, STEP_S * SECOND_NS // FRAME_NS))


def run(tape: Tape, start: int, parent: Parent, params: Params) -> Run:
    """Send one order through the recording."""
    state = plan(parent, market_at(tape, start), params)
    fills: list[Fill] = []
    child, cancelled, frame = None, False, start
    market = market_events(tape)
    end = start + (HORIZON_S + 1) * SECOND_NS // FRAME_NS
    for frame in range(start, end):
        now_ns = int(tape.frame_ns[frame])
        number = int(state.order["child"][0])
        if child is not None:
            fill = child.on_frame(tape, frame)
            if fill:
                fills.append(fill)
                state, out = decisions.next(state, child_event(EventKind.FILL, now_ns, number, fill.lots))
                if out.size:
                    break
            if cancelled or not child.rests or state.order["open_lots"][0] == 0:
                state, _ = decisions.next(state, child_event(EventKind.CLOSED, now_ns, number))
                child, cancelled = None, False
        state, out = decisions.next(state, market[frame : frame + 1])
        if out.size == 0:
            continue
        kind, _, _, lots, limit, routing, _ = out[0].tolist()
        if kind == DecisionKind.SEND:
            spread = int(market["ask_ticks"][frame] - market["bid_ticks"][frame])
            child = Child(lots, limit, parent.side, routing == Routing.REST, spread)
        elif kind == DecisionKind.END:
            break
        cancelled = kind == DecisionKind.CANCEL
    left = parent.lots - sum(fill.lots for fill in fills)
    filled, paid, last = walk(tape, frame, parent.side, left)
    return Run(fills, left, paid + (left - filled) * last, frame)


_EVENTS: dict[str, Rows] = {}


def market_events(tape: Tape) -> Rows:
    """Return the MARKET event of every frame."""
    name = tape.instrument.name
    if name not in _EVENTS:
        rows = np.zeros(tape.frame_ns.size, EVENT)
        rows["kind"], rows["event_ns"], rows["lots"] = EventKind.MARKET, tape.frame_ns, tape.volume
        for side, best in enumerate(("bid", "ask")):
            rows[f"{best}_ticks"], rows[f"{best}_lots"] = tape.ticks[:, side, 0], tape.lots[:, side, 0]
        _EVENTS[name] = rows
    return _EVENTS[name]


def market_at(tape: Tape, start: int) -> Market:
    """Return what is known of the market at a start: nothing of what comes after."""
    bid, ask = tape.ticks[start, :, 0].tolist()
    minimum = tape.instrument.notional_min / (tape.instrument.tick * tape.instrument.lot)
    before = int(tape.volume[start - FIRST_S * SECOND_NS // FRAME_NS : start].sum())
    return Market(bid, ask, int(np.ceil(minimum)), before // 5, 0, before * HORIZON_S // FIRST_S)


def case(tape: Tape, notional: float, params: Params) -> Costs:
    """Send orders of one size at all starts, to both sides, and return what they cost."""
    began = starts(tape)
    orders, rows, runs = [], [], []
    for start in began:
        for side in (1, -1):
            parent = Parent(
                f"{start}/{side}", side, tape.lots_for(notional, start), int(tape.frame_ns[start])
            )
            done = run(tape, start, parent, params)
            final_2 = 2 * done.left_ticks // done.left_lots if done.left_lots else 0
            orders.append((side, parent.lots, *tape.mid_2[start : start + 2].tolist(), final_2))
            rows += _rows(tape, len(runs), done)
            runs.append(done)
    wanted = Orders(*np.array(orders, np.int64).T.copy())
    fills = Fills(*np.array(rows, np.int64).reshape(-1, 6).T.copy())
    sums = execution_cost.add_fills(execution_cost.no_sums(len(runs)), fills)
    _, bps = execution_cost.shortfall(sums, wanted)
    vwap = np.array([_vwap(tape, start, runs[2 * i].end_frame) for i, start in enumerate(began)]).repeat(2)
    slippage = execution_cost.vwap_slippage_bps(sums, wanted.side, vwap)
    lots = wanted.lots.tolist()
    added = [_added(tape, each, size) for each, size in zip(runs, lots, strict=True)]
    share = [1.0 - each.left_lots / size for each, size in zip(runs, lots, strict=True)]
    maker = [
        sum(fill.lots for fill in each.fills if fill.maker) / size
        for each, size in zip(runs, lots, strict=True)
    ]
    shape = (len(began), 2)
    depletion, law = zip(*added, strict=True)
    columns = (np.array(each).reshape(shape) for each in (depletion, law, share, maker, slippage))
    return Costs(bps.reshape(*shape, 6), *columns)


def _rows(tape: Tape, order: int, done: Run) -> list[tuple[int, ...]]:
    """Return fills with whole prices: a mean price between two ticks becomes a fill at each."""
    found = []
    for fill in done.fills:
        bps = tape.instrument.maker_bps if fill.maker else tape.instrument.taker_bps
        fee = round(2 * fill.notional_ticks * bps / 1e4)
        ticks, above = divmod(fill.notional_ticks, fill.lots)
        if above:
            found.append((order, above, ticks + 1, fill.spread_ticks, fill.maker, 0))
        found.append((order, fill.lots - above, ticks, fill.spread_ticks, fill.maker, fee))
    if done.left_lots:  # the rest will pay a taker's fee as well, whenever that is
        fee = round(2 * done.left_ticks * tape.instrument.taker_bps / 1e4)
        ticks, spread, maker = done.left_ticks // done.left_lots, 0, 0
        found[-1:] = (
            [(*found[-1][:5], found[-1][5] + fee)] if found else [(order, 1, ticks, spread, maker, fee)]
        )
    return found


def _added(tape: Tape, done: Run, lots: int) -> tuple[float, float]:
    """Return what the two models of impact add to the cost of the order, bps.

    Depletion: a child pushes the best price as far as it walked, and the next ones find what is left of
    that. Law: a child pays at least the square-root law, and the next ones find what is left of that.
    """
    taken = [
        (fill.frame, fill.lots, fill.pushed_bps, _walked_bps(fill, tape))
        for fill in done.fills
        if not fill.maker
    ]
    if done.left_lots:
        walked = abs(2e4 * done.left_ticks / done.left_lots / int(tape.mid_2[done.end_frame]) - 1e4)
        taken.append((done.end_frame, done.left_lots, 0.0, walked))
    if not taken:
        return 0.0, 0.0
    frames, sizes, pushed, walked_bps = (np.array(column, np.float64) for column in zip(*taken, strict=True))
    at_s = frames * FRAME_NS / 1e9
    day = market_impact.Day(tape.day_volatility_bps, tape.day_volume)
    law = market_impact.impact_bps(sizes, day, IMPACT)
    depletion = market_impact.residue_bps(at_s, pushed, IMPACT.recovery_s)
    by_law = market_impact.residue_bps(at_s, law, IMPACT.recovery_s) + np.maximum(law - walked_bps, 0.0)
    return float((depletion * sizes).sum() / lots), float((by_law * sizes).sum() / lots)


def _walked_bps(fill: Fill, tape: Tape) -> float:
    return abs(2e4 * fill.notional_ticks / fill.lots / int(tape.mid_2[fill.frame]) - 1e4)


def _vwap(tape: Tape, start: int, end: int) -> float:
    rows = tape.trades[tape.first_trade[start + 1] : tape.first_trade[end + 1]]
    total = int(rows[:, 1].sum())
    return float((rows[:, 0] * rows[:, 1]).sum() / total) if total else np.nan
