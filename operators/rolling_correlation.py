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

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from genesis.operators.arrays import Bools, Floats, Ints, kernel

VARIANCE_SHARE_MIN = 1e-12
"""A variance below this share of the mean square is rounding noise, thus zero."""

SHARE_LEFT_MIN = 1e-4
"""Sums are made anew when less than this share of the squares they once held is left."""


BOUNDS = np.array([-1.0, 1.0])  # an array, so that the compiler keeps to one instruction for each

RENEWAL = 16
"""All sums are made anew once the window has been replaced so many times."""


LANES = 8
"""Pairs that are updated at once; rows of the sums are as many times this long as they need."""

_EIGHT = ir.VectorType(ir.DoubleType(), LANES)


class Window(NamedTuple):
    """The returns of the last N cells and their sums; n instruments, m is n rounded up to LANES."""

    value: Floats  # shape (N, m): returns by place in the ring, 0 where missing and beyond n
    there: Bools  # shape (N, n): whether there was one
    present: Ints  # shape (n,): returns in the window
    x: Floats  # shape (n,): sum of the returns
    xx: Floats  # shape (n,): sum of their squares
    peak: Floats  # shape (n,): greatest sum of squares since the sums were made anew
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
    n, m = instruments, (instruments + LANES - 1) // LANES * LANES
    return Window(
        _aligned(cells, m),
        np.zeros((cells, n), np.bool_),
        np.zeros(n, np.int64),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        _aligned(n, m),
        0,
    )


def _aligned(rows: int, columns: int) -> Floats:
    """Return zeros of which every row begins on a line of the cache; a copy may not, and is slower."""
    room = np.zeros(rows * columns + LANES)
    begin = -room.ctypes.data // room.itemsize % LANES
    return room[begin : begin + rows * columns].reshape(rows, columns)


def with_instruments(window: Window, instruments: int) -> Window:
    """Return the window with room for at least ``instruments``; the new ones have no returns."""
    length, have = window.there.shape
    if instruments <= have:
        return window
    wider = empty_window(length, instruments)
    wider.value[:, :have], wider.there[:, :have] = window.value[:, :have], window.there
    wider.present[:have], wider.x[:have], wider.xx[:have] = window.present, window.x, window.xx
    wider.peak[:have], wider.xy[:have, :have] = window.peak, window.xy[:, :have]
    return wider._replace(cells=window.cells)


def without(window: Window, instrument: int) -> Window:
    """Return the window (used up) in which one instrument has no returns any more."""
    window.value[:, instrument], window.there[:, instrument] = 0.0, False
    window.present[instrument] = 0
    window.x[instrument] = window.xx[instrument] = window.peak[instrument] = 0.0
    window.xy[instrument, :] = window.xy[:, instrument] = 0.0
    return window


def _emit_slide(lanes: "_Lanes", arrays: list[Any], places: list[Any], weights: list[Any]) -> Any:
    """Write the sums of eight pairs after a cell; return them."""
    (xy, value, scratch), (at, new, old) = arrays[:3], places[:3]
    sums = lanes.fma(lanes.load(value, new), lanes.splat(weights[0]), lanes.load(xy, at))
    sums = lanes.fma(lanes.load(scratch, old), lanes.splat(weights[1]), sums)
    lanes.store(sums, xy, at)
    return sums


