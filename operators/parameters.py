"""Parameters: the checks that a parameters record makes once, so that no kernel has to.

Each returns the value it was given, or raises `ValueError` with a sentence that names the step, the
rule, the value and the remedy.
"""

import math


def positive(step: str, name: str, value: float, remedy: str) -> float:
    """Return a finite value above zero.

    >>> positive("tilt", "half_life_ns", -5, "give a half-life in nanoseconds")
    Traceback (most recent call last):
    ...
    ValueError: step 'tilt': half_life_ns must be positive and finite, was -5; give a half-life in nanoseconds
    """
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"step {step!r}: {name} must be positive and finite, was {value}; {remedy}")
    return value


def within(step: str, name: str, value: float, bounds: tuple[float, float], remedy: str) -> float:
    """Return a value in the closed interval ``bounds``.

    >>> within("spread", "share", 0.5, (0.0, 1.0), "give a share")
    0.5
    """
    least, most = bounds
    if not least <= value <= most:
        raise ValueError(f"step {step!r}: {name} must be in [{least:g}, {most:g}], was {value}; {remedy}")
    return value
