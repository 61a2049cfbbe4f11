"""Watch: what a trader's actions say of how far he is from his usual self, as signs and a level.

Every observation is handed to the indicators that it concerns (`indicators` has the table, `evidence` how
one value weighs). The level follows from how many signs of one lean, haste or paralysis, are lit at a time:
2, 4 and 6 of them begin levels 1, 2 and 3. What level 2 asks for is small and is needed early, so any lit
sign counts for it; for the accent of level 1 and the rest of level 3 only strong ones count. Signs are lit
by evidence that fades, and go out at half of what lit them, so a level does not flicker. A sign that is not
strong is told only while it makes a level. How often a habit's sign would be lit falsely by independent
normal values is computed on its page; the signs of one person are not independent, so the false-alarm rate
of a level is measured (docs/tilt.md).
"""

from typing import Any

import msgspec
import numpy as np

from genesis.operators.arrays import kernel
from genesis.operators.tilt import evidence
from genesis.operators.tilt.evidence import IS_STRONG, LEANS, LESS, LIT, MORE, STATE, STRONG
from genesis.operators.tilt.indicators import COUNT, INDICATORS, NUMBER, Lean

LEVEL_SIGNS = ((2, IS_STRONG), (4, LIT), (6, IS_STRONG))
"""Signs of one lean from which levels 1, 2 and 3 begin, and how far each has to be."""

_UNTOLD = -1.0
_SIGNS = np.array(LEVEL_SIGNS)
_LEANS = (int(Lean.HASTE), int(Lean.PARALYSIS))


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


def fresh() -> bytes:
    """Return the state before the first observation.

    >>> len(fresh()) == STATE.itemsize
    True
    """
    return bytes(STATE.itemsize)


def _held(state: bytes | bytearray) -> np.ndarray[Any, Any]:
    """Return a state as it can be changed; one of another layout begins anew."""
    return np.frombuffer(bytearray(state if len(state) == STATE.itemsize else fresh()), STATE)


def rested(state: bytes) -> bytes:
    """Return a state after a rest: what is usual is kept, the evidence is put away.

    >>> rested(fresh()) == fresh()
    True
    """
    held = _held(state)
    held["sums"], held["lit"] = 0.0, 0
    return held.tobytes()


def observe(
    state: bytes | bytearray, rows: np.ndarray[Any, Any], sensitivity: float = 1.0
) -> tuple[bytes, Reading]:
    """Return the state after ``rows`` (shape (n,), dtype OBSERVATION), and what is read of it.

    Evidence weighs by ``sensitivity``. Any cut of rows into batches gives the same state. A state of another
    layout begins anew.

    >>> from genesis.operators.tilt.observations import OBSERVATION
    >>> observe(b"of another layout", np.empty(0, OBSERVATION))[0] == fresh()
    True
    """
    held = _held(state)
    evidence.take(held, rows, sensitivity)
    return held.tobytes(), _reading(held)


@kernel
def _read(states: Any, weights: Any) -> int:
    """Return the level, of the lean that makes the higher one; set the weights of the signs that are told."""
    state, level, lean = states[0], 0, 0
    for each in _LEANS:
        for number in range(len(_SIGNS)):
            found = 0
            for i in range(COUNT):
                far = 0
                for side in (MORE, LESS):
                    if LEANS[i, side] & each:
                        far = max(far, state.lit[i, side])
                found += far >= _SIGNS[number, 1]
            if found >= _SIGNS[number, 0] and number + 1 > level:
                level, lean = number + 1, each
    least = LIT if level >= 2 else IS_STRONG
    for i in range(COUNT):
        for side in (MORE, LESS):
            far = state.lit[i, side]
            if far == IS_STRONG or (far >= least and LEANS[i, side] & lean):
                weights[i] = max(weights[i], state.sums[i, side] / STRONG)
    return level


def _reading(states: np.ndarray[Any, Any]) -> Reading:
    weights = np.full(COUNT, _UNTOLD)
    level, state = _read(states, weights), states[0]
    told = weights.tolist()
    signs = []
    for i in sorted((i for i in range(COUNT) if told[i] > _UNTOLD), key=lambda i: (-told[i], i)):
        each = INDICATORS[i]
        value, usual = float(state["value"][i]), float(state["usual"][i])
        sentence = each.sentence.format(value=value, usual=usual)
        signs.append(Sign(each.name, each.title, value, usual, told[i], sentence))
    calibrated = bool(state["count"][NUMBER["order_size"]] >= evidence.CALIBRATION)
    return Reading(
        int(state["event_ns"]), level, sum(each.weight for each in signs), calibrated, tuple(signs)
    )
