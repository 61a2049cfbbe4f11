"""Evidence: how one value, one occasion or one bound adds to the sum of an indicator. Compiled.

A habit's value is clipped at `CLIP` scales (1.4826 MAD) from the median of the person's own last `KEPT`
logarithms and added less `K` to a sum for more, and its opposite to one for less: one-sided CUSUM charts,
of which an indicator uses those that it looks at. An occasion adds the logarithm of how much likelier it is
for a tendency three times the person's own. Every sum halves in `HALF_LIFE_NS`, stays within [0, MOST],
lights its sign at `H` and makes it strong at `STRONG`; either ends at half of that. While a sign is strong
one value in `LEARN_STRONG` is learned, so that a burst does not become a habit, and a lasting change does.
"""

from typing import Any

import numpy as np

from genesis.operators.arrays import kernel
from genesis.operators.tilt.indicators import COUNT, HABITS, INDICATORS, NUMBER, TENDENCIES
from genesis.operators.tilt.observations import ObservationKind

KEPT, CALIBRATION = 64, 30
CLIP, K = 4.0, 0.5
H, STRONG, MOST = 1.5, 2.25, 6.0
SCALE_MIN = 0.15
"""Least scale of a logarithm: a habit more regular than that is taken to vary by it."""

HALF_LIFE_NS = 1_800_000_000_000
LEARN_STRONG = 8
TRIALS_KEPT = 256.0
"""Occasions that a tendency remembers; older ones fade."""

LATELY = 4.0
"""Occasions over which the rate that a sentence shows is smoothed."""

TIMES = 64

STATE = np.dtype(
    [
        ("event_ns", "<i8"),
        ("attempt_ns", "<i8"),
        ("loss_ns", "<i8"),
        ("gain_ns", "<i8"),
        ("loss_symbol", "<i8"),
        ("loss_open", "<i8"),  # 1 until the first order after it
        ("below_cost", "<i8"),  # 1 when the newest mark of a position was below its cost
        ("sensitivity", "<f8"),  # of the newest rows
        ("count", "<i8", (COUNT,)),
        ("lit", "<i8", (COUNT, 2)),  # of each side: 0, LIT or IS_STRONG
        ("sums", "<f8", (COUNT, 2)),  # of evidence for more, and for less
        ("value", "<f8", (COUNT,)),
        ("usual", "<f8", (COUNT,)),
        ("judged", "<i8", (HABITS,)),  # values so far, learned or not
        ("kept", "<f8", (HABITS, KEPT)),
        ("hits", "<f8", (TENDENCIES,)),
        ("trials", "<f8", (TENDENCIES,)),
        ("lately", "<f8", (TENDENCIES,)),  # rate of the last few occasions
        ("hours", "<f8", (24,)),
        ("times", "<i8", (4, TIMES)),  # rings: charts, connects, parameters, commands
        ("rings", "<i8", (4,)),
    ]
)
"""State of one trader; its size is constant."""

LEANS = np.array([[int(each.more), int(each.less)] for each in INDICATORS])
"""What each side of an indicator speaks for; a side that speaks for nothing is not looked at."""

LIT, IS_STRONG = 1, 2
"""How far a sign is; 0 is out."""
MORE, LESS = 0, 1
"""Sides of a sum; a habit that may change either way has two one-sided charts."""

AFTER_NS = 1_800_000_000_000
"""How long what follows a loss or a gain is counted as following it."""

GAIN_LARGE = 0.01
"""A gain of so much of the equity is large."""

_QUICK_NS, _PAIR_NS = 2_000_000_000, 60_000_000_000
_MINUTE_NS, _HOUR_NS = 60_000_000_000, 3_600_000_000_000
_TOGETHER = 0.7

