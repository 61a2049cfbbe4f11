"""The recorder: what the venue sends, as it came, in files that the simulator plays again.

One gzip file an instrument, one message a line, ``<recv_ns> <message>``: combined-stream messages
verbatim, and the depth answer of each connection bare. Receive times never fall within a file. When
a connection breaks it is opened again, and the hole stays visible in the ids.
"""

import asyncio
import gzip
import re
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import NamedTuple

import aiohttp

from genesis.connectors import logs
from genesis.connectors.feed.binance import BinanceAdapter
from genesis.connectors.feed.limits import Limits
from genesis.connectors.feed.main import learn_offer
from genesis.connectors.feed.snapshots import RECV_HEADER
from genesis.connectors.feed.venue import Address, FeedError
from genesis.connectors.feed.websocket import ConnectBudget, SocketClosed, connect, new_session
from genesis.connectors.settings import Settings
from genesis.operators.records import Market

HANDED_TIME = re.compile(rb',"recv_ns":(\d+)\}$')
"""What a replay adds to a message: when it was received at first."""

STREAM_NAME = re.compile(rb'^\{"stream":"([^@"]+)@([^"]+)"')

PAUSE_S = 1.0
"""Pause before a broken connection is opened again."""


class Progress(NamedTuple):
    """How far a recording is."""

    messages: int
    files: int
    has_ended: bool


class _File:
    """The recording of one instrument."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.newest_ns = 0
        self._file = gzip.open(path, "wb", compresslevel=3)  # noqa: SIM115 - closed by ``close``

    def write(self, recv_ns: int, message: bytes) -> None:
        self.newest_ns = max(self.newest_ns, recv_ns)
        self._file.write(b"%d %s\n" % (self.newest_ns, message))

    def close(self) -> None:
        self._file.close()


class Recorder:
    """Records all instruments that the settings name, or that the venue offers.

    Parameters
    ----------
    settings
        Which venue and which instruments.
    folder
        Where the files go; made if it is not there.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._adapter = BinanceAdapter(settings)
        limits = Limits()
        self._budget = ConnectBudget(limits.connects, limits.connects_window_s)
        self._ping_s = None if self._adapter.is_replay else limits.ping_s
        self._files: dict[tuple[Market, str], _File] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._day = time.strftime("%Y%m%d", time.gmtime())
        self._messages = 0
        self._ended = 0
        self._connections = 0
        self._log = logs.get("recorder")

    @property
    def progress(self) -> Progress:
        """How far it is."""
        ended = self._connections > 0 and self._ended == self._connections
        return Progress(self._messages, len(self._files), ended)

    @property
    def paths(self) -> list[Path]:
        """The files that have been written."""
        return sorted(file.path for file in self._files.values())

    async def run(self, stop: asyncio.Event, beat: Callable[[Progress], None]) -> None:
        """Record until ``stop`` is set or a replay ends; ``beat`` is called every second.

        Raises
        ------
        FeedError
            When there is nothing to record, or an instrument does not exist.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        async with new_session(self._adapter.hosts, self._adapter.headers) as session:
            await self._begin(session)
            try:
                while not stop.is_set() and not self.progress.has_ended:
                    await asyncio.wait([asyncio.create_task(stop.wait())], timeout=1.0)
                    beat(self.progress)
                    for task in [task for task in self._tasks if task.done()]:
                        self._tasks.discard(task)
                        task.result()
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                for file in self._files.values():
                    file.close()

    async def _begin(self, session: aiohttp.ClientSession) -> None:
        for market in self._adapter.markets():
            offer = await learn_offer(self._settings, self._adapter, session, market)
            symbols = self._adapter.chosen(market, offer) if offer is not None else ()
            for address in self._adapter.addresses(market, symbols) if symbols else []:
                self._connections += 1
                self._start(self._record(session, market, address))
        if not self._connections:
            raise FeedError("the venue offers nothing to record")

    def _start(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(work))

    async def _record(self, session: aiohttp.ClientSession, market: Market, address: Address) -> None:
        """Record one connection, opened again when it breaks."""
        while True:
            await self._budget.take()
            asked: set[str] = set()
            try:
                socket = await connect(session, address.url, self._ping_s)
                while True:
                    raw = await socket.receive()
                    if raw.startswith(b'{"stream":"genesis@end"'):
                        self._ended += 1
                        return
                    self._keep(session, market, (raw, socket.recv_ns), asked)
            except (SocketClosed, aiohttp.ClientError, OSError) as error:
                self._log.warning("connection lost", market=market.name.lower(), error=str(error))
            await asyncio.sleep(PAUSE_S)

    def _keep(
        self, session: aiohttp.ClientSession, market: Market, message: tuple[bytes, int], asked: set[str]
    ) -> None:
        raw, recv_ns = message
        named = STREAM_NAME.match(raw)
        if named is None:
            return
        if handed := HANDED_TIME.search(raw):
            recv_ns, raw = int(handed[1]), raw[: handed.start()] + b"}"
        symbol = named[1].decode().upper()
        self._file(market, symbol).write(recv_ns, raw)
        self._messages += 1
        if named[2].startswith(b"depth") and symbol not in asked:
            asked.add(symbol)
            self._start(self._snapshot(session, market, symbol))

    def _file(self, market: Market, symbol: str) -> _File:
        key = (market, symbol)
        if key not in self._files:
            stem = f"binance_{market.name.lower()}_{symbol.lower()}_{self._day}"
            path = self._folder / f"{stem}.txt.gz"
            number = 1
            while path.exists():
                number += 1
                path = self._folder / f"{stem}_{number}.txt.gz"
            self._files[key] = _File(path)
        return self._files[key]

    async def _snapshot(self, session: aiohttp.ClientSession, market: Market, symbol: str) -> None:
        """Record the order book that the diffs begin from."""
        while True:
            try:
                async with session.get(self._adapter.snapshot_url(market, symbol)) as answer:
                    body = await answer.read()
                    if answer.status == 200:
                        recv_ns = int(answer.headers.get(RECV_HEADER, 0)) or time.time_ns()
                        self._file(market, symbol).write(recv_ns, body)
                        return
                    pause_s = float(answer.headers.get("Retry-After", PAUSE_S))
            except (aiohttp.ClientError, OSError, ValueError):
                pause_s = PAUSE_S
            await asyncio.sleep(pause_s)
