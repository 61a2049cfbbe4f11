"""Settlement of a fill: what changes hands, and the commission. Amounts are exact."""

from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.filters import SymbolRules
from genesis.connectors.venue.trading.orders import E8, Fill, Order
from genesis.operators.order_matching import ZERO, Match, Side

BNB = "BNB"
BNB_DISCOUNT = Decimal("0.75")
"""What is left of a commission that is paid in BNB."""


class Commission(NamedTuple):
    """What a fill costs."""

    amount: Decimal
    asset: str


def commission(
    account: Account,
    rules: SymbolRules,
    side: Side,
    match: Match,
    *,
    is_maker: bool,
    bnb_price: Decimal | None,
) -> Commission:
    """Return the commission of a fill: in BNB when the account wants and has it, else in what is received.

    Parameters
    ----------
    account, rules, side, match
        Who got what.
    is_maker
        Which of the two rates holds.
    bnb_price
        Of a BNB in the quote asset; None when it is not known.
    """
    rate = account.maker_rate if is_maker else account.taker_rate
    notional = match.price * match.qty
    if account.pays_in_bnb and bnb_price:
        amount = (notional * rate * BNB_DISCOUNT / bnb_price).quantize(E8, rounding=ROUND_DOWN)
        if amount <= account.wallet.free(BNB):
            return Commission(amount, BNB)
    if side is Side.BUY:
        return Commission((match.qty * rate).quantize(E8, rounding=ROUND_DOWN), rules.base)
    return Commission((notional * rate).quantize(E8, rounding=ROUND_DOWN), rules.quote)


def lock(account: Account, rules: SymbolRules, order: Order) -> None:
    """Set aside what an order that may rest will need.

    Raises
    ------
    ApiError
        When the account has not enough; nothing is changed then.
    """
    request = order.request
    if request.side is Side.SELL:
        asset, price = rules.base, Decimal(1)
    else:
        asset, price = rules.quote, request.price or request.stop_price or ZERO
    account.wallet.lock(asset, price * order.left_qty)
    order.lock_asset, order.lock_price = asset, price


def unlock(account: Account, order: Order, qty: Decimal) -> None:
    """Give back what was set aside for a quantity of an order."""
    if order.lock_asset:
        account.wallet.unlock(order.lock_asset, order.lock_price * qty)


def settle(account: Account, rules: SymbolRules, order: Order, fill: Fill) -> None:
    """Pay and receive what a fill says, and note it in the order."""
    wallet = account.wallet
    unlock(account, order, fill.qty)
    if order.request.side is Side.BUY:
        wallet.add(rules.quote, -fill.notional)
        wallet.add(rules.base, fill.qty)
    else:
        wallet.add(rules.base, -fill.qty)
        wallet.add(rules.quote, fill.notional)
    wallet.add(fill.commission_asset, -fill.commission)
    order.fills.append(fill)
    order.filled_qty += fill.qty
    order.filled_notional += fill.notional
    order.updated_ms = fill.time_ms
    order.status = "FILLED" if order.left_qty <= ZERO else "PARTIALLY_FILLED"
