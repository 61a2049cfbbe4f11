"""One logical connection: a socket that is replaced before it is cut, and opened again when it breaks.

*Make before break.* When a cut is announced (``serverShutdown``), due (24 h), or suspected (silence),
a second socket is opened; once it delivers, the first is closed. Both feed the same fold, which drops
what comes twice. When a socket breaks by itself, the next is opened after a pause that grows, with
jitter, within the venue's budget of connects.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

import websockets
from cryptofeed.connection import AsyncConnection, WSAsyncConn

from genesis.connectors import logs, metrics
from genesis.connectors.feed.ingest import Ingest
from genesis.operators.records import GapReason

LIFE_S = 23.5 * 3_600
"""A socket is replaced after so long; the venue cuts it after 24 h."""

SILENCE_S = 15.0
"""Without any message for so long a socket is taken for dead, though it is open."""

OPEN_TIMEOUT_S = 10.0
PAUSE_FIRST_S = 0.2
PAUSE_MOST_S = 60.0
STEADY_S = 30.0
"""After so long with messages the pause before the next connect begins small again."""

CONNECTS_MAX, CONNECTS_WINDOW_S = 240, 300.0
"""80 % of the 300 connects that an address may make in 5 minutes."""

PING_EVERY_S, PONG_WITHIN_S = 20.0, 60.0
QUEUE_MESSAGES = 1_024
"""Messages that the socket may hold before it stops reading: back-pressure reaches the venue."""

READ_AT_ONCE = 256
"""Messages that are read before other tasks get a turn."""


class Socket(WSAsyncConn):
    """cryptofeed's websocket, for ws:// on this machine too, bounded, reading bytes."""

    def __init__(self, address: str, name: str, headers: dict[str, str]) -> None:
        AsyncConnection.__init__(self, f"{name}.{self.conn_count}")
        self.address = address
        self.raw_data_callback = None
        self.ws_kwargs = {
            "additional_headers": headers,
            "compression": None if address.startswith("ws://") else "deflate",
            "max_size": 16_000_000,
            "max_queue": QUEUE_MESSAGES,
            "ping_interval": PING_EVERY_S,
            "ping_timeout": PONG_WITHIN_S,
            "open_timeout": OPEN_TIMEOUT_S,
            "close_timeout": 1.0,
            "proxy": None if address.startswith("ws://") else True,
        }

    async def receive(self) -> bytes:
        """Return the next message."""
        message: bytes = await self.conn.recv(decode=False)
        self.received += 1
        return message


