"""The player: takes the source's messages one by one, keeps the books, and sends what is listened to.

Two ways to treat a client that is too slow. In a replay, and at full speed, the play waits for it: nothing
is ever dropped. A market made up as time goes by cannot wait: the client is cut off when more than
`SLOW_CLIENT_BYTES_MAX` are unsent, as Binance does.

At full speed the play also stands still while an awaited stream has no listener, because with no clock
to go by a reconnecting client would otherwise miss most of the recording.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from genesis.connectors import logs
from genesis.connectors.venue.book import Diff, decode_diff
from genesis.connectors.venue.connection import Connection
from genesis.connectors.venue.faults import Action, Delivery, Fault, Faults, Mangle
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.recording import RecordingError
from genesis.connectors.venue.source import Kind, Message, Source, StreamKey
from genesis.operators.records import Market

BATCH_MESSAGES = 256
"""Most messages of the source between two writes to the sockets, heard or not."""

BATCH_BYTES = 256 * 1024
"""Most bytes between two writes to the sockets."""

SLOW_CLIENT_BYTES_MAX = 8 * 1024 * 1024
"""Unsent bytes at which a client of a live market is cut off."""

PACE_S = 0.002
"""Shortest sleep of a paced play; what falls due within it is sent together."""

END_STREAM = "genesis@end"
SHUTDOWN_STREAM = "!serverShutdown"


class State(StrEnum):
    """Where the play is."""

    WAITING = "waiting"  # for the awaited streams to be listened to, or for it again
    PLAYING = "playing"
    FINISHED = "finished"
    FAILED = "failed"  # the source could not be read to its end


@dataclass(frozen=True)
class Pace:
    """How fast to play, and whether to wait for listeners.

    Raises
    ------
    ValueError
        When the speed is not positive.
    """

    speed: float = math.inf
    waits: bool = True

    def __post_init__(self) -> None:
        if not self.speed > 0.0:
            raise ValueError(f"speed must be positive or 'max', was {self.speed:g}")

    @property
    def is_timed(self) -> bool:
        """Whether messages come when their time has come."""
        return not math.isinf(self.speed)


class Player:
    """Plays a source to the connections of a hub."""

    def __init__(self, source: Source, hub: Hub, faults: Faults, pace: Pace) -> None:
        self.state = State.WAITING
        self.error = ""
        self.position = 0  # messages played
        self.recv_ns = source.start_ns  # of the newest message played
        self.event_ms = source.start_ns // 1_000_000  # newest event time, the venue's clock
        self.played: dict[tuple[Market, str, Kind], int] = {}
        self.sent: dict[tuple[Market, str, Kind], int] = {}
        self.slow_clients = 0
        self.over = asyncio.Event()  # set when the play has ended
        self.taps: list[Callable[[Message, Diff | None], None]] = []  # told of each message that was played
        self._source = source
        self._hub = hub
        self._faults = faults
        self._pace = pace
        self._is_patient = not (source.live and pace.is_timed)
        self._origin_s = math.nan
        self._announced: dict[int, list[Connection]] = {}  # by fault: who was told of its shutdown
        self._since_flush = 0
        self._unsent_bytes = 0

    async def run(self) -> None:
        """Play to the end; a source that cannot be read ends the play with `error` set."""
        await self._await_listeners()
        self._origin_s = asyncio.get_running_loop().time()
        try:
            for message in self._source:
                if self._pace.is_timed:
                    await self._await_time(message.recv_ns)
                await self._play(message)
                self._since_flush += 1
                if self._since_flush >= BATCH_MESSAGES or self._unsent_bytes >= BATCH_BYTES:
                    await self.flush()
                    if not self._pace.is_timed:
                        await self._await_listeners()
        except RecordingError as error:
            self.error = str(error)
        for delivery in self._faults.at_end():
            self._send(delivery, None)
        self.state = State.FAILED if self.error else State.FINISHED
        for connection in self._hub.connections:
            self.say_goodbye(connection)
        await self.flush()
        self.over.set()

    def say_goodbye(self, connection: Connection) -> None:
        """Tell a replay client that the source has ended, and how."""
        if not connection.is_replay or self.state not in (State.FINISHED, State.FAILED):
            return
        data = msgspec.json.encode({"counts": self._source.counts.by_market(), "error": self.error or None})
        body = b'{"stream":"%s","data":%s,"recv_ns":%d}' % (END_STREAM.encode(), data, self.recv_ns)
        connection.offer_text(body)

    async def flush(self) -> None:
        """Write to all sockets what was offered; wait for slow clients, or cut them off."""
        self._since_flush = self._unsent_bytes = 0
        for connection in tuple(self._hub.connections):
            if not connection.has_frames:
                continue
            unsent_bytes = connection.write()
            if self._is_patient:
                await connection.drain()
            elif unsent_bytes > SLOW_CLIENT_BYTES_MAX:
                self.slow_clients += 1
                logs.get(__name__).warning("cut off a slow client", unsent_bytes=unsent_bytes)
                connection.abort()
        await asyncio.sleep(0)

    async def _await_listeners(self) -> None:
        if self._pace.waits and not self._hub.covered.is_set():
            self.state = State.WAITING
            await self._hub.covered.wait()
        self.state = State.PLAYING

    async def _await_time(self, recv_ns: int) -> None:
        """Sleep until a message is due."""
        loop = asyncio.get_running_loop()
        due_s = self._origin_s + (recv_ns - self._source.start_ns) / (1e9 * self._pace.speed)
        if due_s <= loop.time():
            return
        await self.flush()
        ahead_s = due_s - loop.time()
        if ahead_s > 0.0:
            await asyncio.sleep(max(ahead_s, PACE_S))

    async def _play(self, message: Message) -> None:
        """Take in one message and offer what is listened to."""
        recv_ns, market, kind, symbol, payload, _stream = message
        if self._faults.is_active and kind != Kind.SNAPSHOT:
            deliveries = self._faults.on_message(message)
            if self._faults.due:
                await self._act()
        else:
            deliveries = None
        self.position += 1
        self.recv_ns = recv_ns
        diff = None
        if kind == Kind.DIFF:
            diff = decode_diff(payload)
            self.event_ms = max(self.event_ms, diff.event_ms)
            if not self._hub.books[market, symbol].apply_diff(diff, recv_ns):
                self._hub.restart_epoch(market, symbol)
        elif kind == Kind.SNAPSHOT:
            self._hub.books[market, symbol].apply_snapshot(message)
        for tap in self.taps:
            tap(message, diff)
        if kind == Kind.SNAPSHOT:
            return
        key = (market, symbol, kind)
        self.played[key] = self.played.get(key, 0) + 1
        if deliveries is None:
            self._send(Delivery(message), diff)
            return
        for delivery in deliveries:
            self._send(delivery, diff if delivery.message is message else None)

    def _send(self, delivery: Delivery, diff: Diff | None) -> None:
        """Offer a message to all who listen to its stream."""
        message, mangle = delivery
        recv_ns, market, kind, symbol, payload, _stream = message
        channels = self._hub.channels(market, symbol, kind)
        if not channels:
            return
        if kind == Kind.DIFF and diff is None:
            diff = decode_diff(payload)
        book = self._hub.books.get((market, symbol))
        count = size = 0
        for channel in channels:
            body = channel.payload(payload, diff, book)
            if body is None:
                continue
            for connection, name in channel.subscribers.items():
                if channel.is_whole and diff is not None:
                    connection.first_ids.setdefault(symbol, diff.first_id)
                if mangle is Mangle.NOTHING:
                    size += connection.offer(name, body, recv_ns)
                else:
                    size += connection.offer_mangled(name, body, recv_ns, mangle)
                count += 1
        if count:
            key = (market, symbol, kind)
            self.sent[key] = self.sent.get(key, 0) + count
            self._unsent_bytes += size

    async def _act(self) -> None:
        """Carry out what faults ask for, after everything before it has been sent."""
        await self.flush()
        due, self._faults.due = self._faults.due, []
        for fault, action in due:
            await self._carry_out(fault, action)
        if not self._pace.is_timed:
            await self._await_listeners()

    async def _carry_out(self, fault: Fault, action: Action) -> None:
        keys = [key for key in self._hub.all_streams() if _is_hit(fault, key)]
        connections = self._hub.listeners(keys)
        if fault.spec.kind == "shutdown":
            if action == Action.ANNOUNCE:
                self._announced[fault.number] = connections
            else:
                told = self._announced.pop(fault.number, [])
                connections = [connection for connection in connections if connection in told]
        if action == Action.STALL:
            await asyncio.sleep(fault.spec.number("wall_ms") / 1e3)
        for connection in connections:
            if action == Action.ABORT:
                connection.abort()
                self._hub.leave(connection)
            elif action == Action.CLOSE:
                self._hub.leave(connection)
                await connection.close(int(fault.spec["how"]) if fault.spec.kind == "disconnect" else 1001)
            elif action == Action.MUTE:
                self._hub.mute(connection, keys)
            elif action == Action.ANNOUNCE:
                data = b'{"e":"serverShutdown","E":%d}' % self.event_ms
                connection.offer(SHUTDOWN_STREAM, data, self.recv_ns)


def _is_hit(fault: Fault, key: StreamKey) -> bool:
    return fault.target.hits(key.market, key.symbol, key.kind)
