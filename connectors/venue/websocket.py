"""The websocket side: combined and raw streams, live subscription, pings, limits and lifetime."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

import msgspec
from aiohttp import WSMsgType, web

from genesis.connectors.venue.connection import Connection
from genesis.connectors.venue.faults import Faults
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.player import Player
from genesis.connectors.venue.rest import wants_replay
from genesis.operators.records import Market

STREAMS_MAX = 1_024
"""Streams of one connection."""

INBOUND_MAX_HZ = 5
"""Messages a second that a client may send, pongs included."""

INBOUND_BYTES_MAX = 64 * 1024
"""Longest message that a client may send."""

PREFIXES = {
    "": Market.SPOT,
    "/usdm": Market.USDM,
    "/usdm/public": Market.USDM,
    "/usdm/market": Market.USDM,
    "/public": Market.USDM,
    "/market": Market.USDM,
    "/coinm": Market.COINM,
}
"""What stands before ``/stream`` and ``/ws``, and the market it leads to."""

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")

_Json = dict[str, object]


class Timing(NamedTuple):
    """Times of a connection, real ones."""

    ping_s: float = 20.0  # between two pings
    pong_s: float = 60.0  # without a pong until the connection is closed
    life_s: float = 24 * 3_600.0  # until the connection is closed in any case


class _Invalid(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, msg: str, **more: object) -> None:
        super().__init__(msg)
        self.answer: _Json = {"code": code, "msg": msg, **more}


class WebsocketApi:
    """Websocket handlers over a hub and its player."""

    def __init__(self, hub: Hub, player: Player, faults: Faults, timing: Timing) -> None:
        self._hub = hub
        self._player = player
        self._faults = faults
        self._timing = timing

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all markets."""
        routes = []
        for prefix, market in PREFIXES.items():
            handle = self._handler(market, prefix.rpartition("/")[2])
            routes += [web.get(f"{prefix}/{path}", handle) for path in ("stream", "ws", "ws/{names:.+}")]
        return routes

    def _handler(self, market: Market, route: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            refused = self._refused(request, market)
            if refused is not None:
                return refused
            if request.query.get("timeUnit", "MILLISECOND").upper() != "MILLISECOND":
                text = (
                    '{"code":-1194,"msg":"Invalid value for time unit; this venue sends milliseconds only."}'
                )
                return web.Response(text=text, status=400, content_type="application/json")
            connection = await self._open(request, market)
            try:
                names = request.match_info.get("names") or request.query.get("streams", "")
                await self._serve(connection, _admitted(filter(None, names.split("/")), route), route)
            finally:
                connection.is_closed = True
                self._hub.leave(connection)
            return connection.socket

        return handle

    def _refused(self, request: web.Request, market: Market) -> web.Response | None:
        """Return the answer to a handshake that a fault refuses."""
        for fault in self._faults.on_request(market, "websocket", self._player.recv_ns):
            how = fault.spec["how"]
            if how == "reset" and request.transport is not None:
                request.transport.abort()
            return web.Response(status=503 if how == "reset" else int(how))
        return None

    async def _open(self, request: web.Request, market: Market) -> Connection:
        """Shake hands. Without compression, because frames are written past aiohttp's writer."""
        socket = web.WebSocketResponse(
            autoping=False, compress=False, max_msg_size=INBOUND_BYTES_MAX, timeout=2.0, autoclose=True
        )
        writer = await socket.prepare(request)
        transport = request.transport
        if transport is None:
            raise web.HTTPBadRequest(text="the connection is gone")
        is_combined = request.path.endswith("/stream")
        connection = Connection(
            socket,
            transport,
            writer.drain,
            market,
            is_combined=is_combined,
            is_replay=wants_replay(request),
        )
        self._hub.join(connection)
        return connection

    async def _serve(self, connection: Connection, names: list[str], route: str) -> None:
        """Subscribe, then answer the client until it is gone or has lived long enough."""
        if len(names) > STREAMS_MAX:
            await connection.close(1008, b"Invalid request: too many streams")
            return
        self._hub.subscribe(connection, names)
        self._player.say_goodbye(connection)
        if connection.has_frames:
            connection.write()
        upkeep = asyncio.create_task(self._upkeep(connection))
        try:
            await self._listen(connection, route)
        finally:
            upkeep.cancel()

    async def _listen(self, connection: Connection, route: str) -> None:
        arrivals_s: deque[float] = deque(maxlen=INBOUND_MAX_HZ)
        loop = asyncio.get_running_loop()
        while not connection.is_closed:
            message = await connection.socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return
            now_s = loop.time()
            if len(arrivals_s) == INBOUND_MAX_HZ and now_s - arrivals_s[0] < 1.0:
                await connection.close(1008, b"Too many requests")
                return
            arrivals_s.append(now_s)
            try:
                if message.type == WSMsgType.PONG:
                    connection.ponged_s = now_s
                elif message.type == WSMsgType.PING:
                    await connection.socket.pong(message.data)
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    answer = self._answer(connection, message.data, route)
                    await connection.socket.send_str(msgspec.json.encode(answer).decode())
            except ConnectionError:
                return

    async def _upkeep(self, connection: Connection) -> None:
        """Ping, and end a connection that does not answer or is too old."""
        loop = asyncio.get_running_loop()
        born_s = connection.ponged_s = loop.time()
        while not connection.is_closed:
            await asyncio.sleep(
                min(self._timing.ping_s, max(0.0, born_s + self._timing.life_s - loop.time()))
            )
            if loop.time() - born_s >= self._timing.life_s:
                await connection.close(1001, b"24 hours are over")
                return
            if loop.time() - connection.ponged_s > self._timing.pong_s:
                connection.abort()
                return
            try:
                await connection.socket.ping(str(int(time.time() * 1e3)).encode())
            except ConnectionError:
                return

    def _answer(self, connection: Connection, data: str | bytes, route: str) -> _Json:
        """Return the answer to a request of a client."""
        try:
            try:
                request = msgspec.json.decode(data)
            except msgspec.DecodeError:
                raise _Invalid(3, "Invalid JSON: expected value at line 1 column 1") from None
            return self._result(connection, request, route)
        except _Invalid as error:
            return error.answer

    def _result(self, connection: Connection, request: object, route: str) -> _Json:
        if not isinstance(request, dict) or "method" not in request:
            raise _Invalid(2, "Invalid request: missing field `method` at line 1 column 1")
        method = request["method"]
        if method not in METHODS:
            expected = ", ".join(f"`{each}`" for each in METHODS)
            text = (
                f"Invalid request: unknown variant `{method}`, expected one of {expected} at line 1 column 1"
            )
            raise _Invalid(2, text)
        identity = request.get("id")
        is_text = isinstance(identity, str) and len(identity) <= 36 and identity.isalnum()
        is_number = isinstance(identity, int) and not isinstance(identity, bool)
        if "id" not in request or not (identity is None or is_number or is_text or _is_uuid(identity)):
            raise _Invalid(2, "Invalid request: request ID must be an unsigned integer")
        if set(request) - {"method", "params", "id"}:
            raise _Invalid(2, "Invalid request: too many parameters")
        result = self._carry_out(connection, str(method), request.get("params", []), route, identity)
        return {"result": result, "id": identity}

    def _carry_out(
        self, connection: Connection, method: str, params: object, route: str, identity: object
    ) -> object:
        if method == "LIST_SUBSCRIPTIONS":
            return list(connection.names)
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return _property(connection, method, params, identity)
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            raise _Invalid(2, "Invalid request: stream name must be a string")
        if method == "UNSUBSCRIBE":
            self._hub.unsubscribe(connection, params)
            return None
        names = _admitted(params, route)
        if len({*connection.names, *names}) > STREAMS_MAX:
            raise _Invalid(2, "Invalid request: too many parameters")
        self._hub.subscribe(connection, names)
        return None


def _admitted(names: Iterable[str], route: str) -> list[str]:
    """Return the streams that a path carries: ``/market`` has no book streams."""
    is_market = route == "market"
    return [name for name in names if not is_market or ("@bookTicker" not in name and "@depth" not in name)]


def _is_uuid(identity: object) -> bool:
    return isinstance(identity, str) and len(identity) <= 36 and identity.replace("-", "").isalnum()


def _property(connection: Connection, method: str, params: object, identity: object) -> object:
    wanted = 2 if method == "SET_PROPERTY" else 1
    if not isinstance(params, list) or not params or not isinstance(params[0], str):
        raise _Invalid(2, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise _Invalid(0, "Unknown property", id=identity)
    if len(params) > wanted:
        raise _Invalid(2, "Invalid request: too many parameters")
    if method == "GET_PROPERTY":
        return connection.is_combined
    if len(params) < wanted or not isinstance(params[1], bool):
        raise _Invalid(1, "Invalid value type: expected Boolean")
    connection.is_combined = params[1]
    return None
