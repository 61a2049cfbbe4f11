"""One websocket connection: what it listens to, and what is about to be written to it.

Frames are collected and written to the socket in one piece, because a system call a message would
cost more than all the rest. They are unfragmented and uncompressed text frames as of RFC 6455.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from genesis.connectors.venue.faults import Mangle
from genesis.connectors.venue.streams import Request
from genesis.operators.records import Market

WRITE_BUFFER_BYTES = 256 * 1024
"""Unsent bytes above which a replay waits for the client."""

STRANGER = "NOSUCHCOIN"
"""The symbol of the fault ``unknown_symbol``."""


class Connection:
    """A client's connection.

    Parameters
    ----------
    socket
        After its handshake.
    transport, drain
        Of the socket: where frames go, and what waits until enough of them have gone.
    market
        Its market, given by the path.
    is_combined
        Whether messages are wrapped with their stream's name.
    is_replay
        Whether the client asked for the recorded receive times.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        market: Market,
        *,
        is_combined: bool,
        is_replay: bool,
    ) -> None:
        self.socket = socket
        self.market = market
        self.is_combined = is_combined
        self.is_replay = is_replay
        self.is_closed = False
        self.ponged_s = 0.0  # when the newest pong came, seconds of the event loop
        self.names: dict[str, Request | None] = {}  # subscriptions in order; None for streams we do not have
        self.first_ids: dict[str, int] = {}  # first update id sent, by symbol
        self.owed: set[str] = set()  # symbols whose recorded snapshot it has not had yet
        self._transport = transport
        self._drain = drain
        self._frames: list[bytes] = []
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def offer(self, stream: str, payload: bytes, recv_ns: int) -> int:
        """Add a message to what is written next; return its size in bytes."""
        return self.offer_text(self.wrapped(stream, payload, recv_ns))

    def offer_mangled(self, stream: str, payload: bytes, recv_ns: int, mangle: Mangle) -> int:
        """Add a message that a fault has changed."""
        body = self.wrapped(stream, payload, recv_ns)
        if mangle == Mangle.CUT_IN_HALF:
            body = body[: len(body) // 2]
        elif mangle == Mangle.RENAMED:
            symbol = stream.partition("@")[0]
            body = body.replace(symbol.encode(), STRANGER.lower().encode())
            body = body.replace(symbol.upper().encode(), STRANGER.encode())
        return self.offer_text(body)

    def wrapped(self, stream: str, payload: bytes, recv_ns: int) -> bytes:
        """Return the text of a message as this client wants it."""
        if not self.is_combined:
            return payload
        if self.is_replay:
            return b'{"stream":"%s","data":%s,"recv_ns":%d}' % (stream.encode(), payload, recv_ns)
        return b'{"stream":"%s","data":%s}' % (stream.encode(), payload)

    def offer_text(self, body: bytes) -> int:
        """Add a message as it is; return its size in bytes."""
        size = len(body)
        if size < 126:
            frame = b"\x81%c%b" % (size, body)
        elif size < 65_536:
            frame = b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), body)
        else:
            frame = b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), body)
        self._frames.append(frame)
        return size

    @property
    def has_frames(self) -> bool:
        """Whether anything waits to be written."""
        return bool(self._frames)

    def write(self) -> int:
        """Write what was offered; return how many bytes the client has not taken yet."""
        frames, self._frames = self._frames, []
        if self.is_closed or self._transport.is_closing():
            return 0
        self._transport.write(b"".join(frames))
        return self._transport.get_write_buffer_size()

    async def drain(self) -> None:
        """Wait until the client has taken enough; at once when it is gone."""
        try:
            await self._drain()
        except ConnectionError:
            self.is_closed = True

    def abort(self) -> None:
        """Break the connection off, without a goodbye."""
        self.is_closed = True
        self._transport.abort()

    async def close(self, code: int, reason: bytes = b"") -> None:
        """Close the connection in due form; a client that does not answer is not waited for."""
        self.is_closed = True
        try:
            await asyncio.wait_for(self.socket.close(code=code, message=reason), CLOSE_TIMEOUT_S)
        except (TimeoutError, ConnectionError, RuntimeError):
            self._transport.abort()


CLOSE_TIMEOUT_S = 2.0
"""How long a closing client is waited for."""
