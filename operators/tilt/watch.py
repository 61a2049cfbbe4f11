"""Watch: what a trader's actions say of how far he is from his usual self, as signs and a level.

Every observation is handed to the indicators that it concerns (`indicators` has the table, `evidence` how one
value weighs). The level follows from how many signs are lit at a time: 2, 4 and 6 of them begin levels 1, 2
and 3. Signs are lit by evidence that fades, and go out at half of what lit them, so a level does not flicker.
With a known median and scale, independent normal values would light one habit's sign about once in 100
values, by simulation; signs of one person are not independent, so the false-alarm rate of a level is
measured (docs/tilt.md), not computed.
"""

from typing import Any

import msgspec
import numpy as np

from genesis.operators.arrays import kernel
from genesis.operators.tilt import evidence
from genesis.operators.tilt.evidence import DIRECTION, STATE, H
from genesis.operators.tilt.indicators import COUNT, INDICATORS, NUMBER
from genesis.operators.tilt.observations import ObservationKind

LEVEL_SIGNS = (2, 4, 6)
"""Lit signs from which levels 1, 2 and 3 begin."""

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


class Sign(msgspec.Struct, frozen=True):
    """One sign that is lit."""

    name: str
    title: str
    value: float
    usual: float
    weight: float
    sentence: str


class Reading(msgspec.Struct, frozen=True):
    """What is read of a trader after the newest observation; the strongest sign is first."""

    event_ns: int
    level: int
    score: float
    calibrated: bool
    signs: tuple[Sign, ...]


