"""Settlement: what the venue has and the portfolio has not, and how that is booked as come from outside.

How the fold uses it: on balances of the venue, ``more = difference(portfolio, venue_totals(balances))``;
then ``settle`` books it: the opening balances, a deposit, a withdrawal, a fill that never was reported. The
value that it returns goes to `performance.transfer`, so that a deposit is no profit. A difference while
orders are open may be a fill on its way; book it only once the venue was asked for the trades.
"""

from collections.abc import Mapping
from decimal import Decimal

from genesis.operators.account.lots import Lot
from genesis.operators.account.money import MONEY, ZERO, amount, exact
from genesis.operators.account.portfolio import (
    Portfolio,
    Prices,
    balances,
    file,
    give,
    position_to_book,
    receive,
    value_unpriced,
)


@exact
def difference(portfolio: Portfolio, venue_balances: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return what the venue has more of each asset than the portfolio, zeros left out.

    >>> difference(Portfolio("USDT", cash=Decimal(500)), {"USDT": Decimal("499.5"), "BNB": Decimal(1)})
    {'BNB': Decimal('1'), 'USDT': Decimal('-0.5')}
    """
    ours = balances(portfolio)
    more = {
        asset: venue_balances.get(asset, ZERO) - ours.get(asset, ZERO)
        for asset in sorted({*ours, *venue_balances})
    }
    return {asset: qty for asset, qty in more.items() if qty}


def venue_totals(reported: Mapping[str, tuple[str, str]]) -> dict[str, Decimal]:
    """Return free and locked, as the venue reports them, together by asset.

    Raises
    ------
    money.AmountError
        When one of them is no amount.
    """
    return {
        asset: MONEY.add(amount(free, f"free {asset}"), amount(locked, f"locked {asset}"))
        for asset, (free, locked) in reported.items()
    }


@exact
def settle(portfolio: Portfolio, more: Mapping[str, Decimal], prices: Prices, event_ns: int) -> Decimal:
    """Book a difference as come from outside (below zero: gone there); return its value, quote asset.

    An asset comes and goes at its price now (else its last one), so nothing is earned or lost by it. One
    without a price has no worth until `value_unpriced` hears of one.

    >>> portfolio = Portfolio("USDT")
    >>> settle(portfolio, {"USDT": Decimal(500), "BNB": Decimal(2)}, {"BNBUSDT": Decimal(300)}, 5)
    Decimal('1100')
    >>> from genesis.operators.account.portfolio import equity
    >>> equity(portfolio, {"BNBUSDT": Decimal(310)})
    Decimal('1120')
    """
    first = value_unpriced(portfolio, prices)
    value = ZERO
    for asset, qty in sorted(more.items()):
        if asset == portfolio.quote:
            portfolio.cash += qty
            value += qty
        elif qty:
            value += _settle(portfolio, asset, qty, (prices, event_ns))
    portfolio.transferred += value
    return first + value


def _settle(portfolio: Portfolio, asset: str, qty: Decimal, when: tuple[Prices, int]) -> Decimal:
    prices, event_ns = when
    symbol = asset + portfolio.quote
    position = position_to_book(portfolio, symbol, asset)
    price = prices.get(symbol, position.last_price)
    position.last_price, position.last_ns = price, event_ns
    if qty > 0:
        receive(position, Lot(qty, qty * price, event_ns))
    else:
        qty = -min(-qty, position.qty)  # more than is held cannot have gone
        give(position, -qty, -qty * price, price)
    if not price and position.qty and symbol not in portfolio.unpriced:
        portfolio.unpriced.append(symbol)
    file(portfolio, position)
    return qty * price