(
    _DECIDED, _ORDER, _REFUSED, _KEYS, _SOLD, _STOPPED, _CORRECTIONS, _EDITED, _PREVIEWED, _CANCELLED,
    _AMENDED, _BOUGHT, _STOP_MOVED, _CHART, _STARED, _CONNECTED, _PARAMETER, _CLOCK_JUMPED, _MARKED,
) = (
    int(ObservationKind[name])
    for name in (
        "DECIDED", "ORDER", "REFUSED", "KEYS", "SOLD", "STOPPED", "CORRECTIONS", "EDITED", "PREVIEWED",
        "CANCELLED", "AMENDED", "BOUGHT", "STOP_MOVED", "CHART", "STARED", "CONNECTED", "PARAMETER",
        "CLOCK_JUMPED", "MARKED",
    )
)  # fmt: skip

_LATENCY, _PACE, _SIZE = NUMBER["decision_latency"], NUMBER["trade_frequency"], NUMBER["order_size"]
_LOSS_SIZE, _GAIN_SIZE, _REENTRY = NUMBER["size_after_loss"], NUMBER["size_after_gain"], NUMBER["reentry"]
_TYPING, _LOOK, _HOVER = NUMBER["typing_speed"], NUMBER["preview_look"], NUMBER["size_hover"]
_ACCURACY, _LEFT, _CANCELS = NUMBER["typing_accuracy"], NUMBER["previews_left"], NUMBER["quick_cancels"]
_DECLINED, _LOSERS, _WIDER = NUMBER["refused_orders"], NUMBER["adding_to_losers"], NUMBER["stop_widening"]
_HOURS, _HEDGING, _SAME = NUMBER["unusual_hours"], NUMBER["panic_hedging"], NUMBER["same_pair_revenge"]
_REACTION, _BARGAIN, _CHARTS = NUMBER["reaction"], NUMBER["bargaining"], NUMBER["chart_checks"]
_STARE, _CONNECTS, _THRASH = NUMBER["stare"], NUMBER["reconnects"], NUMBER["thrashing"]
_CLOCK, _EMPTY = NUMBER["clock_changed"], NUMBER["empty_activity"]


@kernel
def _weigh(state: Any, i: int, side: int, evidence: float) -> None:
    """Add evidence to one side of an indicator; light it at `H`, and make it strong at `STRONG`."""
    state.sums[i, side] = min(max(0.0, state.sums[i, side] + state.sensitivity * evidence), MOST)
    if state.sums[i, side] >= STRONG:
        state.lit[i, side] = IS_STRONG
    elif state.sums[i, side] >= H:
        state.lit[i, side] = max(state.lit[i, side], LIT)


@kernel
def _fade(state: Any, now: int) -> None:
    """Let evidence fade up to a time, and signs go out."""
    if state.event_ns > 0:
        fall = np.exp2(-(now - state.event_ns) / HALF_LIFE_NS)
        for i in range(COUNT):
            for side in (MORE, LESS):
                state.sums[i, side] *= fall
                if state.sums[i, side] < 0.5 * H:
                    state.lit[i, side] = 0
                elif state.sums[i, side] < 0.5 * STRONG:
                    state.lit[i, side] = min(state.lit[i, side], LIT)
    state.event_ns = now


@kernel
def _against(state: Any, i: int, value: float, habit: int) -> None:
    """Weigh a value against what a habit knows of this person, on the sides that count."""
    count = state.count[habit]
    if count < CALIBRATION:
        return
    kept = state.kept[habit, : min(count, KEPT)]
    middle = np.median(kept)
    scale = max(1.4826022185056018 * np.median(np.abs(kept - middle)), SCALE_MIN)
    z = min(max((np.log(value) - middle) / scale, -CLIP), CLIP)
    if LEANS[i, MORE]:
        _weigh(state, i, MORE, z - K)
    if LEANS[i, LESS]:
        _weigh(state, i, LESS, -z - K)
    state.value[i], state.usual[i] = value, np.exp(middle)