@kernel
def _attempt(state: Any, row: Any, now: int, direction: Any) -> None:
    """Weigh an order that was asked for, taken or declined."""
    if state.attempt_ns > 0:
        evidence.judge(state, _PACE, max((now - state.attempt_ns) * 1e-9, 0.1), direction[_PACE])
    if state.loss_ns > 0 and now - state.loss_ns < AFTER_NS:
        evidence.compare(state, _LOSS_SIZE, row.value, _SIZE)
    if state.gain_ns > 0 and now - state.gain_ns < AFTER_NS:
        evidence.compare(state, _GAIN_SIZE, row.value, _SIZE)
    evidence.judge(state, _SIZE, row.value, direction[_SIZE])
    if state.loss_open == 1:
        since = now - state.loss_ns
        evidence.judge(state, _REENTRY, max(since * 1e-9, 0.1), direction[_REENTRY])
        evidence.tend(state, _REACTION, 1.0 if since < _QUICK_NS else 0.0, 1.0)
        same = row.symbol == state.loss_symbol and row.symbol > 0 and since < _PAIR_NS
        evidence.tend(state, _SAME, 1.0 if same else 0.0, 1.0)
        state.loss_open = 0
    evidence.tend(state, _DECLINED, 1.0 if row.kind == _REFUSED else 0.0, 1.0)
    hour = (now // _HOUR_NS) % 24
    total = state.hours.sum()
    if total >= evidence.CALIBRATION:
        evidence.tend(state, _HOURS, 1.0 if state.hours[hour] < 0.01 * total else 0.0, 1.0)
    state.hours[hour] += 1.0
    if total > 512.0:
        state.hours[:] *= 0.5
    state.attempt_ns = now
    state.rings[3] = 0


@kernel
def _hands(state: Any, row: Any, now: int, direction: Any) -> None:
    """Weigh what was seen of the hands."""
    if row.kind == _DECIDED:
        evidence.judge(state, _LATENCY, row.value, direction[_LATENCY])
        evidence.bound(state, _EMPTY, evidence.recent(state, 3, now, _HOUR_NS), 60.0)
    elif row.kind == _KEYS:
        evidence.judge(state, _TYPING, row.value, direction[_TYPING])
    elif row.kind == _CORRECTIONS:
        evidence.tend(state, _ACCURACY, row.value, row.other)
    elif row.kind == _EDITED:
        evidence.judge(state, _HOVER, row.value + 1.0, direction[_HOVER])
    elif row.kind == _PREVIEWED:
        if row.other == 1.0:
            evidence.judge(state, _LOOK, row.value, direction[_LOOK])
        evidence.tend(state, _LEFT, 1.0 if row.other != 1.0 else 0.0, 1.0)
    elif row.kind == _CHART:
        for _ in range(min(max(int(row.value), 1), 64)):
            looks = evidence.recent(state, 0, now, _MINUTE_NS)
        evidence.bound(state, _CHARTS, looks, 20.0)
    elif row.kind == _STARED:
        evidence.bound(state, _STARE, row.value, 1800.0)
    elif row.kind == _CONNECTED:
        evidence.bound(state, _CONNECTS, evidence.recent(state, 1, now, 10 * _MINUTE_NS), 2.0)
    elif row.kind == _CLOCK_JUMPED:
        evidence.bound(state, _CLOCK, abs(row.value), 60.0)


@kernel
def _affairs(state: Any, row: Any, now: int) -> None:
    """Weigh what became of orders and positions."""
    if row.kind == _SOLD or row.kind == _STOPPED:
        if row.value < 0.0:
            state.loss_ns, state.loss_symbol, state.loss_open = now, row.symbol, 1
        elif row.value >= GAIN_LARGE:
            state.gain_ns = now
    elif row.kind == _BOUGHT:
        evidence.tend(state, _LOSERS, 1.0 if row.other < 0.0 else 0.0, 1.0)
    elif row.kind == _MARKED:
        state.below_cost = int(row.value < 0.0)
    elif row.kind == _CANCELLED:
        evidence.tend(state, _CANCELS, 1.0 if row.value < 5.0 else 0.0, 1.0)
    elif row.kind == _AMENDED:
        evidence.bound(state, _BARGAIN, row.value, 5.0)
    elif row.kind == _STOP_MOVED:
        evidence.tend(state, _WIDER, 1.0 if row.value > 0.0 else 0.0, 1.0)
    elif row.kind == _PARAMETER:
        evidence.bound(state, _THRASH, evidence.recent(state, 2, now, 4 * _HOUR_NS), 3.0)


@kernel
def _observe(states: Any, rows: Any, direction: Any) -> None:
    """Fold rows into the one state; a late row counts as simultaneous with the newest."""
    state = states[0]
    for row in rows:
        now = max(row.event_ns, state.event_ns)
        evidence.fade(state, now)
        if row.kind == _ORDER or row.kind == _REFUSED:
            _attempt(state, row, now, direction)
            if row.kind == _ORDER and np.isfinite(row.other):
                evidence.tend(
                    state, _HEDGING, 1.0 if row.other >= _TOGETHER and state.below_cost == 1 else 0.0, 1.0
                )
        elif row.kind >= _KEYS:
            _hands(state, row, now, direction)
            if row.kind == _MARKED:
                _affairs(state, row, now)
        else:
            _affairs(state, row, now)


def fresh() -> bytes:
    """Return the state before the first observation.

    >>> len(fresh()) == STATE.itemsize
    True
    """
    state = np.zeros(1, STATE)
    state["sensitivity"] = 1.0
    return state.tobytes()


def tuned(state: bytes, sensitivity: float) -> bytes:
    """Return a state for which evidence weighs as given; 1 is usual.

    >>> tuned(fresh(), 1.0) == fresh()
    True
    """
    held = np.frombuffer(state, STATE)
    if held["sensitivity"][0] == sensitivity:
        return state
    held = held.copy()
    held["sensitivity"] = sensitivity
    return held.tobytes()


def rested(state: bytes) -> bytes:
    """Return a state after a rest: what is usual is kept, the evidence is put away.

    >>> rested(fresh()) == fresh()
    True
    """
    held = np.frombuffer(state, STATE).copy()
    held["sums"], held["lit"] = 0.0, 0
    return held.tobytes()


def observe(state: bytes | bytearray, rows: np.ndarray[Any, Any]) -> tuple[bytes, Reading]:
    """Return the state after ``rows`` (shape (n,), dtype OBSERVATION), and what is read of it.

    Any cut of rows into batches gives the same state. A state of another layout begins anew.
    """
    held = np.frombuffer(bytearray(state if len(state) == STATE.itemsize else fresh()), STATE)
    _observe(held, rows, DIRECTION)
    return held.tobytes(), _reading(held[0])


def _reading(state: Any) -> Reading:
    lit = [i for i in range(COUNT) if state["lit"][i]]
    lit.sort(key=lambda i: (-float(state["sums"][i]), i))
    signs = []
    for i in lit:
        each = INDICATORS[i]
        value, usual = float(state["value"][i]), float(state["usual"][i])
        weight = float(state["sums"][i]) / H
        sentence = each.sentence.format(value=value, usual=usual)
        signs.append(Sign(each.name, each.title, value, usual, weight, sentence))
    level = sum(len(lit) >= least for least in LEVEL_SIGNS)
    calibrated = bool(state["count"][_SIZE] >= evidence.CALIBRATION)
    return Reading(
        int(state["event_ns"]), level, sum(each.weight for each in signs), calibrated, tuple(signs)
    )
