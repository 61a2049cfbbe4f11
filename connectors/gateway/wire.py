"""Wire: our orders as Binance's parameters, and Binance's answers and reports as ours. Pure.

Quantities and prices pass as the decimal text that they are, in both directions.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from genesis.connectors.gateway.venues import (
    AuthFailed,
    ClockSkew,
    Rejected,
    Throttled,
    Trade,
    TradingError,
    Unknown,
)
from genesis.operators.account.events import Execution, Listing
from genesis.operators.account.outcomes import ChildOrder

ORDER_TYPES = {
    "market": "MARKET",
    "limit": "LIMIT",
    "limit_maker": "LIMIT_MAKER",
    "stop_loss_limit": "STOP_LOSS_LIMIT",
}

STATUSES = {
    "NEW": "new",
    "PENDING_NEW": "new",
    "PENDING_CANCEL": "new",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}

EXECUTION_TYPES = dict.fromkeys(
    ("NEW", "CANCELED", "REPLACED", "REJECTED", "EXPIRED", "TRADE_PREVENTION"), False
) | {"TRADE": True}
"""Whether a report of each type is about a trade."""

NO_SUCH_ORDER = -2013
THROTTLES = frozenset({-1003, -1015, -1008, -1034})
CLOCKS = frozenset({-1021})
UNKNOWNS = frozenset({-1000, -1001, -1006, -1007})
AUTHS = frozenset({-1002, -1022, -2014, -2015})


class NotUnderstood(Unknown):
    """A message of the venue, or an order of ours, has not the form that it should have."""


def whole_number(answer: Any, name: str) -> int:
    """Return a whole number that an answer must have.

    Raises
    ------
    NotUnderstood
        When it has none of that name.
    """
    try:
        return int(answer[name])
    except (KeyError, TypeError, ValueError, IndexError):
        raise NotUnderstood(f"the venue's answer has no {name}") from None


def plain(text: str) -> str:
    """Return decimal text without exponent and superfluous zeros.

    >>> plain("1E-5"), plain("100"), plain("0.50"), plain("1e2")
    ('0.00001', '100', '0.5', '100')

    Raises
    ------
    NotUnderstood
        When it is no positive, finite number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise NotUnderstood(f"{text[:32]!r} is no number") from None
    if not value.is_finite() or value <= 0 or value.adjusted() > 17 or value.as_tuple().exponent < -17:  # type: ignore[operator]
        raise NotUnderstood(f"{text[:32]!r} is no positive amount of a size that venues take")
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def order_params(order: ChildOrder) -> dict[str, str]:
    """Return the parameters of a new order.

    Raises
    ------
    NotUnderstood
        When the order says what no venue understands.
    """
    kind = ORDER_TYPES.get(order.order_type)
    if kind is None or order.side not in ("buy", "sell"):
        raise NotUnderstood(f"no venue knows an order {order.order_type[:32]!r} to {order.side[:32]!r}")
    params = {
        "symbol": order.symbol,
        "side": order.side.upper(),
        "type": kind,
        "quantity": plain(order.qty),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "ACK",
    }
    if kind != "MARKET":
        params["price"] = plain(order.limit_price)
    if kind in ("LIMIT", "STOP_LOSS_LIMIT"):
        params["timeInForce"] = (order.time_in_force or "gtc").upper()
    if kind == "STOP_LOSS_LIMIT":
        params["stopPrice"] = plain(order.stop_price)
    return params


def error_of(status: int, code: int, message: str, retry_after_s: float) -> TradingError:
    """Return what an error of the venue means.

    Parameters
    ----------
    status
        HTTP status; 0 when it is not known.
    code, message
        The venue's code, 0 for none, and words.
    retry_after_s
        Seconds to wait as the venue says; 0 when it does not.

    >>> error_of(400, -2010, "Account has insufficient balance", 0.0)
    Rejected('Account has insufficient balance (code -2010)')
    >>> error_of(504, 0, "", 0.0)
    Unknown('the venue answered with status 504 and code 0')
    """
    if status in (418, 429) or code in THROTTLES:
        return Throttled(message or f"status {status}", retry_after_s, banned=status == 418)
    if code in CLOCKS:
        return ClockSkew(message)
    if status >= 500 or code in UNKNOWNS:
        return Unknown(f"the venue answered with status {status} and code {code}")
    if status in (401, 403) or code in AUTHS:
        return AuthFailed(f"the venue refuses our key, signature or address (code {code}): {message}")
    if not code:
        return Unknown(f"the venue answered with status {status} and without a code")
    return Rejected(code, message)


