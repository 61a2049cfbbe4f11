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

from genesis.operators.tilt import evidence
from genesis.operators.tilt.evidence import STATE, STRONG
from genesis.operators.tilt.indicators import INDICATORS, NUMBER, Lean

LEVEL_SIGNS = (2, 4, 6)
"""Signs of one lean from which levels 1, 2 and 3 begin; strong ones for 1 and 3."""

_LEANS = np.array([[int(each.more), int(each.less)] for each in INDICATORS])
_STRONG = 2


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
    return held.tobytes(), _reading(held[0])


def _level(lit: np.ndarray[Any, Any], lean: Lean) -> int:
    """Return the level that the signs of one lean make."""
    lights = np.where(_LEANS & int(lean), lit, 0).max(axis=1)
    strong, any_of_it = int((lights == _STRONG).sum()), int((lights > 0).sum())
    if strong >= LEVEL_SIGNS[2]:
        return 3
    if any_of_it >= LEVEL_SIGNS[1]:
        return 2
    return int(strong >= LEVEL_SIGNS[0])


def _reading(state: Any) -> Reading:
    lights = state["lit"]
    if not lights.any():
        return Reading(int(state["event_ns"]), 0, 0.0, _is_calibrated(state), ())
    level, lean = max((_level(lights, lean), lean) for lean in (Lean.HASTE, Lean.PARALYSIS))
    told = lights == _STRONG
    if level >= 2:
        told |= (lights > 0) & (_LEANS & int(lean) > 0)
    sums = np.where(told, state["sums"], 0.0).max(axis=1).tolist()
    signs = []
    for i in sorted(np.flatnonzero(told.any(axis=1)).tolist(), key=lambda i: (-sums[i], i)):
        each = INDICATORS[i]
        value, usual = float(state["value"][i]), float(state["usual"][i])
        sentence = each.sentence.format(value=value, usual=usual)
        signs.append(Sign(each.name, each.title, value, usual, sums[i] / STRONG, sentence))
    score = sum(each.weight for each in signs)
    return Reading(int(state["event_ns"]), level, score, _is_calibrated(state), tuple(signs))


def _is_calibrated(state: Any) -> bool:
    return bool(state["count"][NUMBER["order_size"]] >= evidence.CALIBRATION)
