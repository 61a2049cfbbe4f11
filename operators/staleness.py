"""Staleness: which instruments a gap in a stream blinds at the end of a cell.

A stream of an instrument is blind from the moment a gap in it counts until the gap is closed and,
for quotes, until the first quote at or after its end. A gap that opens and closes within one cell
blinds the cell too. What is computed from a blind stream is marked stale, and its returns are left
out: a price from before the gap is not the price now, and a move across it is no 1 s return.

The feed has at most one gap open per stream of an instrument; a later one replaces it.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Bools, Ints, Rows, grown

OPEN_NS = 2**63 - 1
"""The end of a gap that has not ended."""


class Blindness(NamedTuple):
    """The newest gap of one stream, by slot."""

    start_ns: Ints  # shape (slots,): NEVER_NS before the first gap
    end_ns: Ints  # shape (slots,): OPEN_NS while it lasts


def all_clear() -> Blindness:
    """Return the state before the first gap.

    >>> all_clear().start_ns.size
    0
    """
    return Blindness(np.empty(0, np.int64), np.empty(0, np.int64))


def with_slots(blindness: Blindness, slots: int) -> Blindness:
    """Return ``blindness`` with room for at least ``slots`` instruments."""
    if slots <= blindness.start_ns.size:
        return blindness
    return Blindness(*(grown(array, slots, NEVER_NS) for array in blindness))


def after_gaps(blindness: Blindness, slots: Ints, gaps: Rows) -> Blindness:
    """Return the state after gap rows, in the order in which they count. ``blindness`` is used up.

    >>> from genesis.operators.records import GAP
    >>> gap = GAP.empty(1)
    >>> gap["start_ns"] = 5
    >>> after_gaps(with_slots(all_clear(), 1), np.array([0]), gap).end_ns.tolist() == [OPEN_NS]
    True
    """
    for slot, start_ns, end_ns in zip(slots, gaps["start_ns"], gaps["end_ns"], strict=True):
        if start_ns >= blindness.start_ns[slot]:
            blindness.start_ns[slot] = start_ns
            blindness.end_ns[slot] = end_ns or OPEN_NS
    return blindness


def blind(blindness: Blindness, cell_ns: int, newest_ns: Ints | None = None) -> Bools:
    """Return which instruments are blind at the end of the cell that begins at ``cell_ns``.

    Parameters
    ----------
    blindness
        After all gaps that count in the cell.
    cell_ns
        Start of the cell.
    newest_ns
        Event time of each instrument's newest tick, shape ``(slots,)``: until it reaches the end of
        the gap, the instrument stays blind. None for streams in which silence is nothing special.

    Examples
    --------
    >>> closed = Blindness(np.array([5]), np.array([1_500]))
    >>> cases = ((1_000, 1_600), (2_000, 5), (2_000, 2_100))
    >>> [bool(blind(closed, cell_ns, np.array([newest_ns]))[0]) for cell_ns, newest_ns in cases]
    [True, True, False]
    """
    found: Bools = blindness.end_ns >= cell_ns
    if newest_ns is not None:
        found |= newest_ns < blindness.end_ns
    return found
