"""Feed throughput on one core: recorded messages from a socket to frames, against cryptofeed's own path.

The simulated venue plays the four recordings from a process of its own as fast as it is read. What counts is
the processor time of the reading process, so the figures are those of one core whatever else runs.

*Feed*: websocket, decoding, repeats, gaps, clock, order books with 20 levels and three depths, frames.
*cryptofeed*: its connection class and its message handler with empty callbacks, on the same messages
(trades as ``aggTrade``, the only form it knows); it neither checks ids of trades and quotes, nor makes rows.
"""

import asyncio
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint, WSAsyncConn
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Binance, BinanceFutures
from cryptofeed.symbols import Symbols

from genesis.connectors import settings
from genesis.connectors.feed.binance import BinanceAdapter
from genesis.connectors.feed.feed import Feed
from genesis.connectors.feed.main import drive, prepare
from genesis.connectors.feed.warm import compile_kernels
from genesis.connectors.feed.websocket import new_session
from genesis.operators import topics
from genesis.operators.topics import Topic

RECORDINGS = Path(__file__).parent.parent.parent / "shared" / "data" / "raw_ws"
MESSAGES = 243_472
"""Stream messages of the four recordings; the other four lines are snapshots."""

REPEATS = 2

VENUE = """
import asyncio, sys
from genesis.connectors.venue.main import serve
from genesis.connectors.venue.server import VenueOptions
options = VenueOptions(port=0, replay=tuple(sys.argv[1:]))
asyncio.run(serve(options, lambda url, server: print(url, flush=True)))
"""


class Counter:
    """A producer that copies every frame, as the real one does, and counts."""

    def __init__(self) -> None:
        self.delivered_ns: dict[tuple[str, int], int] = {}
        self.rows = 0
        self.frames = 0

    def send(self, topic: Topic, _partition: int, rows: np.ndarray, _watermark_ns: int) -> None:
        """Take a frame; the view is made and taken, but holds no rows of its own."""
        row_count = len(rows.tobytes()) // rows.dtype.itemsize
        self.rows += row_count if topic in topics.TICKS else 0
        self.frames += 1

    def send_record(self, _topic: Topic, _record: msgspec.Struct) -> None:
        """Take a record."""

    def poll(self) -> None:
        """Have nothing to serve."""

    def flush(self, _timeout_s: float) -> int:
        """Have nothing to wait for."""
        return 0


@contextmanager
def venue() -> Iterator[str]:
    """Run the simulator over all recordings in a process of its own; give its address."""
    files = [str(path) for path in sorted(RECORDINGS.glob("*.txt.gz"))]
    process = subprocess.Popen([sys.executable, "-c", VENUE, *files], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


async def ours(url: str) -> float:
    """Return the processor time that the feed takes for the recordings, seconds."""
    with tempfile.TemporaryDirectory() as data:
        configured = settings.read(venue_url=url, data=Path(data))
        adapter = BinanceAdapter(configured)
        counter = Counter()
        async with new_session(adapter.hosts, adapter.headers) as session:
            feed = Feed(configured, adapter, counter, session)
            await prepare(feed, session)
            started_s = time.process_time()
            await drive(feed, session, asyncio.Event())
            taken_s = time.process_time() - started_s
    assert counter.rows == 51_252 + 172_198 + 20_008, f"{counter.rows} rows"
    return taken_s


def _cryptofeed(exchange: type[Any], url: str, prefix: str, path: str) -> Any:
    """Return cryptofeed's own feed of one market, with its addresses turned to the simulator."""

    class Redirected(exchange):  # type: ignore[misc]
        websocket_endpoints: ClassVar = [WebsocketEndpoint("wss://" + url.removeprefix("http://") + prefix)]
        rest_endpoints: ClassVar = [
            RestEndpoint(
                url, routes=Routes(f"{path}/exchangeInfo", l2book=path + "/depth?symbol={}&limit={}")
            )
        ]

    Symbols.clear()
    suffix = "-PERP" if exchange is BinanceFutures else ""
    return Redirected(
        symbols=[f"BTC-USDT{suffix}", f"ETH-USDT{suffix}"],
        channels=[TRADES, TICKER, L2_BOOK],
        depth_interval="100ms",
        config={"log": {"disabled": True}, "uvloop": False},
    )


async def theirs(url: str) -> float:
    """Return the processor time that cryptofeed takes for the same messages, seconds."""
    logging.disable(logging.WARNING)
    feeds = [
        _cryptofeed(Binance, url, "", "/api/v3"),
        _cryptofeed(BinanceFutures, url, "/usdm", "/fapi/v1"),
    ]
    seen = 0
    done = asyncio.Event()

    async def read(feed: Any) -> None:
        nonlocal seen
        connection: WSAsyncConn = feed.connect()[0][0]
        connection.address = connection.address.replace("wss://", "ws://")
        async with connection.connect():
            async for message in connection.read():
                await feed.message_handler(message, connection, connection.last_message)
                seen += 1
                if seen == MESSAGES:
                    done.set()

    started_s = time.process_time()
    reading = [asyncio.create_task(read(feed)) for feed in feeds]
    await asyncio.wait([*reading, asyncio.create_task(done.wait())], return_when=asyncio.FIRST_COMPLETED)
    taken_s = time.process_time() - started_s
    for task in reading:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    for feed in feeds:
        await feed.http_conn.close()
    logging.disable(logging.NOTSET)
    assert seen == MESSAGES, f"{seen} messages"
    return taken_s


def _best_hz(measure: Callable[[str], Awaitable[float]]) -> float:
    """Return messages a second of processor time, in the best of a few runs."""
    found = []
    for _ in range(REPEATS):
        with venue() as url:

            async def once(url: str = url) -> float:
                return await measure(url)

            found.append(MESSAGES / asyncio.run(once()))
    return max(found)


def run() -> list[dict[str, object]]:
    """Measure both on the same messages."""
    compile_kernels()
    feed_hz, cryptofeed_hz = _best_hz(ours), _best_hz(theirs)
    return [
        {
            "name": "feed, socket to frames (71 % quotes, 21 % trades, 8 % depth)",
            "value": feed_hz,
            "unit": "messages/s on one core",
            "baseline": cryptofeed_hz,
            "ratio": feed_hz / cryptofeed_hz,
        }
    ]


if __name__ == "__main__":
    print(run())
