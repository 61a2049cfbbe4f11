"""Arrival: when a message happened by the venue's clock, and when it counts; a fold of one connection.

Law: what comes out depends on the messages of one connection, in the order in which they arrived,
and on nothing else. No clock is read here: the receive time is part of the message.

*Offset.* The venue's clock and ours differ, by more than a second at times. A message that carries
the time at which the venue sent it shows ``recv_ns - venue_ns``: the difference of the clocks plus
the way. The least of these over the last one to two minutes is the offset, so that a message that
was slow on its way does not count. A message without a time (Binance's spot ``bookTicker``) happened
at ``recv_ns - offset``.

*Watermark.* The newest event time seen, minus the lateness bound. A message that happened earlier
is late, and counts one nanosecond after the watermark that stood before it. So effective times are
above every watermark that was known before them, which is what lets a watermark be a promise.
"""

from typing import Final, NamedTuple

from genesis.operators.arrays import NEVER_NS

OFFSET_BUCKET_NS: Final = 60_000_000_000
"""The offset is the least difference in this bucket of receive time and the one before it."""

_UNKNOWN_NS: Final = 2**62


class ArrivalState(NamedTuple):
    """Everything an arrival fold knows, to be kept or compared; times in ns."""

    watermark_ns: int  # NEVER_NS before the first event
    bucket_end_ns: int  # receive time at which the present bucket ends
    least_ns: int  # least difference of the present bucket
    previous_least_ns: int  # of the bucket before


class Arrival:
    """The clock of one connection.

    A class with methods instead of a function from state to state, because it is called once a
    message: a new tuple each time would cost more than all else it does.

    Parameters
    ----------
    lateness_ns
        How far the watermark trails the newest event.

    Attributes
    ----------
    watermark_ns
        Every later row counts after this. Never falls.
    offset_ns
        Our clock minus the venue's; only meaningful once ``is_timed``.
    is_timed
        Whether a message with a venue time has been seen.

    Examples
    --------
    >>> arrival = Arrival(lateness_ns=250)
    >>> arrival.timed(event_ns=9_000, venue_ns=9_010, recv_ns=7_740)
    9000
    >>> arrival.offset_ns, arrival.watermark_ns
    (-1270, 8750)
    >>> arrival.event_of(recv_ns=7_800)
    9070
    >>> arrival.timed(event_ns=8_000, venue_ns=9_080, recv_ns=7_820)
    8751
    """

    __slots__ = (
        "_bucket_end_ns",
        "_lateness_ns",
        "_least_ns",
        "_previous_least_ns",
        "is_timed",
        "offset_ns",
        "watermark_ns",
    )

    def __init__(self, lateness_ns: int) -> None:
        self._lateness_ns = lateness_ns
        self._bucket_end_ns = NEVER_NS
        self._least_ns = self._previous_least_ns = _UNKNOWN_NS
        self.watermark_ns = NEVER_NS
        self.offset_ns = 0
        self.is_timed = False

    @property
    def state(self) -> ArrivalState:
        """All that decides on what comes out next."""
        return ArrivalState(self.watermark_ns, self._bucket_end_ns, self._least_ns, self._previous_least_ns)

    def timed(self, event_ns: int, venue_ns: int, recv_ns: int) -> int:
        """Take in a message that says when it happened; return when it counts.

        Parameters
        ----------
        event_ns
            When it happened, by the venue's clock.
        venue_ns
            When the venue sent it, by the venue's clock.
        recv_ns
            When it arrived, by our clock.
        """
        difference_ns = recv_ns - venue_ns
        if recv_ns >= self._bucket_end_ns:
            self._next_bucket(recv_ns)
        if difference_ns < self._least_ns:
            self._least_ns = difference_ns
            self.offset_ns = min(difference_ns, self._previous_least_ns)
        return self.effective_of(event_ns)

    def event_of(self, recv_ns: int) -> int:
        """Return when an untimed message happened, in the venue's clock, ns."""
        return recv_ns - self.offset_ns

    def effective_of(self, event_ns: int) -> int:
        """Return when a row of this event time counts, and let the watermark follow it."""
        watermark_ns = self.watermark_ns
        if event_ns - self._lateness_ns > watermark_ns:
            self.watermark_ns = event_ns - self._lateness_ns
        return event_ns if event_ns > watermark_ns else watermark_ns + 1

    def advance(self, watermark_ns: int) -> None:
        """Promise that every later row counts after ``watermark_ns``; an older promise stays."""
        if watermark_ns > self.watermark_ns:
            self.watermark_ns = watermark_ns

    @property
    def newest_ns(self) -> int:
        """The newest event time; NEVER_NS, or near it, before the first."""
        return self.watermark_ns + self._lateness_ns

    def let_pass(self, venue_ns: int) -> None:
        """Let time pass to ``venue_ns`` by the venue's clock, in a market where nothing happens."""
        self.advance(venue_ns - self._lateness_ns)

    def _next_bucket(self, recv_ns: int) -> None:
        """Begin the bucket that ``recv_ns`` is in; after a long silence the one before is of no use."""
        is_next = recv_ns < self._bucket_end_ns + OFFSET_BUCKET_NS
        self._previous_least_ns = self._least_ns if is_next else _UNKNOWN_NS
        self._least_ns = _UNKNOWN_NS
        self._bucket_end_ns = recv_ns - recv_ns % OFFSET_BUCKET_NS + OFFSET_BUCKET_NS
        self.is_timed = True
        self.offset_ns = self._previous_least_ns
