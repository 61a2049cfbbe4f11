"""Measures: order flow, trade flow, spread, volatility and volume of one shard, by second and minute.

Law: what comes out depends on the ticks and gaps that came in, in fold order, and on nothing else. A
second gives one row per instrument that was quoted or traded in it, or whose gap began or ended. Only
what has ended gives rows: seconds, minutes (`interval_volatility`, `standings`) and bins of the day
(`volume_profile`). The final watermark ends nothing that event time has not passed.

A gap in a stream is a tick without values at the time at which it counts: no order flow, spread or
return reaches across it. A row is stale when a gap in the quotes or trades of its instrument lies over
the second or ends in it, and until the first quote after a gap in the quotes. Decayed values go on
with what was clean.
"""

from typing import Any, NamedTuple

import numpy as np

from genesis.operators import instruments as instruments_of
from genesis.operators import interval_volatility as volatility_of
from genesis.operators import order_flow_imbalance as order_flow
from genesis.operators import spread_persistence as spreads_of
from genesis.operators import trade_flow_imbalance as trade_flow
from genesis.operators import volume_profile as profile_of
from genesis.operators.arrays import NEVER_NS, Bools, Floats, Ints, Rows, grown, in_words, kernel, together
from genesis.operators.interval_volatility import SECOND_NS, Seconds
from genesis.operators.measure_records import MEASURE, VOLATILITY, VOLUME
from genesis.operators.records import StreamKind
from genesis.operators.standings import CANDIDATE
from genesis.operators.waiting import EFFECTIVE, EVENT, SEQUENCE, SLOT, Ticks, fold_order

MINUTE_NS = 60 * SECOND_NS

ACTIVE_NS = 15 * MINUTE_NS
"""An instrument counts among the pairs to choose from for so long after its newest tick."""

FLOW = order_flow.parameters(half_life_ns=30 * SECOND_NS)
TRADE_FLOW = trade_flow.parameters(half_life_ns=30 * SECOND_NS)
SPREAD = spreads_of.parameters(half_life_ns=300 * SECOND_NS, wide_ratio=2.0)

GAP_OPENS, GAP_CLOSES = -2, -1
"""What stands for the venue's id in a tick that stands for a gap."""

CELL = np.dtype(
    [
        ("touched", "<i8"),  # 1 when there is something to tell of the second in hand
        ("blind", "<i8"),  # 1 when a gap in the quotes touched it
        ("stale", "<i8"),  # 1 when a gap in the trades touched it
        ("quote_gap", "<i8"),  # 1 while it lasts, and until the first quote after it
        ("quote_gap_open", "<i8"),  # 1 while it lasts
        ("trade_gap", "<i8"),  # 1 while it lasts
        ("newest_ns", "<i8"),  # start of the newest second with a tick
        ("quoted_ns", "<i8"),  # event time of the newest quote
        ("mid_price", "<f8"),
        ("order_flow_qty", "<f8"),
        ("order_flow_imbalance", "<f8"),
        ("trade_flow_qty", "<f8"),
        ("trade_flow_imbalance", "<f8"),
        ("spread_mean_bps", "<f8"),
        ("spread_wide_share", "<f8"),
        ("spread_wide_s", "<f8"),
    ]
)
"""What one instrument showed in the second in hand, and the newest decayed values."""

_ROW = in_words(MEASURE)


class Measures(NamedTuple):
    """The state of one shard; by slot."""

    orders: order_flow.OrderFlow
    trades: trade_flow.TradeFlow
    spreads: spreads_of.Spreads
    volatility: volatility_of.IntervalVolatility
    profile: profile_of.Profile
    cells: Rows  # CELL, shape (slots,)
    second_ns: int  # start of the second in hand; NEVER_NS before the first


class Measured(NamedTuple):
    """What ended."""

    seconds: Rows  # MEASURE, by (event_ns, market, symbol)
    volatility: Rows  # VOLATILITY, by (end, interval, market, symbol)
    volume: Rows  # VOLUME, by (event_ns, market, symbol)
    candidates: Rows  # standings.CANDIDATE, by minute


def nothing_measured() -> Measured:
    """Return no rows."""
    return Measured(MEASURE.empty(), VOLATILITY.empty(), VOLUME.empty(), np.zeros(0, CANDIDATE))


class Flows(NamedTuple):
    """What the quotes and the trades of a batch say, tick by tick."""

    quotes: Floats  # shape (n, 6): mid, order flow, its imbalance, mean spread, wide share, wide seconds
    trades: Floats  # shape (n, 2): signed quantity, imbalance


def no_measures() -> Measures:
    """Return the state before the first tick."""
    return Measures(
        order_flow.no_flow(),
        trade_flow.no_flow(),
        spreads_of.no_spreads(),
        volatility_of.no_volatility(),
        profile_of.no_profile(),
        np.zeros(0, CELL),
        NEVER_NS,
    )


