"""The watch: any cut gives the same bytes, and haste is told from habit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.tilt import watch
from genesis.operators.tilt.observations import OBSERVATION, ObservationKind


def _stream(seed: int, orders: int, pace_s: float, begin_ns: int, size: float) -> np.ndarray:
    rng, rows, now = np.random.default_rng(seed), [], begin_ns
    for _ in range(orders):
        now += int(pace_s * rng.lognormal(0.0, 0.4) * 1e9)
        rows.append((now, ObservationKind.DECIDED, 0, pace_s / 60 * rng.lognormal(0.0, 0.3), 0.0))
        rows.append((now, ObservationKind.ORDER, 1, size * rng.lognormal(0.0, 0.2), np.nan))
        rows.append((now, ObservationKind.SOLD, 1, -0.01, 60.0))
    return np.array(rows, OBSERVATION)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), cut=st.integers(0, 180))
def test_any_cut_gives_the_same_bytes(seed: int, cut: int) -> None:
    rows = _stream(seed, 60, 600.0, 1, 0.05)
    first, _ = watch.observe(watch.fresh(), rows[:cut])
    assert watch.observe(first, rows[cut:]) == watch.observe(watch.fresh(), rows)


def test_haste_and_size_after_losses_light_signs() -> None:
    state, calm = watch.observe(watch.fresh(), _stream(1, 60, 600.0, 1, 0.05))
    assert calm.calibrated
    assert calm.level == 0
    _, hasty = watch.observe(state, _stream(2, 5, 20.0, calm.event_ns, 0.2))
    assert hasty.level == 2
    assert {each.name for each in hasty.signs} >= {"decision_latency", "trade_frequency", "order_size"}


def _naive_sum(values: np.ndarray, times: np.ndarray) -> float:
    """Return the size measure's evidence, of its definition; it is lit at no time."""
    learned: list[float] = []
    total, before = 0.0, int(times[0])
    for value, now in zip(np.log(values), times, strict=True):
        total *= 2.0 ** (-(int(now) - before) / watch.HALF_LIFE_NS)
        before = int(now)
        if len(learned) >= watch.CALIBRATION:
            last = learned[-watch.KEPT :]
            middle = np.median(last)
            scale = max(1.4826022185056018 * np.median(np.abs(np.array(last) - middle)), watch.SCALE_MIN)
            total = max(
                0.0, total + float(np.clip((value - middle) / scale, -watch.CLIP, watch.CLIP)) - watch.K
            )
        learned.append(float(value))
    return total


def test_evidence_is_that_of_the_naive_twin() -> None:
    orders = _stream(3, 90, 600.0, 1, 0.05)
    orders = orders[orders["kind"] == int(ObservationKind.ORDER)]
    state, _ = watch.observe(watch.fresh(), orders)
    held = np.frombuffer(state, watch.STATE)[0]
    np.testing.assert_allclose(held["sums"][2], _naive_sum(orders["value"], orders["event_ns"]), atol=1e-9)
