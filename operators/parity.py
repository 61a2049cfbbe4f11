"""Parity: what one flow computed against what stands in the log, row by row, by key.

A flow's rows are deterministic, so a second one of another version must compute the same. Rows that it
computed and the log lacks are *owed*: whoever takes the topic over sends exactly them. Rows that
the log has and it did not compute yet are *ahead*: it need not send them. A row on both sides is *equal*
or *different*; one that the other side has passed in event time by `SLACK_NS` without it is *missing* there.

The log is read from some moment on, and rows from before it have no counterpart. So nothing is missing
until both are `ALIGN_NS` beyond the first watermark that was read; `SLACK_NS` later those rows are gone.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Rows
from genesis.operators.records import WATERMARK_FINAL_NS, RowSchema

ALIGN_NS = 10_000_000_000
"""Event time that a row may be sent before a watermark reaches it, at the very most."""

SLACK_NS = 10_000_000_000
"""Event time after which a row that the other side has not is missing there."""

ROWS_MAX = 500_000
"""Most rows that wait for their counterpart on a side; beyond it the oldest are given up, as missing."""

SETTLED_MAX = 200_000
"""So many keys of settled rows are remembered, at least, to know a repeat."""


class Counts(NamedTuple):
    """How the two sides compare since the beginning, in rows."""

    equal: int = 0
    different: int = 0
    missing: int = 0  # computed here, and not in the log
    extra: int = 0  # in the log, and not computed here

    @property
    def wrong(self) -> int:
        """Rows that are not equal."""
        return self.different + self.missing + self.extra


class _Waiting(NamedTuple):
    """A row without a counterpart; ``stamp_ns`` is the watermark of its frame."""

    row: bytes
    stamp_ns: int


class Parity:
    """The comparison of one partition of a topic.

    Parameters
    ----------
    schema
        Layout of the rows; its key is their identity.

    Examples
    --------
    >>> from genesis.operators.records import BAR
    >>> rows, sides = BAR.empty(2), Parity(BAR)
    >>> rows["open_ns"] = 60 * 10**9, 61 * 10**9
    >>> sides.published(rows[:0], 5)
    >>> sides.computed(rows, 62 * 10**9).size
    2
    >>> sides.published(rows[:1], 61 * 10**9)
    >>> sides.counts.equal, sides.owed()["open_ns"].tolist()
    (1, [61000000000])
    """

    def __init__(self, schema: RowSchema) -> None:
        self._dtype = schema.dtype
        columns = schema.dtype.fields
        assert columns is not None
        places = [(columns[name][1], columns[name][0].itemsize) for name in schema.key]
        self._key_bytes = np.concatenate([np.arange(at, at + size) for at, size in places])
        self.aligned_ns: int | None = None
        self._first_ns = NEVER_NS
        self.computed_ns = self.published_ns = NEVER_NS
        self.counts = Counts()
        self._owed: dict[bytes, _Waiting] = {}
        self._ahead: dict[bytes, _Waiting] = {}
        self._settled: set[bytes] = set()
        self._settled_before: set[bytes] = set()

    def computed(self, rows: Rows, watermark_ns: int) -> Rows:
        """Take rows that were computed here; return those that the log has not, as far as it was read."""
        fresh = self._met(rows, watermark_ns, mine=self._owed, theirs=self._ahead)
        self.computed_ns = max(self.computed_ns, watermark_ns)
        self._expire()
        return rows if len(fresh) == rows.size else rows[fresh]

    def published(self, rows: Rows, watermark_ns: int) -> None:
        """Take rows that were read from the log."""
        if self.aligned_ns is None and watermark_ns != NEVER_NS:
            final = watermark_ns == WATERMARK_FINAL_NS  # then nothing follows that could count
            self.aligned_ns = watermark_ns - 2 * SLACK_NS if final else watermark_ns + ALIGN_NS
            self._first_ns = watermark_ns
        self._met(rows, watermark_ns, mine=self._ahead, theirs=self._owed)
        self.published_ns = max(self.published_ns, watermark_ns)
        self._expire()

    def owed(self) -> Rows:
        """Return the rows that were computed here and are not in the log, in their order."""
        found = b"".join(each.row for each in self._owed.values())
        return np.frombuffer(bytearray(found), self._dtype)

    def is_aligned(self) -> bool:
        """Say whether the comparison counts, or there is nothing to compare."""
        if self.aligned_ns is None:
            return not self._owed
        passed_ns = min(self.computed_ns, self.published_ns)
        silent = self.published_ns == self._first_ns >= self.computed_ns  # what is owed is from before
        return passed_ns > self.aligned_ns + SLACK_NS or silent or not (self._owed or self._ahead)

    def waiting(self) -> tuple[int, int]:
        """Return how many rows are owed, and how many ahead."""
        return len(self._owed), len(self._ahead)

    def _met(
        self, rows: Rows, stamp_ns: int, *, mine: dict[bytes, _Waiting], theirs: dict[bytes, _Waiting]
    ) -> list[int]:
        """Pair rows with their counterparts; return the places of those that have none."""
        equal = different = 0
        fresh = []
        for place, (key, row) in enumerate(self._identified(rows)):
            if key in self._settled or key in self._settled_before:
                continue  # a repeat after a restart
            other = theirs.pop(key, None)
            if other is None:
                fresh.append(place)
                mine.setdefault(key, _Waiting(row, stamp_ns))
            else:
                self._settle(key)
                equal += other.row == row
                different += other.row != row
        self._count(equal=equal, different=different)
        return fresh

    def _identified(self, rows: Rows) -> list[tuple[bytes, bytes]]:
        size, width = self._dtype.itemsize, self._key_bytes.size
        raw = np.frombuffer(rows.tobytes(), np.uint8).reshape(rows.size, size)
        keys, whole = raw[:, self._key_bytes].tobytes(), raw.tobytes()
        return [
            (keys[i * width : (i + 1) * width], whole[i * size : (i + 1) * size]) for i in range(rows.size)
        ]

    def _settle(self, key: bytes) -> None:
        self._settled.add(key)
        if len(self._settled) > SETTLED_MAX:
            self._settled_before, self._settled = self._settled, set()

    def _count(self, *, equal: int = 0, different: int = 0, missing: int = 0, extra: int = 0) -> None:
        more = Counts(equal, different, missing, extra)
        self.counts = Counts(*(a + b for a, b in zip(self.counts, more, strict=True)))

    def _expire(self) -> None:
        """Give up rows that the other side has passed."""
        passed_ns = min(self.computed_ns, self.published_ns) - SLACK_NS
        self._count(missing=self._drop(self._owed, passed_ns), extra=self._drop(self._ahead, passed_ns))

    def _drop(self, waiting: dict[bytes, _Waiting], passed_ns: int) -> int:
        """Drop the oldest rows of a side, which are its first; return how many of them count."""
        counted = 0
        while waiting:
            key, oldest = next(iter(waiting.items()))
            if oldest.stamp_ns > passed_ns and len(waiting) <= ROWS_MAX:
                break
            del waiting[key]
            self._settle(key)
            counted += self.aligned_ns is not None and oldest.stamp_ns > self.aligned_ns
        return counted
