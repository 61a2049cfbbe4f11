r"""EWMA correlation: Pearson's correlation of returns under exponential weights, in [-1, 1].

For a pair (i, j) the samples are the cells in which both returns are defined; a sample that is
``k`` cells old has the weight :math:`\lambda^k`, :math:`\lambda = 2^{-\text{cell}/\text{half-life}}`
(:math:`\lambda = 1` for equal weights). With :math:`W = \sum w`, weighted means
:math:`m_i = \sum w x_i / W` and

.. math:: S_{ij} = \sum w x_i x_j / W - m_i m_j, \qquad \rho_{ij} = S_{ij} / \sqrt{S_{ii} S_{jj}},

all sums over the samples of the pair; :math:`S_{ij}` is the covariance. This is what
``pandas.DataFrame.ewm(halflife=…).corr()`` computes, missing returns included. It is NaN with fewer
than two samples, and when a variance is zero (below VARIANCE_SHARE_MIN of the mean square, which is
rounding): never 0.0, which a reader would take for "independent". Kish's effective number of samples
is :math:`(\sum w)^2 / \sum w^2`.

Pairwise sums would be five square matrices. But which samples a pair has depends on when its two
instruments were there, and many have always been there together. Such a *cohort* shares its sums:
one matrix of products is left, of which a triangle is kept, and for each cohort a vector of sums. An
instrument that is missing where its cohort is there founds another (a copy). So a cell costs one
rank-1 update of a triangle while nothing is missing, and at worst, when no two instruments were ever
there together, little more than half the pairwise sums; nothing is approximated in between.

Cells are taken one by one, or many at once (rank k): each product goes through the same operations
in the same order, so how cells are cut into batches does not change a bit. A missing return changes
nothing for pairs without that instrument, so instruments join and leave undisturbed.

References
----------
Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances", SAND2008-6212;
Kish (1965), "Survey Sampling", section 11.7.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Floats, Ints, kernel

VARIANCE_SHARE_MIN = 1e-12
"""A variance below this share of the mean square is rounding noise, thus zero."""

NOBODY = 0
"""The cohort of instruments that have no sample yet; all its sums are 0."""


class EwmaSums(NamedTuple):
    """Decayed sums over the cells in which instruments, or cohorts, were there."""

    cohort: Ints  # shape (n,): the cohort of each instrument
    weight: Floats  # shape (half-lives, cohorts, cohorts): sum of w, both there
    weight_2: Floats  # sum of w squared, both there
    x: Floats  # shape (half-lives, cohorts, n): sum of w x_i, the cohort there
    xx: Floats  # sum of w x_i squared, the cohort there
    xy: Floats  # shape (half-lives, n, n): sum of w x_i x_j, for j <= i


def no_sums(half_lives: int, instruments: int) -> EwmaSums:
    """Return the sums before the first sample."""
    return EwmaSums(
        np.zeros(instruments, np.int64),
        np.zeros((half_lives, 2, 2)),
        np.zeros((half_lives, 2, 2)),
        np.zeros((half_lives, 2, instruments)),
        np.zeros((half_lives, 2, instruments)),
        np.zeros((half_lives, instruments, instruments)),
    )


def with_instruments(sums: EwmaSums, instruments: int) -> EwmaSums:
    """Return ``sums`` with room for at least ``instruments``; the new ones have no samples."""
    half_lives, have, _ = sums.xy.shape
    if instruments <= have:
        return sums
    room = max(instruments, 2 * have if have >= 16 else 16)
    wider = no_sums(half_lives, room)
    more = ((0, 0), (0, 0), (0, room - have))
    wider.cohort[:have] = sums.cohort
    wider.xy[:, :have, :have] = sums.xy
    return sums._replace(cohort=wider.cohort, x=np.pad(sums.x, more), xx=np.pad(sums.xx, more), xy=wider.xy)


def with_half_lives(sums: EwmaSums, sources: list[int | None]) -> EwmaSums:
    """Return sums of other half-lives: each those of a former one, by its place, or none yet.

    >>> sums = update(no_sums(2, 2), np.ones((3, 2)), np.array([1.0, 0.5]))
    >>> with_half_lives(sums, [None, 0]).weight[:, 1, 1].tolist()
    [0.0, 3.0]
    """

    def rearranged(array: Floats) -> Floats:
        chosen = np.zeros((len(sources), *array.shape[1:]))
        for new, old in enumerate(sources):
            if old is not None:
                chosen[new] = array[old]
        return chosen

    return EwmaSums(sums.cohort, *(rearranged(array) for array in sums[1:]))


def without(sums: EwmaSums, instrument: int) -> EwmaSums:
    """Return ``sums`` (used up) in which one instrument has no samples any more."""
    left = sums.cohort[instrument]
    sums.cohort[instrument] = NOBODY
    sums.x[:, :, instrument] = sums.xx[:, :, instrument] = 0.0
    sums.xy[:, instrument, :] = sums.xy[:, :, instrument] = 0.0
    if not (sums.cohort == left).any():
        for array in (sums.weight, sums.weight_2):
            array[:, left, :] = array[:, :, left] = 0.0
        sums.x[:, left] = sums.xx[:, left] = 0.0
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
    cells, n = returns.shape
    value, there = np.zeros((cells, n)), np.zeros((cells, n), np.bool_)
    for cell in range(cells):
        for i in range(n):
            if np.isfinite(returns[cell, i]):
                value[cell, i], there[cell, i] = returns[cell, i], True
    seen = np.empty(sums.cohort.size + 1, np.int64)
    for cell in range(cells):
        if not _undivided(sums.cohort, there[cell], seen):
            sums = _split(sums, there[cell])
    cohorts = 1 + sums.cohort.max() if n else 1
    here = np.zeros((cells, cohorts))
    for cell in range(cells):
        for i in range(n):
            if there[cell, i]:
                here[cell, sums.cohort[i]] = 1.0
    for h in range(decay.size):
        _add_cells(sums, h, value, here, decay[h])
        _add_products(sums.xy[h], sums.cohort, value, decay[h])
    return sums


@kernel
def _undivided(cohort: Ints, there: Bools, seen: Ints) -> bool:
    """Return whether each cohort is there as a whole, or not at all; ``seen`` is scratch."""
    seen[:] = -1
    seen[NOBODY] = 0
    for i in range(cohort.size):
        present = 1 if i < there.size and there[i] else 0
        if seen[cohort[i]] == 1 - present:
            return False
        seen[cohort[i]] = present
    return True


@kernel
def _split(sums: EwmaSums, there: Bools) -> EwmaSums:
    """Return sums in which no cohort is there in part."""
    cohort, weight, weight_2, x, xx, xy = sums
    size = 1 + cohort.max()
    some, lacks = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    lacks[NOBODY] = True
    for i in range(cohort.size):
        if i < there.size and there[i]:
            some[cohort[i]] = True
        else:
            lacks[cohort[i]] = True
    mixed = some & lacks
    members = np.zeros(size + mixed.size, np.int64)
    for d in cohort:
        members[d] += 1
    for old in np.flatnonzero(mixed):
        new = 1
        while new < members.size and members[new] > 0:
            new += 1
        if new >= weight.shape[1]:
            weight, weight_2 = _wider(_wider(weight, 1), 2), _wider(_wider(weight_2, 1), 2)
            x, xx = _wider(x, 1), _wider(xx, 1)
        for i in range(there.size):
            if cohort[i] == old and there[i]:
                cohort[i] = new
                members[new], members[old] = members[new] + 1, members[old] - 1
        for array in (weight, weight_2):
            array[:, new, :] = array[:, old, :]
            array[:, :, new] = array[:, :, old]
        x[:, new], xx[:, new] = x[:, old], xx[:, old]
    return EwmaSums(cohort, weight, weight_2, x, xx, xy)


@kernel
def _wider(array: Floats, axis: int) -> Floats:
    """Return a copy with twice the room along an axis."""
    a, b, c = array.shape
    wider = np.zeros((a, 2 * b, c)) if axis == 1 else np.zeros((a, b, 2 * c))
    wider[:, :b, :c] = array
    return wider


@kernel
def _add_cells(sums: EwmaSums, h: int, value: Floats, here: Floats, fall: float) -> None:
    """Add cells to the sums of the cohorts; ``here`` is 1.0 for a cohort that was there, else 0.0."""
    cells, n = value.shape
    fall_2 = fall * fall
    for cell in range(cells):
        now, present = value[cell], here[cell]
        for d in range(1, present.size):
            x, xx, mine = sums.x[h, d], sums.xx[h, d], present[d]
            for i in range(n):
                x[i] = fall * x[i] + mine * now[i]
                xx[i] = fall * xx[i] + mine * (now[i] * now[i])
            for e in range(1, present.size):
                sums.weight[h, d, e] = fall * sums.weight[h, d, e] + mine * present[e]
                sums.weight_2[h, d, e] = fall_2 * sums.weight_2[h, d, e] + mine * present[e]


@kernel
def _add_products(xy: Floats, cohort: Ints, value: Floats, fall: float) -> None:
    """Add the products of the cells; four cells at a time, for one load and store of each sum."""
    cells, n = value.shape
    for i in range(n):
        if cohort[i] == NOBODY:
            continue
        row = xy[i, : i + 1]
        cell = 0
        while cell + 4 <= cells:
            a, b, c, d = value[cell, i], value[cell + 1, i], value[cell + 2, i], value[cell + 3, i]
            va, vb, vc, vd = value[cell], value[cell + 1], value[cell + 2], value[cell + 3]
            for j in range(i + 1):
                pair = fall * (fall * row[j] + a * va[j]) + b * vb[j]
                row[j] = fall * (fall * pair + c * vc[j]) + d * vd[j]
            cell += 4
        while cell < cells:
            a, va = value[cell, i], value[cell]
            for j in range(i + 1):
                row[j] = fall * row[j] + a * va[j]
            cell += 1


@kernel
def _moments(sums: EwmaSums, h: int, i: int, j: int) -> tuple[float, float, float, float]:
    """Return weight, covariance and both variances of a pair; a variance that is rounding is NaN."""
    c, d = sums.cohort[i], sums.cohort[j]
    total = sums.weight[h, c, d]
    if total <= 0.0:
        return 0.0, np.nan, np.nan, np.nan
    mean_i, mean_j = sums.x[h, d, i] / total, sums.x[h, c, j] / total
    square_i, square_j = sums.xx[h, d, i] / total, sums.xx[h, c, j] / total
    variance_i, variance_j = square_i - mean_i * mean_i, square_j - mean_j * mean_j
    variance_i = variance_i if variance_i > VARIANCE_SHARE_MIN * square_i else np.nan
    variance_j = variance_j if variance_j > VARIANCE_SHARE_MIN * square_j else np.nan
    return total, sums.xy[h, max(i, j), min(i, j)] / total - mean_i * mean_j, variance_i, variance_j


@kernel
def _bounded(value: float) -> float:
    """Return a correlation without what rounding put beyond 1; NaN stays NaN."""
    if value > 1.0:
        return 1.0
    if value < -1.0:
        return -1.0
    return value


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
    half_lives, pairs = sums.weight.shape[0], first.size
    result, count = np.full((half_lives, pairs), np.nan), np.zeros((half_lives, pairs))
    for h in range(half_lives):
        for p in range(pairs):
            i, j = first[p], second[p]
            total, covariance_ij, variance_i, variance_j = _moments(sums, h, i, j)
            if total > 0.0:
                count[h, p] = total * total / sums.weight_2[h, sums.cohort[i], sums.cohort[j]]
                value = covariance_ij / np.sqrt(variance_i) / np.sqrt(variance_j)
                result[h, p] = _bounded(value)
    return result, count


@kernel
def covariance(sums: EwmaSums, first: Ints, second: Ints) -> Floats:
    """Return the covariance of the pairs, shape ``(half-lives, pairs)``; (i, i) gives the variance.

    Not corrected for the bias of a small sample; NaN before the first sample.

    >>> sums = update(no_sums(1, 2), np.array([[1.0, 2.0], [3.0, 6.0]]), np.ones(1))
    >>> covariance(sums, np.array([0, 0]), np.array([0, 1])).tolist()
    [[1.0, 2.0]]
    """
    half_lives, pairs = sums.weight.shape[0], first.size
    result = np.empty((half_lives, pairs))
    for h in range(half_lives):
        for p in range(pairs):
            result[h, p] = _moments(sums, h, first[p], second[p])[1]
    return result


@kernel
def correlation_triangle(sums: EwmaSums, half_life: int) -> Floats:
    """Return the correlations of all instruments under one half-life, by its place, each pair once.

    They stand as in `genesis.operators.triangles`; the diagonal is 1, NaN without variance.

    >>> sums = update(no_sums(1, 2), np.array([[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]]), np.ones(1))
    >>> correlation_triangle(sums, 0).round(9).tolist()
    [1.0, 1.0, 1.0]
    """
    n, h, cohort = sums.cohort.size, half_life, sums.cohort
    result = np.empty(n * (n + 1) // 2)
    together = n > 0 and (cohort == cohort[0]).all()
    if not together:
        _each_pair(sums, h, result)
        return result
    mean, scale = np.empty(n), np.empty(n)
    total = sums.weight[h, cohort[0], cohort[0]]
    for i in range(n):
        mean[i] = sums.x[h, cohort[i], i] / total
        scale[i] = 1.0 / np.sqrt(_moments(sums, h, i, i)[2])
    each, begin = 1.0 / total, 0
    for i in range(n):
        row, products = result[begin : begin + i + 1], sums.xy[h, i, : i + 1]
        mean_i, scale_i = mean[i], scale[i]
        for j in range(i + 1):
            value = (products[j] * each - mean_i * mean[j]) * scale_i * scale[j]
            row[j] = _bounded(value)
        row[i] = 1.0 if scale_i > 0.0 else np.nan
        begin += i + 1
    return result


@kernel
def _each_pair(sums: EwmaSums, h: int, result: Floats) -> None:
    """Write the correlation of every pair into a triangle, pair by pair."""
    begin = 0
    for i in range(sums.cohort.size):
        for j in range(i + 1):
            _, covariance_ij, variance_i, variance_j = _moments(sums, h, i, j)
            value = covariance_ij / np.sqrt(variance_i) / np.sqrt(variance_j)
            result[begin + j] = _bounded(value)
        result[begin + i] = 1.0 if result[begin + i] > 0.0 else np.nan
        begin += i + 1