@kernel
def _judge(state: Any, i: int, value: float) -> None:
    """Weigh a habit's value, then learn it."""
    if not (np.isfinite(value) and value > 0.0):
        return
    _against(state, i, value, i)
    state.judged[i] += 1
    if state.lit[i].max() < IS_STRONG or state.judged[i] % LEARN_STRONG == 0:
        state.kept[i, state.count[i] % KEPT] = np.log(value)
        state.count[i] += 1


@kernel
def _compare(state: Any, i: int, value: float, habit: int) -> None:
    """Weigh a value against the habit of another indicator, learning nothing."""
    if np.isfinite(value) and value > 0.0:
        _against(state, i, value, habit)


@kernel
def _tend(state: Any, i: int, hits: float, trials: float) -> None:
    """Weigh occasions of a tendency, then learn them."""
    j = i - HABITS
    if not (trials > 0.0 and 0.0 <= hits <= trials):
        return
    usual = (state.hits[j] + 0.5) / (state.trials[j] + 10.0)
    state.lately[j] += (hits / trials - state.lately[j]) / LATELY
    if state.trials[j] >= CALIBRATION:
        alarming = min(max(3.0 * usual, 0.3), 0.95)
        usual = min(usual, 0.8 * alarming)
        evidence = hits * np.log(alarming / usual) + (trials - hits) * np.log((1 - alarming) / (1 - usual))
        _weigh(state, i, MORE, min(max(evidence, -CLIP), CLIP))
        state.value[i], state.usual[i] = state.lately[j], usual
    state.count[i] += 1
    if state.lit[i].max() < IS_STRONG or state.count[i] % LEARN_STRONG == 0:
        fall = min(1.0, TRIALS_KEPT / (state.trials[j] + trials))
        state.hits[j] = (state.hits[j] + hits) * fall
        state.trials[j] = (state.trials[j] + trials) * fall


@kernel
def _bound(state: Any, i: int, value: float, most: float) -> None:
    """Light a sign when a value is above a bound."""
    state.count[i] += 1
    if value > most:
        _weigh(state, i, MORE, 1.5 * STRONG)
        state.value[i], state.usual[i] = value, most


@kernel
def _recent(state: Any, ring: int, now: int, span_ns: int) -> int:
    """Note a time in a ring; return how many of its times are within a span, this one included."""
    state.times[ring, state.rings[ring] % TIMES] = now
    state.rings[ring] += 1
    found = 0
    for k in range(min(state.rings[ring], TIMES)):
        if now - state.times[ring, k] < span_ns:
            found += 1
    return found


