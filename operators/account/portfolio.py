"""Portfolio: what an account owns, what it cost, and what was earned; a pure fold of its trades.

Law, for average cost, FIFO and LIFO alike, to the last digit and in the account's quote asset:
``cash + cost of all positions - realised = transferred``. So what was realised and what is not yet, added
up, is the equity less what came from outside. Only a division rounds (`money`), and then both sides of the
sum take the same figure.

How the fold uses it: `settlement.settle` for the opening balances and for what a reconciliation found;
``traded`` makes a fill of an execution and ``apply`` books it, once, however often it comes; ``mark`` with
the marks, by symbol, at every market record, then ``equity``, ``unrealised`` and ``exposures``. What the
first, ``apply`` and ``mark`` call transferred goes to `performance.transfer`.

A fee in the base asset lowers what a purchase brings (or adds to what a sale gives away), one in the quote
asset raises the cost or lowers the proceeds. One in a third asset, such as BNB, is valued at a given price,
counts as cost of the trade, and is a sale of that asset at that price. All symbols of a portfolio have one
quote asset, and a symbol's name is base and quote put together, as the venue writes it.

What is sold or paid beyond what is known to be held has come from outside: it is booked as a transfer, at
the price of that trade, so no quantity is ever below zero. Cash may be, until the reconciliation.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from genesis.operators.account.events import Execution
from genesis.operators.account.lots import Lot, Method, cost_of, put, take
from genesis.operators.account.money import ONE, ZERO, amount, exact, on_grid, part, positive

SYMBOLS_MAX = 1_000
"""Most symbols remembered; of more, the one without a holding that traded longest ago is forgotten."""

LATE_TRADES_MAX = 64
"""Newest trade ids of a symbol that are remembered one by one. What comes with an id not above those is
taken for a repeat; should it be none, the next reconciliation shows the difference."""

Prices = Mapping[str, Decimal]
"""Marks by symbol, quote asset a unit of base."""


class PortfolioError(ValueError):
    """A trade that cannot be booked, with a stable code and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of ours."""

    symbol: str
    base: str
    quote: str
    side: str  # buy or sell
    trade_id: int  # the venue's
    qty: Decimal  # base asset, above zero
    price: Decimal  # quote asset a unit of base, above zero
    commission: Decimal = ZERO
    commission_asset: str = ""
    commission_price: Decimal | None = None  # quote asset a unit, for a third asset; None: its last price
    event_ns: int = 0  # account's clock


class Realised(msgspec.Struct, frozen=True, kw_only=True):
    """What a trade did; money in quote asset."""

    symbol: str
    average: Decimal = ZERO  # realised P&L of the trade by average cost, after fees
    fifo: Decimal = ZERO
    lifo: Decimal = ZERO
    fee_value: Decimal = ZERO  # what the commission was worth
    fee_realised: Decimal = ZERO  # realised by giving away a third asset, against its average cost
    transferred: Decimal = ZERO  # booked as come from outside, since more left than was known to be held
    qty: Decimal = ZERO  # held after the trade


class Position(msgspec.Struct):
    """A holding of one base asset, with its cost by each method."""

    symbol: str
    base: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO  # quote asset, of all of it, fees included, by average cost
    fifo: list[Lot] = []
    lifo: list[Lot] = []
    realised: Decimal = ZERO  # so far, by average cost
    realised_fifo: Decimal = ZERO
    realised_lifo: Decimal = ZERO
    fees: Decimal = ZERO  # commissions so far, valued
    last_price: Decimal = ZERO  # newest mark, or price of a trade; 0 while none was ever known
    last_ns: int = 0  # account's clock at the newest trade
    opened_ns: int = 0  # when it was last bought from nothing


class Seen(msgspec.Struct, array_like=True):
    """Which trades of a symbol are booked: all up to the floor, and those in the list, ascending."""

    floor: int = -1
    newest: list[int] = []


class Portfolio(msgspec.Struct):
    """What an account owns."""

    quote: str = "USDT"  # asset of all prices and of cash
    cash: Decimal = ZERO
    positions: dict[str, Position] = {}  # by symbol, in the order of their first purchase
    flat: dict[str, Position] = {}  # traded before, nothing held
    seen: dict[str, Seen] = {}  # by symbol
    transferred: Decimal = ZERO  # from outside, less to outside, at its value when it came
    unpriced: list[str] = []  # symbols held whose worth is not known yet


class Sale(NamedTuple):
    """What left a position."""

    average: Decimal  # realised, by method
    fifo: Decimal
    lifo: Decimal
    transferred: Decimal


def traded(base: str, quote: str, report: Execution, price_of_fee: Decimal | None, event_ns: int) -> Traded:
    """Return the trade in an execution report; its amounts are read with care.

    Raises
    ------
    money.AmountError
        When an amount is none.
    """
    return Traded(
        symbol=report.symbol,
        base=base,
        quote=quote,
        side=report.side,
        trade_id=report.trade_id,
        qty=positive(report.last_qty, "last_qty"),
        price=positive(report.last_price, "last_price"),
        commission=amount(report.commission, "commission"),
        commission_asset=report.commission_asset,
        commission_price=price_of_fee,
        event_ns=event_ns,
    )


@exact
def apply(portfolio: Portfolio, fill: Traded) -> Realised | None:
    """Book a trade and return what it realised; None when it is booked already.

    Raises
    ------
    PortfolioError
        ``OTHER_QUOTE``, ``SIDE``, ``FILL_AMOUNT`` or ``SYMBOLS_FULL``; then nothing is booked.

    Examples
    --------
    >>> portfolio = Portfolio("USDT", cash=Decimal(500), transferred=Decimal(500))
    >>> def fill(side, trade_id, price, fee, asset):
    ...     return Traded(symbol="ETHUSDT", base="ETH", quote="USDT", side=side, trade_id=trade_id,
    ...         qty=Decimal(2), price=Decimal(price), commission=Decimal(fee), commission_asset=asset)
    >>> apply(portfolio, fill("buy", 7, "100", "0.5", "ETH")).qty
    Decimal('1.5')
    >>> apply(portfolio, fill("buy", 7, "100", "0.5", "ETH")) is None
    True
    """
    refusal = _refusal(portfolio, fill)
    if refusal is not None:
        raise refusal
    if not _first_time(portfolio, fill.symbol, fill.trade_id):
        return None
    transferred = _first_prices(portfolio, fill)
    position = position_to_book(portfolio, fill.symbol, fill.base)
    notional, fee = fill.qty * fill.price, fill.commission
    fee_value, sold = _fee(portfolio, fill)
    in_base, in_quote = fill.commission_asset == fill.base, fill.commission_asset == portfolio.quote
    if fill.side == "buy":
        bought = Lot(fill.qty - (fee if in_base else ZERO), notional + _cost(fill, fee_value), fill.event_ns)
        receive(position, bought)
        portfolio.cash -= notional + (fee if in_quote else ZERO)
        gain = Sale(ZERO, ZERO, ZERO, ZERO)
    else:
        given = fill.qty + (fee if in_base else ZERO)
        gain = give(position, given, notional - _cost(fill, fee_value), fill.price)
        portfolio.cash += notional - (fee if in_quote else ZERO)
    position.fees += fee_value
    position.last_price, position.last_ns = fill.price, fill.event_ns
    portfolio.transferred += gain.transferred + sold.transferred
    transferred += gain.transferred + sold.transferred
    file(portfolio, position)
    return Realised(
        symbol=fill.symbol,
        average=gain.average,
        fifo=gain.fifo,
        lifo=gain.lifo,
        fee_value=fee_value,
        fee_realised=sold.average,
        transferred=transferred,
        qty=position.qty,
    )


def _refusal(portfolio: Portfolio, fill: Traded) -> PortfolioError | None:
    if fill.quote != portfolio.quote:
        return PortfolioError(
            "OTHER_QUOTE",
            f"{fill.symbol} is priced in {fill.quote}, the account in {portfolio.quote}; trade a pair of it",
        )
    if fill.side not in {"buy", "sell"}:
        return PortfolioError("SIDE", f"side of a trade must be buy or sell, was {fill.side[:24]!r}")
    fee_in_base = fill.commission if fill.commission_asset == fill.base else ZERO
    if not (fill.qty > 0 and fill.price > 0 and fill.commission >= 0 and fee_in_base < fill.qty):
        return PortfolioError(
            "FILL_AMOUNT",
            f"trade {fill.trade_id} of {fill.symbol} has quantity {fill.qty}, price {fill.price} and "
            f"commission {fill.commission}; quantity and price must be above zero and the fee below it",
        )
    if not has_room(portfolio, fill.symbol):
        return PortfolioError(
            "SYMBOLS_FULL", f"{SYMBOLS_MAX} symbols are held already; sell one before {fill.symbol}"
        )
    return None


def has_room(portfolio: Portfolio, symbol: str) -> bool:
    """Say whether a symbol can be traded without one that is held being forgotten."""
    held = portfolio.positions
    return symbol in held or len(held) < SYMBOLS_MAX


def _first_time(portfolio: Portfolio, symbol: str, trade_id: int) -> bool:
    """Remember a trade; say whether it was not known."""
    seen = portfolio.seen.setdefault(symbol, Seen())
    if trade_id <= seen.floor or trade_id in seen.newest:
        return False
    seen.newest.append(trade_id)
    seen.newest.sort()
    if len(seen.newest) > LATE_TRADES_MAX:
        seen.floor = seen.newest.pop(0)
    return True


def _first_prices(portfolio: Portfolio, fill: Traded) -> Decimal:
    """Value what had no price yet by the prices of a trade; return what it is worth."""
    if not portfolio.unpriced:
        return ZERO
    prices = {fill.symbol: fill.price}
    if fill.commission_price is not None:
        prices.setdefault(fill.commission_asset + portfolio.quote, fill.commission_price)
    return value_unpriced(portfolio, prices)


def position_to_book(portfolio: Portfolio, symbol: str, base: str) -> Position:
    """Return the position of a symbol, new if need be; `file` it afterwards."""
    found = position_of(portfolio, symbol)
    return Position(symbol, base) if found is None else found


def file(portfolio: Portfolio, position: Position) -> None:
    """Put a position where it belongs, and forget the oldest of too many."""
    there, other = (
        (portfolio.positions, portfolio.flat) if position.qty else (portfolio.flat, portfolio.positions)
    )
    other.pop(position.symbol, None)
    there[position.symbol] = position
    if position.symbol in portfolio.unpriced and not position.qty:
        portfolio.unpriced.remove(position.symbol)
    while len(portfolio.positions) + len(portfolio.flat) > SYMBOLS_MAX and portfolio.flat:
        oldest = min(portfolio.flat.values(), key=lambda each: (each.last_ns, each.symbol)).symbol
        portfolio.seen.pop(oldest, None)
        del portfolio.flat[oldest]


def _cost(fill: Traded, fee_value: Decimal) -> Decimal:
    """Return what the fee takes from the money side; one in base is taken from the quantity already."""
    return ZERO if fill.commission_asset == fill.base else fee_value


def _fee(portfolio: Portfolio, fill: Traded) -> tuple[Decimal, Sale]:
    """Return what the commission is worth, and what giving away a third asset realised."""
    nothing = Sale(ZERO, ZERO, ZERO, ZERO)
    if not fill.commission:
        return ZERO, nothing
    if fill.commission_asset == portfolio.quote:
        return fill.commission, nothing
    if fill.commission_asset == fill.base:
        return fill.commission * fill.price, nothing
    symbol = fill.commission_asset + portfolio.quote
    position = position_to_book(portfolio, symbol, fill.commission_asset)
    price = position.last_price if fill.commission_price is None else fill.commission_price
    value = fill.commission * price
    sale = give(position, fill.commission, value, price)
    position.last_price = price or position.last_price
    file(portfolio, position)
    return value, sale


def receive(position: Position, lot: Lot) -> None:
    """Put a lot into a position; `file` it afterwards."""
    if not position.qty:
        position.opened_ns = lot.acquired_ns
    position.qty += lot.qty
    position.cost += lot.cost
    put(position.fifo, lot)
    put(position.lifo, msgspec.structs.replace(lot))


def give(position: Position, qty: Decimal, proceeds: Decimal, price: Decimal) -> Sale:
    """Take a quantity out of a position for some proceeds; what is lacking comes from outside first."""
    lacking = max(qty - position.qty, ZERO)
    transferred = lacking * price
    if lacking:
        receive(position, Lot(lacking, transferred, position.last_ns))
    cost = part(position.cost, qty, position.qty)
    fifo, lifo = take(position.fifo, qty, Method.FIFO), take(position.lifo, qty, Method.LIFO)
    position.qty -= qty
    position.cost -= cost
    sale = Sale(proceeds - cost, proceeds - cost_of(fifo), proceeds - cost_of(lifo), transferred)
    position.realised += sale.average
    position.realised_fifo += sale.fifo
    position.realised_lifo += sale.lifo
    return sale


def position_of(portfolio: Portfolio, symbol: str) -> Position | None:
    """Return the position of a symbol, also one that is flat; None when it never was traded."""
    return portfolio.positions.get(symbol) or portfolio.flat.get(symbol)


def balances(portfolio: Portfolio) -> dict[str, Decimal]:
    """Return what is owned by asset, zeros left out."""
    held = {portfolio.quote: portfolio.cash} if portfolio.cash else {}
    return held | {each.base: each.qty for each in portfolio.positions.values()}


@exact
def value_unpriced(portfolio: Portfolio, prices: Prices) -> Decimal:
    """Give what came without a price its first one as cost; return what it is worth, as transferred.

    `mark` calls it.
    """
    value = ZERO
    for symbol in [each for each in portfolio.unpriced if each in prices]:
        position, price = portfolio.positions[symbol], prices[symbol]
        worth = position.qty * price
        value += worth - position.cost
        position.cost, position.last_price = worth, price
        position.fifo = [Lot(position.qty, worth, position.opened_ns)]
        position.lifo = [Lot(position.qty, worth, position.opened_ns)]
        portfolio.unpriced.remove(symbol)
    portfolio.transferred += value
    return value


def mark(portfolio: Portfolio, prices: Prices) -> Decimal:
    """Keep the marks of what is held as its last prices; return what `value_unpriced` does.

    So a position whose market falls silent counts at its last mark, not at the price of an old trade.
    """
    transferred = value_unpriced(portfolio, prices) if portfolio.unpriced else ZERO
    for symbol, position in portfolio.positions.items():
        position.last_price = prices.get(symbol, position.last_price)
    return transferred


@exact
def equity(portfolio: Portfolio, prices: Prices) -> Decimal:
    """Return cash and all positions at their marks; one without a mark counts at its last price."""
    return sum(exposures(portfolio, prices).values(), portfolio.cash)


@exact
def exposures(portfolio: Portfolio, prices: Prices) -> dict[str, Decimal]:
    """Return what each position is worth, quote asset, by symbol."""
    return {
        symbol: each.qty * prices.get(symbol, each.last_price) for symbol, each in portfolio.positions.items()
    }


@exact
def unrealised(position: Position, price: Decimal | None = None) -> Decimal:
    """Return what a position would earn at a price (None: its last one), against its average cost."""
    return position.qty * (position.last_price if price is None else price) - position.cost


@exact
def average_cost(position: Position) -> Decimal:
    """Return the cost of one unit, quote asset, fees included, on the grid; 0 when nothing is held."""
    return on_grid(part(position.cost, ONE, position.qty)) if position.qty else ZERO


@exact
def realised(portfolio: Portfolio) -> Decimal:
    """Return what all positions realised so far, by average cost, of the symbols still remembered."""
    every = (*portfolio.positions.values(), *portfolio.flat.values())
    return sum((each.realised for each in every), ZERO)