def with_slots(state: Measures, slots: int) -> Measures:
    """Return ``state`` with room for at least ``slots`` instruments."""
    have = state.cells.size
    if slots <= have:
        return state
    room = max(slots, 2 * have, 16)
    cells = grown(state.cells, room)
    for name in CELL.names[CELL.names.index("mid_price") :]:  # type: ignore[index, union-attr]
        cells[name][have:] = 0.0 if name.endswith("qty") else np.nan
    cells["newest_ns"][have:] = cells["quoted_ns"][have:] = NEVER_NS
    return Measures(
        order_flow.with_slots(state.orders, room),
        trade_flow.with_slots(state.trades, room),
        spreads_of.with_slots(state.spreads, room),
        volatility_of.with_slots(state.volatility, room),
        profile_of.with_slots(state.profile, room),
        cells,
        state.second_ns,
    )


def with_gaps(ticks: Ticks, slots: Ints, gaps: Rows, stream: StreamKind) -> Ticks:
    """Return the ticks of one stream with its gaps among them, in fold order; neither is changed.

    >>> from genesis.operators.records import GAP
    >>> from genesis.operators.waiting import ticks
    >>> gap = GAP.empty(1)
    >>> gap["stream"], gap["effective_ns"] = StreamKind.QUOTES, 7
    >>> quotes = ticks([(9, 9, 0, 1)], [(1.0, 2.0, 3.0, 4.0)])
    >>> with_gaps(quotes, np.array([0]), gap, StreamKind.QUOTES).keys.tolist()
    [[7, 7, 0, -2], [9, 9, 0, 1]]
    """
    mine = gaps["stream"] == stream
    if not mine.any():
        return ticks
    keys = np.empty((int(mine.sum()), 4), np.int64)
    keys[:, EFFECTIVE] = keys[:, EVENT] = gaps["effective_ns"][mine]
    keys[:, SLOT] = slots[mine]
    keys[:, SEQUENCE] = np.where(gaps["end_ns"][mine] == 0, GAP_OPENS, GAP_CLOSES)
    values = np.full((keys.shape[0], 4 if stream == StreamKind.QUOTES else 2), np.nan)
    if ticks.keys.shape[0]:
        keys, values = np.concatenate([ticks.keys, keys]), np.concatenate([ticks.values, values])
    order = fold_order(keys, values)
    return Ticks(keys[order], values[order])


def fold(state: Measures, quotes: Ticks, trades: Ticks, until_ns: int) -> tuple[Measures, Measured, Ints]:
    """Return the state after ticks, what ended by ``until_ns``, and the slots of all its rows.

    Parameters
    ----------
    state
        Used up; has room for every slot.
    quotes, trades
        In fold order, after all that were folded before, with gaps among them (`with_gaps`).
    until_ns
        Everything that counts before this has come. No tick is missing, none comes later.

    Returns
    -------
    state, measured, slots
        Rows without names yet; ``slots`` are those of seconds, volatility, volume and candidates, one
        after the other. `named` writes the names.
    """
    streams = (quotes, trades)
    times_ns = [np.ascontiguousarray(each.keys[:, EFFECTIVE]) for each in streams]
    found: list[tuple[tuple[Rows, Ints], ...]] = []
    begin = [0, 0]
    until_ns -= until_ns % SECOND_NS
    while state.second_ns != NEVER_NS or any(each.size for each in times_ns):
        heads_ns = [int(times[at]) for times, at in zip(times_ns, begin, strict=True) if at < times.size]
        state = _begun(state, min(heads_ns, default=until_ns))
        minute_ns = state.second_ns - state.second_ns % MINUTE_NS + MINUTE_NS
        end = [int(np.searchsorted(times, minute_ns)) for times in times_ns]
        parts = [
            Ticks(each.keys[a:b], each.values[a:b]) for each, a, b in zip(streams, begin, end, strict=True)
        ]
        begin = end
        state, seconds = _seconds(state, parts[0], parts[1], min(until_ns, minute_ns))
        found.append((seconds,))
        if minute_ns > until_ns:
            break
        state, rest = _minute(state, minute_ns)
        found.append((found.pop()[0], *rest))
    measured, slots = _together(found)
    return state, measured, slots


def _begun(state: Measures, head_ns: int) -> Measures:
    """Return the state in which the second in hand is not before all that is still open."""
    second_ns = head_ns - head_ns % SECOND_NS
    if state.second_ns == NEVER_NS:
        return state._replace(second_ns=second_ns)
    still = state.volatility.shown.any() or np.isfinite(state.volatility.log_mid).any()
    active = state.cells["newest_ns"].max(initial=NEVER_NS) >= state.second_ns - ACTIVE_NS
    open_ = still or active or state.cells["touched"].any()
    return state if open_ else state._replace(second_ns=max(state.second_ns, second_ns))


