"""What a slicing decision takes: one event, built and decided, for each algorithm; at most 10 µs."""

import timeit
from collections.abc import Callable

import numpy as np

from genesis.operators import execution_cost
from genesis.operators.arrays import copied
from genesis.operators.slicing import decisions
from genesis.operators.slicing.orders import PPM, Algorithm, Market, Parent, State, market_event
from genesis.operators.slicing.params import Adaptivity, Params
from genesis.operators.slicing.plans import plan

DECISION_US_MAX = 10.0
REPEATS, NUMBER = 7, 5_000
MIDDLE = 1_000_000
HORIZON_NS = 3_600 * 10**9


def rows() -> list[dict[str, object]]:
    """Return the figures: name, value, unit, baseline, ratio."""
    found = []
    limit = f"at most {DECISION_US_MAX:g} µs"
    for algorithm in Algorithm:
        sends, waits = _sending_us(algorithm), _waiting_us(algorithm)
        for what, value in (("a child is sent", sends), ("nothing is due", waits)):
            name = f"slicing decision, {algorithm.name}: {what}"
            ratio = value / DECISION_US_MAX
            found.append({"name": name, "value": value, "unit": "µs", "baseline": limit, "ratio": ratio})
    for name, value in (("slicing plan, 20 slices", _plan_us()), ("execution cost, per fill", _fill_us())):
        found.append({"name": name, "value": value, "unit": "µs", "baseline": "", "ratio": None})
    return found


def _planned(algorithm: Algorithm) -> State:
    parent = Parent("bench", 1, 1_000_000, 0)
    shares = tuple(range(1, 21))
    params = Params(
        algorithm, HORIZON_NS, 20, participation_max_ppm=PPM, adaptivity=Adaptivity(), volume_shares=shares
    )
    market = Market(MIDDLE - 1, MIDDLE + 1, 100 * MIDDLE, 10**9, volume_lots=10**9)
    return plan(parent, market, params)


def _event(event_ns: int) -> np.ndarray:
    return market_event(event_ns, (MIDDLE - 1, 20_000), (MIDDLE + 1, 20_000), 50_000)


def _sending_us(algorithm: Algorithm) -> float:
    """Time an event on which a child goes out; the state is put back each time, which is not timed."""
    fresh = _planned(algorithm)
    due_ns = HORIZON_NS // 2
    state = copied(fresh)
    _, out = decisions.next(state, _event(due_ns))
    assert out.size == 1, "a child is due"
    best = np.inf
    for _ in range(REPEATS):
        states = [copied(fresh) for _ in range(500)]
        started = timeit.default_timer()
        for each in states:
            decisions.next(each, _event(due_ns))
        best = min(best, (timeit.default_timer() - started) / len(states))
    return 1e6 * float(best)


def _waiting_us(algorithm: Algorithm) -> float:
    state, _ = decisions.next(_planned(algorithm), _event(0))
    return _best_us(lambda: decisions.next(state, _event(1)))


def _plan_us() -> float:
    return _best_us(lambda: _planned(Algorithm.VWAP), number=100)


def _fill_us() -> float:
    count = 10_000
    rng = np.random.default_rng(1)
    columns = [rng.integers(1, 100, count) for _ in range(6)]
    fills = execution_cost.Fills(*columns)
    sums = execution_cost.add_fills(execution_cost.no_sums(100), fills)
    return _best_us(lambda: execution_cost.add_fills(sums, fills), number=20) / count


def _best_us(call: Callable[[], object], number: int = NUMBER) -> float:
    return 1e6 * min(timeit.repeat(call, number=number, repeat=REPEATS)) / number
