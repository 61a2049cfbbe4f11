"""Limits of the feed: every bound and pause it has, with its unit and the reason for its value."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds and pauses; tests shorten them, nothing else does.

    Parameters
    ----------
    open_s
        Longest time from the start of a connect to the end of its handshake.
    ping_s
        Live: after so long without a message the venue is pinged, and given half of it to answer.
        A replay may stand still for as long as it likes.
    life_s
        A socket is replaced after so long; the venue cuts it after 24 h.
    silence_s, silence_intervals
        A socket that is open and says nothing for this long, and for this many of its own mean
        intervals, is taken for dead.
    overlap_s, overlap_messages
        While a socket is being replaced both are read: at most so long, and at most so many messages
        of the new one are kept until the old one has said the first of them.
    pause_first_s, pause_most_s
        Pause before the next connect after a failure; it doubles up to the most, with ±50 % jitter.
    steady_s
        A socket that lived this long makes the next pause small again.
    connects, connects_window_s
        Of the 300 connects that the venue allows an address in 5 minutes 240 are used: aiohttp repeats a
        handshake that is cut off once by itself, so these 120 are at most 240.
    first_message_s
        Live: a connection that has not delivered after so long does not hold the watermark back.
    hold_s
        Live: so long may a book that waits for its snapshot hold back the watermark of the books.
    waiting_diffs
        Diffs of one book that may wait for a snapshot. A replay then stops reading until it is there;
        live the book gives up what it has missed and says so.
    overflow_s
        Live: so long may frames wait for the broker while nothing is read; then they are dropped.
    last_snapshots_s
        At the end of a replay, how long books may still wait for their snapshots.
    flush_s
        How long the broker may take for what is left at the end.
    listings_s
        Live: how often the venue is asked whether all instruments still trade.
    """

    open_s: float = 10.0
    ping_s: float = 20.0
    life_s: float = 23.5 * 3_600
    silence_s: float = 15.0
    silence_intervals: float = 50.0
    overlap_s: float = 10.0
    overlap_messages: int = 4_096
    pause_first_s: float = 0.25
    pause_most_s: float = 60.0
    steady_s: float = 30.0
    connects: int = 120
    connects_window_s: float = 300.0
    first_message_s: float = 10.0
    hold_s: float = 30.0
    waiting_diffs: int = 5_000
    overflow_s: float = 5.0
    last_snapshots_s: float = 30.0
    flush_s: float = 60.0
    listings_s: float = 600.0
