"""Gaming: what a person does who knows that he is watched: random keys, other clients, a clock turned.

He does it to make his usual day look like anything, so that a bad one does not stand out.
"""

import numpy as np

from genesis.operators.personas.habits import Habits
from genesis.operators.personas.hands import Gesture


def decoys(habits: Habits, rng: np.random.Generator) -> tuple[Gesture, ...]:
    """Return gestures without a purpose.

    >>> from genesis.operators.personas.habits import drawn
    >>> rng = np.random.default_rng(2)
    >>> len(decoys(drawn(rng, 3), rng)) > 0
    True
    """
    kind = rng.uniform()
    if kind < 0.5:
        intervals_ms = habits.key_ms * np.exp(rng.uniform(-1.2, 1.2, 3))
        keys = [Gesture("keys", float(each), float(rng.integers(3, 60))) for each in intervals_ms]
        return (*keys, Gesture("decided", float(rng.uniform(0.5, 90.0))))
    if kind < 0.8:
        screens = [Gesture("screen", float(each)) for each in rng.integers(1, 9, 6)]
        return (*screens, Gesture("chart", float(rng.integers(1, 25))))
    if kind < 0.95:
        return Gesture("left", float(rng.uniform(60, 3_000))), Gesture("connected", 0.0, 1.0)
    return (Gesture("clock_jumped", float(rng.choice([-1, 1]) * rng.uniform(600, 90_000))),)
