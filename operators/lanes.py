"""Lanes: four numbers at once, for loops that the compiler does not vectorise well by itself.

Over short rows of several arrays the compiler's own vector code spends most of its time on proving,
row by row, that no two arrays overlap, and on what is left of a row after the last full vector. Here a
kernel says itself what four neighbours become, by an intrinsic of numba that is written with `Lanes`.
Every instruction is IEEE double precision, and a fused one is written as such, so results are the same
to the last bit on every machine; one without vectors of four takes two of two.

The cache of compiled kernels does not notice a change here, as it does not notice one in another
kernel's file: who changes this file changes that of the kernel too.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic

ir: Any = cgutils.ir  # type: ignore[attr-defined]
"""What numba writes instructions with."""

LANES = 4
"""Numbers in a vector. Twice as many gain nothing where a core works on half of them at a time."""

LINE = 8
"""Numbers in a line of the cache: rows that begin on one are read faster."""

Value: TypeAlias = Any
"""A number or a vector of the program that is being written."""

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INDEX = ir.IntType(32)


def _intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that writes instructions callable from kernels."""
    return cast("Callable[..., Any]", numba_intrinsic(function))


def _declared(builder: Any, name: str, arguments: int) -> Value:
    """Return a function of vectors that every machine has."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * arguments)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")  # type: ignore[no-untyped-call]


class Lanes:
    """Writes vector instructions at the place where numba's builder stands."""

    def __init__(self, context: Any, builder: Any) -> None:
        self._context, self._builder = context, builder
        self._fma, self._root = _declared(builder, "fma", 3), _declared(builder, "sqrt", 1)

    def parts(self, values: Value) -> list[Value]:
        """Return the members of a tuple."""
        return list(cgutils.unpack_tuple(self._builder, values))  # type: ignore[no-untyped-call]

    def starts(self, kinds: Any, arrays: Value) -> list[Value]:
        """Return where each array of a tuple begins."""
        pairs = zip(kinds, self.parts(arrays), strict=True)
        return [
            self._context.make_array(kind)(self._context, self._builder, each).data for kind, each in pairs
        ]

    def splat(self, number: Value) -> Value:
        """Return a vector of a number in all places."""
        one = self._builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, _INDEX(0))
        zeros = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
        return self._builder.shuffle_vector(one, one, zeros)

    def load(self, start: Value, place: Value) -> Value:
        """Return neighbours in an array from a place on."""
        return self._builder.load(self._pointer(start, place), align=8)

    def store(self, vector: Value, start: Value, place: Value) -> None:
        """Write neighbours into an array from a place on."""
        self._builder.store(vector, self._pointer(start, place), align=8)

    def _pointer(self, start: Value, place: Value) -> Value:
        return self._builder.bitcast(self._builder.gep(start, [place]), _VECTOR.as_pointer())

    def product(self, a: Value, b: Value) -> Value:
        """Return a * b."""
        return self._builder.fmul(a, b)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return a * b + c, rounded once."""
        return self._builder.call(self._fma, [a, b, c])

    def root(self, a: Value) -> Value:
        """Return the square root."""
        return self._builder.call(self._root, [a])

    def number(self, value: float) -> Value:
        """Return a vector of one constant."""
        return ir.Constant(_VECTOR, [value] * LANES)

    def bounded(self, a: Value, least: Value, most: Value) -> Value:
        """Return ``a`` between two bounds; NaN stays NaN."""
        a = self._builder.select(self._builder.fcmp_ordered(">", a, most), most, a)
        return self._builder.select(self._builder.fcmp_ordered("<", a, least), least, a)

    def done(self) -> Value:
        """Return nothing, as an intrinsic of type void must."""
        return self._context.get_dummy_value()


@_intrinsic
def fma(_: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once: one number, in a kernel."""
    return types.float64(a, b, c), lambda _, builder, __, given: builder.fma(*given)


