"""Recording: a live feed written as it comes, in the format that the simulator replays.

One gzip file an instrument, one message a line: ``<recv_ns> <json>``, where the JSON is the frame of
the combined stream exactly as received, or the bare answer of the depth request. Times never fall
within a file. Each stretch of diffs without a hole has a snapshot that joins it.
"""

import asyncio
import gzip
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import numpy as np

from genesis.connectors import logs
from genesis.connectors.feed import messages
from genesis.connectors.feed.connection import Connection, Events, Shared
from genesis.connectors.feed.gaps import Stream
from genesis.connectors.feed.limits import Limits
from genesis.connectors.feed.main import learn_offer
from genesis.connectors.feed.snapshots import Snapshots
from genesis.connectors.feed.venue import Address, FeedError, VenueAdapter
from genesis.connectors.feed.websocket import ConnectBudget
from genesis.connectors.settings import Settings
from genesis.operators.order_book import BookSync, Diff, Verdict
from genesis.operators.records import GapReason, Market, StreamKind

_NO_LEVELS = np.empty((0, 2))


class RecordingWriter:
    """One recording being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._recv_ns = 0
        self._file = gzip.open(path, "xb", compresslevel=6)  # noqa: SIM115 - closed by close()

    def write(self, recv_ns: int, body: bytes) -> None:
        """Write one line; a time before the line above becomes that line's."""
        self._recv_ns = max(recv_ns, self._recv_ns)
        self._file.write(b"%d %b\n" % (self._recv_ns, body))
        self.lines += 1

    def insert(self, body: bytes) -> None:
        """Write a line that came another way, with the time of the line above: order is what counts."""
        self.write(self._recv_ns, body)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class Reel:
    """What is recorded of one instrument.

    Attributes
    ----------
    symbol, stream
        The instrument, and its stream of diffs.
    repeats
        Messages that had come before, while a socket was being replaced.
    """

    def __init__(self, market: Market, symbol: str, writer: RecordingWriter) -> None:
        self.symbol = symbol
        self.stream = Stream(market, symbol.encode(), StreamKind.BOOK)
        self.writer = writer
        self.sync = BookSync()
        self.is_asked = False
        self.repeats = 0
        self._newest_ids: dict[str, int] = {}

    def is_repeat(self, kind: str, number: int) -> bool:
        """Say whether a trade or an update was recorded before, and remember the newest."""
        if number <= self._newest_ids.get(kind, -1):
            self.repeats += 1
            return True
        self._newest_ids[kind] = number
        return False

    def has_seen(self, kind: str, number: int) -> bool:
        """Say whether a trade or an update was recorded before."""
        return number <= self._newest_ids.get(kind, -1)

    def joins(self, snapshot: messages.SnapshotData) -> bool:
        """Say whether a snapshot joins the diffs since the last hole; if not, another is needed."""
        found = self.sync.on_snapshot(snapshot.lastUpdateId)
        if found is None:
            return False
        for diff in found[0]:
            if self.sync.on_diff(diff) is Verdict.GAP:
                self.sync.restart()
                self.sync.on_diff(diff)
        self.is_asked = not self.sync.synced
        return self.sync.synced

    def needs_snapshot(self, data: messages.DiffData) -> bool:
        """Take note of a diff; say whether a snapshot must be fetched for it."""
        chained = data.pu >= 0
        previous_id = data.pu if chained else data.U - 1
        diff = Diff(previous_id, data.u, chained, 0, 0, 0, _NO_LEVELS, _NO_LEVELS)
        verdict = self.sync.on_diff(diff)
        if verdict is Verdict.GAP:
            self.sync.restart()
            verdict = self.sync.on_diff(diff)
        wanted = verdict is Verdict.WAITS and not self.is_asked
        self.is_asked = self.is_asked or wanted
        return wanted


class _Numbers(msgspec.Struct):
    t: int = -1
    u: int = -1


_decode_numbers = msgspec.json.Decoder(_Numbers).decode


class Tape:
    """Takes the messages of one connection; to the connection it looks as the feed's ingest does."""

    def __init__(self, market: Market, reels: dict[str, Reel], ask: Callable[[Reel], None]) -> None:
        self.market = market
        self.reels = reels
        self.recv_ns = 0
        self.count = 0
        self.unwritten = 0
        self.ended: messages.EndData | None = None
        self.shutdown_announced = False
        self._ask = ask

    def on_message(self, raw: bytes, recv_ns: int) -> None:
        """Write one message; what is of no followed stream is counted and left out."""
        try:
            wrapper = messages.decode_wrapper(raw)
            symbol, _, kind = wrapper.stream.partition("@")
            reel = self.reels.get(symbol.upper())
            if reel is None:
                self._on_other(wrapper)
                return
            numbers = _decode_numbers(wrapper.data)
        except msgspec.MsgspecError:
            self.unwritten += 1
            return
        if wrapper.recv_ns:
            recv_ns = wrapper.recv_ns
            raw = b'{"stream":"%b","data":%b}' % (wrapper.stream.encode(), bytes(wrapper.data))
        self.recv_ns = recv_ns
        kind = kind.partition("@")[0]
        if reel.is_repeat(kind, numbers.t if kind == "trade" else numbers.u):
            return
        reel.writer.write(recv_ns, raw)
        self.count += 1
        if kind == "depth" and reel.needs_snapshot(messages.decode_diff(wrapper.data)):
            self._ask(reel)

    def has_seen(self, raw: bytes) -> bool:
        """Say whether this message, of another socket, has been recorded."""
        try:
            wrapper = messages.decode_wrapper(raw)
            numbers = _decode_numbers(wrapper.data)
        except msgspec.MsgspecError:
            return True
        symbol, _, kind = wrapper.stream.partition("@")
        kind = kind.partition("@")[0]
        reel = self.reels.get(symbol.upper())
        return reel is None or reel.has_seen(kind, numbers.t if kind == "trade" else numbers.u)

    def _on_other(self, wrapper: messages.Wrapper) -> None:
        if wrapper.stream == "genesis@end":
            self.ended = messages.decode_end(wrapper.data)
        elif wrapper.data and messages.decode_event(wrapper.data).e == "serverShutdown":
            self.shutdown_announced = True
        else:
            self.unwritten += 1


