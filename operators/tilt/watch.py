"""Watch: what a trader's actions say of how far he is from his usual self, as signs and a level.

Each sign is a one-sided CUSUM (k = 1/2, h = 5) of the logarithm of one measure, in scales (1.4826 MAD)
from the median of the trader's own last `KEPT` values; heavier tails are clipped at `CLIP` scales. With a
known median and scale independent normal values would alarm falsely once in 930
(`operators.cusum.average_run_length`, one side); with both estimated, as here, the rate is not known. Before
`CALIBRATION` values a measure gives no evidence. Values met while a sign is lit are not learned. Evidence
halves in `HALF_LIFE_NS`; a lit sign goes out at h / 2, so a level does not flicker.
"""

from typing import Any

import msgspec
import numpy as np

from genesis.operators.arrays import kernel
from genesis.operators.tilt.observations import ObservationKind

KEPT, CALIBRATION = 64, 30
CLIP, K, H = 4.0, 0.5, 5.0
SCALE_MIN = 0.1
"""Least scale of a logarithm: a habit more regular than a tenth is taken to vary by a tenth."""
HALF_LIFE_NS = 1_800_000_000_000

INDICATORS: tuple[tuple[str, str, float, str], ...] = (
    ("decision_latency", "Decisions", -1.0, "Orders are decided in {value:.3g} s; usual is {usual:.3g} s."),
    ("trade_frequency", "Pace", -1.0, "Orders are {value:.3g} s apart; usual is {usual:.3g} s."),
    ("order_size", "Size", 1.0, "An order takes {value:.3g} of equity; usual is {usual:.3g}."),
    ("typing_speed", "Typing", -1.0, "Keys are {value:.3g} ms apart; usual is {usual:.3g} ms."),
    ("reentry", "Re-entry", -1.0, "An order comes {value:.3g} s after a loss; usual is {usual:.3g} s."),
)
"""Name, title, direction in which evidence grows, sentence."""

MEASURES = len(INDICATORS)
_DIRECTION = np.array([row[2] for row in INDICATORS])
LEVEL_SIGNS = (2, 4, 6)
"""Lit signs from which levels 1, 2 and 3 begin."""

STATE = np.dtype(
    [
        ("event_ns", "<i8"),
        ("order_ns", "<i8"),
        ("loss_ns", "<i8"),
        ("sensitivity", "<f8"),
        ("count", "<i8", (MEASURES,)),
        ("lit", "<i8", (MEASURES,)),
        ("sums", "<f8", (MEASURES,)),
        ("value", "<f8", (MEASURES,)),
        ("usual", "<f8", (MEASURES,)),
        ("kept", "<f8", (MEASURES, KEPT)),
    ]
)
"""State of one trader; its size is constant."""

_DECIDED, _ORDER = int(ObservationKind.DECIDED), int(ObservationKind.ORDER)
_KEYS, _SOLD, _STOPPED = int(ObservationKind.KEYS), int(ObservationKind.SOLD), int(ObservationKind.STOPPED)


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
def _judge(state: Any, i: int, value: float, direction: float) -> None:
    """Weigh one value of measure i, then learn it unless its sign is lit."""
    if not (np.isfinite(value) and value > 0.0):
        return
    size, count = np.log(value), state.count[i]
    if count >= CALIBRATION:
        kept = state.kept[i, : min(count, KEPT)]
        middle = np.median(kept)
        scale = max(1.4826022185056018 * np.median(np.abs(kept - middle)), SCALE_MIN)
        z = min(max(direction * (size - middle) / scale, -CLIP), CLIP) * state.sensitivity
        state.sums[i] = min(max(0.0, state.sums[i] + z - K), 2.0 * H)
        state.value[i], state.usual[i] = value, np.exp(middle)
        if state.sums[i] >= H:
            state.lit[i] = 1
    if state.lit[i] == 0:
        state.kept[i, count % KEPT] = size
        state.count[i] = count + 1


@kernel
def _observe(states: Any, rows: Any, direction: Any) -> None:
    """Fold rows into the one state; a late row counts as simultaneous with the newest."""
    state = states[0]
    for row in rows:
        now = max(row.event_ns, state.event_ns)
        if state.event_ns > 0:
            fall = np.exp2(-(now - state.event_ns) / HALF_LIFE_NS)
            for i in range(MEASURES):
                state.sums[i] *= fall
        state.event_ns = now
        for i in range(MEASURES):
            if state.sums[i] < 0.5 * H:
                state.lit[i] = 0
        if row.kind == _DECIDED:
            _judge(state, 0, row.value, direction[0])
        elif row.kind == _KEYS:
            _judge(state, 3, row.value, direction[3])
        elif (row.kind == _SOLD or row.kind == _STOPPED) and row.value < 0.0:
            state.loss_ns = now
        elif row.kind == _ORDER:
            if state.order_ns > 0:
                _judge(state, 1, (now - state.order_ns) * 1e-9, direction[1])
            _judge(state, 2, row.value, direction[2])
            if state.loss_ns > 0:
                _judge(state, 4, (now - state.loss_ns) * 1e-9, direction[4])
                state.loss_ns = 0
            state.order_ns = now


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

    Any cut of rows into batches gives the same state.
    """
    held = np.frombuffer(bytearray(state), STATE)
    _observe(held, rows, _DIRECTION)
    return held.tobytes(), _reading(held[0])


def _reading(state: Any) -> Reading:
    lit = [i for i in range(MEASURES) if state["lit"][i]]
    lit.sort(key=lambda i: (-float(state["sums"][i]), i))
    signs = []
    for i in lit:
        name, title, _, sentence = INDICATORS[i]
        value, usual = float(state["value"][i]), float(state["usual"][i])
        weight = float(state["sums"][i]) / H
        signs.append(Sign(name, title, value, usual, weight, sentence.format(value=value, usual=usual)))
    level = sum(len(lit) >= least for least in LEVEL_SIGNS)
    calibrated = bool(np.all(state["count"][:3] >= CALIBRATION))
    return Reading(
        int(state["event_ns"]), level, sum(each.weight for each in signs), calibrated, tuple(signs)
    )