@kernel
def _attempt(state: Any, row: Any, now: int) -> None:
    """Weigh an order that was asked for, taken or declined."""
    if state.attempt_ns > 0:
        _judge(state, _PACE, max((now - state.attempt_ns) * 1e-9, 0.1))
    if state.loss_ns > 0 and now - state.loss_ns < AFTER_NS:
        _compare(state, _LOSS_SIZE, row.value, _SIZE)
    if state.gain_ns > 0 and now - state.gain_ns < AFTER_NS:
        _compare(state, _GAIN_SIZE, row.value, _SIZE)
    _judge(state, _SIZE, row.value)
    if state.loss_open == 1:
        since = now - state.loss_ns
        _judge(state, _REENTRY, max(since * 1e-9, 0.1))
        _tend(state, _REACTION, 1.0 if since < _QUICK_NS else 0.0, 1.0)
        same = row.symbol == state.loss_symbol and row.symbol > 0 and since < _PAIR_NS
        _tend(state, _SAME, 1.0 if same else 0.0, 1.0)
        state.loss_open = 0
    _tend(state, _DECLINED, 1.0 if row.kind == _REFUSED else 0.0, 1.0)
    hour = (now // _HOUR_NS) % 24
    total = state.hours.sum()
    if total >= CALIBRATION:
        _tend(state, _HOURS, 1.0 if state.hours[hour] < 0.01 * total else 0.0, 1.0)
    state.hours[hour] += 1.0
    if total > 512.0:
        state.hours[:] *= 0.5
    state.attempt_ns = now
    state.rings[3] = 0


@kernel
def _hands(state: Any, row: Any, now: int) -> None:
    """Weigh what was seen of the hands."""
    if row.kind == _DECIDED:
        _judge(state, _LATENCY, row.value)
        _bound(state, _EMPTY, _recent(state, 3, now, _HOUR_NS), 60.0)
    elif row.kind == _KEYS:
        _judge(state, _TYPING, row.value)
    elif row.kind == _CORRECTIONS:
        _tend(state, _ACCURACY, row.value, row.other)
    elif row.kind == _EDITED:
        _judge(state, _HOVER, row.value + 1.0)
    elif row.kind == _PREVIEWED:
        if row.other == 1.0:
            _judge(state, _LOOK, row.value)
        _tend(state, _LEFT, 1.0 if row.other != 1.0 else 0.0, 1.0)
    elif row.kind == _CHART:
        for _ in range(min(max(int(row.value), 1), 64)):
            looks = _recent(state, 0, now, _MINUTE_NS)
        _bound(state, _CHARTS, looks, 20.0)
    elif row.kind == _STARED:
        _bound(state, _STARE, row.value, 1800.0)
    elif row.kind == _CONNECTED:
        _bound(state, _CONNECTS, _recent(state, 1, now, 10 * _MINUTE_NS), 2.0)
    elif row.kind == _CLOCK_JUMPED:
        _bound(state, _CLOCK, abs(row.value), 60.0)


@kernel
def _affairs(state: Any, row: Any, now: int) -> None:
    """Weigh what became of orders and positions."""
    if row.kind == _SOLD or row.kind == _STOPPED:
        if row.value < 0.0:
            state.loss_ns, state.loss_symbol, state.loss_open = now, row.symbol, 1
        elif row.value >= GAIN_LARGE:
            state.gain_ns = now
    elif row.kind == _BOUGHT:
        _tend(state, _LOSERS, 1.0 if row.other < 0.0 else 0.0, 1.0)
    elif row.kind == _MARKED:
        state.below_cost = int(row.value < 0.0)
    elif row.kind == _CANCELLED:
        _tend(state, _CANCELS, 1.0 if row.value < 5.0 else 0.0, 1.0)
    elif row.kind == _AMENDED:
        _bound(state, _BARGAIN, row.value, 5.0)
    elif row.kind == _STOP_MOVED:
        _tend(state, _WIDER, 1.0 if row.value > 0.0 else 0.0, 1.0)
    elif row.kind == _PARAMETER:
        _bound(state, _THRASH, _recent(state, 2, now, 4 * _HOUR_NS), 3.0)


@kernel
def _observe(states: Any, rows: Any, sensitivity: float) -> None:
    """Fold rows (OBSERVATION) into the one state; a late row counts as simultaneous with the newest."""
    state = states[0]
    for row in rows:
        state.sensitivity = sensitivity
        now = max(row.event_ns, state.event_ns)
        _fade(state, now)
        if row.kind == _ORDER or row.kind == _REFUSED:
            _attempt(state, row, now)
            if row.kind == _ORDER and np.isfinite(row.other):
                _tend(state, _HEDGING, 1.0 if row.other >= _TOGETHER and state.below_cost == 1 else 0.0, 1.0)
        elif _KEYS <= row.kind <= _CLOCK_JUMPED:
            _hands(state, row, now)
        else:
            _affairs(state, row, now)


def take(states: Any, rows: Any, sensitivity: float) -> None:
    """Fold observations into a state.

    Parameters
    ----------
    states
        One state, dtype `STATE`, shape (1,); it is changed.
    rows
        Observations in the order of the log, dtype `observations.OBSERVATION`.
    sensitivity
        By which their evidence weighs; 1 is usual.
    """
    _observe(states, rows, sensitivity)
