"""Waiting room: ticks wait here until the watermark has passed them, and leave in fold order.

Fold order is (effective_ns, event_ns, slot, sequence). Which ticks have left after watermark W,
and in which order, depends on W and the ticks alone, not on how they were cut into batches.

They wait in the chunks in which they came. Most chunks leave whole and in order, so that a tick is
neither looked at nor moved while it waits.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, kernel

EFFECTIVE, EVENT, SLOT, SEQUENCE = 0, 1, 2, 3
"""Columns of ``Ticks.keys``."""


class Ticks(NamedTuple):
    """Ticks of one stream, one a row."""

    keys: Ints  # shape (n, 4): effective_ns, event_ns, slot, sequence
    values: Floats  # trades, shape (n, 2): price, signed qty; quotes, (n, 4): bid and ask price, and qty


class Chunk(NamedTuple):
    """Ticks that came together; at least one."""

    ticks: Ticks
    least_ns: int  # least effective time in it
    most_ns: int  # greatest
    ordered: bool  # whether it is in fold order


Waiting = tuple[Chunk, ...]
"""The chunks that wait, in the order in which they came."""


def ticks(keys: list[tuple[int, int, int, int]], values: Sequence[tuple[float, ...]]) -> Ticks:
    """Return ticks from lists of rows.

    >>> ticks([(5, 5, 0, 1)], [(10.0, 1.0)]).keys.shape
    (1, 4)
    """
    width = len(values[0]) if values else 2
    return Ticks(np.array(keys, np.int64).reshape(-1, 4), np.array(values, np.float64).reshape(-1, width))


def admit(waiting: Waiting, arrived: Ticks, floor_ns: int) -> tuple[Waiting, int]:
    """Return the room with the arrived ticks in it, and how many counted before ``floor_ns``.

    Those break their partition's promise: they count at ``floor_ns``, the earliest time still open.
    ``arrived`` is used up.

    >>> admit((), ticks([(5, 5, 0, 1)], [(1.0, 2.0)]), floor_ns=7)[1]
    1
    """
    if not arrived.keys.shape[0]:
        return waiting, 0
    early, least_ns, most_ns, ordered = _look(arrived.keys, arrived.values, floor_ns)
    return (*waiting, Chunk(arrived, least_ns, most_ns, ordered)), early


def release(waiting: Waiting, watermark_ns: int) -> tuple[Waiting, Ticks]:
    """Return the room without the ticks that count at or before ``watermark_ns``, and those sorted.

    >>> room, _ = admit((), ticks([(9, 9, 0, 1), (5, 5, 0, 2)], [(0.0, 0.0)] * 2), 0)
    >>> room, left = release(room, watermark_ns=5)
    >>> left.keys.tolist(), len(room)
    ([[5, 5, 0, 2]], 1)
    """
    leaving: list[Chunk] = []
    staying: list[Chunk] = []
    for chunk in waiting:
        if chunk.most_ns <= watermark_ns:
            leaving.append(chunk)
        elif chunk.least_ns > watermark_ns:
            staying.append(chunk)
        else:
            gone, rest = _split(*chunk.ticks, watermark_ns)
            leaving.append(Chunk(Ticks(*gone), *_look(*gone, chunk.least_ns)[1:]))
            staying.append(Chunk(Ticks(*rest), *_look(*rest, chunk.least_ns)[1:]))
    if len(staying) > CHUNKS_MAX:
        keys, values = together(tuple(staying))
        staying = [Chunk(Ticks(keys, values), *_look(keys, values, int(keys[:, 0].min()))[1:])]
    return tuple(staying), _in_order(leaving)


CHUNKS_MAX = 256
"""More chunks than this are put together into one."""


def together(waiting: Waiting) -> Ticks:
    """Return all ticks that wait, in the order in which they came."""
    if not waiting:
        return ticks([], [])
    return Ticks(
        np.concatenate([chunk.ticks.keys for chunk in waiting]),
        np.concatenate([chunk.ticks.values for chunk in waiting]),
    )


def _in_order(leaving: list[Chunk]) -> Ticks:
    left = leaving[0].ticks if len(leaving) == 1 else together(tuple(leaving))
    ordered = all(chunk.ordered for chunk in leaving) and all(
        before.most_ns < after.least_ns for before, after in itertools.pairwise(leaving)
    )
    if ordered:
        return left
    order = fold_order(*left)
    return Ticks(left.keys[order], left.values[order])


@kernel
def _before(keys: Ints, values: Floats, a: int, b: int) -> bool:
    """Return whether tick ``a`` comes before tick ``b`` in fold order, values deciding between equal keys."""
    for column in range(4):
        if keys[a, column] != keys[b, column]:
            return bool(keys[a, column] < keys[b, column])
    for column in range(values.shape[1]):
        if values[a, column] != values[b, column]:
            return bool(values[a, column] < values[b, column])
    return False


@kernel
def _merge(ticks: Ticks, source: Ints, target: Ints, run: tuple[int, int, int]) -> None:
    """Merge two sorted runs of places, ``[low, mid)`` and ``[mid, high)``, into one."""
    keys, values = ticks
    low, mid, high = run
    left, right = low, mid
    for at in range(low, high):
        if right >= high or (left < mid and not _before(keys, values, source[right], source[left])):
            target[at] = source[left]
            left += 1
        else:
            target[at] = source[right]
            right += 1


@kernel
def fold_order(keys: Ints, values: Floats) -> Ints:
    """Return the permutation that sorts ticks by their keys, and by their values where those are equal.

    A natural merge sort: ticks come almost sorted, and a sorted array costs one pass.

    >>> fold_order(*ticks([(2, 0, 0, 0), (1, 0, 0, 9), (1, 0, 0, 8)], [(0.0, 0.0)] * 3)).tolist()
    [2, 1, 0]
    """
    size = keys.shape[0]
    order = np.arange(size)
    bounds = np.empty(size + 1, np.int64)
    runs = 0
    for i in range(size):
        if i == 0 or _before(keys, values, i, i - 1):
            bounds[runs] = i
            runs += 1
    bounds[runs] = size
    other = np.empty_like(order)
    while runs > 1:
        merged = 0
        for run in range(0, runs, 2):
            mid, high = bounds[run + 1], bounds[min(run + 2, runs)]
            _merge(Ticks(keys, values), order, other, (bounds[run], mid, high))
            bounds[merged] = bounds[run]
            merged += 1
        bounds[merged] = size
        runs = merged
        order, other = other, order
    return order


@kernel
def _look(keys: Ints, values: Floats, floor_ns: int) -> tuple[int, int, int, bool]:
    """Lift early ticks to ``floor_ns``; return how many, least and greatest time, and whether in order."""
    early, ordered = 0, True
    for i in range(keys.shape[0]):
        if keys[i, 0] < floor_ns:
            keys[i, 0] = floor_ns
            early += 1
        if i > 0 and ordered and _before(keys, values, i, i - 1):
            ordered = False
    least_ns, most_ns = keys[0, 0], keys[0, 0]
    for i in range(keys.shape[0]):
        least_ns, most_ns = min(least_ns, keys[i, 0]), max(most_ns, keys[i, 0])
    return early, least_ns, most_ns, ordered


@kernel
def _split(keys: Ints, values: Floats, watermark_ns: int) -> tuple[tuple[Ints, Floats], tuple[Ints, Floats]]:
    """Return the ticks that count at or before the watermark, and the others, each in their order."""
    leaving = 0
    for i in range(keys.shape[0]):
        leaving += keys[i, 0] <= watermark_ns
    staying, width = keys.shape[0] - leaving, values.shape[1]
    gone_keys, gone_values = np.empty((leaving, 4), np.int64), np.empty((leaving, width))
    rest_keys, rest_values = np.empty((staying, 4), np.int64), np.empty((staying, width))
    gone, rest = 0, 0
    for i in range(keys.shape[0]):
        if keys[i, 0] <= watermark_ns:
            gone_keys[gone], gone_values[gone] = keys[i], values[i]
            gone += 1
        else:
            rest_keys[rest], rest_values[rest] = keys[i], values[i]
            rest += 1
    return (gone_keys, gone_values), (rest_keys, rest_values)
