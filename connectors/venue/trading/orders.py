"""Orders as the venue keeps them, and how its answers and events show them."""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from genesis.operators.order_matching import ZERO, Prevention, Side

Json = dict[str, object]

STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
"""Order types that wait for a trigger."""

OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})
"""Statuses in which an order can still fill."""

E8 = Decimal("0.00000001")

IOC_EXPIRED = "UNFILLED_IOC_QUANTITY_EXPIRED"
FOK_EXPIRED = "UNFILLED_FOK_ORDER_EXPIRED"
NO_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
PRICE_RANGE = "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"


class OrderRequest(NamedTuple):
    """A new order, its parameters understood."""

    symbol: str
    side: Side
    kind: str  # MARKET, LIMIT, ...
    time_in_force: str = "GTC"
    qty: Decimal | None = None
    notional: Decimal | None = None  # quoteOrderQty
    price: Decimal | None = None
    stop_price: Decimal | None = None
    client_order_id: str = ""
    prevention: Prevention = Prevention.EXPIRE_MAKER
    prevention_name: str = "EXPIRE_MAKER"
    response: str = ""  # ACK, RESULT, FULL; empty for the default of the type
    strategy_id: int | None = None
    strategy_type: int | None = None

    @property
    def is_limit(self) -> bool:
        """Whether it has a limit price."""
        return self.price is not None


