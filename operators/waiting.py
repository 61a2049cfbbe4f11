"""Waiting room: ticks wait here until the watermark has passed them, and leave in fold order.

Fold order is (effective_ns, event_ns, slot, sequence). Which ticks have left after watermark W,
and in which order, depends on W and the ticks alone, not on how they were cut into batches.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, kernel

EFFECTIVE, EVENT, SLOT, SEQUENCE = 0, 1, 2, 3
"""Columns of ``Ticks.keys``."""


class Ticks(NamedTuple):
    """Ticks of one stream, one a row."""

    keys: Ints  # shape (n, 4): effective_ns, event_ns, slot, sequence
    values: Floats  # shape (n, 2): trades price and signed quantity; quotes bid and ask price


class Waiting(NamedTuple):
    """Ticks that wait; the arrays have room for more than ``count``."""

    keys: Ints
    values: Floats
    count: int


def nobody() -> Waiting:
    """Return an empty waiting room."""
    return Waiting(np.empty((64, 4), np.int64), np.empty((64, 2)), 0)


def ticks(columns: tuple[Ints, Ints, Ints, Ints], first: Floats, second: Floats) -> Ticks:
    """Return ticks made of the key columns (effective_ns, event_ns, slot, sequence) and two values."""
    keys, values = np.empty((first.size, 4), np.int64), np.empty((first.size, 2))
    for i, column in enumerate(columns):
        keys[:, i] = column
    values[:, 0], values[:, 1] = first, second
    return Ticks(keys, values)


@kernel
def admit(waiting: Waiting, arrived: Ticks, floor_ns: int) -> tuple[Waiting, int]:
    """Return the room with the arrived ticks in it, and how many counted before ``floor_ns``.

    Those break their partition's promise: they count at ``floor_ns``, the earliest time still open.

    >>> early = Ticks(np.array([[5, 5, 0, 1]]), np.array([[1.0, 2.0]]))
    >>> admit(nobody(), early, floor_ns=7)[1]
    1
    """
    keys, values, count = waiting
    size = arrived.values.shape[0]
    if count + size > keys.shape[0]:
        room = max(2 * keys.shape[0], count + size)
        more_keys, more_values = np.empty((room, 4), np.int64), np.empty((room, 2))
        more_keys[:count], more_values[:count] = keys[:count], values[:count]
        keys, values = more_keys, more_values
    early = 0
    for i in range(size):
        at = count + i
        keys[at], values[at] = arrived.keys[i], arrived.values[i]
        if keys[at, 0] < floor_ns:
            keys[at, 0] = floor_ns
            early += 1
    return Waiting(keys, values, count + size), early


@kernel
def _before(keys: Ints, a: int, b: int) -> bool:
    for column in range(4):
        if keys[a, column] != keys[b, column]:
            return keys[a, column] < keys[b, column]
    return False


@kernel
def _merge(keys: Ints, source: Ints, target: Ints, low: int, mid: int, high: int) -> None:
    left, right = low, mid
    for at in range(low, high):
        if right >= high or (left < mid and not _before(keys, source[right], source[left])):
            target[at] = source[left]
            left += 1
        else:
            target[at] = source[right]
            right += 1


@kernel
def fold_order(keys: Ints) -> Ints:
    """Return the permutation that sorts ``keys`` by all four columns, equal rows in place.

    A natural merge sort: ticks come almost sorted, and a sorted array costs one pass.

    >>> fold_order(np.array([[2, 0, 0, 0], [1, 0, 0, 9], [1, 0, 0, 8]])).tolist()
    [2, 1, 0]
    """
    size = keys.shape[0]
    order = np.arange(size)
    bounds = np.empty(size + 1, np.int64)
    runs = 0
    for i in range(size):
        if i == 0 or _before(keys, i, i - 1):
            bounds[runs] = i
            runs += 1
    bounds[runs] = size
    other = np.empty_like(order)
    while runs > 1:
        merged = 0
        for run in range(0, runs, 2):
            mid, high = bounds[run + 1], bounds[min(run + 2, runs)]
            _merge(keys, order, other, bounds[run], mid, high)
            bounds[merged] = bounds[run]
            merged += 1
        bounds[merged] = size
        runs = merged
        order, other = other, order
    return order


@kernel
def release(waiting: Waiting, watermark_ns: int) -> tuple[Waiting, Ticks]:
    """Return the room without the ticks that count at or before ``watermark_ns``, and those sorted.

    >>> room, _ = admit(nobody(), Ticks(np.array([[9, 9, 0, 1], [5, 5, 0, 2]]), np.zeros((2, 2))), 0)
    >>> room, left = release(room, watermark_ns=5)
    >>> left.keys.tolist(), room.count
    ([[5, 5, 0, 2]], 1)
    """
    keys, values, count = waiting
    leaving = 0
    for i in range(count):
        leaving += keys[i, 0] <= watermark_ns
    out_keys, out_values = np.empty((leaving, 4), np.int64), np.empty((leaving, 2))
    if leaving == 0:
        return waiting, Ticks(out_keys, out_values)
    gone = 0
    for i in range(count):
        if keys[i, 0] <= watermark_ns:
            out_keys[gone], out_values[gone] = keys[i], values[i]
            gone += 1
        elif gone:
            keys[i - gone], values[i - gone] = keys[i], values[i]
    order = fold_order(out_keys)
    return Waiting(keys, values, count - gone), Ticks(out_keys[order], out_values[order])
