"""The filters of a symbol, enforced as exchangeInfo states them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from genesis.connectors.venue.exchange_info import spot_filters
from genesis.connectors.venue.source import Instrument
from genesis.connectors.venue.trading.errors import filter_failure
from genesis.connectors.venue.trading.orders import STOPS, OrderRequest
from genesis.operators.order_matching import ZERO, Side


@dataclass(frozen=True)
class SymbolRules:
    """One spot symbol: its assets and its filters.

    Parameters
    ----------
    symbol, base, quote
        Names.
    filters
        By filterType, as exchangeInfo gives them.
    """

    symbol: str
    base: str
    quote: str
    filters: Mapping[str, Mapping[str, object]]

    @classmethod
    def of(cls, instrument: Instrument) -> "SymbolRules":
        """Return the rules of an instrument: those that exchangeInfo gives."""
        filters = {str(each["filterType"]): each for each in spot_filters(instrument)}
        return cls(instrument.symbol, instrument.base, instrument.quote, filters)

    def number(self, kind: str, name: str) -> Decimal:
        """Return a number of a filter."""
        return Decimal(str(self.filters[kind][name]))

    @property
    def step(self) -> Decimal:
        """The quantity increment."""
        return self.number("LOT_SIZE", "stepSize")


def check_price(rules: SymbolRules, price: Decimal) -> None:
    """Refuse a price that is out of range or off the tick.

    Raises
    ------
    ApiError
        Filter failure: PRICE_FILTER.
    """
    low, high = rules.number("PRICE_FILTER", "minPrice"), rules.number("PRICE_FILTER", "maxPrice")
    if not low <= price <= high or (price - low) % rules.number("PRICE_FILTER", "tickSize"):
        raise filter_failure("PRICE_FILTER")


def check_qty(rules: SymbolRules, qty: Decimal, *, is_market: bool) -> None:
    """Refuse a quantity that is out of range or off the step.

    Raises
    ------
    ApiError
        Filter failure: LOT_SIZE or MARKET_LOT_SIZE.
    """
    for kind in ("LOT_SIZE", "MARKET_LOT_SIZE") if is_market else ("LOT_SIZE",):
        low, high, step = (rules.number(kind, name) for name in ("minQty", "maxQty", "stepSize"))
        if not low <= qty <= high or (step and (qty - low) % step):
            raise filter_failure(kind)


def check_order(
    rules: SymbolRules,
    request: OrderRequest,
    average_price: Decimal | None,
    open_kinds: list[str],
) -> None:
    """Refuse an order that any filter of its symbol forbids.

    Parameters
    ----------
    rules
        Of the symbol.
    request
        The order.
    average_price
        Reference price of the filters that need one; None skips these.
    open_kinds
        The types of the account's open orders on the symbol.

    Raises
    ------
    ApiError
        Filter failure, with the filter's name.
    """
    is_market = request.kind in ("MARKET", "STOP_LOSS", "TAKE_PROFIT")
    for price in (request.price, request.stop_price):
        if price is not None:
            check_price(rules, price)
    if request.qty is not None:
        check_qty(rules, request.qty, is_market=is_market)
    if request.price is not None and average_price is not None:
        _check_percent(rules, request.side, request.price, average_price)
    check_notional(rules, request, average_price)
    if len(open_kinds) >= rules.number("MAX_NUM_ORDERS", "maxNumOrders"):
        raise filter_failure("MAX_NUM_ORDERS")
    algos = sum(kind in STOPS for kind in open_kinds)
    if request.kind in STOPS and algos >= rules.number("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders"):
        raise filter_failure("MAX_NUM_ALGO_ORDERS")


def check_notional(rules: SymbolRules, request: OrderRequest, average_price: Decimal | None) -> None:
    """Refuse an order that is worth too little or too much.

    Raises
    ------
    ApiError
        Filter failure: NOTIONAL.
    """
    filters = rules.filters["NOTIONAL"]
    is_market = request.price is None
    price = request.price or request.stop_price or average_price
    notional = request.notional
    if notional is None:
        if price is None or request.qty is None:
            return
        notional = price * request.qty
    is_low = notional < rules.number("NOTIONAL", "minNotional")
    is_high = notional > rules.number("NOTIONAL", "maxNotional")
    if (is_low and (filters["applyMinToMarket"] or not is_market)) or (
        is_high and (filters["applyMaxToMarket"] or not is_market)
    ):
        raise filter_failure("NOTIONAL")


def _check_percent(rules: SymbolRules, side: Side, price: Decimal, average_price: Decimal) -> None:
    name = "bid" if side is Side.BUY else "ask"
    low = average_price * rules.number("PERCENT_PRICE_BY_SIDE", f"{name}MultiplierDown")
    high = average_price * rules.number("PERCENT_PRICE_BY_SIDE", f"{name}MultiplierUp")
    if average_price > ZERO and not low <= price <= high:
        raise filter_failure("PERCENT_PRICE_BY_SIDE")
