"""Repeats: which trades have been folded before, by the venue's contiguous trade ids.

Delivery is at least once: after a crash, and while one connection replaces another, trades come
again. Per instrument the newest WINDOW ids are remembered, one bit each; an older id counts as a
repeat. Ids that begin again from a lower number (a new listing under an old name) are recognised
by their event time, which is newer than that of every trade before.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Bools, Ints, Words, grown, kernel
from genesis.operators.waiting import Ticks

WINDOW = 4096
"""Trade ids that are remembered per instrument; a multiple of 64."""


class Seen(NamedTuple):
    """The ids seen, by slot."""

    newest_id: Ints  # shape (slots,); -1 before the first
    newest_ns: Ints  # shape (slots,): newest event time
    bits: Words  # shape (slots, WINDOW / 64): bit ``id modulo WINDOW`` is set when the id was seen


def nothing_seen() -> Seen:
    """Return the state before the first trade."""
    return Seen(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, WINDOW // 64), np.uint64))


def with_slots(seen: Seen, slots: int) -> Seen:
    """Return ``seen`` with room for at least ``slots`` instruments."""
    have = seen.newest_id.size
    if slots <= have:
        return seen
    room = max(slots, 2 * have, 16)
    return Seen(
        grown(seen.newest_id, room, -1), grown(seen.newest_ns, room, NEVER_NS), grown(seen.bits, room)
    )


@kernel
def unseen(seen: Seen, trades: Ticks) -> tuple[Seen, Bools]:
    """Return the state after the trades, and which of them are new, shape ``(n,)``.

    Parameters
    ----------
    seen
        Used up; has room for every slot.
    trades
        In fold order.

    Examples
    --------
    >>> keys = np.array([[1, 1, 0, 7], [2, 2, 0, 8], [3, 1, 0, 7]])
    >>> unseen(with_slots(nothing_seen(), 1), Ticks(keys, np.ones((3, 2))))[1].tolist()
    [True, True, False]
    """
    newest_id, newest_ns, bits = seen
    keys = trades.keys
    new = np.zeros(keys.shape[0], np.bool_)
    for i in range(keys.shape[0]):
        event_ns, slot, trade_id = keys[i, 1], keys[i, 2], keys[i, 3]
        behind = newest_id[slot] - trade_id
        place = trade_id % WINDOW
        bit = np.uint64(1) << np.uint64(place % 64)
        if behind >= 0:
            known = behind >= WINDOW or (bits[slot, place // 64] & bit) != 0
            if known and event_ns <= newest_ns[slot]:
                continue
        if behind < 0 or behind >= WINDOW or (bits[slot, place // 64] & bit) != 0:
            first = max(newest_id[slot] + 1, trade_id - WINDOW + 1) if behind < 0 else trade_id - WINDOW + 1
            for skipped in range(first, trade_id):
                at = skipped % WINDOW
                bits[slot, at // 64] &= ~(np.uint64(1) << np.uint64(at % 64))
            newest_id[slot] = trade_id
        bits[slot, place // 64] |= bit
        newest_ns[slot] = max(newest_ns[slot], event_ns)
        new[i] = True
    return seen, new