class Recorder:
    """Records what a venue sends.

    Parameters
    ----------
    settings
        What to follow.
    adapter
        The venue.
    session
        For all that goes to it.
    target
        A folder, or for a single instrument a file that does not exist yet.
    """

    def __init__(
        self, settings: Settings, adapter: VenueAdapter, session: aiohttp.ClientSession, target: Path
    ) -> None:
        self.reels: list[Reel] = []
        self.connections: list[Connection[Tape]] = []
        self._settings, self._adapter, self._session, self._target = settings, adapter, session, target
        self._jitter = random.Random(time.time_ns())
        self._snapshots = Snapshots[Reel](adapter, session, self._jitter, self._on_snapshot)
        self._began = datetime.now(UTC)
        self._log = logs.get("record")

    @property
    def messages_total(self) -> int:
        """Lines written so far."""
        return sum(reel.writer.lines for reel in self.reels)

    @property
    def bytes_total(self) -> int:
        """Size of the files so far, bytes."""
        paths = [reel.writer.path for reel in self.reels]
        return sum(path.stat().st_size for path in paths if path.exists())

    async def prepare(self) -> None:
        """Open the files and find the streams.

        Raises
        ------
        FeedError
            When there is nothing to record, or a file is there already.
        """
        chosen: dict[Market, tuple[str, ...]] = {}
        for market in self._adapter.markets():
            offer = await learn_offer(self._settings, self._adapter, self._session, market)
            if offer is not None:
                chosen[market] = self._adapter.chosen(market, offer)
        total = sum(map(len, chosen.values()))
        if not total:
            raise FeedError("the venue offers nothing to record")
        limits = Limits()
        budget = ConnectBudget(limits.connects, limits.connects_window_s)
        shared = Shared(self._session, budget, self._jitter, limits, self._adapter.is_replay)
        for market, symbols in chosen.items():
            reels = {symbol: self._reel(market, symbol, alone=total == 1) for symbol in symbols}
            for number, address in enumerate(self._adapter.addresses(market, symbols) if symbols else []):
                self._connect(f"{market.name.lower()}-{number}", market, address, reels, shared)

    async def run(self, stopping: asyncio.Event) -> None:
        """Record until ``stopping`` is set, or a replay has ended; then finish the files."""
        reading = asyncio.create_task(self._read())
        stop = asyncio.create_task(stopping.wait())
        tasks: list[asyncio.Task[Any]] = [reading, stop]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._snapshots.close()
            self.close()

    def close(self) -> None:
        """Finish the files; one without a line is removed."""
        for reel in self.reels:
            reel.writer.close()
            if not reel.writer.lines:
                reel.writer.path.unlink()

    async def _read(self) -> None:
        await asyncio.gather(*(connection.run() for connection in self.connections))

    def _reel(self, market: Market, symbol: str, *, alone: bool) -> Reel:
        path = self._target
        if not (alone and path.suffix):
            path.mkdir(parents=True, exist_ok=True)
            began = self._began.strftime("%Y%m%d_%H%M%S")
            path /= f"binance_{market.name.lower()}_{symbol.lower()}_{began}.txt.gz"
        try:
            writer = RecordingWriter(path)
        except FileExistsError:
            raise FeedError(f"{path} is there already; choose another --out") from None
        reel = Reel(market, symbol, writer)
        self.reels.append(reel)
        return reel

    def _connect(
        self, name: str, market: Market, address: Address, reels: dict[str, Reel], shared: Shared
    ) -> None:
        tape = Tape(market, {symbol: reels[symbol] for symbol in address.symbols}, self._snapshots.ask)
        events = Events(
            self._on_broken,
            _nothing,
            is_due=_never,
            drained=_at_once,
            settled=self._settled,
            is_blocked=_never,
        )
        self.connections.append(Connection(name, address, tape, events, shared))

    def _on_broken(self, connection: "Connection[Tape]", reason: GapReason) -> None:
        self._log.warning("connection broken", connection=connection.name, reason=reason.name.lower())
        for reel in connection.ingest.reels.values():
            reel.sync.restart()

    def _on_snapshot(self, reel: Reel, body: bytes, _recv_ns: int) -> bool:
        if not reel.joins(messages.decode_snapshot(body)):
            return False
        reel.writer.insert(body.strip())
        return True

    async def _settled(self, connection: "Connection[Tape]") -> None:
        """Wait for snapshots that are on their way, at the end of a replay."""
        started_s = time.monotonic()
        reels = connection.ingest.reels.values()
        while any(reel.is_asked for reel in reels):
            await asyncio.sleep(0.01)
            if time.monotonic() - started_s > Limits().last_snapshots_s:
                return


def _nothing(_connection: object) -> None:
    """Do nothing."""


def _never() -> bool:
    return False


async def _at_once() -> None:
    """Wait for nothing: a file takes what it is given."""
