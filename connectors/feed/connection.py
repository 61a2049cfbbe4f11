"""One logical connection: a socket that is replaced before it is cut, and opened again when it breaks.

*Make before break.* When a cut is announced (``serverShutdown``), due (24 h), or a single stream has
fallen silent, a second socket is opened. What it says is kept until the first socket has said the
first of it too: from there on the second has everything, so the first can go. Both feed the same fold,
which drops what comes twice. When a socket breaks by itself, the next is opened after a pause that
grows, with jitter, within the venue's budget of connects.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import aiohttp

from genesis.connectors import logs, metrics
from genesis.connectors.feed.limits import Limits
from genesis.connectors.feed.messages import EndData
from genesis.connectors.feed.venue import Address
from genesis.connectors.feed.websocket import ConnectBudget, Socket, connect
from genesis.operators.records import GapReason, Market

TURN_MESSAGES = 256
"""Messages that one socket may deliver before other tasks get a turn."""

LOOK_S = 0.25
OVERLAP_LOOK_S = 0.01
"""How often a connection is looked after: usually, and while a socket is being replaced."""

FAILURES = (OSError, aiohttp.ClientError, TimeoutError)
"""What opening and reading a socket may end with."""


class Taker(Protocol):
    """What takes the messages of a connection: the feed's ingest, or a recording.

    Attributes
    ----------
    market
        Market of the connection.
    recv_ns
        Receive time of the newest message.
    ended
        The last message of a replay, once it has come.
    shutdown_announced
        Set when the venue has said that it will close the connection.
    """

    market: Market
    recv_ns: int
    ended: EndData | None
    shutdown_announced: bool

    def on_message(self, raw: bytes, recv_ns: int) -> None:
        """Take one message."""

    def has_seen(self, raw: bytes) -> bool:
        """Say whether this message, of another socket, brings nothing new."""


T = TypeVar("T", bound=Taker)


@dataclass(frozen=True)
class Shared:
    """What all connections of a process have in common.

    Parameters
    ----------
    session
        For the handshakes.
    budget
        Of connects.
    jitter
        Source of random pauses.
    limits
        Bounds and pauses.
    is_replay
        Whether the venue is a simulator, which waits for its clients.
    """

    session: aiohttp.ClientSession
    budget: ConnectBudget
    jitter: random.Random
    limits: Limits
    is_replay: bool


@dataclass(frozen=True)
class Events:
    """What a connection tells the feed, and asks it.

    Parameters
    ----------
    broken
        It has no socket any more, and why.
    resumed
        Its socket has delivered; called before its first message is taken in.
    is_due
        Whether the feed must send before more is read.
    drained
        Waits until it has.
    settled
        Waits, at the end of a replay, until what it has brought is complete.
    is_blocked
        Whether the feed is waiting for the broker, so that nobody can be blamed for silence.
    """

    broken: Callable[[Any, GapReason], None]
    resumed: Callable[[Any], None]
    is_due: Callable[[], bool]
    drained: Callable[[], Awaitable[None]]
    settled: Callable[[Any], Awaitable[None]]
    is_blocked: Callable[[], bool]


class Pump:
    """Reads one socket to its end: into the fold, or while it stands by into a buffer."""

    def __init__(self, socket: Socket, connection: "Connection[Any]") -> None:
        self.socket = socket
        self.born_s = self.heard_s = time.monotonic()
        self.kept: deque[tuple[bytes, int]] = deque()
        self.is_active = False
        self.looked_at = 0
        self._room = asyncio.Event()
        self._connection = connection
        self.task = asyncio.create_task(self._run())

    def activate(self) -> None:
        """Take in what was kept, and from now on everything."""
        while self.kept:
            self._connection.take(*self.kept.popleft())
        self.is_active = True
        self._room.set()

    async def end(self) -> None:
        """Stop reading and close the socket."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.socket.close()

    @property
    def failure(self) -> str:
        """Why it ended, for the log."""
        error = None if self.task.cancelled() else self.task.exception()
        return str(error) or repr(error)

    async def _run(self) -> None:
        socket, connection = self.socket, self._connection
        receive, take = socket.receive, connection.take
        is_due, drained = connection.events.is_due, connection.events.drained
        while not connection.has_ended():
            for _ in range(TURN_MESSAGES):
                raw = await receive()
                if not self.is_active:
                    await self._keep(raw)
                    continue
                take(raw, socket.recv_ns)
                if is_due():
                    await drained()
                if connection.has_ended():
                    return
            await asyncio.sleep(0)

    async def _keep(self, raw: bytes) -> None:
        self.kept.append((raw, self.socket.recv_ns))
        if len(self.kept) >= self._connection.shared.limits.overlap_messages:
            await self._room.wait()


