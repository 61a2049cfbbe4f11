"""Parameters of requests, read and checked: each has one reader, and what is not read is an error. Pure."""

import re
from collections.abc import Iterable
from decimal import Decimal

from genesis.connectors.venue.rest import ApiError
from genesis.connectors.venue.trading.errors import (
    DECIMAL_RANGE,
    ID_RANGE,
    WHOLE_RANGE,
    illegal,
    missing,
    unneeded,
)
from genesis.connectors.venue.trading.orders import OrderRequest
from genesis.operators.order_matching import Prevention, Side

DECIMALS_MAX = 8
RESPONSES = ("ACK", "RESULT", "FULL")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK")

_NEEDED = {
    "LIMIT": ("timeInForce", "quantity", "price"),
    "MARKET": (),
    "STOP_LOSS": ("quantity", "stopPrice"),
    "STOP_LOSS_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
    "TAKE_PROFIT": ("quantity", "stopPrice"),
    "TAKE_PROFIT_LIMIT": ("timeInForce", "quantity", "price", "stopPrice"),
    "LIMIT_MAKER": ("quantity", "price"),
}
_SOMETIMES = ("timeInForce", "quantity", "price", "stopPrice", "quoteOrderQty")
_UNSUPPORTED = {
    "icebergQty": "Iceberg orders are not supported for this symbol.",
    "trailingDelta": "Trailing stop orders are not supported for this symbol.",
    "pegPriceType": "Pegged orders are not supported for this symbol.",
    "pegOffsetValue": "Pegged orders are not supported for this symbol.",
    "pegOffsetType": "Pegged orders are not supported for this symbol.",
}


class Parameters:
    """The parameters of one request.

    Parameters
    ----------
    values
        As sent.
    """

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self._read: set[str] = set()

    def text(self, name: str, default: str | None = None, legal: str = "") -> str | None:
        """Return a text, or the default; empty ones count as an error."""
        self._read.add(name)
        value = self.values.get(name)
        if value is None:
            return default
        if value == "":
            raise ApiError(-1105, f"Parameter '{name}' was empty.")
        if legal and re.fullmatch(legal, value, re.IGNORECASE) is None:
            raise illegal(name, legal)
        return value

    def needed(self, name: str, legal: str = "") -> str:
        """Return a text that must be there."""
        value = self.text(name, None, legal) if self.values.get(name) else None
        if value is None:
            raise missing(name)
        return value

    def whole(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number."""
        value = self.text(name, None, WHOLE_RANGE)
        return default if value is None else int(value)

    def decimal(self, name: str) -> Decimal | None:
        """Return an amount."""
        value = self.text(name)
        if value is None:
            return None
        if re.fullmatch(DECIMAL_RANGE, value, re.ASCII) is None:
            raise illegal(name, DECIMAL_RANGE)
        amount = Decimal(value)
        if len(value.partition(".")[2].rstrip("0")) > DECIMALS_MAX:
            raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
        return amount

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise illegal(name, "^(true|false)$")
        return value.lower() == "true"

    def choice(self, name: str, choices: Iterable[str], error: ApiError) -> str | None:
        """Return one of several texts."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise error
        return value

    def ignore(self, *names: str) -> None:
        """Note that parameters have been dealt with elsewhere."""
        self._read.update(names)

    def finish(self) -> None:
        """Refuse what nobody has read."""
        read, sent = len(self._read & set(self.values)), len(self.values)
        if read != sent:
            text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
            raise ApiError(-1104, text)


def order_request(parameters: Parameters) -> OrderRequest:
    """Return the new order that parameters describe.

    Raises
    ------
    ApiError
        When they describe none.
    """
    symbol = parameters.needed("symbol")
    side = parameters.needed("side")
    if side not in Side.__members__:
        raise ApiError(-1117, "Invalid side.")
    kind = parameters.needed("type")
    if kind not in _NEEDED:
        raise ApiError(-1116, "Invalid orderType.")
    for name, text in _UNSUPPORTED.items():
        if name in parameters.values:
            raise ApiError(-1013, text)
    amounts = {name: parameters.decimal(name) for name in _SOMETIMES[1:]}
    _check_combination(parameters, kind)
    for name, text in (("quantity", "quantity"), ("price", "price"), ("stopPrice", "stop price")):
        if amounts[name] is not None and not amounts[name]:
            raise ApiError(-1013, f"Invalid {text}.")
    if amounts["quoteOrderQty"] is not None and not amounts["quoteOrderQty"]:
        raise ApiError(-1013, "Invalid quote order qty.")
    time_in_force = parameters.choice("timeInForce", TIMES_IN_FORCE, ApiError(-1115, "Invalid timeInForce."))
    response = parameters.choice("newOrderRespType", RESPONSES, ApiError(-1143, "Invalid newOrderRespType."))
    prevention, prevention_name = _prevention(parameters)
    return OrderRequest(
        symbol=symbol,
        side=Side[side],
        kind=kind,
        time_in_force=time_in_force or "GTC",
        qty=amounts["quantity"],
        notional=amounts["quoteOrderQty"],
        price=amounts["price"],
        stop_price=amounts["stopPrice"],
        client_order_id=parameters.text("newClientOrderId", "", ID_RANGE) or "",
        prevention=prevention,
        prevention_name=prevention_name,
        response=response or "",
        strategy_id=parameters.whole("strategyId"),
        strategy_type=parameters.whole("strategyType"),
    )


def _check_combination(parameters: Parameters, kind: str) -> None:
    """Refuse an order that lacks a parameter of its type, or has one of another type."""
    needed = _NEEDED[kind]
    for name in needed:
        parameters.needed(name)
    allowed = needed
    if kind == "MARKET":
        both = [name for name in ("quantity", "quoteOrderQty") if name in parameters.values]
        if not both:
            raise missing("quantity")
        if len(both) == 2:
            raise unneeded("quoteOrderQty")
        allowed = ("quantity", "quoteOrderQty")
    for name in _SOMETIMES:
        if name in parameters.values and name not in allowed:
            raise unneeded(name)


def _prevention(parameters: Parameters) -> tuple[Prevention, str]:
    error = ApiError(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    name = parameters.choice("selfTradePreventionMode", Prevention.__members__, error) or "EXPIRE_MAKER"
    return Prevention[name], name