def _flows(state: Measures, quotes: Ticks, trades: Ticks) -> tuple[Measures, Flows]:
    """Return what every tick says, and the state of the measures after it."""
    mid, spread_bps = _mid_and_spread(quotes.values)
    slots, event_ns = (np.ascontiguousarray(quotes.keys[:, column]) for column in (SLOT, EVENT))
    orders, flow_qty, imbalance = order_flow.imbalance(state.orders, slots, event_ns, quotes.values, FLOW)
    spreads, persistence = spreads_of.persistence(state.spreads, slots, event_ns, spread_bps, SPREAD)
    of_quotes = np.column_stack([mid, flow_qty, imbalance, persistence])
    slots, event_ns = (np.ascontiguousarray(trades.keys[:, column]) for column in (SLOT, EVENT))
    signed_qty = np.ascontiguousarray(trades.values[:, 1])
    net, ratio = trade_flow.imbalance(state.trades, slots, event_ns, signed_qty, TRADE_FLOW)
    profile = profile_of.update(
        state.profile,
        slots,
        trades.keys[:, EFFECTIVE].copy(),
        trades.values[:, 0] * np.abs(signed_qty),
        profile_of.USUAL,
    )
    state = state._replace(orders=orders, spreads=spreads, trades=net, profile=profile)
    return state, Flows(of_quotes, np.column_stack([signed_qty, ratio]))


@kernel
def _mid_and_spread(quotes: Floats) -> tuple[Floats, Floats]:
    """Return mid and spread in bps of quotes, shape (n,) each; NaN without a two-sided one."""
    mid, spread_bps = np.full(quotes.shape[0], np.nan), np.full(quotes.shape[0], np.nan)
    for i in range(quotes.shape[0]):
        bid, ask = quotes[i, 0], quotes[i, 1]
        if 0.0 < bid < np.inf and 0.0 < ask < np.inf:
            mid[i] = (bid + ask) / 2.0
            spread_bps[i] = (ask - bid) / mid[i] * 1e4
    return mid, spread_bps


@kernel
def _quoted(cell: Any, event_ns: int, sequence: int, quote: Floats) -> None:
    """Take a quote, or the beginning or end of a gap, into a cell."""
    if event_ns < cell.quoted_ns:
        return
    cell.quoted_ns = event_ns
    if sequence < 0:
        cell.quote_gap, cell.blind, cell.mid_price = 1, 1, np.nan
        cell.quote_gap_open = 1 if sequence == GAP_OPENS else 0
    else:
        cell.mid_price = quote[0]
        if cell.quote_gap_open == 0:
            cell.quote_gap = 0
    if np.isfinite(quote[1]):
        cell.order_flow_qty += quote[1]
    cell.order_flow_imbalance, cell.spread_mean_bps = quote[2], quote[3]
    cell.spread_wide_share, cell.spread_wide_s = quote[4], quote[5]


@kernel
def _traded(cell: Any, sequence: int, trade: Floats) -> None:
    """Take a trade, or the beginning or end of a gap, into a cell."""
    if sequence < 0:
        cell.stale = 1
        cell.trade_gap = 1 if sequence == GAP_OPENS else 0
    else:
        cell.trade_flow_qty += trade[0]
    cell.trade_flow_imbalance = trade[1]


@kernel
def _tell(cell: Any, row: Any) -> None:
    """Write the row of a cell, and clear what was of its second alone."""
    row.order_flow_qty, row.order_flow_imbalance = cell.order_flow_qty, cell.order_flow_imbalance
    row.trade_flow_qty, row.trade_flow_imbalance = cell.trade_flow_qty, cell.trade_flow_imbalance
    row.spread_mean_bps, row.spread_wide_share = cell.spread_mean_bps, cell.spread_wide_share
    row.spread_wide_s = cell.spread_wide_s
    row.stale = cell.blind | cell.stale | cell.quote_gap | cell.trade_gap
    cell.order_flow_qty, cell.trade_flow_qty = 0.0, 0.0
    cell.touched, cell.stale, cell.blind = 0, 0, cell.quote_gap


