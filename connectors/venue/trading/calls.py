"""The calls of the trading side, once for REST and WebSocket API: parameters in, answer out."""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from genesis.connectors.venue.rest import ApiError
from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.errors import ID_RANGE, PartlyDone, missing
from genesis.connectors.venue.trading.exchange import Exchange, Interference
from genesis.connectors.venue.trading.orders import Json, Order, OrderRequest, e8
from genesis.connectors.venue.trading.parameters import Parameters, order_request

ROWS = 500
ROWS_MAX = 1_000
DAY_MS = 86_400_000

Interfere = Callable[[OrderRequest], Interference]


class Calls:
    """All calls over one exchange.

    Parameters
    ----------
    exchange
        What they act on.
    interfere
        What faults do to a new order; it may raise an `ApiError`.
    """

    def __init__(self, exchange: Exchange, interfere: Interfere) -> None:
        self._exchange = exchange
        self._interfere = interfere

    def place(self, account: Account, parameters: Parameters) -> object:
        """Place an order."""
        request = order_request(parameters)
        parameters.finish()
        self._exchange.known(request.symbol)
        return self._place(account, request).answer(request.response)

    def test(self, account: Account, parameters: Parameters) -> object:
        """Check an order without placing it."""
        request = order_request(parameters)
        computes = parameters.flag("computeCommissionRates", default=False)
        parameters.finish()
        self._exchange.check(account, request)
        if not computes:
            return {}
        rates = _rates(account)
        return {
            "standardCommissionForOrder": {"maker": rates["maker"], "taker": rates["taker"]},
            "specialCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
            "taxCommissionForOrder": {"maker": "0.00000000", "taker": "0.00000000"},
            "discount": _discount(account),
        }

    def status(self, account: Account, parameters: Parameters) -> object:
        """Return one order."""
        order = self._named(account, parameters)
        parameters.finish()
        if order is None:
            raise ApiError(-2013, "Order does not exist.")
        return order.json()

    def cancel(self, account: Account, parameters: Parameters) -> object:
        """Cancel one order."""
        order = self._named(account, parameters)
        cancel_id = parameters.text("newClientOrderId", "", ID_RANGE) or ""
        restriction = _restriction(parameters)
        parameters.finish()
        return self._cancel(order, cancel_id, restriction)

    def cancel_all(self, account: Account, parameters: Parameters) -> object:
        """Cancel all open orders of a symbol."""
        symbol = self._exchange.known(parameters.needed("symbol")).symbol
        parameters.finish()
        orders = self._exchange.register.open_orders(account, symbol)
        if not orders:
            raise _unknown_order()
        return [self._exchange.cancel(order) for order in orders]

    def cancel_replace(self, account: Account, parameters: Parameters) -> object:
        """Cancel one order and place another."""
        mode = parameters.needed("cancelReplaceMode")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise ApiError(-1100, "Illegal characters found in parameter 'cancelReplaceMode'.")
        request = order_request(parameters)
        self._exchange.known(request.symbol)
        old = self._named(account, parameters, "cancelOrderId", "cancelOrigClientOrderId")
        cancel_id = parameters.text("cancelNewClientOrderId", "", ID_RANGE) or ""
        restriction = _restriction(parameters)
        parameters.text("orderRateLimitExceededMode")
        parameters.finish()
        answer: Json = {"cancelResult": "SUCCESS", "newOrderResult": "NOT_ATTEMPTED"}
        try:
            answer["cancelResponse"] = self._cancel(old, cancel_id, restriction)
        except ApiError as error:
            answer |= {"cancelResult": "FAILURE", "cancelResponse": _error(error)}
        answer["newOrderResponse"] = None
        is_cancelled = answer["cancelResult"] == "SUCCESS"
        if is_cancelled or mode == "ALLOW_FAILURE":
            try:
                order = self._place(account, request)
                answer |= {"newOrderResult": "SUCCESS", "newOrderResponse": order.answer(request.response)}
            except ApiError as error:
                answer |= {"newOrderResult": "FAILURE", "newOrderResponse": _error(error)}
        is_placed = answer["newOrderResult"] == "SUCCESS"
        if is_cancelled and is_placed:
            return answer
        if is_cancelled or is_placed:
            raise PartlyDone(-2021, "Order cancel-replace partially failed.", 409, answer)
        raise PartlyDone(-2022, "Order cancel-replace failed.", 400, answer)

    def amend(self, account: Account, parameters: Parameters) -> object:
        """Make an order smaller; it keeps its place."""
        order = self._named(account, parameters)
        new_qty = parameters.decimal("newQty")
        new_id = parameters.text("newClientOrderId", "", ID_RANGE) or ""
        parameters.finish()
        if new_qty is None:
            raise missing("newQty")
        if order is None or not order.is_open:
            raise ApiError(-2038, "Unknown order sent.")
        old_id = order.client_order_id
        head = self._exchange.amend(account, order, new_qty, new_id)
        shown = order.json()
        amended = {
            name: shown[name]
            for name in ("symbol", "orderId", "orderListId", "clientOrderId", "price", "side")
        }
        amended |= {
            "origClientOrderId": old_id,
            "qty": e8(order.qty),
            "executedQty": e8(order.filled_qty),
            "preventedQty": e8(None),
            "quoteOrderQty": e8(None),
            "cumulativeQuoteQty": e8(order.filled_notional),
            "status": order.status,
            "timeInForce": order.request.time_in_force,
            "type": order.request.kind,
            "workingTime": order.working_ms,
            "selfTradePreventionMode": order.request.prevention_name,
        }
        return head | {"amendedOrder": amended}

    def amendments(self, account: Account, parameters: Parameters) -> object:
        """Return what was amended of one order."""
        order = self._named(account, parameters)
        from_id, limit = parameters.whole("fromExecutionId", 0) or 0, _rows(parameters)
        parameters.finish()
        if order is None:
            raise ApiError(-2013, "Order does not exist.")
        return [each for each in order.amends if int(str(each["executionId"])) >= from_id][:limit]

    def open_orders(self, account: Account, parameters: Parameters) -> object:
        """Return the open orders, of one symbol or all."""
        symbol = parameters.text("symbol")
        parameters.finish()
        if symbol is not None:
            self._exchange.known(symbol)
        return [order.json() for order in self._exchange.register.open_orders(account, symbol)]

    def all_orders(self, account: Account, parameters: Parameters) -> object:
        """Return the orders of a symbol, open or not."""
        symbol = self._exchange.known(parameters.needed("symbol")).symbol
        from_id = parameters.whole("orderId")
        start_ms, end_ms = _span(parameters)
        limit = _rows(parameters)
        parameters.finish()
        found = [
            order
            for order in self._exchange.orders.values()
            if order.account == account.name
            and order.request.symbol == symbol
            and start_ms <= order.created_ms <= end_ms
            and order.order_id >= (from_id or 0)
        ]
        is_from_start = from_id is not None or start_ms > 0
        return [order.json() for order in (found[:limit] if is_from_start else found[-limit:])]

    def my_trades(self, account: Account, parameters: Parameters) -> object:
        """Return the trades of a symbol."""
        symbol = self._exchange.known(parameters.needed("symbol")).symbol
        order_id, from_id = parameters.whole("orderId"), parameters.whole("fromId")
        start_ms, end_ms = _span(parameters)
        limit = _rows(parameters)
        parameters.finish()
        found = [
            fill
            for fill in self._exchange.fills[account.name]
            if fill.symbol == symbol
            and start_ms <= fill.time_ms <= end_ms
            and order_id in (None, fill.order_id)
            and fill.trade_id >= (from_id or 0)
        ]
        is_from_start = from_id is not None or start_ms > 0
        return [fill.trade_json() for fill in (found[:limit] if is_from_start else found[-limit:])]

    def account(self, account: Account, parameters: Parameters) -> object:
        """Return balances and rates."""
        omits_zeros = parameters.flag("omitZeroBalances", default=False)
        parameters.finish()
        wallet = account.wallet
        bases = {asset for rules in self._exchange.rules.values() for asset in (rules.base, rules.quote)}
        rows = [
            {"asset": asset, "free": e8(wallet.free(asset)), "locked": e8(wallet.locked(asset))}
            for asset in sorted({*wallet.assets, *bases})
            if not omits_zeros or wallet.free(asset) or wallet.locked(asset)
        ]
        rates = _rates(account)
        return {
            "makerCommission": int(account.maker_rate * 10_000),
            "takerCommission": int(account.taker_rate * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": rates,
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": max((fill.time_ms for fill in self._exchange.fills[account.name][-1:]), default=0),
            "accountType": "SPOT",
            "balances": rows,
            "permissions": ["SPOT"],
            "uid": list(self._exchange.accounts).index(account.name) + 1,
        }

    def commission(self, account: Account, parameters: Parameters) -> object:
        """Return the rates of a symbol."""
        symbol = self._exchange.known(parameters.needed("symbol")).symbol
        parameters.finish()
        none = dict.fromkeys(("maker", "taker", "buyer", "seller"), e8(None))
        return {
            "symbol": symbol,
            "standardCommission": _rates(account),
            "specialCommission": none,
            "taxCommission": none,
            "discount": _discount(account),
        }

    def order_limits(self, account: Account, parameters: Parameters) -> object:
        """Return how many unfilled orders were counted."""
        parameters.finish()
        return self._exchange.order_counts(account)

    def _place(self, account: Account, request: OrderRequest) -> Order:
        self._exchange.check(account, request)
        return self._exchange.place(account, request, self._interfere(request))

    def _cancel(self, order: Order | None, cancel_id: str, restriction: str) -> Json:
        if order is None or not order.is_open:
            raise _unknown_order()
        if restriction and order.status != restriction:
            raise ApiError(-2011, "Order was not canceled due to cancel restrictions.")
        return self._exchange.cancel(order, cancel_id)

    def _named(
        self,
        account: Account,
        parameters: Parameters,
        id_name: str = "orderId",
        client_name: str = "origClientOrderId",
    ) -> Order | None:
        """Return the order that a request names."""
        symbol = self._exchange.known(parameters.needed("symbol")).symbol
        order_id = parameters.whole(id_name)
        client_order_id = parameters.text(client_name, "", ID_RANGE) or ""
        if order_id is None and not client_order_id:
            text = f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!"
            raise ApiError(-1102, text)
        return self._exchange.register.find(account, symbol, order_id, client_order_id)


class Call(NamedTuple):
    """One call: how it is named, and what it weighs."""

    name: str  # its method of the WebSocket API, by which faults aim at it, too
    http: tuple[str, str]  # method and path below /api/v3
    run: Callable[[Account, Parameters], object]
    weight: int
    is_free: bool = False  # weighs nothing when it succeeds
    takes_time: bool = False  # goes to the matching engine


def all_calls(calls: Calls) -> list[Call]:
    """Return the table of calls."""
    order = "order"
    return [
        Call("order.place", ("POST", order), calls.place, 1, is_free=True, takes_time=True),
        Call("order.test", ("POST", "order/test"), calls.test, 1),
        Call("order.status", ("GET", order), calls.status, 4),
        Call("order.cancel", ("DELETE", order), calls.cancel, 1, is_free=True, takes_time=True),
        Call(
            "order.cancelReplace",
            ("POST", "order/cancelReplace"),
            calls.cancel_replace,
            1,
            is_free=True,
            takes_time=True,
        ),
        Call(
            "order.amend.keepPriority", ("PUT", "order/amend/keepPriority"), calls.amend, 4, takes_time=True
        ),
        Call("order.amendments", ("GET", "order/amendments"), calls.amendments, 4),
        Call("openOrders.status", ("GET", "openOrders"), calls.open_orders, 6),
        Call(
            "openOrders.cancelAll",
            ("DELETE", "openOrders"),
            calls.cancel_all,
            1,
            is_free=True,
            takes_time=True,
        ),
        Call("allOrders", ("GET", "allOrders"), calls.all_orders, 20),
        Call("myTrades", ("GET", "myTrades"), calls.my_trades, 20),
        Call("account.status", ("GET", "account"), calls.account, 20),
        Call("account.commission", ("GET", "account/commission"), calls.commission, 20),
        Call("account.rateLimits.orders", ("GET", "rateLimit/order"), calls.order_limits, 40),
    ]


def weight_of(call: Call, values: dict[str, str]) -> int:
    """Return what a call weighs with these parameters."""
    if call.name == "openOrders.status" and "symbol" not in values:
        return 80
    if call.name == "myTrades" and "orderId" in values:
        return 5
    if call.name == "order.test" and values.get("computeCommissionRates") == "true":
        return 20
    return call.weight


def _unknown_order() -> ApiError:
    return ApiError(-2011, "Unknown order sent.")


def _error(error: ApiError) -> Json:
    return {"code": error.code, "msg": error.msg}


def _rates(account: Account) -> dict[str, str]:
    return {
        "maker": e8(account.maker_rate),
        "taker": e8(account.taker_rate),
        "buyer": e8(None),
        "seller": e8(None),
    }


def _discount(account: Account) -> Json:
    return {
        "enabledForAccount": account.pays_in_bnb,
        "enabledForSymbol": True,
        "discountAsset": "BNB",
        "discount": e8(Decimal("0.75")),
    }


def _restriction(parameters: Parameters) -> str:
    """Return the only status in which an order may be cancelled, empty for any."""
    names = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
    error = ApiError(-1145, "Invalid cancelRestrictions")
    return names.get(parameters.choice("cancelRestrictions", names, error) or "", "")


def _span(parameters: Parameters) -> tuple[int, int]:
    """Return start and end of the time that is asked for."""
    start_ms, end_ms = parameters.whole("startTime"), parameters.whole("endTime")
    if start_ms is not None and end_ms is not None:
        if end_ms < start_ms:
            raise ApiError(-1127, "Start time is greater than end time.")
        if end_ms - start_ms > DAY_MS:
            raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    if end_ms is not None and start_ms is None:
        start_ms = end_ms - DAY_MS
    return start_ms or 0, end_ms if end_ms is not None else 2**63


def _rows(parameters: Parameters) -> int:
    limit = parameters.whole("limit", ROWS) or 0
    if not limit:
        raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, ROWS_MAX)