class Fill(NamedTuple):
    """One trade of an order."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    time_ms: int

    @property
    def notional(self) -> Decimal:
        """Quote asset paid or received."""
        return self.price * self.qty

    def trade_json(self) -> Json:
        """Return it as myTrades shows it."""
        return {
            "symbol": self.symbol,
            "id": self.trade_id,
            "orderId": self.order_id,
            "orderListId": -1,
            "price": e8(self.price),
            "qty": e8(self.qty),
            "quoteQty": e8(self.notional),
            "commission": e8(self.commission),
            "commissionAsset": self.commission_asset,
            "time": self.time_ms,
            "isBuyer": self.side is Side.BUY,
            "isMaker": self.is_maker,
            "isBestMatch": True,
        }

    def order_json(self) -> Json:
        """Return it as the answer to its order shows it."""
        return {
            "price": e8(self.price),
            "qty": e8(self.qty),
            "commission": e8(self.commission),
            "commissionAsset": self.commission_asset,
            "tradeId": self.trade_id,
        }


@dataclass(slots=True)
class Order:
    """One order of one account."""

    request: OrderRequest
    account: str
    order_id: int
    client_order_id: str
    created_ms: int
    qty: Decimal  # of an order by notional: what was filled
    status: str = "NEW"
    updated_ms: int = 0
    working_ms: int = -1  # when it entered the book; -1 for a stop that waits
    filled_qty: Decimal = ZERO
    filled_notional: Decimal = ZERO
    lock_asset: str = ""
    lock_price: Decimal = ZERO  # quote asset locked for each unit that is left; 1 for a sale
    expiry_reason: str = ""
    reports: int = 0  # events about it so far
    amends: list[Json] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)

    @property
    def former_ids(self) -> list[str]:
        """The client order ids that amendments have replaced."""
        return [str(each["origClientOrderId"]) for each in self.amends]

    @property
    def left_qty(self) -> Decimal:
        """What is not filled yet."""
        return self.qty - self.filled_qty

    @property
    def is_open(self) -> bool:
        """Whether it can still fill."""
        return self.status in OPEN

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its trigger."""
        return self.is_open and self.working_ms < 0

    def json(self) -> Json:
        """Return it as a query shows it."""
        request = self.request
        shown: Json = {
            **self._head(),
            "price": e8(request.price),
            **self._amounts(),
            "stopPrice": e8(request.stop_price),
            "icebergQty": e8(ZERO),
            "time": self.created_ms,
            "updateTime": self.updated_ms,
            "isWorking": not self.is_waiting,
            "workingTime": self.working_ms,
            "origQuoteOrderQty": e8(request.notional),
            "selfTradePreventionMode": request.prevention_name,
        }
        return shown | self._more()

    def answer(self, style: str) -> Json:
        """Return the answer to the request that placed it: ACK, RESULT or FULL."""
        request = self.request
        if not style:
            style = "FULL" if request.kind in ("MARKET", "LIMIT") else "ACK"
        head = self._head() | {"transactTime": self.updated_ms}
        if style == "ACK":
            return head
        shown = {**head, "price": e8(request.price), **self._amounts()}
        shown["origQuoteOrderQty"] = e8(request.notional)
        if request.stop_price is not None:
            shown["stopPrice"] = e8(request.stop_price)
        shown |= {"workingTime": self.working_ms, "selfTradePreventionMode": request.prevention_name}
        shown |= self._more()
        if style == "FULL":
            shown["fills"] = [fill.order_json() for fill in self.fills]
        return shown

    def cancel_answer(self, cancel_id: str) -> Json:
        """Return the answer to the request that cancelled it."""
        request = self.request
        shown = {
            **self._head(),
            "origClientOrderId": self.client_order_id,
            "clientOrderId": cancel_id,
            "transactTime": self.updated_ms,
            "price": e8(request.price),
            **self._amounts(),
            "origQuoteOrderQty": e8(request.notional),
            "selfTradePreventionMode": request.prevention_name,
        }
        if request.stop_price is not None:
            shown["stopPrice"] = e8(request.stop_price)
        return shown

    def report(self, execution: str, event_ms: int, fill: Fill | None = None, cancel_id: str = "") -> Json:
        """Return the executionReport event for what has just happened to it."""
        request = self.request
        self.reports += 1
        event: Json = {
            "e": "executionReport",
            "E": event_ms,
            "s": request.symbol,
            "c": cancel_id or self.client_order_id,
            "S": request.side.value,
            "o": request.kind,
            "f": request.time_in_force,
            "q": e8(self.qty),
            "p": e8(request.price),
            "P": e8(request.stop_price),
            "F": e8(ZERO),
            "g": -1,
            "C": self.client_order_id if cancel_id else "",
            "x": execution,
            "X": self.status,
            "r": "NONE",
            "i": self.order_id,
            "l": e8(fill.qty if fill else ZERO),
            "z": e8(self.filled_qty),
            "L": e8(fill.price if fill else ZERO),
            "n": e8(fill.commission) if fill else "0",
            "N": fill.commission_asset if fill else None,
            "T": self.updated_ms,
            "t": fill.trade_id if fill else -1,
            "I": self.order_id * 100_000 + self.reports,
            "w": self.is_open and not self.is_waiting,
            "m": bool(fill and fill.is_maker),
            "M": fill is not None,
            "O": self.created_ms,
            "Z": e8(self.filled_notional),
            "Y": e8(fill.notional if fill else ZERO),
            "Q": e8(request.notional),
            "V": request.prevention_name,
        }
        if self.working_ms >= 0:
            event["W"] = self.working_ms
        if self.expiry_reason:
            event["eR"] = self.expiry_reason
        if request.strategy_id is not None:
            event["j"] = request.strategy_id
        if request.strategy_type is not None:
            event["J"] = request.strategy_type
        return event

    def _head(self) -> Json:
        return {
            "symbol": self.request.symbol,
            "orderId": self.order_id,
            "orderListId": -1,
            "clientOrderId": self.client_order_id,
        }

    def _amounts(self) -> Json:
        return {
            "origQty": e8(self.qty),
            "executedQty": e8(self.filled_qty),
            "cummulativeQuoteQty": e8(self.filled_notional),
            "status": self.status,
            "timeInForce": self.request.time_in_force,
            "type": self.request.kind,
            "side": self.request.side.value,
        }

    def _more(self) -> Json:
        more: Json = {}
        if self.request.strategy_id is not None:
            more["strategyId"] = self.request.strategy_id
        if self.request.strategy_type is not None:
            more["strategyType"] = self.request.strategy_type
        if self.expiry_reason:
            more["expiryReason"] = self.expiry_reason
        return more


def e8(amount: Decimal | None) -> str:
    """Return an amount with 8 decimals, the rest cut off.

    >>> e8(Decimal("0.123456789")), e8(None)
    ('0.12345678', '0.00000000')
    """
    return f"{(amount or ZERO).quantize(E8, rounding=ROUND_DOWN):f}"
