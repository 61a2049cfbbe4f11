"""The curve of the recordings is the one in their notes: correlation grows with the sampling step."""

from pathlib import Path

import numpy as np
import pytest

from genesis.operators.epps_curve import epps_curve
from tests.operators import naive_correlation as naive
from tests.operators import recorded

STEPS_NS = np.array([100_000_000, 1_000_000_000, 5_000_000_000])


@pytest.mark.parametrize(("market", "expected"), [("spot", [0.48, 0.61, 0.74]), ("usdm", [0.39, 0.58, 0.68])])
def test_the_recorded_curve_is_the_one_noted(recordings: Path, market: str, expected: list[float]) -> None:
    """Mids of BTC and ETH on a grid of the time of receipt, as in the notes, one second into the data."""
    sides = []
    for base in ("btc", "eth"):
        quotes = recorded.ticks(recordings, f"{market}_{base}usdt")[1]
        sides.append((quotes["recv_ns"].copy(), (quotes["bid_price"] + quotes["ask_price"]) / 2.0))
    begin_ns = int(max(time_ns[0] for time_ns, _ in sides)) + 1_000_000_000
    curve = epps_curve(*sides, STEPS_NS, begin_ns)
    np.testing.assert_allclose(curve.correlation, expected, atol=0.01)
    assert (np.diff(curve.correlation) > 0.0).all()
    assert curve.returns.min() >= 67


def test_it_is_the_correlation_of_the_newest_prices_on_a_grid() -> None:
    rng = np.random.default_rng(1)
    sides = []
    for _ in range(2):
        time = np.sort(rng.choice(600, 200, replace=False))
        sides.append((time, np.exp(np.cumsum(rng.normal(size=200) * 1e-3))))
    begin, end = max(side[0][0] for side in sides), min(side[0][-1] for side in sides)
    curve = epps_curve(*sides, np.array([1, 7]))
    for k, step in enumerate((1, 7)):
        times = range(int(begin), int(end) + 1, step)
        logs = [[np.log(side[1][side[0] <= at][-1]) for at in times] for side in sides]
        first, second = (np.diff(each) for each in logs)
        assert curve.correlation[k] == pytest.approx(naive.pearson(first, second), abs=1e-12)
        assert curve.returns[k] == first.size


def test_it_is_undefined_without_enough_returns() -> None:
    time, price = np.array([1, 2, 3]), np.array([1.0, 2.0, 3.0])
    assert np.isnan(epps_curve((time, price), (time, price), np.array([2, 100])).correlation).all()
    empty = np.empty(0, np.int64), np.empty(0)
    assert epps_curve((time, price), empty, np.array([1])).returns.tolist() == [0]
    with pytest.raises(ValueError, match="every step must be positive, the least was 0 ns"):
        epps_curve((time, price), (time, price), np.array([1, 0]))
