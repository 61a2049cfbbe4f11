r"""Matrix distance: how far the structure of correlations has moved, in [0, 2], and when it broke.

The distance of two correlation matrices is the mean absolute difference of their pairs,

.. math:: \zeta(A, B) = \langle \lvert a_{ij} - b_{ij} \rvert \rangle_{i < j},

over the pairs that are defined in both; NaN when there is none. Münnix and others found the states of
a market with it, over the whole similarity matrix of all pairs of times. That grows with the square
of the time, so a stream is judged otherwise: the newest matrix is compared with a *reference*, a
decayed mean of former ones, and the distance with what is usual for it,

.. math:: s_t = \max(0, s_{t-1} + (\zeta_t - \mu_t) / \sigma_t - \text{slack}),

a one-sided CUSUM; :math:`\mu, \sigma` decayed mean and mean absolute deviation of the distance (times
:math:`\sqrt{\pi/2}`), in which one distance counts at most CLIP deviations. Once :math:`s_t` exceeds
the threshold the correlations have changed: the reference becomes the newest matrix, and the detector
learns anew for ``warm`` matrices. So memory and time are those of one matrix.

Estimates that share samples (a rolling window, an EWMA) give distances that are not independent; feed
matrices that are about one half-life apart, or the false-alarm rate is higher than the CUSUM's.

References
----------
Münnix, Shimada, Schäfer, Leyvraz, Seligman, Guhr and Stanley (2012), "Identifying states of a
financial market", Scientific Reports 2, 644; Page (1954), "Continuous inspection schemes",
Biometrika 41.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, kernel

CLIP = 4.0
"""A distance counts at most so many deviations above the usual."""

ROUNDING = 1e-9
"""Distances and deviations that differ by less are the same."""

NORMAL_RATIO = np.sqrt(np.pi / 2.0)
"""Standard deviation over mean absolute deviation of a normal variable."""


class BreakParams(NamedTuple):
    """How soon a break is seen; from `break_params`, which validates."""

    half_life: float  # of reference and usual distance, matrices
    slack: float  # deviations by which a distance may exceed the usual at no charge
    threshold: float  # the sum at which a break is declared, deviations
    warm: int  # matrices before a break can be declared


class BreakState(NamedTuple):
    """What is usual, and how much has been above it."""

    reference: Floats  # shape (pairs,): decayed mean of each correlation, NaN before its first
    figures: Floats  # shape (3,): usual distance, its usual absolute deviation, the sum
    seen: int  # matrices since the last break


def break_params(
    half_life: float = 60.0, slack: float = 0.5, threshold: float = 8.0, warm: int = 30
) -> BreakParams:
    """Return parameters of the detector.

    Raises
    ------
    ValueError
        When one of them makes no sense.

    Examples
    --------
    >>> break_params(half_life=0.0)
    Traceback (most recent call last):
    ValueError: break_params: half_life must be positive, was 0.0 matrices
    """
    for name, value in (("half_life", half_life), ("threshold", threshold)):
        if not 0.0 < value < np.inf:
            raise ValueError(f"break_params: {name} must be positive, was {value} matrices")
    if not 0.0 <= slack < np.inf:
        raise ValueError(f"break_params: slack must be 0 or more deviations, was {slack}")
    if warm < 2:
        raise ValueError(f"break_params: warm must be at least 2 matrices, was {warm}")
    return BreakParams(half_life, slack, threshold, warm)


def no_breaks(pairs: int) -> BreakState:
    """Return the state before the first matrix."""
    return BreakState(np.full(pairs, np.nan), np.zeros(3), 0)


@kernel
def distance(one: Floats, other: Floats) -> float:
    """Return the mean absolute difference of two sets of pairs, NaN when none is defined in both.

    >>> distance(np.array([0.5, np.nan, 0.1]), np.array([0.3, 0.9, 0.1]))
    0.1
    """
    total, pairs = 0.0, 0
    for p in range(one.size):
        gap = abs(one[p] - other[p])
        if not np.isnan(gap):
            total, pairs = total + gap, pairs + 1
    return total / pairs if pairs else np.nan


@kernel
def breaks(state: BreakState, correlations: Floats, params: BreakParams) -> tuple[BreakState, Floats]:
    """Return the state after matrices, and what was seen at each.

    Parameters
    ----------
    state
        Used up.
    correlations
        Pairs of each matrix, oldest first, shape ``(matrices, pairs)``; NaN where undefined.

    Returns
    -------
    state, seen
        ``seen`` has the shape ``(matrices, 3)``: distance from the reference (NaN before there is
        one), the sum, and 1.0 where a break was declared, else 0.0.

    Examples
    --------
    >>> calm = np.tile(np.array([0.5, 0.6]), (40, 1)) + 0.01 * np.sin(np.arange(40))[:, None]
    >>> state, seen = breaks(no_breaks(2), np.vstack([calm, -calm[:9]]), break_params())
    >>> np.flatnonzero(seen[:, 2]).tolist()
    [42]
    """
    reference, figures, count = state
    seen = np.zeros((correlations.shape[0], 3))
    for k in range(correlations.shape[0]):
        matrix = correlations[k]
        gap = distance(reference, matrix)
        seen[k, 0] = gap
        share = max(1.0 - 0.5 ** (1.0 / params.half_life), 1.0 / (count + 1))
        if not np.isnan(gap):
            usual, deviation = figures[0], NORMAL_RATIO * figures[1]
            excess = CLIP if gap > usual + ROUNDING else 0.0
            if deviation > ROUNDING:
                excess = min((gap - usual) / deviation, CLIP)
            if count >= params.warm:
                figures[2] = max(0.0, figures[2] + excess - params.slack)
                gap = min(gap, usual + CLIP * deviation)
            figures[0] += share * (gap - usual)
            figures[1] += share * (abs(gap - usual) - figures[1])
        seen[k, 1] = figures[2]
        count += 1
        if figures[2] > params.threshold:
            seen[k, 2] = 1.0
            figures[:] = 0.0
            reference[:] = matrix
            count = 0
        for p in range(matrix.size):
            if np.isnan(reference[p]):
                reference[p] = matrix[p]
            elif not np.isnan(matrix[p]):
                reference[p] += share * (matrix[p] - reference[p])
    return BreakState(reference, figures, count), seen
