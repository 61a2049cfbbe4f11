"""Clocks: the venue's, by which requests are stamped, and the account's, by which permits expire."""

from collections.abc import Callable

RESYNC_EVERY_S = 30.0
"""How often the venue is asked for its time."""

PROGRESS_NS_MAX = 60_000_000_000
"""Without a market record the account's clock runs on by itself no further than this."""


class VenueClock:
    """The venue's time of day, from answers to `time` and a clock that never jumps.

    Parameters
    ----------
    monotonic_ns
        The clock that never jumps.

    >>> clock = VenueClock(lambda: 1_000_000)
    >>> clock.heard(5_000, sent_ns=0, received_ns=1_000_000)
    >>> clock.now_ms()
    5000
    """

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._offset_ns = 0
        self._trip_ns = 0
        self._heard_ns: int | None = None

    def heard(self, venue_ms: int, sent_ns: int, received_ns: int) -> None:
        """Note an answer: the venue's time, and when it was asked and answered by our clock.

        The venue's time is taken as that of the moment of arrival: so ours is behind by the way back,
        and never ahead. A slower answer than the last does not replace it until that is old.
        """
        trip_ns = received_ns - sent_ns
        is_old = self._heard_ns is None or received_ns - self._heard_ns > 2 * RESYNC_EVERY_S * 1e9
        if is_old or trip_ns <= 2 * self._trip_ns:
            self._offset_ns = venue_ms * 1_000_000 - received_ns
            self._trip_ns, self._heard_ns = trip_ns, received_ns

    @property
    def is_known(self) -> bool:
        """Say whether the venue has told its time."""
        return self._heard_ns is not None

    @property
    def is_stale(self) -> bool:
        """Say whether it is time to ask again."""
        return self._heard_ns is None or self._monotonic_ns() - self._heard_ns > RESYNC_EVERY_S * 1e9

    def forget(self) -> None:
        """Distrust what is known, as after -1021."""
        self._heard_ns = None

    def now_ms(self) -> int:
        """Return the venue's time, ms since the epoch."""
        return (self._monotonic_ns() + self._offset_ns) // 1_000_000


class AccountClock:
    """The account's clock: newest market record, and what has passed since by a clock that never jumps.

    Parameters
    ----------
    monotonic_ns
        The clock that never jumps.

    >>> clock = AccountClock(lambda: 7)
    >>> clock.now_ns(), clock.tick(100), clock.now_ns()
    (0, None, 100)
    """

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._newest_ns = 0
        self._ticked_ns = monotonic_ns()

    def tick(self, event_ns: int) -> None:
        """Note a market record; an older one than the newest counts as a sign of life only."""
        self._newest_ns = max(event_ns, self._newest_ns)
        self._ticked_ns = self._monotonic_ns()

    @property
    def is_known(self) -> bool:
        """Say whether there was a market record yet."""
        return self._newest_ns > 0

    def silent_ns(self) -> int:
        """Return how long ago the last sign of life was, by our clock."""
        return self._monotonic_ns() - self._ticked_ns

    def now_ns(self) -> int:
        """Return the account's time; 0 before the first market record."""
        if not self._newest_ns:
            return 0
        return self._newest_ns + min(self.silent_ns(), PROGRESS_NS_MAX)