@_intrinsic
def arrive(_: Any, arrays: Any, column: Any) -> Any:
    """Add the returns of a cell to the sums of single instruments, and subtract those of another.

    Parameters
    ----------
    arrays
        New returns, old ones; sums, sums of squares, and the greatest that the latter were.
    column
        The first instrument.
    """

    def emit(context: Any, builder: Any, _: Any, given: Any) -> Any:
        lanes = Lanes(context, builder)
        starts = lanes.starts(arrays.types, given[0])
        new, old, x, xx, peak = (lanes.load(each, given[1]) for each in starts)
        most = builder.fadd(xx, lanes.product(new, new))
        lanes.store(builder.fadd(x, builder.fsub(new, old)), starts[2], given[1])
        # Not fused: infinite less infinite is to be NaN, which says that the sum is lost.
        lanes.store(builder.fsub(most, lanes.product(old, old)), starts[3], given[1])
        rises = builder.fcmp_ordered(">", most, peak)
        lanes.store(builder.select(rises, most, peak), starts[4], given[1])
        return lanes.done()

    return types.void(arrays, column), emit


@_intrinsic
def scales(_: Any, arrays: Any, column: Any, factors: Any) -> Any:
    """Write what makes correlations of sums of products, NaN without variance.

    Parameters
    ----------
    arrays
        Sums, sums of squares; one over the deviation, mean over deviation, the first over the
        number of samples, and the correlation with itself.
    column
        The first instrument.
    factors
        One over the number of samples; share of the mean square below which variance is rounding.
    """

    def emit(context: Any, builder: Any, _: Any, given: Any) -> Any:
        lanes = Lanes(context, builder)
        x, xx, *results = lanes.starts(arrays.types, given[0])
        each, share = (lanes.splat(factor) for factor in lanes.parts(given[2]))
        mean = lanes.product(lanes.load(x, given[1]), each)
        square = lanes.product(lanes.load(xx, given[1]), each)
        variance = lanes.fma(builder.fneg(mean), mean, square)
        varies = builder.fcmp_ordered(">", variance, lanes.product(share, square))
        nothing, one = lanes.number(float("nan")), lanes.number(1.0)
        scale = builder.fdiv(one, lanes.root(builder.select(varies, variance, nothing)))
        diagonal = builder.select(varies, one, nothing)
        found = (scale, lanes.product(mean, scale), lanes.product(scale, each), diagonal)
        for value, start in zip(found, results, strict=True):
            lanes.store(value, start, given[1])
        return lanes.done()

    return types.void(arrays, column, factors), emit


@_intrinsic
def slide(_: Any, arrays: Any, places: Any, weights: Any) -> Any:
    """Add a cell to neighbouring sums of products, and subtract another.

    Parameters
    ----------
    arrays
        Sums, new returns and old ones.
    places
        Where in the sums, and where in the returns.
    weights
        New return of the row's instrument, and its old one negated.
    """

    def emit(context: Any, builder: Any, _: Any, given: Any) -> Any:
        lanes = Lanes(context, builder)
        (xy, new, old), (at, column) = lanes.starts(arrays.types, given[0]), lanes.parts(given[1])
        a, b = (lanes.splat(each) for each in lanes.parts(given[2]))
        sums = lanes.fma(lanes.load(new, column), a, lanes.load(xy, at))
        lanes.store(lanes.fma(lanes.load(old, column), b, sums), xy, at)
        return lanes.done()

    return types.void(arrays, places, weights), emit


@_intrinsic
def correlate(_: Any, arrays: Any, places: Any, factors: Any) -> Any:
    """Do the same, and write the correlations.

    Parameters
    ----------
    arrays
        Sums, new returns, old ones, scale, shift, triangle.
    places
        Where in the sums, where in the returns, and where in the triangle.
    factors
        New return of the row's instrument, its old one negated, its share, its shift negated; least
        and greatest correlation.
    """

    def emit(context: Any, builder: Any, _: Any, given: Any) -> Any:
        lanes = Lanes(context, builder)
        xy, new, old, scale, shift, triangle = lanes.starts(arrays.types, given[0])
        at, column, begin = lanes.parts(given[1])
        a, b, share, away, least, most = (lanes.splat(each) for each in lanes.parts(given[2]))
        sums = lanes.fma(lanes.load(new, column), a, lanes.load(xy, at))
        sums = lanes.fma(lanes.load(old, column), b, sums)
        lanes.store(sums, xy, at)
        away = lanes.product(lanes.load(shift, column), away)
        result = lanes.fma(lanes.product(sums, lanes.load(scale, column)), share, away)
        lanes.store(lanes.bounded(result, least, most), triangle, begin)
        return lanes.done()

    return types.void(arrays, places, factors), emit
