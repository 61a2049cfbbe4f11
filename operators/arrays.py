"""Arrays: the types that kernels share, and the one way to compile a kernel.

A kernel is a function ``(state, arrays, params) -> (state, arrays)``. Its state is *used up*: the
arrays inside may be overwritten, so the caller goes on with the state that is returned (and copies
it for a snapshot, see `copied`). All other arguments are left as they were.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genesis.operators.records import PADDING, RowSchema

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Rows = np.ndarray[Any, np.dtype[np.void]]

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=tuple[Any, ...])

NEVER_NS = -(2**62)
"""A time before all others, for "has not happened yet"."""


def kernel(function: F) -> F:
    """Compile a function without Python objects; the result is cached on disk.

    Division by zero gives inf or NaN, as in numpy, and the interpreter lock is released. A kernel
    calls only kernels of its own file: the cache does not notice a change in another one.
    """
    return cast("F", njit(cache=True, error_model="numpy", nogil=True)(function))


def inlined(function: F) -> F:
    """Compile a function into each kernel of its file that calls it.

    For what is called once for every short array: handing over a state of eight arrays takes as long
    as working on sixty numbers.
    """
    compiled = njit(cache=True, error_model="numpy", nogil=True, forceinline=True)(function)
    return cast("F", compiled)


def in_words(schema: RowSchema) -> np.dtype[np.void]:
    """Return the layout of ``schema`` with every symbol as two unsigned 8-byte words.

    The bytes are the same, so ``rows.view(in_words(schema))`` copies nothing, and a kernel
    compares symbols as fast as numbers. ``symbol`` becomes ``symbol_0`` and ``symbol_1``.

    >>> from genesis.operators.records import TRADE
    >>> in_words(TRADE).names[-4:], in_words(TRADE).itemsize == TRADE.dtype.itemsize
    (('symbol_0', 'symbol_1', 'market', 'side'), True)
    """
    names: list[str] = []
    formats: list[Any] = []
    offsets: list[int] = []
    for name, (dtype, offset, *_title) in (schema.dtype.fields or {}).items():
        if dtype.kind == "S" and name != PADDING:
            names += [f"{name}_0", f"{name}_1"]
            formats += ["<u8", "<u8"]
            offsets += [offset, offset + 8]
        elif name != PADDING:
            names.append(name)
            formats.append(dtype)
            offsets.append(offset)
    return np.dtype(
        {"names": names, "formats": formats, "offsets": offsets, "itemsize": schema.dtype.itemsize}
    )


def grown(array: np.ndarray[Any, Any], size: int, fill: float = 0) -> np.ndarray[Any, Any]:
    """Return ``array`` with its first axis lengthened to ``size``, the new part filled.

    >>> grown(np.array([1, 2]), 4, fill=-1).tolist()
    [1, 2, -1, -1]
    """
    longer = np.zeros((size, *array.shape[1:]), array.dtype)
    if fill:
        longer[array.shape[0] :] = fill
    longer[: array.shape[0]] = array
    return longer


def together(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, one after the other; all are of one dtype, and there is at least one.

    As ``np.concatenate``, which compares the dtypes of structured arrays field by field, and takes ten
    times as long for a few rows.

    >>> from genesis.operators.records import TRADE
    >>> together([TRADE.empty(2), TRADE.empty(1)]).size
    3
    """
    dtype = parts[0].dtype
    assert all(part.dtype is dtype or part.dtype == dtype for part in parts)
    raw = np.dtype((np.void, dtype.itemsize))
    return np.concatenate([part.view(raw) for part in parts]).view(dtype)


def copied(state: S) -> S:
    """Return a state with copies of its arrays, nested states included, to keep or to pickle.

    >>> from typing import NamedTuple
    >>> class Count(NamedTuple):
    ...     seen: Ints
    >>> before = Count(np.zeros(2, np.int64))
    >>> after = copied(before)
    >>> after.seen[0] = 1
    >>> before.seen.tolist()
    [0, 0]
    """
    return cast("S", cast("Any", type(state))(*(_copy(value) for value in state)))


def _copy(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return copied(value)
    return tuple(_copy(each) for each in value) if isinstance(value, tuple) else value
