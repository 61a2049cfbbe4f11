"""One websocket, and the budget of connects that all of them share.

Read by aiohttp, whose parser takes 1.2 to 2 µs a message on one core. cryptofeed's connection class
takes 5, holds any number of unread messages, never gives up a dead peer, refuses ``ws://``, and
each of its objects stays in memory until the process ends.
"""

import asyncio
import time
from collections import deque
from typing import Any

import aiohttp

MESSAGE_BYTES_MAX = 16_000_000
"""Longest message that is read; the book of a whole market has some 100 kB."""


class HostRefused(aiohttp.ClientError):
    """A request was to go to a host that is not the venue's, by a redirect for example."""


class VenueConnector(aiohttp.TCPConnector):
    """Connects to the hosts of one venue and to no other, whatever it is asked for."""

    def __init__(self, hosts: frozenset[str]) -> None:
        super().__init__(limit=0)
        self._hosts = hosts

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own
    ) -> Any:
        """Return a connection for a request, or refuse its host."""
        if req.url.host not in self._hosts:
            raise HostRefused(f"{req.url.host} is not a host of the venue")
        return await super().connect(req, traces, timeout)


def new_session(hosts: frozenset[str], headers: dict[str, str]) -> aiohttp.ClientSession:
    """Return a session that reaches the hosts of the venue alone."""
    return aiohttp.ClientSession(connector=VenueConnector(hosts), headers=headers)


class SocketClosed(ConnectionError):
    """The socket has come to its end; the message says how."""


class Socket:
    """A websocket that stamps what it reads.

    Attributes
    ----------
    recv_ns
        When the newest message was read from the network, by our clock. All messages that one
        wake-up of the process found carry the time of that wake-up: the later ones of them were not
        received later, they were only looked at later.
    received
        Messages read so far.
    """

    def __init__(self, websocket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        self.recv_ns = 0
        self.received = 0
        self._websocket = websocket
        self._loop = asyncio.get_running_loop()
        self._is_fresh = False

    async def receive(self) -> bytes:
        """Return the next message.

        Raises
        ------
        SocketClosed
            When there is none.
        """
        message = await self._websocket.receive()
        if not self._is_fresh:
            self._is_fresh = True
            self.recv_ns = time.time_ns()
            self._loop.call_soon(self._wake_up_ends)
        if message.type is not aiohttp.WSMsgType.TEXT and message.type is not aiohttp.WSMsgType.BINARY:
            raise SocketClosed(f"closed with code {self._websocket.close_code}")
        self.received += 1
        return message.data  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Close it in due form; a peer that does not answer is not waited for long."""
        await self._websocket.close()

    def _wake_up_ends(self) -> None:
        self._is_fresh = False


async def connect(session: aiohttp.ClientSession, address: str, ping_s: float | None) -> Socket:
    """Open a websocket.

    Parameters
    ----------
    session
        Of this process.
    address
        With the streams in it.
    ping_s
        After so long without a message the peer is pinged, and it has half of it to answer.

    Raises
    ------
    aiohttp.ClientError, OSError
        When there is no connection to be had.
    """
    websocket = await session.ws_connect(
        address,
        heartbeat=ping_s,
        max_msg_size=MESSAGE_BYTES_MAX,
        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        decode_text=False,
    )
    return Socket(websocket)


class ConnectBudget:
    """How many connects an address may make in a time, over all connections of this process."""

    def __init__(self, connects: int, window_s: float) -> None:
        self._connects, self._window_s = connects, window_s
        self._times_s: deque[float] = deque()

    def wait_s(self, now_s: float) -> float:
        """Return how long to wait before a connect; 0 takes it.

        >>> budget = ConnectBudget(connects=2, window_s=300.0)
        >>> budget.wait_s(1.0), budget.wait_s(2.0), budget.wait_s(3.0), budget.wait_s(301.5)
        (0.0, 0.0, 298.0, 0.0)
        """
        while self._times_s and now_s - self._times_s[0] >= self._window_s:
            self._times_s.popleft()
        if len(self._times_s) >= self._connects:
            return self._times_s[0] + self._window_s - now_s
        self._times_s.append(now_s)
        return 0.0

    async def take(self) -> None:
        """Wait until a connect is allowed, and take it."""
        while wait_s := self.wait_s(time.monotonic()):  # noqa: ASYNC110 - it is a time that is waited for
            await asyncio.sleep(wait_s)
