"""Market state and measures: time of one update in batches; compile time apart.

The baselines are what pandas takes for the same series, where it has one.
"""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from genesis.operators import cusum, page_hinkley, robust_baseline
from genesis.operators import market_state as weather
from genesis.operators import order_flow_imbalance as order_flow
from genesis.operators import spread_persistence as spreads
from genesis.operators import trade_flow_imbalance as trade_flow

SECOND_NS = 10**9
TICKS = 100_000
SYMBOLS = 64
CELLS = 2_000
REPEATS = 5


def rows() -> list[dict[str, object]]:
    """Return the figures, in microseconds an update."""
    found = [_market_state()]
    for name, call in _ticked().items():
        first_s = _seconds(call)
        found.append(_row(f"{name}, a tick", min(_seconds(call) for _ in range(REPEATS)) / TICKS, first_s))
    found[1] |= _against_pandas(float(str(found[1]["value"])))
    return found


def _row(name: str, update_s: float, first_s: float) -> dict[str, object]:
    return {"name": name, "value": update_s * 1e6, "unit": "µs", "first_call_s": first_s}


def _seconds(call: Callable[[], object]) -> float:
    begin_s = time.perf_counter()
    call()
    return time.perf_counter() - begin_s


def _market_state() -> dict[str, object]:
    """Return the time of judging one instrument in one cell, evidence included."""
    rng = np.random.default_rng(1)
    shape = (CELLS, SYMBOLS)
    no = np.zeros(shape, np.bool_)
    returns = rng.normal(0.0, 1e-4, shape)
    cells = weather.Cells(returns, rng.uniform(1.0, 2.0, shape), rng.poisson(9.0, shape), ~no, no)

    def judge() -> object:
        usual = weather.with_slots(weather.no_usual(), SYMBOLS)
        machines = weather.with_machines(weather.no_machines(), SYMBOLS)
        return weather.states(usual, machines, cells, (0, SECOND_NS))

    first_s = _seconds(judge)
    best_s = min(_seconds(judge) for _ in range(REPEATS))
    return _row(
        f"market state, an update of one of {SYMBOLS} instruments", best_s / (CELLS * SYMBOLS), first_s
    )


def _ticked() -> dict[str, Callable[[], object]]:
    """Return calls that fold all ticks of all symbols at once."""
    rng = np.random.default_rng(2)
    slots, event_ns = rng.integers(0, SYMBOLS, TICKS), np.arange(TICKS) * 1_000_000
    bid, qty = 100.0 + 0.01 * rng.integers(-2, 3, TICKS), rng.random(TICKS)
    quotes = np.stack([bid, bid + 0.01, qty, qty[::-1]], axis=1)
    signed_qty, values = qty - 0.5, rng.normal(0.0, 1.0, TICKS)
    spread_how, baseline_how = spreads.parameters(300 * SECOND_NS, 2.0), robust_baseline.parameters(1e4)
    order_how, trade_how = order_flow.parameters(30 * SECOND_NS), trade_flow.parameters(30 * SECOND_NS)
    cusum_how, hinkley_how = cusum.parameters(5.0), page_hinkley.parameters(0.005, 50.0)
    return {
        "trade-flow imbalance": lambda: trade_flow.imbalance(
            trade_flow.no_flow(SYMBOLS), slots, event_ns, signed_qty, trade_how
        ),
        "order-flow imbalance": lambda: order_flow.imbalance(
            order_flow.no_flow(SYMBOLS), slots, event_ns, quotes, order_how
        ),
        "spread persistence": lambda: spreads.persistence(
            spreads.no_spreads(SYMBOLS), slots, event_ns, qty, spread_how
        ),
        "robust baseline": lambda: robust_baseline.update(
            robust_baseline.no_baseline(SYMBOLS, baseline_how), slots, np.arange(TICKS), values, baseline_how
        ),
        "two-sided CUSUM": lambda: cusum.update(cusum.no_sums(SYMBOLS), slots, values, cusum_how),
        "Page–Hinkley": lambda: page_hinkley.update(
            page_hinkley.no_sums(SYMBOLS), slots, values, hinkley_how
        ),
    }


def _against_pandas(value_us: float) -> dict[str, object]:
    """Return the same imbalance by pandas, one symbol: decayed means over irregular times."""
    rng = np.random.default_rng(3)
    times = pd.Series(pd.to_datetime(np.arange(TICKS) * 1_000_000))
    signed = pd.Series(rng.random(TICKS) - 0.5)

    def by_pandas() -> object:
        net, gross = (each.ewm(halflife="30s", times=times).mean() for each in (signed, signed.abs()))
        return net / gross

    by_pandas()
    theirs_us = min(_seconds(by_pandas) for _ in range(3)) / TICKS * 1e6
    return {
        "baseline": f"pandas ewm with times, one symbol: {theirs_us:.3g} µs",
        "ratio": theirs_us / value_us,
    }