class ConnectBudget:
    """The venue's budget of connects, shared by all connections of this process."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    async def take(self) -> None:
        """Wait until one more connect is allowed."""
        while True:
            now_s = time.monotonic()
            while self._times and now_s - self._times[0] > CONNECTS_WINDOW_S:
                self._times.popleft()
            if len(self._times) < CONNECTS_MAX:
                self._times.append(now_s)
                return
            await asyncio.sleep(self._times[0] + CONNECTS_WINDOW_S - now_s)


class Events:
    """What a connection tells the feed."""

    def __init__(
        self,
        broken: Callable[["Connection", GapReason], None],
        resumed: Callable[["Connection"], None],
        drained: Callable[[], Awaitable[None]],
        due: Callable[[], bool],
    ) -> None:
        self.broken, self.resumed, self.drained, self.due = broken, resumed, drained, due


class Connection:
    """A logical connection. Run it with ``run``; it ends when a replay ends or the feed stops."""

    def __init__(
        self,
        name: str,
        address: str,
        ingest: Ingest,
        events: Events,
        shared: tuple[ConnectBudget, random.Random, dict[str, str]],
    ) -> None:
        self.name, self.address, self.ingest = name, address, ingest
        self.up = False
        self.connects = 0
        self.active: Socket | None = None
        self.silent = False
        self.replace_asked = False
        self._held_back = False
        self._events = events
        self._budget, self._random, self._headers = shared
        self._log = logs.get(name)

    async def run(self) -> None:
        """Keep the connection until the recording has ended."""
        pause_s = 0.0
        while self.ingest.ended is None:
            if pause_s:
                await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.5))
            started_s = time.monotonic()
            try:
                await self._live()
            except (OSError, AttributeError, websockets.WebSocketException) as error:
                self._log.warning("connection lost", error=str(error) or repr(error))
            if self._has_ended():
                return
            if self.up:
                self._go_down(GapReason.SILENCE if self.silent else GapReason.DISCONNECT)
            self.silent = False
            lived_s = time.monotonic() - started_s
            pause_s = (
                PAUSE_FIRST_S if lived_s > STEADY_S else min(max(2 * pause_s, PAUSE_FIRST_S), PAUSE_MOST_S)
            )

    def _has_ended(self) -> bool:
        """Say whether the recording has ended; a call, because messages change it between two looks."""
        return self.ingest.ended is not None

    def _go_down(self, reason: GapReason) -> None:
        self.up = False
        metrics.FEED_CONNECTIONS.dec()
        self._events.broken(self, reason)

    async def _open(self) -> Socket:
        await self._budget.take()
        metrics.FEED_CONNECTS.labels(self.ingest.market.name.lower()).inc()
        self.connects += 1
        socket = Socket(self.address, self.name, self._headers)
        await asyncio.wait_for(socket._open(), OPEN_TIMEOUT_S)  # noqa: SLF001 - it is our base class
        return socket

    async def _live(self) -> None:
        """Read from one socket after the other, each replaced before it is cut."""
        current = await self._open()
        watchdog = asyncio.create_task(self._watch())
        try:
            while self.ingest.ended is None:
                self.active = current
                following = await self._read(current)
                if following is None:
                    return
                await current.close()
                current = following
        finally:
            watchdog.cancel()
            self.active = None
            await current.close()

    async def _watch(self) -> None:
        """Close a socket that is open and silent; its reader then notices."""
        seen, since_s = -1, time.monotonic()
        while True:
            await asyncio.sleep(SILENCE_S / 10)
            socket, now_s = self.active, time.monotonic()
            count = socket.received if socket is not None else -1
            if count != seen or self._held_back:
                seen, since_s = count, now_s
            elif socket is not None and now_s - since_s > SILENCE_S:
                self._log.warning("silent", seconds=round(now_s - since_s, 1))
                self.silent = True
                await socket.close()
                since_s = now_s

    async def _read(self, socket: Socket) -> Socket | None:
        """Read until the end (None), or until another socket delivers and takes over."""
        born_s = time.monotonic()
        standby: asyncio.Task[tuple[Socket, bytes]] | None = None
        try:
            while self.ingest.ended is None:
                for _ in range(READ_AT_ONCE):
                    self._take(await socket.receive())
                    if self._events.due():
                        self._held_back = True
                        await self._events.drained()
                        self._held_back = False
                    if self._has_ended():
                        return None
                await asyncio.sleep(0)
                old = time.monotonic() - born_s > LIFE_S
                if standby is None and (old or self.ingest.shutdown_announced or self.replace_asked):
                    self.ingest.shutdown_announced = self.replace_asked = False
                    standby = asyncio.create_task(self._first_of_another())
                if standby is not None and standby.done():
                    following, raw = standby.result()
                    standby = None
                    self._take(raw)
                    return following
            return None
        except (OSError, AttributeError, websockets.WebSocketException):
            if standby is None:
                raise
            following, raw = await standby
            standby = None
            self._take(raw)
            return following
        finally:
            if standby is not None:
                standby.cancel()

    async def _first_of_another(self) -> tuple[Socket, bytes]:
        socket = await self._open()
        return socket, await socket.receive()

    def _take(self, raw: bytes) -> None:
        self.ingest.on_message(raw, time.time_ns())
        if not self.up:
            self.up = True
            metrics.FEED_CONNECTIONS.inc()
            self._events.resumed(self)
