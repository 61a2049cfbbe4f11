"""The REST side: ping, time, exchangeInfo and depth of each market, with weights and errors as documented."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from aiohttp import web

from genesis.connectors.venue.book import DepthAnswer
from genesis.connectors.venue.exchange_info import WEIGHT_LIMITS, exchange_info
from genesis.connectors.venue.faults import Fault, Faults
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.limits import Verdict, WeightBudget
from genesis.connectors.venue.player import Player, State
from genesis.operators.records import Market

BASE_PATHS = {Market.SPOT: "/api/v3", Market.USDM: "/fapi/v1", Market.COINM: "/dapi/v1"}
"""Where the REST interface of each market is."""

REPLAY_HEADER = "X-Genesis-Replay"
RECV_HEADER = "X-Genesis-Recv-Ns"

BLOCKED_S = 0.25
"""A snapshot not played yet is handed out early when the play has not moved for this long."""

_SPOT_DEPTH_MAX = 5_000
_FUTURES_LIMITS = (5, 10, 20, 50, 100, 500, 1_000)
_SYMBOL = re.compile(r"[A-Z0-9_.-]{1,20}")
_SYMBOL_RANGE = "^[A-Z0-9-_.]{1,20}$"
_SYMBOLS_RANGE = r'^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$'
_LIMIT_RANGE = "^[0-9]{1,20}$"


class ApiError(Exception):
    """An answer in the shape of Binance's errors."""

    def __init__(self, code: int, msg: str, status: int = 400) -> None:
        super().__init__(msg)
        self.code, self.msg, self.status = code, msg, status


class Call(NamedTuple):
    """A request understood so far."""

    request: web.Request
    market: Market
    endpoint: str
    parameters: dict[str, str]

    @property
    def is_replay(self) -> bool:
        """Whether the client wants to know receive times."""
        return wants_replay(self.request)


def wants_replay(request: web.Request) -> bool:
    """Return whether a client asked for the recorded receive times."""
    return request.headers.get(REPLAY_HEADER) == "1" or request.query.get("genesis") == "replay"


