"""Order flow, trade flow and spreads: their plain definitions, on anything, cut anywhere."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import order_flow_imbalance as order_flow
from genesis.operators import spread_persistence as spreads
from genesis.operators import trade_flow_imbalance as trade_flow
from tests.operators import recorded

SYMBOLS = 3
SECOND_NS = 10**9
HALF_LIFE_NS = 30 * SECOND_NS
TRADE_HOW = trade_flow.parameters(HALF_LIFE_NS)
ORDER_HOW = order_flow.parameters(HALF_LIFE_NS)
SPREAD_HOW = spreads.parameters(HALF_LIFE_NS, wide_ratio=2.0)

step_ns = st.sampled_from([0, 0, 1, 10**6, SECOND_NS, 40 * SECOND_NS, -SECOND_NS, 10**15])
price = st.sampled_from([9.0, 10.0, 11.0, 11.5]) | st.sampled_from([0.0, -1.0, np.nan, np.inf, 1e300, 1e-300])
qty = st.floats(0.0, 10.0) | st.sampled_from([np.nan, np.inf, 1e-300, 1e150, -1.0])
tick = st.tuples(st.integers(0, SYMBOLS - 1), step_ns, price, price, qty, qty)

Ticks = tuple[np.ndarray, np.ndarray, np.ndarray]


def columns(ticks: list[tuple[Any, ...]]) -> Ticks:
    """Return slots, times, and the values: two prices and two quantities."""
    table = np.array(ticks, np.float64).reshape(-1, 6)
    event_ns = 10**18 + np.cumsum(table[:, 1].astype(np.int64))
    return table[:, 0].astype(np.int64), event_ns, np.ascontiguousarray(table[:, 2:])


ticks = st.lists(tick, max_size=30).map(columns)


def spread_of(quotes: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return (quotes[:, 1] - quotes[:, 0]) / quotes[:, 1]


def of_trades(state: Any, given_ticks: Ticks) -> tuple[Any, tuple[np.ndarray, ...]]:
    slots, event_ns, values = given_ticks
    with np.errstate(invalid="ignore"):
        signed_qty = values[:, 2] - values[:, 3]
    state, path = trade_flow.imbalance(state, slots, event_ns, signed_qty, TRADE_HOW)
    return state, (path,)


def of_quotes(state: Any, given_ticks: Ticks) -> tuple[Any, tuple[np.ndarray, ...]]:
    state, flow_qty, path = order_flow.imbalance(state, *given_ticks, ORDER_HOW)
    return state, (flow_qty, path)


def of_spreads(state: Any, given_ticks: Ticks) -> tuple[Any, tuple[np.ndarray, ...]]:
    slots, event_ns, values = given_ticks
    state, path = spreads.persistence(state, slots, event_ns, spread_of(values), SPREAD_HOW)
    return state, (path,)


MEASURES = {
    "trade flow": (of_trades, trade_flow.no_flow, trade_flow.with_slots),
    "order flow": (of_quotes, order_flow.no_flow, order_flow.with_slots),
    "spreads": (of_spreads, spreads.no_spreads, spreads.with_slots),
}
every_measure = pytest.mark.parametrize("name", MEASURES)


def naive_trade_flow(history: list[tuple[int, float]]) -> float:
    """Return the imbalance after the trades (time, signed quantity) of one symbol."""
    newest, kept = -(2**62), []
    for at, signed in history:
        if math.isfinite(signed):
            newest = max(newest, at)
            kept.append((newest, signed))
    weighted = [(0.5 ** ((newest - at) / HALF_LIFE_NS), signed) for at, signed in kept]
    gross = sum(weight * abs(signed) for weight, signed in weighted)
    return sum(weight * signed for weight, signed in weighted) / gross if gross > 0 else math.nan


@given(ticks)
def test_trade_flow_is_its_definition(given_ticks: Ticks) -> None:
    slots, event_ns, values = given_ticks
    values = np.where(np.abs(values) > 1e100, np.nan, values)
    _, (path,) = of_trades(trade_flow.no_flow(SYMBOLS), (slots, event_ns, values))
    signed = values[:, 2] - values[:, 3]
    for i in range(slots.size):
        mine = [(int(event_ns[j]), float(signed[j])) for j in range(i + 1) if slots[j] == slots[i]]
        assert path[i] == pytest.approx(naive_trade_flow(mine), nan_ok=True, abs=1e-9)


def naive_flow(old: list[float], new: list[float]) -> tuple[float, float]:
    """Return what bid and ask side contribute from one quote to the next."""
    (bid_0, ask_0, bid_qty_0, ask_qty_0), (bid, ask, bid_qty, ask_qty) = old, new
    bids = bid_qty if bid > bid_0 else -bid_qty_0 if bid < bid_0 else bid_qty - bid_qty_0
    asks = ask_qty_0 if ask > ask_0 else -ask_qty if ask < ask_0 else ask_qty_0 - ask_qty
    return bids, asks


def naive_order_flow(history: list[tuple[int, list[float]]]) -> tuple[float, float]:
    """Return the newest flow and the imbalance after the quotes of one symbol."""
    newest, last, flow = -(2**62), None, math.nan
    flows: list[tuple[int, float, float]] = []
    for at, quote in history:
        flow = math.nan
        if at < newest:
            continue
        newest, (bid, ask, *sizes) = at, quote
        usable = 0 < bid <= ask < math.inf and all(0 <= size < math.inf for size in sizes)
        if usable and last is not None:
            bids, asks = naive_flow(last, quote)
            flow = bids + asks
            flows.append((at, flow, abs(bids) + abs(asks)))
        last = quote if usable else None
    weights = [0.5 ** ((newest - at) / HALF_LIFE_NS) for at, _, _ in flows]
    gross = sum(w * each for w, (_, _, each) in zip(weights, flows, strict=True))
    net = sum(w * each for w, (_, each, _) in zip(weights, flows, strict=True))
    return flow, net / gross if gross > 0 else math.nan


@given(ticks)
def test_order_flow_is_its_definition(given_ticks: Ticks) -> None:
    slots, event_ns, values = given_ticks
    values = np.where(np.abs(values) > 1e100, np.nan, values)
    _, (flow_qty, path) = of_quotes(order_flow.no_flow(SYMBOLS), (slots, event_ns, values))
    for i in range(slots.size):
        mine = [(int(event_ns[j]), values[j].tolist()) for j in range(i + 1) if slots[j] == slots[i]]
        flow, ratio = naive_order_flow(mine)
        assert flow_qty[i] == pytest.approx(flow, nan_ok=True, abs=1e-9)
        assert path[i] == pytest.approx(ratio, nan_ok=True, abs=1e-9)


def naive_spreads(history: list[tuple[int, float]]) -> tuple[float, float, float]:
    """Return the measures at the newest quote: sums over the pieces of time between the quotes."""
    newest, pieces, became = -(2**62), [], []
    last, wide = math.nan, False
    mean = share = math.nan
    for at, spread in history:
        if at > newest:
            if math.isfinite(last):
                pieces.append((newest, at, last, wide))
            newest = at
        weights = [
            0.5 ** ((newest - e) / HALF_LIFE_NS) - 0.5 ** ((newest - b) / HALF_LIFE_NS) for b, e, *_ in pieces
        ]
        total = sum(weights)
        if total > 0:
            mean = sum(w * s for w, (_, _, s, _) in zip(weights, pieces, strict=True)) / total
            share = sum(w for w, (*_, was) in zip(weights, pieces, strict=True) if was) / total
        if at < newest:
            continue
        if math.isfinite(spread) and spread >= 0:
            now = spread > 2.0 * mean
            if now and not wide:
                became.append(newest)
            last, wide = spread, now
        else:
            last, wide = math.nan, False
    lasted = (
        sum(w for w, (*_, was) in zip(weights, pieces, strict=True) if was)
        * HALF_LIFE_NS
        * 1e-9
        / math.log(2)
    )
    times = sum(0.5 ** ((newest - at) / HALF_LIFE_NS) for at in became)
    return mean, share, lasted / times if lasted > 0 else math.nan


calm_step = st.sampled_from([0, 10**6, SECOND_NS, 7 * SECOND_NS, 40 * SECOND_NS, -SECOND_NS])
calm_spread = st.sampled_from([0.0, 1.0, 1.5, 4.0, 9.0, 30.0, np.nan, np.inf, -1.0])


@given(st.lists(st.tuples(st.integers(0, SYMBOLS - 1), calm_step, calm_spread), max_size=30))
def test_spread_persistence_is_its_definition(listed: list[tuple[int, int, float]]) -> None:
    slots = np.array([each[0] for each in listed], np.int64)
    event_ns = 10**18 + np.cumsum([each[1] for each in listed]).astype(np.int64)
    spread_bps = np.array([each[2] for each in listed], np.float64)
    _, measures = spreads.persistence(spreads.no_spreads(SYMBOLS), slots, event_ns, spread_bps, SPREAD_HOW)
    for i in range(slots.size):
        mine = [(int(event_ns[j]), float(spread_bps[j])) for j in range(i + 1) if slots[j] == slots[i]]
        assert measures[i].tolist() == pytest.approx(naive_spreads(mine), nan_ok=True, rel=1e-6, abs=1e-9)


@every_measure
@given(ticks, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(name: str, given_ticks: Ticks, cut: int) -> None:
    measure, no_state, with_slots = MEASURES[name]
    before = [each.copy() for each in given_ticks]
    state, whole = measure(no_state(SYMBOLS), given_ticks)
    head, tail = (tuple(each[part] for each in given_ticks) for part in (slice(cut), slice(cut, None)))
    part, first = measure(no_state(SYMBOLS), head)  # type: ignore[arg-type]
    part, second = measure(with_slots(pickle.loads(pickle.dumps(part)), 20), tail)  # type: ignore[arg-type]
    for one, a, b in zip(whole, first, second, strict=True):
        assert one.tobytes() == np.concatenate([a, b]).tobytes()
    for one, other in zip(state, part, strict=True):
        assert one.tobytes() == other[:SYMBOLS].tobytes()
    for each, copy in zip(given_ticks, before, strict=True):
        assert each.tobytes() == copy.tobytes()


@every_measure
@given(ticks)
def test_ratios_stay_in_their_range_or_are_undefined(name: str, given_ticks: Ticks) -> None:
    measure, no_state, _ = MEASURES[name]
    _, paths = measure(no_state(SYMBOLS), given_ticks)
    ratio = paths[-1] if paths[-1].ndim == 1 else paths[-1][:, 1]
    assert (np.isnan(ratio) | (np.abs(ratio) <= 1.0)).all()


def test_a_symbol_is_not_touched_by_others() -> None:
    rng = np.random.default_rng(3)
    n = 400
    slots, event_ns = rng.integers(0, SYMBOLS, n), np.arange(n) * 10**8
    bid = 100.0 + rng.integers(0, 3, n)
    values = np.stack([bid, bid + rng.integers(1, 3, n), rng.random(n), rng.random(n)], axis=1)
    mine = slots == 1
    for measure, no_state, _ in MEASURES.values():
        _, together = measure(no_state(SYMBOLS), (slots, event_ns, values))
        _, alone = measure(no_state(SYMBOLS), (slots[mine], event_ns[mine], values[mine]))
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one[mine], other)


def test_no_order_flow_reaches_across_a_gap() -> None:
    quotes = np.array([[9.0, 10.0, 1.0, 1.0], [np.nan] * 4, [50.0, 51.0, 8.0, 8.0], [50.0, 51.0, 9.0, 8.0]])
    _, flow_qty, ratio = order_flow.imbalance(
        order_flow.no_flow(1), np.zeros(4, np.int64), np.arange(4), quotes, ORDER_HOW
    )
    np.testing.assert_array_equal(flow_qty, [np.nan, np.nan, np.nan, 1.0])
    np.testing.assert_array_equal(ratio, [np.nan, np.nan, np.nan, 1.0])


def test_no_spread_counts_while_there_is_none() -> None:
    event_ns = np.array([0, 1, 100, 101]) * SECOND_NS
    spread_bps = np.array([2.0, np.nan, 4.0, 4.0])
    how = spreads.parameters(10**18, 2.0)
    _, measures = spreads.persistence(spreads.no_spreads(1), np.zeros(4, np.int64), event_ns, spread_bps, how)
    assert measures[-1, 0] == pytest.approx(3.0, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: trade_flow.parameters(0), "step 'trade_flow_imbalance': half_life_ns must be positive"),
        (lambda: order_flow.parameters(-5), "half_life_ns must be positive and finite, was -5"),
        (lambda: spreads.parameters(5, 0.5), r"wide_ratio must be in \[1, 1e\+06\], was 0.5"),
    ],
)
def test_wrong_parameters_are_refused_by_name(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize("name", ["spot_btcusdt", "spot_ethusdt"])
def test_recorded_order_flow_moves_the_price(recordings: Path, name: str) -> None:
    """As Cont, Kukanov and Stoikov found: over 10 s the mid follows the order flow, and trades less so."""
    trades, quotes = recorded.ticks(recordings, name)
    values = np.stack([quotes[each] for each in ("bid_price", "ask_price", "bid_qty", "ask_qty")], axis=1)
    slots = np.zeros(quotes.size, np.int64)
    _, flow_qty, ratio = order_flow.imbalance(
        order_flow.no_flow(1), slots, quotes["event_ns"], values, ORDER_HOW
    )
    mid = values[:, :2].mean(axis=1)
    cell = (quotes["event_ns"] - quotes["event_ns"][0]) // (10 * SECOND_NS)
    traded = (trades["event_ns"] - quotes["event_ns"][0]) // (10 * SECOND_NS)
    flow, moved, net = [], [], []
    for k in range(int(cell[-1])):
        inside = np.flatnonzero(cell == k)
        mine = trades[traded == k]
        flow.append(np.nansum(flow_qty[inside]))
        moved.append(mid[inside[-1]] - mid[inside[0]])
        net.append(float((mine["qty"] * mine["side"]).sum()))
    by_orders, by_trades = np.corrcoef(flow, moved)[0, 1], np.corrcoef(net, moved)[0, 1]
    assert by_orders > 0.6
    assert by_orders > by_trades
    assert np.nanmax(np.abs(ratio)) <= 1.0
