"""The WebSocket API at `/ws-api/v3`: requests, sessions and user data on one connection."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from aiohttp import WSMsgType, web

from genesis.connectors.venue.faults import Fault
from genesis.connectors.venue.limits import Verdict, WeightBudget
from genesis.connectors.venue.rest import ApiError, skew_ms, too_much
from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.auth import authenticate, check_time
from genesis.connectors.venue.trading.calls import Call, weight_of
from genesis.connectors.venue.trading.desk import Desk
from genesis.connectors.venue.trading.errors import PartlyDone
from genesis.connectors.venue.trading.interference import Interferer, Lost
from genesis.connectors.venue.trading.orders import Json
from genesis.connectors.venue.trading.parameters import Parameters
from genesis.connectors.venue.trading.rest import answer
from genesis.connectors.venue.trading.session import Session
from genesis.connectors.venue.trading.signatures import websocket_payloads
from genesis.connectors.venue.websocket import Timing

PATH = "/ws-api/v3"
BYTES_MAX = 64 * 1024
HANDSHAKE_WEIGHT = 2
OWN_WEIGHT = {"ping": 1, "time": 1, "exchangeInfo": 20}
"""Of the methods that are not calls; the rest weigh 2."""

Identity = str | int | None
Query = Callable[[Parameters], Json]


class _Request(msgspec.Struct):
    method: str
    id: Identity = None
    params: dict[str, msgspec.Raw] = {}


class Asked(NamedTuple):
    """A request understood so far."""

    session: Session
    method: str
    values: dict[str, str]
    parameters: Parameters
    faults: list[Fault]


class TradingWebsocket:
    """WebSocket handlers over a desk.

    Parameters
    ----------
    desk, interferer
        The exchange within the play, and its faults.
    calls
        What there is besides sessions and subscriptions.
    budget
        Request weight of the spot market.
    queries
        Methods that need no account: exchangeInfo and time.
    timing
        Pings and lifetime of connections.
    """

    def __init__(
        self,
        desk: Desk,
        interferer: Interferer,
        calls: list[Call],
        budget: WeightBudget,
        queries: dict[str, Query],
        timing: Timing,
    ) -> None:
        self.sessions: set[Session] = set()
        self._desk = desk
        self._interferer = interferer
        self._calls = {call.name: call for call in calls}
        self._budget = budget
        self._queries = queries
        self._timing = timing
        self._tasks: set[asyncio.Task[None]] = set()
        self._own: dict[str, Callable[[Asked], Awaitable[object]]] = {
            "session.logon": self._logon,
            "session.status": self._status,
            "session.logout": self._logout,
            "session.subscriptions": self._subscriptions,
            "userDataStream.subscribe": self._subscribe,
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.unsubscribe": self._unsubscribe,
        }
        desk.exchange.listeners.append(self._on_event)
        desk.exchange.droppers.append(self._drop)

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get(PATH, self._handle)]

    async def close(self) -> None:
        """End all connections."""
        for session in tuple(self.sessions):
            session.abort()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        for fault in self._interferer.on_request("websocket"):
            how = fault.spec["how"]
            if how == "reset" and request.transport is not None:
                request.transport.abort()
            return web.Response(status=503 if how == "reset" else int(how))
        if request.query.get("timeUnit", "MILLISECOND").upper() != "MILLISECOND":
            text = '{"code":-1194,"msg":"Invalid value for time unit; this venue has milliseconds only."}'
            return web.Response(text=text, status=400, content_type="application/json")
        self._budget.charge(HANDSHAKE_WEIGHT)
        socket = web.WebSocketResponse(compress=False, max_msg_size=BYTES_MAX, autoping=False, timeout=2.0)
        await socket.prepare(request)
        assert request.transport is not None, "a connection that was just opened has a transport"
        returns_limits = request.query.get("returnRateLimits", "true") != "false"
        session = Session(socket, request.transport, returns_limits=returns_limits, now_ms=self._desk.now_ms)
        self.sessions.add(session)
        helpers = [asyncio.create_task(session.write()), asyncio.create_task(self._upkeep(session))]
        try:
            await self._listen(session)
        finally:
            self.sessions.discard(session)
            for helper in helpers:
                helper.cancel()
        return socket

    async def _listen(self, session: Session) -> None:
        while True:
            message = await session.socket.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._keep(asyncio.create_task(self._serve(session, message.data)))
            elif message.type == WSMsgType.PING:
                with contextlib.suppress(ConnectionError):
                    await session.socket.pong(message.data)
            elif message.type == WSMsgType.PONG:
                session.ponged_s = asyncio.get_running_loop().time()
            else:
                return

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _upkeep(self, session: Session) -> None:
        """Ping, and end a connection that does not answer or is too old."""
        loop = asyncio.get_running_loop()
        born_s = session.ponged_s = loop.time()
        while not session.socket.closed:
            await asyncio.sleep(
                min(self._timing.ping_s, max(0.0, born_s + self._timing.life_s - loop.time()))
            )
            if loop.time() - born_s >= self._timing.life_s:
                await session.close()
                return
            if loop.time() - session.ponged_s > self._timing.pong_s:
                session.abort()
                return
            with contextlib.suppress(ConnectionError):
                await session.socket.ping(str(int(time.time() * 1e3)).encode())

    async def _serve(self, session: Session, data: str | bytes) -> None:
        """Answer one request."""
        try:
            request = msgspec.json.decode(data, type=_Request)
        except msgspec.DecodeError:
            error: Json = {"code": -1135, "msg": "Invalid JSON request"}
            session.send({"id": None, "status": 400, "error": error})
            return
        values = {name: _text(raw) for name, raw in request.params.items()}
        returns_limits = session.returns_limits
        if "returnRateLimits" in values:
            returns_limits = values["returnRateLimits"] == "true"
        call = self._calls.get(request.method)
        verdict = self._charge(request.method, call, values)
        reply: Json = {"id": request.id, "status": 200}
        try:
            asked = self._asked(session, request.method, values, verdict)
            reply["result"] = await self._result(asked, call)
        except Lost as lost:
            if lost.how == "silence":
                return
            if lost.how == "drop":
                session.abort()
                return
            reply |= {"status": 504, "error": {"code": lost.error.code, "msg": lost.error.msg}}
        except ApiError as error:
            if call is not None and call.is_free and error.code != -1003:
                verdict = self._budget.charge(call.weight)
            reply |= {"status": error.status, "error": self._error(error, verdict)}
        if returns_limits:
            reply["rateLimits"] = self._limits(session, call, verdict)
        session.send(reply)

    def _asked(self, session: Session, method: str, values: dict[str, str], verdict: Verdict) -> Asked:
        """Return a request that neither limits nor faults refuse."""
        faults = self._interferer.on_request(method.partition(".")[0], values.get("symbol", ""))
        if verdict.status != 200:
            raise too_much(verdict, self._budget.limit)
        for fault in faults:
            if fault.spec.kind in ("429", "418"):
                retry_after_s = int(fault.spec.number("retry_after_s"))
                verdict = Verdict(int(fault.spec.kind), verdict.used_weight, retry_after_s)
                raise _Throttled(too_much(verdict, self._budget.limit), verdict)
        parameters = Parameters(values)
        parameters.ignore("apiKey", "timestamp", "recvWindow", "signature", "returnRateLimits")
        return Asked(session, method, values, parameters, faults)

    async def _result(self, asked: Asked, call: Call | None) -> object:
        if asked.method == "ping":
            return {}
        if asked.method in self._queries:
            found = self._queries[asked.method](asked.parameters)
            if asked.method == "time":
                found["serverTime"] = self._desk.now_ms + int(sum(map(skew_ms, asked.faults)))
            return found
        if asked.method in self._own:
            return await self._own[asked.method](asked)
        if call is None:
            raise ApiError(-1130, f"Unknown method '{asked.method}'.")
        return await answer(self._desk, self._interferer, call, self._account(asked), asked.parameters)

    def _account(self, asked: Asked) -> Account:
        """Return who asks: by signature, or because of being logged on."""
        session = asked.session
        self._desk.skew_ms = sum(map(skew_ms, asked.faults))
        try:
            if session.account is not None and "signature" not in asked.values:
                if asked.values.get("apiKey", session.account.api_key) != session.account.api_key:
                    raise ApiError(-1002, "You are not authorized to execute this request.", 401)
                check_time(self._desk, asked.parameters)
                return session.account
            payloads = websocket_payloads(asked.values)
            account = authenticate(self._desk, asked.values.get("apiKey", ""), asked.parameters, payloads)
            session.newest = account.name
            return account
        finally:
            self._desk.skew_ms = 0.0

    async def _logon(self, asked: Asked) -> object:
        session = asked.session
        account = self._account(asked)
        if account.key_type != "Ed25519":
            raise ApiError(-4056, "Only Ed25519 keys are supported for this operation.")
        session.account, session.authorized_ms = account, self._desk.now_ms
        return self._session_json(session)

    async def _status(self, asked: Asked) -> object:
        return self._session_json(asked.session)

    async def _logout(self, asked: Asked) -> object:
        session = asked.session
        for number in tuple(session.of_logon):
            session.unsubscribe(number, self._desk.now_ms)
        session.account = None
        return self._session_json(session)

    def _session_json(self, session: Session) -> Json:
        is_on = session.account is not None
        return {
            "apiKey": session.account.api_key if session.account is not None else None,
            "authorizedSince": session.authorized_ms if is_on else None,
            "connectedSince": session.connected_ms,
            "returnRateLimits": session.returns_limits,
            "serverTime": self._desk.now_ms,
            "userDataStream": bool(session.subscriptions),
        }

    async def _subscriptions(self, asked: Asked) -> object:
        return [{"subscriptionId": number} for number in asked.session.subscriptions]

    async def _subscribe(self, asked: Asked) -> object:
        session = asked.session
        if session.account is None:
            raise ApiError(-1002, "You are not authorized to execute this request.", 401)
        if session.account.name in session.subscriptions.values():
            raise ApiError(-2035, "User Data Stream subscription already active.")
        return {"subscriptionId": session.subscribe(session.account, by_logon=True)}

    async def _subscribe_signed(self, asked: Asked) -> object:
        account = self._account(asked)
        if account.name in asked.session.subscriptions.values():
            raise ApiError(-2035, "User Data Stream subscription already active.")
        return {"subscriptionId": asked.session.subscribe(account, by_logon=False)}

    async def _unsubscribe(self, asked: Asked) -> object:
        session = asked.session
        number = asked.parameters.whole("subscriptionId")
        if number is not None and number not in session.subscriptions:
            raise ApiError(-2036, "User Data Stream subscription not active.")
        for each in tuple(session.subscriptions) if number is None else (number,):
            session.unsubscribe(each, self._desk.now_ms)
        return {}

    def _on_event(self, account: str, event: Json) -> None:
        """Send an event to all who are subscribed to the account."""
        times, grace_s = 1, -1.0
        if event["e"] == "executionReport":
            for fault in self._interferer.on_report(str(event["s"])):
                if fault.spec.kind == "duplicate_report":
                    times += 1
                elif fault.spec.kind == "lost_report":
                    times = 0
                elif fault.spec.kind == "user_shutdown":
                    grace_s = fault.spec.number("grace_ms") / 1e3
        for session in tuple(self.sessions):
            for number, name in session.subscriptions.items():
                if name == account:
                    for _ in range(times):
                        session.send({"subscriptionId": number, "event": event})
            if grace_s >= 0.0 and session.belongs_to(account):
                session.announce_end(self._desk.now_ms, grace_s, self._keep)

    def _drop(self, account: str) -> None:
        for session in tuple(self.sessions):
            if session.belongs_to(account):
                session.abort()

    def _charge(self, method: str, call: Call | None, values: dict[str, str]) -> Verdict:
        if call is None:
            return self._budget.charge(OWN_WEIGHT.get(method, 2))
        return self._budget.charge(0 if call.is_free else weight_of(call, values))

    def _error(self, error: ApiError, verdict: Verdict) -> Json:
        shown: Json = {"code": error.code, "msg": error.msg}
        if isinstance(error, PartlyDone):
            shown["data"] = error.data
        elif error.status in (429, 418):
            verdict = error.verdict if isinstance(error, _Throttled) else verdict
            now_ms = int(time.time() * 1e3)
            retry_ms = now_ms + (verdict.retry_after_s or 10) * 1_000
            shown["data"] = {"serverTime": now_ms, "retryAfter": retry_ms}
        return shown

    def _limits(self, session: Session, call: Call | None, verdict: Verdict) -> list[Json]:
        """Return the rate limits of an answer."""
        weight: Json = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": self._budget.limit,
            "count": verdict.used_weight,
        }
        name = session.account.name if session.account else session.newest
        if call is None or not call.takes_time or name is None:
            return [weight]
        return [*self._desk.exchange.order_counts(self._desk.exchange.accounts[name]), weight]


class _Throttled(ApiError):
    """One request too many, by a fault."""

    def __init__(self, error: ApiError, verdict: Verdict) -> None:
        super().__init__(error.code, error.msg, error.status)
        self.verdict = verdict


def _text(raw: msgspec.Raw) -> str:
    """Return a parameter as text: numbers as they were written."""
    text = bytes(raw).decode()
    return msgspec.json.decode(raw, type=str) if text.startswith('"') else text