def report_of(event: dict[str, Any]) -> Execution:
    """Return what an ``executionReport`` of the user data stream says.

    Raises
    ------
    NotUnderstood
        When a field is missing or has the wrong form.
    """
    try:
        is_trade = EXECUTION_TYPES[event["x"]]
        return Execution(
            client_order_id=str(event["C"] or event["c"]),
            venue_order_id=int(event["i"]),
            symbol=str(event["s"]),
            side=str(event["S"]).lower(),
            status=STATUSES[event["X"]],
            trade_id=int(event["t"]) if is_trade else -1,
            last_qty=_text(event["l"]) if is_trade else "0",
            last_price=_text(event["L"]) if is_trade else "0",
            filled_qty=_text(event["z"]),
            commission=_text(event["n"]) if is_trade else "0",
            commission_asset=str(event["N"] or "") if is_trade else "",
            is_maker=bool(event["m"]) if is_trade else False,
            venue_ns=_ns(event["T"]),
            reason=_reason(event),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise NotUnderstood(f"an execution report could not be read: {error!r}") from None


def _reason(event: dict[str, Any]) -> str:
    said = [str(event.get("r", "NONE")), str(event.get("eR", "") or "")]
    return " ".join(part for part in said if part and part != "NONE")


def status_of(answer: dict[str, Any]) -> Execution:
    """Return what an answer about one order (``order.status``, ``openOrders``) says.

    Raises
    ------
    NotUnderstood
        When a field is missing or has the wrong form.
    """
    try:
        return Execution(
            client_order_id=str(answer["clientOrderId"]),
            venue_order_id=int(answer["orderId"]),
            symbol=str(answer["symbol"]),
            side=str(answer["side"]).lower(),
            status=STATUSES[answer["status"]],
            filled_qty=_text(answer["executedQty"]),
            venue_ns=_ns(answer.get("updateTime") or answer.get("time") or 0),
            reason=str(answer.get("expiryReason", "") or ""),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise NotUnderstood(f"the state of an order could not be read: {error!r}") from None


def trade_of(answer: dict[str, Any]) -> Trade:
    """Return one entry of ``myTrades``.

    Raises
    ------
    NotUnderstood
        When a field is missing or has the wrong form.
    """
    try:
        return Trade(
            symbol=str(answer["symbol"]),
            trade_id=int(answer["id"]),
            venue_order_id=int(answer["orderId"]),
            side="buy" if answer["isBuyer"] else "sell",
            qty=_text(answer["qty"]),
            price=_text(answer["price"]),
            commission=_text(answer["commission"]),
            commission_asset=str(answer["commissionAsset"]),
            is_maker=bool(answer["isMaker"]),
            venue_ns=_ns(answer["time"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise NotUnderstood(f"a trade of ours could not be read: {error!r}") from None


def balances_of(answer: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return free and locked by asset from an answer about the account, what is zero left out."""
    try:
        pairs = {str(b["asset"]): (_text(b["free"]), _text(b["locked"])) for b in answer["balances"]}
    except (KeyError, TypeError, InvalidOperation) as error:
        raise NotUnderstood(f"balances could not be read: {error!r}") from None
    return {asset: pair for asset, pair in pairs.items() if Decimal(pair[0]) or Decimal(pair[1])}


def listing_of(symbol: dict[str, Any]) -> Listing:
    """Return the rules of one symbol of ``exchangeInfo``; filters are found by name, in any order."""
    try:
        filters = {each["filterType"]: each for each in symbol["filters"]}
        notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
        lot = filters["LOT_SIZE"]
        return Listing(
            symbol=str(symbol["symbol"]),
            base=str(symbol["baseAsset"]),
            quote=str(symbol["quoteAsset"]),
            tick=_text(filters["PRICE_FILTER"]["tickSize"]),
            lot=_text(lot["stepSize"]),
            min_qty=_text(lot["minQty"]),
            max_qty=_text(lot["maxQty"]),
            min_notional=_text(notional["minNotional"]),
            trading=symbol["status"] == "TRADING",
        )
    except (KeyError, TypeError, InvalidOperation) as error:
        raise NotUnderstood(f"the rules of a symbol could not be read: {error!r}") from None


def _text(value: Any) -> str:
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value!r} is no finite number")
    return format(number, "f")


def _ns(value: Any) -> int:
    """Return a venue time in ns; it is ms, or µs when it is too large for that."""
    number = int(value)
    return number * 1_000 if number > 10**14 else number * 1_000_000
