r"""Rolling correlation: Pearson's correlation of returns over the last N cells, in [-1, 1].

For a pair (i, j) the samples are the cells of the window in which both returns are defined, all of
one weight: with :math:`m_i = \sum x_i / n_{ij}`,

.. math:: \rho_{ij} = \frac{\sum (x_i - m_i)(x_j - m_j)}
          {\sqrt{\sum (x_i - m_i)^2 \sum (x_j - m_j)^2}}.

This is what ``pandas.DataFrame.rolling(N).corr()`` computes. It is NaN with fewer than two samples
and without variance (below VARIANCE_SHARE_MIN of the mean square, which is rounding), never 0.0. The
effective count is the number of samples, :math:`n_{ij}`.

The window keeps its returns. A new cell is added to the sums and the one that leaves is subtracted:
one pass over a triangle of products. Sums that are added to and subtracted from for ever drift, so
they are made anew from the window once it has been replaced RENEWAL times, which on average costs a
fraction of a cell; and those of one instrument at once when its sum of squares falls below
SHARE_LEFT_MIN of what it was, as when an outlier leaves and takes the digits with it. A pair of which
one was missing within the window is computed from the window itself, in two passes, when it is asked
for. An instrument that joins, leaves or is missing disturbs no other.

References
----------
Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances", SAND2008-6212;
Chan, Golub and LeVeque (1983), "Algorithms for computing the sample variance: analysis and
recommendations", The American Statistician 37(3).
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Floats, Ints, kernel

VARIANCE_SHARE_MIN = 1e-12
"""A variance below this share of the mean square is rounding noise, thus zero."""

SHARE_LEFT_MIN = 1e-4
"""Sums are made anew when less than this share of the squares they once held is left."""


RENEWAL = 16
"""All sums are made anew once the window has been replaced so many times."""


class Window(NamedTuple):
    """The returns of the last N cells and their sums; room for n instruments."""

    value: Floats  # shape (N, n): returns by place in the ring, 0 where missing
    there: Bools  # shape (N, n): whether there was one
    present: Ints  # shape (n,): returns in the window
    x: Floats  # shape (n,): sum of the returns
    xx: Floats  # shape (n,): sum of their squares
    peak: Floats  # shape (n,): greatest sum of squares since the sums were made anew
    xy: Floats  # shape (n, n): sum of x_i x_j, 0 for what is missing, for j <= i
    cells: int  # cells seen so far


def empty_window(cells: int, instruments: int) -> Window:
    """Return a window of so many cells before the first.

    Raises
    ------
    ValueError
        When the window has room for fewer than two cells.

    Examples
    --------
    >>> empty_window(1, 2)
    Traceback (most recent call last):
    ValueError: a rolling window has at least 2 cells, was 1: a correlation needs two samples
    """
    if cells < 2:
        raise ValueError(
            f"a rolling window has at least 2 cells, was {cells}: a correlation needs two samples"
        )
    n = instruments
    return Window(
        np.zeros((cells, n)),
        np.zeros((cells, n), np.bool_),
        np.zeros(n, np.int64),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros((n, n)),
        0,
    )


def with_instruments(window: Window, instruments: int) -> Window:
    """Return the window with room for at least ``instruments``; the new ones have no returns."""
    length, have = window.value.shape
    if instruments <= have:
        return window
    wider = empty_window(length, instruments)
    wider.value[:, :have], wider.there[:, :have] = window.value, window.there
    wider.present[:have], wider.x[:have], wider.xx[:have] = window.present, window.x, window.xx
    wider.peak[:have], wider.xy[:have, :have] = window.peak, window.xy
    return wider._replace(cells=window.cells)


def without(window: Window, instrument: int) -> Window:
    """Return the window (used up) in which one instrument has no returns any more."""
    window.value[:, instrument], window.there[:, instrument] = 0.0, False
    window.present[instrument] = 0
    window.x[instrument] = window.xx[instrument] = window.peak[instrument] = 0.0
    window.xy[instrument, :] = window.xy[:, instrument] = 0.0
    return window


@kernel
def update(window: Window, returns: Floats) -> Window:
    """Return the window after more cells.

    Parameters
    ----------
    window
        Used up; room for at least n instruments.
    returns
        Shape ``(cells, n)``, oldest first; what is not finite is missing.

    Examples
    --------
    >>> returns = np.array([[9.0, 0.0], [1.0, 2.0], [2.0, 4.0], [0.5, 1.0]])
    >>> window = update(empty_window(3, 2), returns)
    >>> [each.round(9).tolist() for each in correlation(window, np.array([0]), np.array([1]))]
    [[1.0], [3.0]]
    """
    old = np.empty(returns.shape[1])
    for cell in range(returns.shape[0]):
        new, window, sound = _arrived(window, returns[cell], old)
        _slide(window.xy, new, old)
        if not sound:
            _renew(window)
    return window


@kernel
def update_with_triangles(window: Window, returns: Floats) -> tuple[Window, Floats]:
    """Return the window after more cells, and the correlations after each, each pair once.

    As `update` and `correlation_triangle` after each cell, to rounding, but in one pass over the
    pairs while nothing is missing.

    Returns
    -------
    window, triangles
        The latter of shape ``(cells, n * (n + 1) / 2)``, see `genesis.operators.triangles`.

    Examples
    --------
    >>> returns = np.array([[9.0, 0.0], [1.0, 2.0], [2.0, 4.0], [0.5, 1.0]])
    >>> update_with_triangles(empty_window(3, 2), returns)[1].round(9)[-1].tolist()
    [1.0, 1.0, 1.0]
    """
    n = window.x.size
    old = np.zeros(n)
    triangles = np.empty((returns.shape[0], n * (n + 1) // 2))
    for cell in range(returns.shape[0]):
        new, window, sound = _arrived(window, returns[cell], old)
        cells, mean, scale = _scales(window)
        if sound and n == returns.shape[1] and not np.isinf(scale).any():
            _slide_and_correlate(window.xy, (new, old), (mean, scale, 1.0 / cells), triangles[cell])
        else:
            _slide(window.xy, new, old)
            if not sound:
                _renew(window)
            triangles[cell] = correlation_triangle(window)
    return window, triangles


@kernel
def _arrived(window: Window, returns: Floats, old: Floats) -> tuple[Floats, Window, bool]:
    """Put a cell into the window and the sums of single instruments.

    Return its values, missing ones 0, the window, and whether the sums can go on; the values of the
    cell that left are written into ``old``.
    """
    value, there, present, x, xx, peak, xy, seen = window
    n = returns.size
    place = seen % value.shape[0]
    new = value[place, :n]
    for i in range(n):
        arrived = abs(returns[i]) < np.inf
        old[i] = new[i]
        new[i] = returns[i] if arrived else 0.0
        present[i] += int(arrived) - int(there[place, i])
        there[place, i] = arrived
    sound = (seen + 1) % (RENEWAL * value.shape[0]) != 0
    for i in range(n):
        x[i] += new[i] - old[i]
        most = xx[i] + new[i] * new[i]
        peak[i] = most if most > peak[i] else peak[i]  # noqa: FURB136 - as a branch it is vectorised
        xx[i] = most - old[i] * old[i]
        sound &= xx[i] >= SHARE_LEFT_MIN * peak[i]
    return new, Window(value, there, present, x, xx, peak, xy, seen + 1), sound


@kernel
def _slide(xy: Floats, new: Floats, old: Floats) -> None:
    """Add the products of a cell and subtract those of another."""
    for i in range(new.size):
        a, b = new[i], old[i]
        if a != 0.0 or b != 0.0:
            row = xy[i, : i + 1]
            for j in range(i + 1):
                row[j] += a * new[j] - b * old[j]


@kernel
def _slide_and_correlate(
    xy: Floats, cells: tuple[Floats, Floats], scales: tuple[Floats, Floats, float], triangle: Floats
) -> None:
    """Slide, and write the correlations of instruments that were never missing."""
    new, old = cells
    mean, scale, each = scales
    begin = 0
    for i in range(new.size):
        a, b, mean_i, scale_i = new[i], old[i], mean[i], scale[i]
        row, result = xy[i, : i + 1], triangle[begin : begin + i + 1]
        for j in range(i + 1):
            row[j] += a * new[j] - b * old[j]
            result[j] = _bounded((row[j] * each - mean_i * mean[j]) * scale_i * scale[j])
        result[i] = 1.0 if scale_i > 0.0 else np.nan
        begin += i + 1


@kernel
def _renew(window: Window) -> None:
    """Make sums anew: all when it is time, else those that have lost digits."""
    length = window.value.shape[0]
    due = window.cells % (RENEWAL * length) == 0
    for i in range(window.x.size):
        if due or not window.xx[i] >= SHARE_LEFT_MIN * window.peak[i]:
            _sum_anew(window, i, due)


@kernel
def _sum_anew(window: Window, i: int, all_of_them: bool) -> None:
    """Make the sums of one instrument from the window; those with later ones when it is it alone."""
    value, xy = window.value, window.xy
    length, n = value.shape
    row = xy[i, : i + 1]
    window.x[i] = value[:, i].sum()
    row[:] = 0.0
    place = 0
    while place + 4 <= length:
        a, b, c, d = value[place, i], value[place + 1, i], value[place + 2, i], value[place + 3, i]
        va, vb, vc, vd = value[place], value[place + 1], value[place + 2], value[place + 3]
        for j in range(i + 1):
            row[j] += (a * va[j] + b * vb[j]) + (c * vc[j] + d * vd[j])
        place += 4
    while place < length:
        a, va = value[place, i], value[place]
        for j in range(i + 1):
            row[j] += a * va[j]
        place += 1
    window.xx[i] = window.peak[i] = row[i]
    if not all_of_them:
        for j in range(i + 1, n):
            total = 0.0
            for place in range(length):
                total += value[place, j] * value[place, i]
            xy[j, i] = total


@kernel
def _from_window(window: Window, i: int, j: int) -> tuple[float, float]:
    """Return correlation and number of samples of a pair, from the window itself."""
    value, there = window.value, window.there
    samples, sum_i, sum_j, square_i, square_j = 0.0, 0.0, 0.0, 0.0, 0.0
    for place in range(value.shape[0]):
        if there[place, i] and there[place, j]:
            a, b = value[place, i], value[place, j]
            samples += 1.0
            sum_i, sum_j, square_i, square_j = sum_i + a, sum_j + b, square_i + a * a, square_j + b * b
    if samples < 2.0:
        return np.nan, samples
    mean_i, mean_j = sum_i / samples, sum_j / samples
    spread_i, spread_j, product = 0.0, 0.0, 0.0
    for place in range(value.shape[0]):
        if there[place, i] and there[place, j]:
            a, b = value[place, i] - mean_i, value[place, j] - mean_j
            spread_i, spread_j, product = spread_i + a * a, spread_j + b * b, product + a * b
    if not (spread_i > VARIANCE_SHARE_MIN * square_i and spread_j > VARIANCE_SHARE_MIN * square_j):
        return np.nan, samples
    return _bounded(product / np.sqrt(spread_i) / np.sqrt(spread_j)), samples


@kernel
def _bounded(value: float) -> float:
    """Return a correlation without what rounding put beyond 1; NaN stays NaN."""
    if value > 1.0:
        return 1.0
    if value < -1.0:
        return -1.0
    return value


@kernel
def _scales(window: Window) -> tuple[float, Floats, Floats]:
    """Return the cells in the window; mean, and one over the deviation, of those never missing.

    The latter is NaN without variance and infinite for an instrument that was missing.
    """
    n = window.x.size
    cells = float(min(window.cells, window.value.shape[0]))
    mean, scale = np.empty(n), np.empty(n)
    each = 1.0 / cells
    for i in range(n):
        mean[i] = window.x[i] * each
        square = window.xx[i] * each
        variance = square - mean[i] * mean[i]
        scale[i] = 1.0 / np.sqrt(variance if variance > VARIANCE_SHARE_MIN * square else np.nan)
    for i in range(n):
        if window.present[i] < cells:
            scale[i] = np.inf
    return cells, mean, scale


@kernel
def correlation(window: Window, first: Ints, second: Ints) -> tuple[Floats, Floats]:
    """Return correlation and number of samples of the pairs (first, second).

    Parameters
    ----------
    window
        Left as it is.
    first, second
        Instruments of each pair, shape ``(pairs,)``.

    Returns
    -------
    correlation, effective_count
        Both of shape ``(pairs,)``.
    """
    cells, mean, scale = _scales(window)
    result, count = np.full(first.size, np.nan), np.zeros(first.size)
    for p in range(first.size):
        i, j = first[p], second[p]  # rounded in this order, whatever numbers the instruments have
        if np.isinf(scale[i]) or np.isinf(scale[j]):
            result[p], count[p] = _from_window(window, i, j)
        else:
            value = (window.xy[max(i, j), min(i, j)] / cells - mean[i] * mean[j]) * scale[i] * scale[j]
            result[p], count[p] = _bounded(value), cells
    return result, count


@kernel
def correlation_triangle(window: Window) -> Floats:
    """Return the correlations of all instruments, each pair once.

    They stand as in `genesis.operators.triangles`; the diagonal is 1, NaN without variance.

    >>> returns = np.array([[9.0, 0.0], [1.0, 2.0], [2.0, 4.0], [0.5, 1.0]])
    >>> correlation_triangle(update(empty_window(3, 2), returns)).round(9).tolist()
    [1.0, 1.0, 1.0]
    """
    n = window.x.size
    cells, mean, scale = _scales(window)
    result = np.empty(n * (n + 1) // 2)
    each, begin, some_missing = 1.0 / cells, 0, np.isinf(scale).any()
    for i in range(n):
        row, products = result[begin : begin + i + 1], window.xy[i, : i + 1]
        mean_i, scale_i = mean[i], scale[i]
        for j in range(i + 1):
            row[j] = _bounded((products[j] * each - mean_i * mean[j]) * scale_i * scale[j])
        if some_missing:
            for j in range(i + 1):
                if np.isinf(scale_i) or np.isinf(scale[j]):
                    row[j] = _from_window(window, i, j)[0]
        row[i] = 1.0 if row[i] > 0.0 else np.nan
        begin += i + 1
    return result