class _Lanes:
    """Writes vector instructions; `arrays` and others are tuples of arguments."""

    def __init__(self, context: Any, builder: Any) -> None:
        self.context, self.builder = context, builder
        fused = ir.FunctionType(_EIGHT, [_EIGHT] * 3)
        self.fused = cgutils.get_or_insert_function(builder.module, fused, f"llvm.fma.v{LANES}f64")

    def arrays(self, kinds: Any, values: Any) -> list[Any]:
        """Return where each array of a tuple begins."""
        parts = zip(kinds, cgutils.unpack_tuple(self.builder, values), strict=True)
        return [self.context.make_array(kind)(self.context, self.builder, part).data for kind, part in parts]

    def splat(self, value: Any) -> Any:
        """Return a number in all lanes."""
        index = ir.IntType(32)
        one = self.builder.insert_element(ir.Constant(_EIGHT, ir.Undefined), value, index(0))
        return self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))

    def _pointer(self, array: Any, place: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(array, [place]), _EIGHT.as_pointer())

    def load(self, array: Any, place: Any) -> Any:
        """Return eight numbers of an array."""
        return self.builder.load(self._pointer(array, place), align=8)

    def store(self, value: Any, array: Any, place: Any) -> None:
        """Write eight numbers into an array."""
        self.builder.store(value, self._pointer(array, place), align=8)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Return a * b + c, rounded once."""
        return self.builder.call(self.fused, [a, b, c])


@intrinsic
def _slide_eight(typing: Any, arrays: Any, places: Any, weights: Any) -> Any:  # noqa: ARG001
    def emit(context: Any, builder: Any, _: Any, given: Any) -> Any:
        lanes = _Lanes(context, builder)
        numbers = [cgutils.unpack_tuple(builder, each) for each in given[1:]]
        _emit_slide(lanes, lanes.arrays(arrays.types, given[0]), *numbers)
        return context.get_dummy_value()

    return types.void(arrays, places, weights), emit


@intrinsic
def _correlate_eight(typing: Any, arrays: Any, places: Any, weights: Any) -> Any:  # noqa: ARG001
    def emit(context: Any, builder: Any, _: Any, given: Any) -> Any:
        lanes = _Lanes(context, builder)
        starts = lanes.arrays(arrays.types, given[0])
        where, factors = (cgutils.unpack_tuple(builder, each) for each in given[1:])
        sums = _emit_slide(lanes, starts, where, factors)
        scale, shift = (lanes.load(starts[2], each) for each in where[3:5])
        u, q, least, most = (lanes.splat(each) for each in factors[2:])
        away = builder.fmul(q, shift)
        result = lanes.fma(builder.fmul(sums, scale), u, away)
        result = builder.select(builder.fcmp_ordered(">", result, most), most, result)
        result = builder.select(builder.fcmp_ordered("<", result, least), least, result)
        lanes.store(result, starts[3], where[5])
        return context.get_dummy_value()

    return types.void(arrays, places, weights), emit


@intrinsic
def _fma(typing: Any, a: Any, b: Any, c: Any) -> Any:  # noqa: ARG001
    """Return a * b + c, rounded once on every machine."""
    return types.float64(a, b, c), lambda _, builder, __, given: builder.fma(*given)


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
    old, seen = np.zeros((1, window.xy.shape[1])), window.cells
    for cell in range(returns.shape[0]):
        sound = _arrived(window, returns[cell], old, seen)
        _slide(window, returns.shape[1], old, seen)
        seen += 1
        if not sound:
            _renew(window, seen)
    return _at(window, seen)


@kernel
def _at(window: Window, seen: int) -> Window:
    value, there, present, x, xx, peak, xy, _ = window
    return Window(value, there, present, x, xx, peak, xy, seen)


@kernel
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
    n, seen = window.x.size, window.cells
    size = n * (n + 1) // 2
    room = np.empty(returns.shape[0] * size + LANES)  # the last row is written beyond its end
    scratch = np.empty((4, window.xy.shape[1]))
    scratch[0] = 0.0
    for cell in range(returns.shape[0]):
        sound = _arrived(window, returns[cell], scratch, seen)
        seen += 1
        whole = _scales(window, seen, scratch)
        if sound and whole:
            _slide_and_correlate(window, scratch, seen - 1, room[cell * size :])
        else:
            _slide(window, returns.shape[1], scratch, seen - 1)
            if not sound:
                _renew(window, seen)
            room[cell * size : (cell + 1) * size] = correlation_triangle(_at(window, seen))
    return _at(window, seen), room[: returns.shape[0] * size].reshape(returns.shape[0], size)


@kernel
def _arrived(window: Window, returns: Floats, scratch: Floats, seen: int) -> bool:
    """Put a cell into the window and the sums of single instruments; return whether they can go on.

    Missing values become 0. Those of the cell that left are written into the first row of ``scratch``.
    """
    value, there, present, x, xx, peak, _, _ = window
    place = seen % value.shape[0]
    n, new, old, was = returns.size, value[place], scratch[0], there[place]
    for i in range(n):
        arrived = abs(returns[i]) < np.inf
        old[i] = new[i]
        new[i] = returns[i] if arrived else 0.0
        present[i] += int(arrived) - int(was[i])
        was[i] = arrived
    sound = (seen + 1) % (RENEWAL * value.shape[0]) != 0
    for i in range(n):
        x[i] += new[i] - old[i]
        most = xx[i] + new[i] * new[i]
        peak[i] = most if most > peak[i] else peak[i]  # noqa: FURB136 - as a branch it is vectorised
        xx[i] = most - old[i] * old[i]
        sound &= xx[i] >= SHARE_LEFT_MIN * peak[i]
    return sound


@kernel
def _slide(window: Window, columns: int, scratch: Floats, seen: int) -> None:
    """Add the products of a cell and subtract those of the one that left."""
    value, xy = window.value, window.xy
    place, m = seen % value.shape[0], xy.shape[1]
    for i in range(columns):
        a, b = value[place, i], -scratch[0, i]
        if a != 0.0 or b != 0.0:
            for j in range(0, i + 1, LANES):
                _slide_eight((xy, value, scratch), (i * m + j, place * m + j, j), (a, b))


@kernel
def _slide_and_correlate(window: Window, scratch: Floats, seen: int, triangle: Floats) -> None:
    """Slide, and write the correlations of instruments that were never missing."""
    value, xy = window.value, window.xy
    place, (n, m), begin = seen % value.shape[0], xy.shape, 0
    least, most = BOUNDS
    for i in range(n):
        a, b, scale = value[place, i], -scratch[0, i], scratch[1, i]
        factors = (a, b, scratch[3, i], -scratch[2, i], least, most)
        for j in range(0, i + 1, LANES):
            places = (i * m + j, place * m + j, j, m + j, 2 * m + j, begin + j)
            _correlate_eight((xy, value, scratch, triangle), places, factors)
        triangle[begin + i] = 1.0 if scale > 0.0 else np.nan
        begin += i + 1


@kernel
def _renew(window: Window, seen: int) -> None:
    """Make sums anew: all when it is time, else those that have lost digits."""
    length = window.value.shape[0]
    due = seen % (RENEWAL * length) == 0
    for i in range(window.x.size):
        if due or not window.xx[i] >= SHARE_LEFT_MIN * window.peak[i]:
            _sum_anew(window, i, due)


@kernel
def _sum_anew(window: Window, i: int, all_of_them: bool) -> None:
    """Make the sums of one instrument from the window; those with later ones when it is it alone."""
    value, xy = window.value, window.xy
    length, n = value.shape[0], window.x.size
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
def _scales(window: Window, seen: int, scratch: Floats) -> bool:
    """Write one over the deviation, mean over deviation, and the first over the cells; return if none is missing.

    They are written into rows 1, 2 and 3 of ``scratch``, NaN without variance.
    """
    x, xx, present, n = window.x, window.xx, window.present, window.x.size
    cells = min(seen, window.value.shape[0])
    each = 1.0 / cells
    scale, shift, share = scratch[1], scratch[2], scratch[3]
    whole = True
    for i in range(n):
        mean, square = x[i] * each, xx[i] * each
        variance = square - mean * mean
        one = 1.0 / np.sqrt(variance if variance > VARIANCE_SHARE_MIN * square else np.nan)
        scale[i], shift[i], share[i] = one, mean * one, one * each
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
    n = window.x.size
    cells, scratch = min(window.cells, window.value.shape[0]), np.empty((4, n))
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
    return _bounded(_fma(product * scratch[1, j], scratch[3, i], -scratch[2, i] * scratch[2, j]))


@kernel
def correlation_triangle(window: Window) -> Floats:
    """Return the correlations of all instruments, each pair once.

    They stand as in `genesis.operators.triangles`; the diagonal is 1, NaN without variance.

    >>> returns = np.array([[9.0, 0.0], [1.0, 2.0], [2.0, 4.0], [0.5, 1.0]])
    >>> correlation_triangle(update(empty_window(3, 2), returns)).round(9).tolist()
    [1.0, 1.0, 1.0]
    """
    n = window.x.size
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
