"""Snapshots: depth answers over REST, off the hot path, within the venue's weight budget.

All requests of this process share one budget. It believes the venue's own count
(``X-MBX-USED-WEIGHT-1M``) over its own, waits out ``Retry-After`` on 429, and on 418 (a ban) stops
asking for as long as it is told.
"""

import asyncio
import random
import time
from collections.abc import Callable
from urllib.parse import urlencode

import aiohttp
import msgspec

from genesis.connectors import logs, metrics
from genesis.connectors.feed import messages
from genesis.connectors.feed.books import Book
from genesis.connectors.feed.venue import Endpoint

LIMIT = 1_000
"""Levels a side that are asked for."""

WEIGHT = 50
"""What such a request costs."""

WEIGHT_PER_MINUTE = 4_800
"""80 % of the 6,000 that an address may use a minute; the rest is for orders."""

AT_ONCE = 4
"""Requests under way at the same time."""

TIMEOUT_S = 60.0
"""A replay answers when it has reached the snapshot."""

PAUSE_FIRST_S = 0.25
PAUSE_MOST_S = 30.0

RETRY_AFTER_DEFAULT_S = 60.0
"""When the venue says 429 or 418 without saying for how long."""

RECV_HEADER = "X-Genesis-Recv-Ns"


class Budget:
    """Request weight in the present minute, and until when nothing may be asked."""

    def __init__(self) -> None:
        self.used = 0
        self.minute = 0
        self.closed_until_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait before a request of WEIGHT; 0 takes it."""
        minute = int(now_s // 60)
        if minute != self.minute:
            self.minute, self.used = minute, 0
        if now_s < self.closed_until_s:
            return self.closed_until_s - now_s
        if self.used + WEIGHT > WEIGHT_PER_MINUTE:
            return (minute + 1) * 60 - now_s
        self.used += WEIGHT
        return 0.0

    def heard(self, used: str | None) -> None:
        """Believe the venue's count."""
        if used and used.isdigit():
            self.used = max(self.used, int(used))
            metrics.FEED_WEIGHT.set(self.used)

    def close(self, retry_after: str | None, now_s: float) -> float:
        """Ask nothing for as long as the venue says; return that time."""
        try:
            pause_s = float(retry_after or RETRY_AFTER_DEFAULT_S)
        except ValueError:
            pause_s = RETRY_AFTER_DEFAULT_S
        self.closed_until_s = max(self.closed_until_s, now_s + pause_s)
        return pause_s


class Refused(Exception):
    """The venue did not give the snapshot."""


class Snapshots:
    """Fetches snapshots for books that ask, and hands them over.

    Parameters
    ----------
    deliver
        Called in the event loop with (book, snapshot, recv_ns or 0); returns False when the snapshot is
        too old and another is needed.
    """

    def __init__(
        self,
        deliver: Callable[[Book, messages.SnapshotData, int], bool],
        random_source: random.Random,
        headers: dict[str, str],
    ) -> None:
        self.budget = Budget()
        self._deliver, self._random, self._headers = deliver, random_source, headers
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None
        self._log = logs.get("snapshots")

    async def wait(self, timeout_s: float) -> None:
        """Wait until no book waits for a snapshot, at most so long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    def ask(self, where: Endpoint, book: Book) -> None:
        """Begin to fetch a book's snapshot, until there is one that joins its diffs."""
        task = asyncio.get_running_loop().create_task(self._fetch(where, book))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in list(self._tasks):
            task.cancel()
        if self._session is not None:
            await self._session.close()

    async def _fetch(self, where: Endpoint, book: Book) -> None:
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                async with self._slots:
                    snapshot, recv_ns = await self._get(where, book.stream.symbol.decode())
            except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, Refused) as error:
                metrics.FEED_SNAPSHOTS.labels("failed").inc()
                self._log.warning("no snapshot", symbol=book.stream.text, error=str(error) or repr(error))
            else:
                if self._deliver(book, snapshot, recv_ns):
                    metrics.FEED_SNAPSHOTS.labels("used").inc()
                    return
                book.asked = True
                metrics.FEED_SNAPSHOTS.labels("too_old").inc()
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.5))
            pause_s = min(2 * pause_s, PAUSE_MOST_S)

    async def _get(self, where: Endpoint, symbol: str) -> tuple[messages.SnapshotData, int]:
        while wait_s := self.budget.wait_s(time.time()):  # noqa: ASYNC110 - a time is waited for
            await asyncio.sleep(wait_s)
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        query = urlencode({"symbol": symbol, "limit": LIMIT})
        async with self._session.get(f"{where.depth}?{query}", allow_redirects=False) as answer:
            self.budget.heard(answer.headers.get("X-MBX-USED-WEIGHT-1M"))
            if answer.status in (418, 429):
                pause_s = self.budget.close(answer.headers.get("Retry-After"), time.time())
                raise Refused(f"status {answer.status}: nothing is asked for {pause_s:.0f} s")
            body = await answer.read()
            if answer.status != 200:
                raise Refused(f"status {answer.status}: {body[:200].decode(errors='replace')}")
            recv_ns = int(answer.headers.get(RECV_HEADER, 0))
        return messages.decode_snapshot(body), recv_ns
