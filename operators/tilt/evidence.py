"""Evidence: how one value, one occasion or one bound adds to the sum of an indicator. Compiled.

A habit's value is clipped at `CLIP` scales (1.4826 MAD) from the median of the person's own last `KEPT`
logarithms and added less `K`: a one-sided CUSUM. An occasion adds the logarithm of how much likelier it is
for a tendency three times the person's own. Every sum halves in `HALF_LIFE_NS`, stays within [0, 2 H],
lights its sign at `H` and goes out at half of it. While a sign is lit one value in `LEARN_LIT` is learned,
so that a burst does not become a habit, and a lasting change does.
"""

from typing import Any

import numpy as np

from genesis.operators.arrays import kernel
from genesis.operators.tilt.indicators import COUNT, HABITS, INDICATORS, TENDENCIES

KEPT, CALIBRATION = 64, 30
CLIP, K, H = 4.0, 0.5, 3.4
SCALE_MIN = 0.15
"""Least scale of a logarithm: a habit more regular than that is taken to vary by it."""

HALF_LIFE_NS = 1_800_000_000_000
LEARN_LIT = 8
TRIALS_KEPT = 256.0
"""Occasions that a tendency remembers; older ones fade."""

TIMES = 64

STATE = np.dtype(
    [
        ("event_ns", "<i8"),
        ("attempt_ns", "<i8"),
        ("loss_ns", "<i8"),
        ("gain_ns", "<i8"),
        ("loss_symbol", "<i8"),
        ("loss_open", "<i8"),  # 1 until the first order after it
        ("judged", "<i8"),  # habit values so far
        ("below_cost", "<i8"),  # positions that were marked below their cost, newest
        ("sensitivity", "<f8"),
        ("count", "<i8", (COUNT,)),
        ("lit", "<i8", (COUNT,)),
        ("sums", "<f8", (COUNT,)),
        ("value", "<f8", (COUNT,)),
        ("usual", "<f8", (COUNT,)),
        ("kept", "<f8", (HABITS, KEPT)),
        ("hits", "<f8", (TENDENCIES,)),
        ("trials", "<f8", (TENDENCIES,)),
        ("hours", "<f8", (24,)),
        ("times", "<i8", (4, TIMES)),  # rings: charts, connects, parameters, commands
        ("rings", "<i8", (4,)),
    ]
)
"""State of one trader; its size is constant."""

DIRECTION = np.array([float(each.direction) for each in INDICATORS])


@kernel
def weigh(state: Any, i: int, evidence: float) -> None:
    """Add evidence to an indicator, in alarms of `H`; light it when that is reached."""
    state.sums[i] = min(max(0.0, state.sums[i] + state.sensitivity * evidence), 2.0 * H)
    if state.sums[i] >= H:
        state.lit[i] = 1


@kernel
def fade(state: Any, now: int) -> None:
    """Let evidence fade up to a time, and signs go out."""
    if state.event_ns > 0:
        fall = np.exp2(-(now - state.event_ns) / HALF_LIFE_NS)
        for i in range(COUNT):
            state.sums[i] *= fall
            if state.sums[i] < 0.5 * H:
                state.lit[i] = 0
    state.event_ns = now


@kernel
def judge(state: Any, i: int, value: float, direction: float) -> None:
    """Weigh a habit's value, then learn it."""
    if not (np.isfinite(value) and value > 0.0):
        return
    size, count = np.log(value), state.count[i]
    if count >= CALIBRATION:
        kept = state.kept[i, : min(count, KEPT)]
        middle = np.median(kept)
        scale = max(1.4826022185056018 * np.median(np.abs(kept - middle)), SCALE_MIN)
        z = (size - middle) / scale
        z = abs(z) if direction == 0.0 else direction * z
        weigh(state, i, min(max(z, -CLIP), CLIP) - K)
        state.value[i], state.usual[i] = value, np.exp(middle)
    state.judged += 1
    if state.lit[i] == 0 or state.judged % LEARN_LIT == 0:
        state.kept[i, count % KEPT] = size
        state.count[i] = count + 1


@kernel
def compare(state: Any, i: int, value: float, habit: int) -> None:
    """Weigh a value against the habit of another indicator, learning nothing."""
    count = state.count[habit]
    if not (np.isfinite(value) and value > 0.0) or count < CALIBRATION:
        return
    kept = state.kept[habit, : min(count, KEPT)]
    middle = np.median(kept)
    scale = max(1.4826022185056018 * np.median(np.abs(kept - middle)), SCALE_MIN)
    weigh(state, i, min(max((np.log(value) - middle) / scale, -CLIP), CLIP) - K)
    state.value[i], state.usual[i], state.count[i] = value, np.exp(middle), count


@kernel
def tend(state: Any, i: int, hits: float, trials: float) -> None:
    """Weigh occasions of a tendency, then learn them."""
    j = i - HABITS
    if not (trials > 0.0 and 0.0 <= hits <= trials):
        return
    usual = (state.hits[j] + 0.5) / (state.trials[j] + 10.0)
    if state.trials[j] >= CALIBRATION:
        alarming = min(max(3.0 * usual, 0.3), 0.95)
        usual = min(usual, 0.8 * alarming)
        evidence = hits * np.log(alarming / usual) + (trials - hits) * np.log((1 - alarming) / (1 - usual))
        weigh(state, i, min(max(evidence, -CLIP), CLIP))
        state.value[i], state.usual[i] = hits / trials, usual
    state.count[i] += 1
    if state.lit[i] == 0 or state.count[i] % LEARN_LIT == 0:
        fall = min(1.0, TRIALS_KEPT / (state.trials[j] + trials))
        state.hits[j] = (state.hits[j] + hits) * fall
        state.trials[j] = (state.trials[j] + trials) * fall


@kernel
def bound(state: Any, i: int, value: float, most: float) -> None:
    """Light a sign when a value is above a bound."""
    state.count[i] += 1
    if value > most:
        weigh(state, i, 1.5 * H)
        state.value[i], state.usual[i] = value, most


@kernel
def recent(state: Any, ring: int, now: int, span_ns: int) -> int:
    """Note a time in a ring; return how many of its times are within a span, this one included."""
    state.times[ring, state.rings[ring] % TIMES] = now
    state.rings[ring] += 1
    found = 0
    for k in range(min(state.rings[ring], TIMES)):
        if now - state.times[ring, k] < span_ns:
            found += 1
    return found