@kernel
def _cells(
    cells: Rows,
    second_ns: int,
    ticks: tuple[Ints, Ints],
    flows: Flows,
    until_ns: int,
    out: tuple[Rows, Ints, Floats, Bools],
) -> tuple[int, int]:
    """Fold ticks second by second; return the rows written and the second in hand."""
    (quote_keys, trade_keys), (rows, slots, mids, blind) = ticks, out
    written, i, j = 0, 0, 0
    while True:
        end_ns = second_ns + SECOND_NS
        while i < quote_keys.shape[0] and quote_keys[i, 0] < end_ns:
            cell = cells[quote_keys[i, 2]]
            cell.touched, cell.newest_ns = 1, second_ns
            _quoted(cell, quote_keys[i, 1], quote_keys[i, 3], flows.quotes[i])
            i += 1
        while j < trade_keys.shape[0] and trade_keys[j, 0] < end_ns:
            cell = cells[trade_keys[j, 2]]
            cell.touched, cell.newest_ns = 1, second_ns
            _traded(cell, trade_keys[j, 3], flows.trades[j])
            j += 1
        if end_ns > until_ns:
            return written, second_ns
        for slot in range(cells.size):
            if cells[slot].touched:
                rows[written].event_ns = end_ns
                slots[written], mids[written] = slot, cells[slot].mid_price
                blind[written] = cells[slot].blind != 0
                _tell(cells[slot], rows[written])
                written += 1
        second_ns = end_ns


def _seconds(
    state: Measures, quotes: Ticks, trades: Ticks, until_ns: int
) -> tuple[Measures, tuple[Rows, Ints]]:
    """Fold the ticks of the minute in hand; return the rows of the seconds that ended, and their slots."""
    state, flows = _flows(state, quotes, trades)
    ended = max(until_ns - state.second_ns, 0) // SECOND_NS
    ticks = quotes.keys.shape[0] + trades.keys.shape[0]
    size = min(ticks + state.cells.size, (ended + 1) * state.cells.size)
    rows = MEASURE.empty(size)
    out = rows.view(_ROW), np.empty(size, np.int64), np.empty(size), np.empty(size, np.bool_)
    written, second_ns = _cells(
        state.cells, state.second_ns, (quotes.keys, trades.keys), flows, until_ns, out
    )
    rows, slots, mids, blind = rows[:written], *(each[:written] for each in out[1:])
    seconds = Seconds(slots, rows["event_ns"].copy(), mids, blind)
    volatility = volatility_of.add(state.volatility, seconds)
    return state._replace(volatility=volatility, second_ns=second_ns), (rows, slots)


def _minute(state: Measures, now_ns: int) -> tuple[Measures, tuple[tuple[Rows, Ints], ...]]:
    """End a minute; return rows and slots of volatility, volume and candidates."""
    volatility, rows, slots = volatility_of.close(state.volatility, now_ns)
    profile = profile_of.advance(state.profile, now_ns, profile_of.USUAL)
    active = np.flatnonzero(state.cells["newest_ns"] >= now_ns - ACTIVE_NS)
    day_notional, seen_s = profile_of.day_notional(profile, active, now_ns, profile_of.USUAL)
    candidates = np.zeros(active.size, CANDIDATE)
    candidates["event_ns"], candidates["day_notional"] = now_ns, day_notional
    candidates["spread_bps"] = state.cells["spread_mean_bps"][active]
    candidates["slot"] = active
    volume = VOLUME.empty(active.size if now_ns % profile_of.BIN_NS == 0 else 0)
    if volume.size:
        volume["event_ns"], volume["day_notional"], volume["seen_s"] = now_ns, day_notional, seen_s
        volume["share"] = profile_of.curve(profile, active, profile_of.USUAL)
        volume["volume_class"] = profile_of.volume_class(day_notional)
    told = (rows, slots), (volume, active[: volume.size]), (candidates, active)
    return state._replace(volatility=volatility, profile=profile), told


def _together(found: list[tuple[tuple[Rows, Ints], ...]]) -> tuple[Measured, Ints]:
    rows, slots = [], []
    for kind, none in enumerate(nothing_measured()):
        parts = [each[kind] for each in found if kind < len(each)]
        rows.append(together([none, *(part[0] for part in parts)]))
        slots.append(np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)]))
    return Measured(*rows), np.concatenate(slots)


def named(measured: Measured, slots: Ints, table: instruments_of.Instruments) -> Measured:
    """Return the rows with their names, in an order that does not depend on slots."""
    symbols, markets = instruments_of.symbols(table), instruments_of.markets(table)
    found, begin = [], 0
    orders = (("event_ns",), ("end", "interval_ns"), ("event_ns",), ("event_ns",))
    for rows, columns in zip(measured, orders, strict=True):
        mine = slots[begin : begin + rows.size]
        begin += rows.size
        rows["symbol"], rows["market"] = symbols[mine], markets[mine]
        keys = [
            rows["open_ns"] + rows["interval_ns"] if name == "end" else rows[name]
            for name in (*columns, "market", "symbol")
        ]
        found.append(rows[np.lexsort(keys[::-1])])
    return Measured(*found)
