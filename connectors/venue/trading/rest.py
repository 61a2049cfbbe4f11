"""The trading side over HTTP: `/api/v3` with signed parameters in query and body."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from genesis.connectors.venue.faults import Fault
from genesis.connectors.venue.limits import Verdict, WeightBudget
from genesis.connectors.venue.rest import ApiError, skew_ms, too_much
from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.auth import authenticate
from genesis.connectors.venue.trading.calls import Call, weight_of
from genesis.connectors.venue.trading.counts import WINDOWS
from genesis.connectors.venue.trading.desk import Desk
from genesis.connectors.venue.trading.errors import PartlyDone
from genesis.connectors.venue.trading.interference import Interferer, Lost
from genesis.connectors.venue.trading.orders import Json
from genesis.connectors.venue.trading.parameters import Parameters
from genesis.connectors.venue.trading.signatures import rest_payload

BASE = "/api/v3"
KEY_HEADER = "X-MBX-APIKEY"
SILENCE_S = 60.0
"""How long a request waits whose answer a fault has lost for good."""


class TradingRest:
    """HTTP handlers over a desk.

    Parameters
    ----------
    desk, interferer
        The exchange within the play, and its faults.
    calls
        What there is.
    budget
        Request weight of the spot market, shared with its other requests.
    """

    def __init__(self, desk: Desk, interferer: Interferer, calls: list[Call], budget: WeightBudget) -> None:
        self._desk = desk
        self._interferer = interferer
        self._calls = calls
        self._budget = budget

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.route(call.http[0], f"{BASE}/{call.http[1]}", self._handler(call)) for call in self._calls
        ]

    def _handler(self, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            query, body = request.raw_path.partition("?")[2], await request.text()
            pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(body, keep_blank_values=True)
            values = dict(pairs)
            weight = weight_of(call, values)
            verdict = self._budget.charge(0 if call.is_free else weight)
            account: Account | None = None
            try:
                faults = self._met(call, values.get("symbol", ""))
                refused = verdict.status != 200
                if refused or any(fault.spec.kind in ("429", "418") for fault in faults):
                    return self._throttled(verdict, faults)
                if request.headers.get("X-MBX-TIME-UNIT", "MILLISECOND").upper() != "MILLISECOND":
                    raise ApiError(-1194, "Invalid value for time unit; this venue has milliseconds only.")
                if _has_doubles(pairs, query, body):
                    raise ApiError(-1101, "Duplicate values for a parameter detected.")
                parameters = Parameters(values)
                account = self._authenticated(request, parameters, rest_payload(query, body), faults)
                response = _json(await self._answer(call, account, parameters))
            except Lost as lost:
                response = await _lost(request, lost)
            except ApiError as error:
                if call.is_free:
                    verdict = self._budget.charge(weight)
                data = {"data": error.data} if isinstance(error, PartlyDone) else {}
                response = _json({"code": error.code, "msg": error.msg, **data}, error.status)
                if error.code == -1015:
                    response.headers["Retry-After"] = "10"
            response.headers["X-MBX-USED-WEIGHT"] = str(verdict.used_weight)
            response.headers["X-MBX-USED-WEIGHT-1M"] = str(verdict.used_weight)
            if account is not None and call.takes_time:
                used = self._desk.exchange.counts[account.name].used(self._desk.now_ms)
                for window, count in zip(WINDOWS, used, strict=True):
                    response.headers[window.header] = str(count)
            return response

        return handle

    def _met(self, call: Call, symbol: str) -> list[Fault]:
        return self._interferer.on_request(call.name.partition(".")[0], symbol)

    def _authenticated(
        self, request: web.Request, parameters: Parameters, payload: bytes, faults: list[Fault]
    ) -> Account:
        key = request.headers.get(KEY_HEADER, "")
        parameters.ignore("timestamp", "recvWindow", "signature")
        self._desk.skew_ms = sum(map(skew_ms, faults))
        try:
            return authenticate(self._desk, key, parameters, [payload])
        finally:
            self._desk.skew_ms = 0.0

    async def _answer(self, call: Call, account: Account, parameters: Parameters) -> object:
        return await answer(self._desk, self._interferer, call, account, parameters)

    def _throttled(self, verdict: Verdict, faults: list[Fault]) -> web.Response:
        """Return the answer to one request too many, real or by a fault."""
        for fault in faults:
            if verdict.status == 200 and fault.spec.kind in ("429", "418"):
                verdict = Verdict(int(fault.spec.kind), 0, int(fault.spec.number("retry_after_s")))
        error = too_much(verdict, self._budget.limit)
        response = _json({"code": error.code, "msg": error.msg}, error.status)
        response.headers["Retry-After"] = str(verdict.retry_after_s)
        response.headers["X-MBX-USED-WEIGHT-1M"] = str(verdict.used_weight)
        return response


async def answer(
    desk: Desk, interferer: Interferer, call: Call, account: Account, parameters: Parameters
) -> object:
    """Return the answer to a call, after its time in the matching engine.

    Raises
    ------
    ApiError
        When the call is refused.
    Lost
        When a fault loses the answer.
    """
    if not call.takes_time:
        return call.run(account, parameters)

    def run() -> tuple[object, Lost | None]:
        interferer.loss = None
        found = call.run(account, parameters)
        return found, interferer.loss

    desk.note_arrival(str(parameters.values.get("newClientOrderId", "")))
    found, loss = await desk.submit(run)
    if loss is not None:
        raise loss
    return found


async def _lost(request: web.Request, lost: Lost) -> web.Response:
    """Lose an answer in the way that a fault asks for."""
    if lost.how == "silence":
        await asyncio.sleep(SILENCE_S)
    if lost.how in ("silence", "drop") and request.transport is not None:
        request.transport.abort()
    if lost.how == "504":
        return web.Response(text="<html><body>Gateway Time-out</body></html>", status=504)
    return _json({"code": lost.error.code, "msg": lost.error.msg}, lost.error.status)


def _has_doubles(pairs: list[tuple[str, str]], query: str, body: str) -> bool:
    """Return whether a parameter comes twice within query or body; the same in both is allowed."""
    if not query or not body:
        return len({name for name, _ in pairs}) != len(pairs)
    halves = (parse_qsl(query, keep_blank_values=True), parse_qsl(body, keep_blank_values=True))
    return any(len({name for name, _ in half}) != len(half) for half in halves)


def _json(found: object, status: int = 200) -> web.Response:
    response: Json | object = found
    return web.Response(body=msgspec.json.encode(response), status=status, content_type="application/json")