class RestApi:
    """REST handlers over a hub and its player.

    Parameters
    ----------
    hub, player, faults
        The venue.
    clock_s
        Monotonic seconds, for the weight budgets.
    """

    def __init__(self, hub: Hub, player: Player, faults: Faults, clock_s: Callable[[], float]) -> None:
        self._hub = hub
        self._player = player
        self._faults = faults
        self._skew_ms = 0.0  # of the answer that is being made
        self._budgets = {market: WeightBudget(limit, clock_s) for market, limit in WEIGHT_LIMITS.items()}
        self._answers: dict[str, Callable[[Call], Awaitable[web.Response]]] = {
            "ping": self._ping,
            "time": self._time,
            "exchangeInfo": self._exchange_info,
            "depth": self._depth,
        }

    def budget(self, market: Market) -> WeightBudget:
        """Return the request weight of a market."""
        return self._budgets[market]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all markets."""
        return [
            web.get(f"{base}/{endpoint}", self._handler(market, endpoint))
            for market, base in BASE_PATHS.items()
            for endpoint in self._answers
        ]

    def _handler(self, market: Market, endpoint: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            parameters = {name: value for name, value in request.query.items() if name != "genesis"}
            call = Call(request, market, endpoint, parameters)
            verdict = self._budgets[market].charge(_weight(call))
            try:
                if verdict.status != 200:
                    raise too_much(verdict, self._budgets[market].limit)
                faults = self._faults.on_request(
                    market, endpoint, self._player.recv_ns, parameters.get("symbol", "")
                )
                self._skew_ms = sum(map(skew_ms, faults))
                response = await self._faulted(call, faults) or await self._answers[endpoint](call)
            except ApiError as error:
                response = _json({"code": error.code, "msg": error.msg}, error.status)
                if verdict.retry_after_s:
                    response.headers["Retry-After"] = str(verdict.retry_after_s)
            response.headers["X-MBX-USED-WEIGHT"] = str(verdict.used_weight)
            response.headers["X-MBX-USED-WEIGHT-1M"] = str(verdict.used_weight)
            return response

        return handle

    async def _faulted(self, call: Call, faults: list[Fault]) -> web.Response | None:
        """Return the answer that a fault gives instead of the true one."""
        response = None
        for fault in faults:
            kind = fault.spec.kind
            if kind in ("429", "418"):
                retry_after_s = int(fault.spec.number("retry_after_s"))
                error = too_much(Verdict(int(kind), 0, retry_after_s), self._budgets[call.market].limit)
                response = _json({"code": error.code, "msg": error.msg}, error.status)
                response.headers["Retry-After"] = str(retry_after_s)
            elif kind == "exchange_info_down":
                status = int(fault.spec.number("status"))
                response = web.Response(text="<html><body>Service Unavailable</body></html>", status=status)
            elif kind == "slow_snapshot":
                await asyncio.sleep(fault.spec.number("wall_ms") / 1e3)
            elif kind == "stale_snapshot":
                symbol, limit = self._depth_parameters(call)
                book = self._hub.books[call.market, symbol]
                firsts = [c.first_ids.get(symbol) for c in self._hub.connections if c.market == call.market]
                first_id = min((each for each in firsts if each is not None), default=book.last_update_id)
                stale_id = max(1, first_id - int(fault.spec.number("by")))
                response = self._depth_response(call, book.depth_as_of(stale_id, limit))
        return response

    async def _ping(self, call: Call) -> web.Response:
        _expect(call, ())
        return _json({})

    async def _time(self, call: Call) -> web.Response:
        _expect(call, ())
        return _json({"serverTime": self._player.event_ms + int(self._skew_ms)})

    async def _exchange_info(self, call: Call) -> web.Response:
        instruments = [each for each in self._hub.instruments.values() if each.market == call.market]
        if call.market != Market.SPOT:
            _expect(call, ())
            return _json(exchange_info(call.market, instruments, self._player.event_ms))
        _expect(call, ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"))
        wanted = wanted_symbols(call.parameters)
        if wanted is not None:
            by_symbol = {each.symbol: each for each in instruments}
            if not set(wanted) <= set(by_symbol):
                raise ApiError(-1121, "Invalid symbol.")
            instruments = [by_symbol[symbol] for symbol in wanted]
        elif call.parameters.get("symbolStatus", "TRADING") != "TRADING":
            instruments = []
        return _json(exchange_info(call.market, instruments, self._player.event_ms))

    async def _depth(self, call: Call) -> web.Response:
        symbol, limit = self._depth_parameters(call)
        return self._depth_response(call, await self._answer(call.market, symbol, limit))

    def _depth_response(self, call: Call, answer: DepthAnswer) -> web.Response:
        response = web.Response(body=answer.payload, content_type="application/json")
        if call.is_replay:
            response.headers[RECV_HEADER] = str(answer.recv_ns)
        return response

    def _depth_parameters(self, call: Call) -> tuple[str, int]:
        _expect(call, ("symbol", "limit", "symbolStatus"))
        symbol = _mandatory(call.parameters, "symbol")
        if not _SYMBOL.fullmatch(symbol):
            text = f"Illegal characters found in parameter 'symbol'; legal range is '{_SYMBOL_RANGE}'."
            raise ApiError(-1100, text)
        limit = _limit(call)
        if (call.market, symbol) not in self._hub.books:
            raise ApiError(-1121, "Invalid symbol.")
        return symbol, limit

    async def _answer(self, market: Market, symbol: str, limit: int) -> DepthAnswer:
        """Return the book: the recorded snapshot where it is owed, else the book as played so far.

        The recorded one is owed to the first request after a subscription, as long as the client's
        stream began before it; so a replay gives the same rows at any speed. Before the snapshot has
        been played the request waits for it, unless the play stands still: then it is given in advance.
        """
        book = self._hub.books[market, symbol]
        opening = self._hub.opening.get((market, symbol))
        while not book.is_whole:
            before = self._player.position
            is_over = self._player.state in (State.FINISHED, State.FAILED)
            is_still = self._player.state == State.WAITING
            if not is_over and not is_still:
                try:
                    await asyncio.wait_for(book.changed.wait(), BLOCKED_S)
                except TimeoutError:
                    is_still = self._player.position == before
            is_ahead = opening is not None and opening.recv_ns >= self._player.recv_ns
            if is_still and is_ahead and opening is not None:
                self._pay(market, symbol)
                return book.recorded_depth(opening, limit)
            if is_over or self._player.state == State.WAITING:
                raise ApiError(-1112, "No orders on book for symbol.")
        connection = self._hub.owing(market, symbol)
        if connection is not None and book.recorded is not None:
            connection.owed.discard(symbol)
            return book.recorded_depth(book.recorded, limit)
        return book.depth(limit)

    def _pay(self, market: Market, symbol: str) -> None:
        """Note that one client has been given the recorded snapshot."""
        for connection in self._hub.connections:
            if connection.market == market and symbol in connection.owed:
                connection.owed.discard(symbol)
                return


def skew_ms(fault: Fault) -> float:
    """Return by how much a fault sets the clock ahead."""
    if fault.spec.kind != "clock_skew":
        return 0.0
    return fault.spec.number("by_ms") * (1 if fault.spec["way"] == "ahead" else -1)


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")


def too_much(verdict: Verdict, limit: int) -> ApiError:
    """Return the error for a request that the weight budget refuses."""
    if verdict.status == 418:
        text = (
            f"Way too much request weight used; IP banned for {verdict.retry_after_s} s."
            " Please use WebSocket Streams for live updates to avoid bans."
        )
        return ApiError(-1003, text, 418)
    text = (
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
        " Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return ApiError(-1003, text, 429)


def _expect(call: Call, names: tuple[str, ...]) -> None:
    """Refuse parameters that the endpoint does not have, doubled ones and empty ones."""
    sent = [name for name, _ in call.request.query.items() if name != "genesis"]
    if len(sent) != len(call.parameters):
        raise ApiError(-1101, "Duplicate values for a parameter detected.")
    known = [name for name in sent if name in names]
    if not names and sent:
        raise ApiError(-1101, f"Too many parameters; expected '0' and received '{len(sent)}'.")
    if len(known) != len(sent):
        read, received = len(known), len(sent)
        text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{received}'."
        raise ApiError(-1104, text)
    for name in known:
        if not call.parameters[name]:
            raise ApiError(-1105, f"Parameter '{name}' was empty.")


def _mandatory(parameters: dict[str, str], name: str) -> str:
    if name not in parameters:
        text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        raise ApiError(-1102, text)
    return parameters[name]


def _limit(call: Call) -> int:
    """Return how many levels a depth request asks for."""
    text = call.parameters.get("limit", "100" if call.market == Market.SPOT else "500")
    if not re.fullmatch(r"[0-9]{1,20}", text):
        message = f"Illegal characters found in parameter 'limit'; legal range is '{_LIMIT_RANGE}'."
        raise ApiError(-1100, message)
    limit = int(text)
    if call.market == Market.SPOT:
        if not limit:
            raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit, _SPOT_DEPTH_MAX)
    if limit not in _FUTURES_LIMITS:
        raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def _weight(call: Call) -> int:
    """Return what a request weighs, right or wrong."""
    if call.endpoint == "exchangeInfo":
        return 20 if call.market == Market.SPOT else 1
    if call.endpoint != "depth":
        return 1
    try:
        limit = _limit(call)
    except ApiError:
        return 1
    steps = (
        ((100, 5), (500, 25), (1_000, 50))
        if call.market == Market.SPOT
        else ((50, 2), (100, 5), (500, 10), (1_000, 20))
    )
    return next((weight for most, weight in steps if limit <= most), 250)


def wanted_symbols(parameters: dict[str, str]) -> list[str] | None:
    """Return the symbols that a spot exchangeInfo request names, None for all."""
    chosen = [name for name in ("symbol", "symbols", "permissions") if name in parameters]
    if len(chosen) > 1:
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    if "symbol" in parameters:
        return [parameters["symbol"]]
    if "symbols" not in parameters:
        return None
    try:
        return msgspec.json.decode(parameters["symbols"], type=list[str])
    except msgspec.DecodeError:
        text = f"Illegal characters found in parameter 'symbols'; legal range is '{_SYMBOLS_RANGE}'."
        raise ApiError(-1100, text) from None
