"""Hands: what a dashboard would see of a person who looks around and writes a command: gestures, no contents.

A gesture has the name and the values that `tilt.observations` gives to what only a dashboard can see.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.personas.habits import Habits
from genesis.operators.personas.moods import Temper

LAPSE_SHARE = 0.02
"""Of all thinking is interrupted: a call, a coffee; heavy tails come from there."""


class Gesture(NamedTuple):
    """One thing that hands did, as `ObservationKind` has it."""

    what: str  # keys, corrections, edited, previewed, decided, screen, chart, stared, connected, left, …
    value: float = 0.0
    other: float = 0.0
    symbol: str = ""


class Writing(NamedTuple):
    """A command as it was written: how long it took, what was seen, and whether it was sent."""

    took_s: float
    gestures: tuple[Gesture, ...]
    sent: bool


def _scattered(rng: np.random.Generator, median: float, spread: float) -> float:
    return float(median * np.exp(spread * rng.standard_normal()))


def looked(habits: Habits, temper: Temper, rng: np.random.Generator, symbol: str) -> tuple[Gesture, ...]:
    """Return the gestures of a look around."""
    charts, screens = rng.poisson(habits.charts * temper.charts), rng.poisson(habits.screens * temper.screens)
    found = [Gesture("chart", float(charts), symbol=symbol)] if charts else []
    return (*found, *(Gesture("screen", float(each)) for each in rng.integers(1, 9, min(int(screens), 12))))


def typed(habits: Habits, temper: Temper, rng: np.random.Generator, keys: int) -> tuple[Gesture, ...]:
    """Return the gestures of typing so many keys, and what is taken back."""
    interval_ms = _scattered(rng, habits.key_ms * temper.keys, 0.13)
    wrong = int(rng.binomial(keys, min(habits.correction_share * temper.corrections, 0.6)))
    found = (Gesture("keys", interval_ms, float(keys + wrong)),)
    return (*found, Gesture("corrections", float(wrong), float(keys + wrong))) if wrong else found


def wrote(habits: Habits, temper: Temper, rng: np.random.Generator, words: int = 0) -> Writing:
    """Return the writing of an order; ``words`` of a reason are typed as well.

    >>> from genesis.operators.personas.habits import drawn
    >>> rng = np.random.default_rng(4)
    >>> wrote(drawn(rng, 3), Temper(), rng).gestures[0].what
    'keys'
    """
    keys = int(rng.integers(11, 24)) + 6 * words
    gestures = [*typed(habits, temper, rng, keys)]
    took_s = _scattered(rng, habits.think_s * temper.think, habits.think_spread * temper.think_spread)
    if rng.uniform() < LAPSE_SHARE:
        took_s *= float(rng.uniform(3.0, 20.0))
    took_s = max(took_s, gestures[0].value * gestures[0].other / 1_000)
    edits = rng.poisson(min(habits.edit_share * temper.edits, 3.0))
    if edits:
        gestures.append(Gesture("edited", float(edits)))
        took_s += 1.5 * float(edits)
    sent = True
    if rng.uniform() < habits.preview_share * temper.preview:
        looked_s = _scattered(rng, habits.preview_s * temper.think, 0.5)
        sent = bool(rng.uniform() > min(habits.abandon_share * temper.abandon, 0.8))
        gestures.append(Gesture("previewed", looked_s, float(sent)))
        took_s += looked_s
    if sent:
        gestures.append(Gesture("decided", took_s))
    return Writing(took_s, tuple(gestures), sent)
