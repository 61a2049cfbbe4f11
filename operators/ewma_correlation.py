r"""EWMA correlation: Pearson's correlation of returns under exponential weights, in [-1, 1].

For a pair (i, j) the samples are the cells in which both returns are defined; a sample that is
``k`` cells old has the weight :math:`\lambda^k`, :math:`\lambda = 2^{-\text{cell}/\text{half-life}}`
(:math:`\lambda = 1` for equal weights). With :math:`W = \sum w`, weighted means
:math:`m_i = \sum w x_i / W` and

.. math:: S_{ij} = \sum w x_i x_j / W - m_i m_j, \qquad \rho_{ij} = S_{ij} / \sqrt{S_{ii} S_{jj}},

all three sums over the samples of the pair. This is what ``pandas.DataFrame.ewm(halflife=…).corr()``
computes, missing returns included. It is NaN with fewer than two samples, and when a variance is
zero (below VARIANCE_SHARE_MIN of the mean square, which is rounding): never 0.0, which a reader
would take for "independent". Kish's effective number of samples is :math:`(\sum w)^2 / \sum w^2`.

A missing return changes nothing for pairs without that instrument, so instruments join and leave
undisturbed. The sums are additive: how samples are cut into batches does not matter.

References
----------
Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances", SAND2008-6212;
Kish (1965), "Survey Sampling", section 11.7.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, kernel

VARIANCE_SHARE_MIN = 1e-12
"""A variance below this share of the mean square is rounding noise, thus zero."""


class EwmaSums(NamedTuple):
    """Decayed sums over the samples of every pair, each of shape (half-lives, n, n)."""

    weight: Floats  # sum of w
    weight_2: Floats  # sum of w squared
    x: Floats  # [h, i, j]: sum of w x_i over the samples of (i, j)
    xx: Floats  # [h, i, j]: sum of w x_i squared over the samples of (i, j)
    xy: Floats  # sum of w x_i x_j


def no_sums(half_lives: int, instruments: int) -> EwmaSums:
    """Return the sums before the first sample."""
    return EwmaSums(*(np.zeros((half_lives, instruments, instruments)) for _ in EwmaSums._fields))


def with_instruments(sums: EwmaSums, instruments: int) -> EwmaSums:
    """Return ``sums`` with room for at least ``instruments``; the new ones have no samples."""
    half_lives, have, _ = sums.weight.shape
    if instruments <= have:
        return sums
    room = max(instruments, 2 * have if have >= 16 else 16)
    wider = no_sums(half_lives, room)
    for new, old in zip(wider, sums, strict=True):
        new[:, :have, :have] = old
    return wider


def without(sums: EwmaSums, instrument: int) -> EwmaSums:
    """Return ``sums`` (used up) in which one instrument has no samples any more."""
    for array in sums:
        array[:, instrument, :] = 0.0
        array[:, :, instrument] = 0.0
    return sums


def decays(half_lives_ns: tuple[int, ...], cell_ns: int) -> Floats:
    """Return the factor by which a weight falls in one cell; half-life 0 stands for equal weights.

    >>> decays((0, 1_000, 2_000), cell_ns=1_000).round(4).tolist()
    [1.0, 0.5, 0.7071]
    """
    return np.array([np.exp2(-cell_ns / half_life) if half_life else 1.0 for half_life in half_lives_ns])


@kernel
def update(sums: EwmaSums, returns: Floats, decay: Floats) -> EwmaSums:
    """Return the sums after the samples.

    Parameters
    ----------
    sums
        Used up; room for at least n instruments.
    returns
        Shape ``(cells, n)``, oldest first; what is not finite is missing.
    decay
        Shape ``(half-lives,)``, each in (0, 1]; from `decays`.

    Examples
    --------
    >>> returns = np.array([[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]])
    >>> sums = update(no_sums(1, 2), returns, np.ones(1))
    >>> [each.round(9).tolist() for each in correlation(sums, np.array([0]), np.array([1]))]
    [[[1.0]], [[3.0]]]
    """
    weight, weight_2, x, xx, xy = sums
    cells, n = returns.shape
    value, there = np.empty(n), np.empty(n)
    for cell in range(cells):
        for i in range(n):
            there[i] = 1.0 if np.isfinite(returns[cell, i]) else 0.0
            value[i] = returns[cell, i] if there[i] else 0.0
        for h in range(decay.size):
            fall, fall_2 = decay[h], decay[h] * decay[h]
            for i in range(n):
                a, here = value[i], there[i]
                for j in range(n):
                    both = here * there[j]
                    weight[h, i, j] = fall * weight[h, i, j] + both
                    weight_2[h, i, j] = fall_2 * weight_2[h, i, j] + both
                    x[h, i, j] = fall * x[h, i, j] + a * both
                    xx[h, i, j] = fall * xx[h, i, j] + a * a * both
                    xy[h, i, j] = fall * xy[h, i, j] + a * value[j]
    return sums


@kernel
def correlation(sums: EwmaSums, first: Ints, second: Ints) -> tuple[Floats, Floats]:
    """Return correlation and effective number of samples of the pairs (first, second).

    Parameters
    ----------
    sums
        Left as it is.
    first, second
        Instruments of each pair, shape ``(pairs,)``.

    Returns
    -------
    correlation, effective_count
        Both of shape ``(half-lives, pairs)``; the count is 0 before the first sample.
    """
    weight, weight_2, x, xx, xy = sums
    half_lives, pairs = weight.shape[0], first.size
    result, count = np.full((half_lives, pairs), np.nan), np.zeros((half_lives, pairs))
    for h in range(half_lives):
        for p in range(pairs):
            i, j = first[p], second[p]
            total = weight[h, i, j]
            if total <= 0.0:
                continue
            count[h, p] = total * total / weight_2[h, i, j]
            mean_i, mean_j = x[h, i, j] / total, x[h, j, i] / total
            square_i, square_j = xx[h, i, j] / total, xx[h, j, i] / total
            variance_i, variance_j = square_i - mean_i * mean_i, square_j - mean_j * mean_j
            if variance_i <= VARIANCE_SHARE_MIN * square_i or variance_j <= VARIANCE_SHARE_MIN * square_j:
                continue
            covariance = xy[h, i, j] / total - mean_i * mean_j
            value = covariance / np.sqrt(variance_i) / np.sqrt(variance_j)
            result[h, p] = min(max(value, -1.0), 1.0)
    return result, count
