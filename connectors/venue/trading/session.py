"""One connection to the WebSocket API: who is logged on, whose user data it gets, what waits to be sent."""

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.orders import Json

UNSENT_MAX = 10_000
"""Messages waiting for a client at which it is cut off."""


class Session:
    """A client's connection.

    Parameters
    ----------
    socket, transport
        Of the connection, after the handshake.
    returns_limits
        Whether answers carry rate limits unless a request says otherwise.
    now_ms
        When it was opened.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport,
        *,
        returns_limits: bool,
        now_ms: int,
    ) -> None:
        self.socket = socket
        self.returns_limits = returns_limits
        self.connected_ms = now_ms
        self.ponged_s = 0.0  # when the newest pong came, seconds of the event loop
        self.account: Account | None = None  # that is logged on
        self.authorized_ms = 0
        self.newest: str | None = None  # account of the newest signed request
        self.subscriptions: dict[int, str] = {}  # account by subscription
        self.of_logon: set[int] = set()  # subscriptions that end with the log-on
        self._transport = transport
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._is_over = False
        self._next_subscription = 0

    def send(self, message: Json) -> None:
        """Send a message after those that wait already."""
        if self._is_over:
            return
        self._unsent.put_nowait(msgspec.json.encode(message))
        if self._unsent.qsize() > UNSENT_MAX:
            self.abort()

    async def write(self) -> None:
        """Send what waits, until the connection ends."""
        while not self.socket.closed:
            body = await self._unsent.get()
            try:
                await self.socket.send_str(body.decode())
            except ConnectionError:
                return

    def belongs_to(self, account: str) -> bool:
        """Return whether an account is logged on or subscribed here."""
        is_logged_on = self.account is not None and self.account.name == account
        return is_logged_on or account in self.subscriptions.values()

    def subscribe(self, account: Account, *, by_logon: bool) -> int:
        """Let an account's user data be sent here; return the number of the subscription."""
        number, self._next_subscription = self._next_subscription, self._next_subscription + 1
        self.subscriptions[number] = account.name
        if by_logon:
            self.of_logon.add(number)
        return number

    def unsubscribe(self, number: int, now_ms: int) -> None:
        """Send no more user data for a subscription, and say so."""
        self.subscriptions.pop(number, None)
        self.of_logon.discard(number)
        event = {"e": "eventStreamTerminated", "E": now_ms}
        self.send({"subscriptionId": number, "event": event})

    def announce_end(self, now_ms: int, grace_s: float, keep: Callable[[asyncio.Task[None]], None]) -> None:
        """Say that the server shuts down, and close a little later."""
        self.send({"event": {"e": "serverShutdown", "E": now_ms}})

        async def end() -> None:
            await asyncio.sleep(grace_s)
            await self.close()

        keep(asyncio.get_running_loop().create_task(end()))

    def abort(self) -> None:
        """End the connection at once; nothing more is sent."""
        self._is_over = True
        self._transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self._is_over = True
        await self.socket.close(code=1001)
