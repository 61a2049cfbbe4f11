r"""CUSUM: two sums that notice a lasting shift of a standardised series, up or down, by series.

Of values :math:`z_t` in units of their usual scale, about their usual location,

.. math::
    S^+_t = \max(0, S^+_{t-1} + z_t - k), \qquad S^-_t = \max(0, S^-_{t-1} - z_t - k),

and an alarm is given when a sum reaches h; that sum begins again at zero. With :math:`k = 1/2` it is
tuned to a shift of one scale. The *average run length* says how often it alarms:

====  ===============================  ==============================
h     no shift (false alarm once in)   shift of one scale (found after)
====  ===============================  ==============================
4     168 values                       8.4 values
5     465 values                       10.4 values
====  ===============================  ==============================

for independent normal values (`average_run_length`).
Values with heavier tails alarm more often: clip them (`clip`), or measure the rate.

A value that is not finite is passed over: nothing known, nothing learned.

References
----------
Page (1954), "Continuous inspection schemes", Biometrika 41(1/2), 100-115. Brook and Evans (1972), "An
approach to the probability distribution of CUSUM run length", Biometrika 59(3), 539-549.
"""

import math
from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, grown, kernel
from genesis.operators.parameters import positive, within

UP, DOWN = 1, -1
"""Alarms; 0 is none."""


class Cusum(NamedTuple):
    """The sums, by slot."""

    sums: Floats  # shape (slots, 2): upward, downward; in scales


class CusumParameters(NamedTuple):
    """Parameters of the chart; made by `parameters`."""

    k: float  # half the shift to be found, in scales
    h: float  # at which an alarm is given, in scales
    clip: float  # a value counts at most so much, in scales


def parameters(h: float, k: float = 0.5, clip: float = math.inf) -> CusumParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When h is not positive, or k or clip cannot be.
    """
    positive("cusum", "h", h, "4 alarms falsely once in 168 values, 5 once in 465")
    within("cusum", "k", k, (0.0, 100.0), "half the shift to be found, in scales")
    within("cusum", "clip", clip, (k, math.inf), "a value clipped below k never moves a sum")
    return CusumParameters(float(k), float(h), float(clip))


def no_sums(slots: int = 0) -> Cusum:
    """Return the state before the first value."""
    return Cusum(np.zeros((slots, 2)))


def with_slots(cusum: Cusum, slots: int) -> Cusum:
    """Return ``cusum`` with room for at least ``slots`` series."""
    have = cusum.sums.shape[0]
    return cusum if slots <= have else Cusum(grown(cusum.sums, max(slots, 2 * have, 16)))


@kernel
def update(
    cusum: Cusum, slots: Ints, values: Floats, parameters: CusumParameters
) -> tuple[Cusum, Floats, Ints]:
    """Return the state after n values, the sums after each, and the alarms.

    Parameters
    ----------
    cusum
        Used up; has room for every slot.
    slots
        The series of each value, shape ``(n,)``.
    values
        Standardised, shape ``(n,)``.
    parameters
        From `parameters`.

    Returns
    -------
    cusum, sums, alarms
        ``sums`` of shape ``(n, 2)``, upward and downward, before a sum that alarms begins again;
        ``alarms`` of shape ``(n,)``: UP, DOWN or 0.

    Examples
    --------
    >>> values, how = np.array([1.0, 1.5, 2.5, -4.0]), CusumParameters(k=0.5, h=3.0, clip=9.0)
    >>> _, sums, alarms = update(no_sums(1), np.zeros(4, np.int64), values, how)
    >>> sums.tolist(), alarms.tolist()
    ([[0.5, 0.0], [1.5, 0.0], [3.5, 0.0], [0.0, 3.5]], [0, 0, 1, -1])
    """
    path, alarms = np.empty((slots.size, 2)), np.zeros(slots.size, np.int64)
    for i in range(slots.size):
        mine = cusum.sums[slots[i]]
        if np.isfinite(values[i]):
            value = min(max(values[i], -parameters.clip), parameters.clip)
            mine[0] = max(0.0, mine[0] + value - parameters.k)
            mine[1] = max(0.0, mine[1] - value - parameters.k)
        path[i] = mine
        if mine[0] >= parameters.h:
            alarms[i], mine[0] = 1, 0.0
        elif mine[1] >= parameters.h:
            alarms[i], mine[1] = -1, 0.0
    return cusum, path, alarms


def average_run_length(h: float, k: float = 0.5, shift: float = 0.0, states: int = 200) -> float:
    """Return after how many independent normal values the two-sided chart alarms, on average.

    The one-sided sum is a Markov chain of ``states`` states (Brook and Evans), extrapolated to
    infinitely many; the two sides are joined by 1 / ARL = 1 / ARL+ + 1 / ARL-, exact for sums that
    cannot both be up.

    Parameters
    ----------
    h, k
        As in `parameters`.
    shift
        Mean of the values, in scales.
    states
        At least 4.

    Examples
    --------
    >>> [round(average_run_length(h, shift=shift), 1) for h in (4.0, 5.0) for shift in (0.0, 1.0)]
    [167.7, 8.4, 465.4, 10.4]
    """
    parameters(h, k)
    sides = [_one_sided(h, k, sign * shift, states) for sign in (1.0, -1.0)]
    return 1.0 / sum(1.0 / side for side in sides)


def _one_sided(h: float, k: float, shift: float, states: int) -> float:
    """Return the average run length of one sum; its error falls with the square of the states."""
    coarse, fine = (_of_chain(h, k, shift, size) for size in (states // 2, states))
    return fine + (fine - coarse) / 3.0


def _of_chain(h: float, k: float, shift: float, states: int) -> float:
    width = 2.0 * h / (2 * states - 1)  # the first state is half as wide: it stands for zero
    at = np.arange(states) * width
    edges = at + width / 2.0
    below = _normal((edges[None, :] - at[:, None]) + k - shift)
    moves = np.diff(below, axis=1, prepend=0.0)
    moves[:, 0] = below[:, 0]
    return float(np.linalg.solve(np.eye(states) - moves, np.ones(states))[0])


def _normal(values: Floats) -> Floats:
    """Return the standard normal distribution function."""
    result: Floats = np.vectorize(lambda value: 0.5 * math.erfc(-value / math.sqrt(2.0)))(values)
    return result
