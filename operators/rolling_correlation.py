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

from genesis.operators.arrays import Bools, Floats, Ints, inlined, kernel
from genesis.operators.lanes import LANES, LINE, arrive, correlate, fma, scales, slide

VARIANCE_SHARE_MIN = 1e-12
"""A variance below this share of the mean square is rounding noise, thus zero."""

SHARE_LEFT_MIN = 1e-4
"""Sums are made anew when less than this share of the squares they once held is left."""

RENEWAL = 16
"""All sums are made anew once the window has been replaced so many times."""


class Window(NamedTuple):
    """The returns of the last N cells and their sums; n instruments, m is n rounded up to LINE."""

    value: Floats  # shape (N, m): returns by place in the ring, 0 where missing and beyond n
    there: Bools  # shape (N, n): whether there was one
    present: Ints  # shape (n,): returns in the window
    x: Floats  # shape (m,): sum of the returns
    xx: Floats  # shape (m,): sum of their squares
    peak: Floats  # shape (m,): greatest sum of squares since the sums were made anew
    xy: Floats  # shape (n, m): sum of x_i x_j, 0 for what is missing; of use for j <= i
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
    n, m = instruments, (instruments + LINE - 1) // LINE * LINE
    return Window(
        _aligned(cells, m),
        np.zeros((cells, n), np.bool_),
        np.zeros(n, np.int64),
        np.zeros(m),
        np.zeros(m),
        np.zeros(m),
        _aligned(n, m),
        0,
    )


def _aligned(rows: int, columns: int) -> Floats:
    """Return zeros of which every row begins on a line of the cache; a copy may not, and is slower."""
    room = np.zeros(rows * columns + LINE)
    begin = -room.ctypes.data // room.itemsize % LINE
    return room[begin : begin + rows * columns].reshape(rows, columns)


def with_instruments(window: Window, instruments: int) -> Window:
    """Return the window with room for at least ``instruments``; the new ones have no returns."""
    length, have = window.there.shape
    if instruments <= have:
        return window
    wider = empty_window(length, instruments)
    wider.value[:, :have], wider.there[:, :have] = window.value[:, :have], window.there
    wider.present[:have], wider.xy[:have, :have] = window.present, window.xy[:, :have]
    for had, new in zip(window[3:6], wider[3:6], strict=True):
        new[:have] = had[:have]
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
    seen, scratch = window.cells, np.zeros((5, window.x.size))
    for cell in range(returns.shape[0]):
        sound, _ = _arrived(window, returns[cell], scratch, seen)
        _slide(window, returns.shape[1], scratch, seen)
        seen += 1
        if not sound:
            _renew(window, seen)
    return _at(window, seen)


@inlined
def _at(window: Window, seen: int) -> Window:
    """Return the window after so many cells."""
    value, there, present, x, xx, peak, xy, _ = window
    return Window(value, there, present, x, xx, peak, xy, seen)


