r"""Spread z-score: by how many of its usual deviations a spread is away from its usual value.

.. math:: z_t = \frac{s_t - m}{\sigma}, \qquad m = \frac{\sum w s}{\sum w}, \qquad
          \sigma^2 = \frac{\sum w (s - m)^2}{\sum w},

over the samples **before** t, one that is ``k`` samples old having the weight
:math:`2^{-k/\text{half-life}}`. The present sample is not in its own mean: a jump cannot make itself
usual, and nothing is known from the future. In units of standard deviations, positive when the spread
is high, that is when the first leg is dear.

Spreads are neither normal nor independent in time, so 2 is not "5 % of the time". A missing (not
finite) spread teaches nothing and forgets nothing. Undefined is NaN: with fewer than ``samples_min``
samples, without a deviation (below DEVIATION_SHARE_MIN of the mean, which is rounding), and for a
missing spread.

References
----------
Gatev, Goetzmann and Rouwenhorst (2006), "Pairs trading: performance of a relative-value arbitrage
rule", Review of Financial Studies 19(3), open at two historical deviations; West (1979), "Updating mean
and variance estimates: an improved method", CACM 22(9).
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Floats, Ints, kernel
from genesis.operators.parameters import positive, within

DEVIATION_SHARE_MIN = 1e-12
"""A deviation below this share of the mean is rounding noise, thus zero."""


class Spreads(NamedTuple):
    """Decayed moments of the spread of every pair, each of shape (pairs,)."""

    samples: Ints  # not decayed
    weight: Floats  # sum of w
    mean: Floats
    square: Floats  # sum of w (s - mean)^2


class ZscoreParameters(NamedTuple):
    """Parameters of the score; made by `parameters`."""

    decay: float  # of a weight, a sample
    samples_min: int


def parameters(half_life: float, samples_min: int = 30) -> ZscoreParameters:
    """Return valid parameters.

    Parameters
    ----------
    half_life
        Samples after which a sample counts half.
    samples_min
        Samples before the first score.

    Raises
    ------
    ValueError
        When the half-life is not positive, or fewer than 2 samples would do.
    """
    positive("spread_zscore", "half_life", half_life, "give the half-life in samples")
    within("spread_zscore", "samples_min", samples_min, (2, 2**31), "one sample has no deviation")
    return ZscoreParameters(float(np.exp2(-1.0 / half_life)), int(samples_min))


def no_spreads(pairs: int = 0) -> Spreads:
    """Return the state before the first sample."""
    return Spreads(np.zeros(pairs, np.int64), *(np.zeros(pairs) for _ in Spreads._fields[1:]))


@kernel
def zscore(
    spreads: Spreads, spread: Floats, learn: Bools, parameters: ZscoreParameters
) -> tuple[Spreads, Floats]:
    """Return the state after the cells, and the z-score in each, known from before it.

    Parameters
    ----------
    spreads
        Used up; room for n pairs.
    spread
        Shape ``(cells, n)``, oldest first, in any unit; what is not finite is missing.
    learn
        Which cells are samples, shape ``(cells,)``; the others are only looked at.
    parameters
        From `parameters`.

    Returns
    -------
    spreads, zscore
        The score has the shape ``(cells, n)``.

    Examples
    --------
    >>> spread = np.array([[-1.0], [1.0], [2.0]])
    >>> zscore(no_spreads(1), spread, np.ones(3, np.bool_), parameters(1e9, 2))[1].round(6).tolist()
    [[nan], [nan], [2.0]]
    """
    samples, weight, mean, square = spreads
    cells, n = spread.shape
    scores = np.full((cells, n), np.nan)
    for cell in range(cells):
        for p in range(n):
            away = spread[cell, p] - mean[p]
            if not np.isfinite(away):
                continue
            noise = DEVIATION_SHARE_MIN * mean[p]
            if samples[p] >= parameters.samples_min and square[p] > weight[p] * noise * noise:
                score = away / np.sqrt(square[p] / weight[p])
                scores[cell, p] = score if np.isfinite(score) else np.nan
            if learn[cell]:
                old = parameters.decay * weight[p]
                weight[p] = old + 1.0
                samples[p] += 1
                mean[p] += away / weight[p]
                square[p] = parameters.decay * square[p] + old / weight[p] * away * away
    return spreads, scores
