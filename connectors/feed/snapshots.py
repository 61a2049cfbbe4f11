"""Snapshots: depth answers over REST, off the hot path, within the venue's weight budget.

Each market has one budget for this process. It believes the venue's own count
(``X-MBX-USED-WEIGHT-1M``) over its own, waits out ``Retry-After`` on 429, and on 418 (a ban) stops
asking for as long as it is told.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import aiohttp
import msgspec

from genesis.connectors import logs, metrics
from genesis.connectors.feed.gaps import Stream
from genesis.connectors.feed.messages import BadValue
from genesis.connectors.feed.venue import VenueAdapter
from genesis.operators.records import Market

WEIGHTS = {Market.SPOT: 50, Market.USDM: 20, Market.COINM: 20}
"""What a request for 1,000 levels costs."""

WEIGHT_PER_MINUTE = {Market.SPOT: 4_800, Market.USDM: 1_920, Market.COINM: 1_920}
"""80 % of what an address may use a minute; the rest is for orders."""

AT_ONCE = 4
"""Requests of one market under way at the same time."""

TIMEOUT_S = 60.0
"""A replay answers when it has reached the snapshot."""

PAUSE_FIRST_S = 0.25
PAUSE_MOST_S = 30.0

RETRY_AFTER_DEFAULT_S = 60.0
"""When the venue says 429 or 418 without saying for how long."""

RECV_HEADER = "X-Genesis-Recv-Ns"


class Budget:
    """Request weight in the present minute, and until when nothing may be asked.

    Examples
    --------
    >>> budget = Budget(weight=50, per_minute=100)
    >>> budget.wait_s(120.0), budget.wait_s(121.0), budget.wait_s(122.0)
    (0.0, 0.0, 58.0)
    >>> budget.close("7", 180.0)
    7.0
    >>> budget.wait_s(181.0), budget.wait_s(187.0)
    (6.0, 0.0)
    """

    def __init__(self, weight: int, per_minute: int) -> None:
        self.used = 0
        self._weight, self._per_minute = weight, per_minute
        self._minute = 0
        self._closed_until_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait before a request; 0 takes it."""
        minute = int(now_s // 60)
        if minute != self._minute:
            self._minute, self.used = minute, 0
        if now_s < self._closed_until_s:
            return self._closed_until_s - now_s
        if self.used + self._weight > self._per_minute:
            return (minute + 1) * 60 - now_s
        self.used += self._weight
        return 0.0

    def heard(self, used: str | None) -> None:
        """Believe the venue's count."""
        if used and used.isdigit():
            self.used = max(self.used, int(used))

    def close(self, retry_after: str | None, now_s: float) -> float:
        """Ask nothing for as long as the venue says; return that time."""
        try:
            pause_s = float(retry_after or RETRY_AFTER_DEFAULT_S)
        except ValueError:
            pause_s = RETRY_AFTER_DEFAULT_S
        self._closed_until_s = max(self._closed_until_s, now_s + pause_s)
        return pause_s


class SnapshotRefused(Exception):
    """The venue did not give the snapshot; the message says what it answered."""


class Wanting(Protocol):
    """What a snapshot is fetched for: a book, or a recording."""

    symbol: str
    stream: Stream


W = TypeVar("W", bound=Wanting)

Deliver = Callable[[W, bytes, int], bool]
"""Called with (who asked, the answer, recv_ns or 0); False when the snapshot is too old."""


class Snapshots(Generic[W]):
    """Fetches snapshots for books that ask, and hands them over in the event loop.

    Parameters
    ----------
    adapter
        Knows where snapshots are.
    session
        For the requests.
    jitter
        Source of random pauses.
    deliver
        Takes a snapshot.
    """

    def __init__(
        self,
        adapter: VenueAdapter,
        session: aiohttp.ClientSession,
        jitter: random.Random,
        deliver: Deliver[W],
    ) -> None:
        self._adapter, self._session, self._jitter, self._deliver = adapter, session, jitter, deliver
        self._budgets = {market: Budget(WEIGHTS[market], WEIGHT_PER_MINUTE[market]) for market in Market}
        self._slots = {market: asyncio.Semaphore(AT_ONCE) for market in Market}
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = logs.get("snapshots")

    def ask(self, book: W) -> None:
        """Begin to fetch a book's snapshot, until there is one that joins its diffs."""
        task = asyncio.get_running_loop().create_task(self._fetch(book))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fetch(self, book: W) -> None:
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                async with self._slots[book.stream.market]:
                    snapshot, recv_ns = await self._get(book)
                if self._deliver(book, snapshot, recv_ns):
                    metrics.FEED_SNAPSHOTS.labels("used").inc()
                    return
                metrics.FEED_SNAPSHOTS.labels("too_old").inc()
            except (
                OSError,
                aiohttp.ClientError,
                TimeoutError,
                msgspec.MsgspecError,
                BadValue,
                SnapshotRefused,
            ) as error:
                metrics.FEED_SNAPSHOTS.labels("failed").inc()
                self._log.warning("no snapshot", stream=book.stream.text, error=str(error) or repr(error))
            await asyncio.sleep(pause_s * self._jitter.uniform(0.5, 1.5))
            pause_s = min(2 * pause_s, PAUSE_MOST_S)

    async def _get(self, book: W) -> tuple[bytes, int]:
        market = book.stream.market
        budget = self._budgets[market]
        while wait_s := budget.wait_s(time.time()):  # noqa: ASYNC110 - it is a time that is waited for
            await asyncio.sleep(wait_s)
        url = self._adapter.snapshot_url(market, book.symbol)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._session.get(url, allow_redirects=False, timeout=timeout) as answer:
            budget.heard(answer.headers.get("X-MBX-USED-WEIGHT-1M"))
            metrics.FEED_WEIGHT.labels(market.name.lower()).set(budget.used)
            if answer.status in (418, 429):
                metrics.FEED_THROTTLED.labels(str(answer.status)).inc()
                pause_s = budget.close(answer.headers.get("Retry-After"), time.time())
                raise SnapshotRefused(f"status {answer.status}: nothing is asked for {pause_s:.0f} s")
            body = await answer.read()
            if answer.status != 200:
                raise SnapshotRefused(f"status {answer.status}: {body[:200].decode(errors='replace')}")
            recv_ns = int(answer.headers.get(RECV_HEADER, 0))
        return body, recv_ns