class Connection(Generic[T]):
    """A logical connection. Run it with ``run``; it ends when a replay ends or the feed stops.

    Attributes
    ----------
    is_up
        Whether its socket delivers.
    resumed_recv_ns
        Receive time of the first message since it is up.
    connects
        Sockets that were opened.
    is_replacement_asked
        Set to have its socket replaced.
    """

    def __init__(self, name: str, address: Address, ingest: T, events: Events, shared: Shared) -> None:
        self.name, self.symbols, self.ingest = name, address.symbols, ingest
        self._url = address.url
        self.events, self.shared = events, shared
        self.is_up = False
        self.is_replacement_asked = False
        self.resumed_recv_ns = 0
        self.connects = 0
        self._silent = False
        self._retired: set[asyncio.Task[None]] = set()
        self._log = logs.get(name)

    def has_ended(self) -> bool:
        """Whether the recording that it carries has come to its end."""
        return self.ingest.ended is not None

    async def run(self) -> None:
        """Keep the connection until the recording has ended."""
        limits = self.shared.limits
        pause_s = 0.0
        while not self.has_ended():
            await asyncio.sleep(pause_s * self.shared.jitter.uniform(0.5, 1.5))
            started_s = time.monotonic()
            try:
                await self._live(Pump(await self._open(), self))
            except FAILURES as error:
                self._log.warning("no connection", error=str(error) or repr(error))
            if self.is_up and not self.has_ended():
                self._go_down()
            steady = time.monotonic() - started_s > limits.steady_s
            pause_s = limits.pause_first_s if steady else min(2 * pause_s, limits.pause_most_s)
            pause_s = max(pause_s, limits.pause_first_s)

    def take(self, raw: bytes, recv_ns: int) -> None:
        """Take in a message of the socket that counts."""
        if self.is_up:
            self.ingest.on_message(raw, recv_ns)
            return
        self.is_up = True
        self.events.resumed(self)
        self.ingest.on_message(raw, recv_ns)
        self.resumed_recv_ns = self.ingest.recv_ns

    async def _open(self) -> Socket:
        shared = self.shared
        await shared.budget.take()
        metrics.FEED_CONNECTS.labels(self.ingest.market.name.lower()).inc()
        self.connects += 1
        ping_s = None if shared.is_replay else shared.limits.ping_s
        return await asyncio.wait_for(connect(shared.session, self._url, ping_s), shared.limits.open_s)

    def _go_down(self) -> None:
        self.is_up = False
        self.events.broken(self, GapReason.SILENCE if self._silent else GapReason.DISCONNECT)

    async def _live(self, active: Pump) -> None:
        """Look after a socket, and after those that replace it, until none is left."""
        self._silent = False
        active.activate()
        opening: asyncio.Task[Socket] | None = None
        standby: Pump | None = None
        try:
            while True:
                tasks = {active.task, *([opening] if opening else [])}
                look_s = OVERLAP_LOOK_S if standby else LOOK_S
                await asyncio.wait(tasks, timeout=look_s, return_when=asyncio.FIRST_COMPLETED)
                if self.has_ended():
                    await self.events.settled(self)
                    return
                if opening and opening.done():
                    standby, opening = self._stand_by(opening), None
                if active.task.done():
                    self._log.warning("connection lost", error=active.failure)
                    standby = standby or await self._last_hope(opening)
                    opening = None
                    if standby is None:
                        return
                if standby and (active.task.done() or self._can_take_over(standby)):
                    active.task.cancel()
                    self._retired.add(asyncio.create_task(active.end()))
                    active, standby = standby, None
                    active.activate()
                if standby is None and opening is None and self._should_replace(active):
                    opening = asyncio.create_task(self._open())
                if self._is_dead(active):
                    await active.socket.close()
        finally:
            if opening:
                opening.cancel()
            for pump in (active, standby):
                if pump:
                    await pump.end()
            await asyncio.gather(*self._retired, return_exceptions=True)
            self._retired.clear()

    def _stand_by(self, opening: "asyncio.Task[Socket]") -> Pump | None:
        """Return the socket that will take over; None when it could not be opened."""
        try:
            return Pump(opening.result(), self)
        except FAILURES as error:
            self._log.warning("no connection to replace the present one", error=str(error) or repr(error))
            return None

    async def _last_hope(self, opening: "asyncio.Task[Socket] | None") -> Pump | None:
        """Return the socket that is just being opened, now that the other one is gone."""
        if opening is None:
            return None
        await asyncio.wait({opening})
        return self._stand_by(opening)

    def _can_take_over(self, standby: Pump) -> bool:
        """Say whether nothing would be lost, or waiting longer would be of no use."""
        too_long = time.monotonic() - standby.born_s > self.shared.limits.overlap_s
        return (
            too_long or standby.task.done() or bool(standby.kept and self.ingest.has_seen(standby.kept[0][0]))
        )

    def _should_replace(self, active: Pump) -> bool:
        old = time.monotonic() - active.born_s > self.shared.limits.life_s
        if not (old or self.ingest.shutdown_announced or self.is_replacement_asked):
            return False
        self.ingest.shutdown_announced = self.is_replacement_asked = False
        return True

    def _is_dead(self, active: Pump) -> bool:
        """Say whether an open socket has said nothing for too long; its closing then ends it."""
        now_s, received = time.monotonic(), active.socket.received
        if received != active.looked_at or self.events.is_blocked():
            active.looked_at, active.heard_s = received, now_s
            return False
        limits = self.shared.limits
        mean_s = (active.heard_s - active.born_s) / max(received, 1)
        if now_s - active.heard_s < max(limits.silence_s, limits.silence_intervals * mean_s):
            return False
        self._log.warning("silent", seconds=round(now_s - active.heard_s, 1))
        self._silent = True
        return True