@inlined
def update_with_triangles(window: Window, returns: Floats) -> tuple[Window, Floats]:
    """Return the window after more cells, and the correlations after each, each pair once.

    As `update` and `correlation_triangle` after each cell, but in one pass over the pairs while
    nothing is missing.

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
    n, seen = window.present.size, window.cells
    size = n * (n + 1) // 2
    room = np.empty(returns.shape[0] * size + LANES)  # the last row is written beyond its end
    scratch = np.empty((5, window.x.size))
    for cell in range(returns.shape[0]):
        sound, whole = _arrived(window, returns[cell], scratch, seen)
        if sound and whole:
            _slide_and_correlate(window, scratch, seen, room[cell * size :])
        else:
            _slide(window, returns.shape[1], scratch, seen)
            if not sound:
                _renew(window, seen + 1)
            room[cell * size : (cell + 1) * size] = correlation_triangle(_at(window, seen + 1))
        seen += 1
    return _at(window, seen), room[: returns.shape[0] * size].reshape(returns.shape[0], size)


@inlined
def _arrived(window: Window, returns: Floats, scratch: Floats, seen: int) -> tuple[bool, bool]:
    """Put a cell into the window and the sums of single instruments.

    Return whether the sums can go on, and whether nothing is missing in the window. Missing values
    become 0. The rows of ``scratch``, by instrument, are then: the values of the cell that left, and
    what `_scales` writes.
    """
    value, there, present, x, xx, peak, _, _ = window
    place = seen % value.shape[0]
    n, new, old, was = returns.size, value[place], scratch[0], there[place]
    finite = True
    for i in range(n):
        old[i] = new[i]
        new[i] = returns[i] if abs(returns[i]) < np.inf else 0.0
        finite &= abs(returns[i]) < np.inf
    if not (finite and was.all()):
        for i in range(n):
            arrived = abs(returns[i]) < np.inf
            present[i] += int(arrived) - int(was[i])
            was[i] = arrived
    for i in range(0, n, LANES):
        arrive((new, old, x, xx, peak), i)
    sound = (seen + 1) % (RENEWAL * value.shape[0]) != 0
    for i in range(n):
        sound &= xx[i] >= SHARE_LEFT_MIN * peak[i]
    return sound, _scales(window, seen + 1, scratch)


@kernel
def _slide(window: Window, columns: int, scratch: Floats, seen: int) -> None:
    """Add the products of a cell and subtract those of the one that left."""
    xy, m = window.xy, window.xy.shape[1]
    new, old = window.value[seen % window.value.shape[0]], scratch[0]
    for i in range(columns):
        a, b = new[i], -old[i]
        if a != 0.0 or b != 0.0:
            for j in range(0, i + 1, LANES):
                slide((xy, new, old), (i * m + j, j), (a, b))


@inlined
def _slide_and_correlate(window: Window, scratch: Floats, seen: int, triangle: Floats) -> None:
    """Slide, and write the correlations of instruments that were never missing.

    A vector that reaches beyond the diagonal writes into the next row, which comes later.
    """
    (n, m), new = window.xy.shape, window.value[seen % window.value.shape[0]]
    old, scale, shift, share, diagonal = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    arrays, begin = (window.xy, new, old, scale, shift, triangle), 0
    for i in range(n):
        factors = (new[i], -old[i], share[i], -shift[i], -1.0, 1.0)
        for j in range(0, i + 1, LANES):
            correlate(arrays, (i * m + j, j, begin + j), factors)
        begin += i + 1
        triangle[begin - 1] = diagonal[i]


@kernel
def _renew(window: Window, seen: int) -> None:
    """Make sums anew: all when it is time, else those that have lost digits."""
    length = window.value.shape[0]
    due = seen % (RENEWAL * length) == 0
    for i in range(window.present.size):
        if due or not window.xx[i] >= SHARE_LEFT_MIN * window.peak[i]:
            _sum_anew(window, i, due)


@kernel
def _sum_anew(window: Window, i: int, all_of_them: bool) -> None:
    """Make the sums of one instrument from the window; those with later ones when it is it alone."""
    value, xy = window.value, window.xy
    length, n = value.shape[0], window.present.size
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


@inlined
def _scales(window: Window, seen: int, scratch: Floats) -> bool:
    """Return whether nothing is missing in the window.

    Rows 1 to 4 of ``scratch`` become: one over the deviation, mean over deviation, the first over
    the number of cells, and the correlation with itself; NaN without variance.
    """
    x, xx, present = window.x, window.xx, window.present
    cells = min(seen, window.value.shape[0])
    scale, shift, share, diagonal = scratch[1], scratch[2], scratch[3], scratch[4]
    for i in range(0, present.size, LANES):
        scales((x, xx, scale, shift, share, diagonal), i, (1.0 / cells, VARIANCE_SHARE_MIN))
    whole = True
    for i in range(present.size):
        whole &= present[i] == cells
    return whole


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
    cells, scratch = min(window.cells, window.value.shape[0]), np.empty((5, window.x.size))
    whole = _scales(window, window.cells, scratch)
    result, count = np.full(first.size, np.nan), np.zeros(first.size)
    for p in range(first.size):
        i, j = first[p], second[p]  # rounded in this order, whatever numbers the instruments have
        if whole or (window.present[i] == cells and window.present[j] == cells):
            result[p], count[p] = _from_sums(window.xy[max(i, j), min(i, j)], scratch, i, j), cells
        else:
            result[p], count[p] = _from_window(window, i, j)
    return result, count


@kernel
def _from_sums(product: float, scratch: Floats, i: int, j: int) -> float:
    """Return the correlation of instruments that were never missing; rounded in the order (i, j)."""
    value: float = fma(product * scratch[1, j], scratch[3, i], -scratch[2, i] * scratch[2, j])
    return _bounded(value)


@kernel
def correlation_triangle(window: Window) -> Floats:
    """Return the correlations of all instruments, each pair once.

    They stand as in `genesis.operators.triangles`; the diagonal is 1, NaN without variance.

    >>> returns = np.array([[9.0, 0.0], [1.0, 2.0], [2.0, 4.0], [0.5, 1.0]])
    >>> correlation_triangle(update(empty_window(3, 2), returns)).round(9).tolist()
    [1.0, 1.0, 1.0]
    """
    n = window.present.size
    first, second = np.empty(n * (n + 1) // 2, np.int64), np.empty(n * (n + 1) // 2, np.int64)
    place = 0
    for i in range(n):
        for j in range(i + 1):
            first[place], second[place] = i, j
            place += 1
    result, _ = correlation(window, first, second)
    for i in range(n):
        diagonal = i * (i + 1) // 2 + i
        result[diagonal] = 1.0 if result[diagonal] > 0.0 else np.nan
    return result
