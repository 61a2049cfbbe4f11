"""Watch: what a trader's actions say of how far he is from his usual self, as signs and a level.

Every observation is handed to the indicators that it concerns (`indicators` has the table, `evidence` how one
value weighs). The level follows from how many signs are lit at a time: 2, 4 and 6 of them begin levels 1, 2
and 3. Signs are lit by evidence that fades, and go out at half of what lit them, so a level does not flicker.
How often a habit's sign would be lit falsely by independent normal values is computed on its page; the
signs of one person are not independent, so the false-alarm rate of a level is measured (docs/tilt.md).
"""

from typing import Any

import msgspec
import numpy as np

from genesis.operators.tilt import evidence
from genesis.operators.tilt.evidence import STATE, H
from genesis.operators.tilt.indicators import INDICATORS, NUMBER

LEVEL_SIGNS = (2, 4, 6)
"""Lit signs from which levels 1, 2 and 3 begin."""


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


def _reading(state: Any) -> Reading:
    lit = np.flatnonzero(state["lit"]).tolist()
    sums = state["sums"].max(axis=1).tolist() if lit else []
    lit.sort(key=lambda i: (-sums[i], i))
    signs = []
    for i in lit:
        each = INDICATORS[i]
        value, usual = float(state["value"][i]), float(state["usual"][i])
        weight = sums[i] / H
        sentence = each.sentence.format(value=value, usual=usual)
        signs.append(Sign(each.name, each.title, value, usual, weight, sentence))
    level = sum(len(lit) >= least for least in LEVEL_SIGNS)
    calibrated = bool(state["count"][NUMBER["order_size"]] >= evidence.CALIBRATION)
    return Reading(
        int(state["event_ns"]), level, sum(each.weight for each in signs), calibrated, tuple(signs)
    )
