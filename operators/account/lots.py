"""Lots: what was bought, lot by lot, and what it cost; sold first in, first out, or last in, first out.

Law: the costs of the lots taken and of the lots left add up to the costs of the lots before, to the last
digit. The cost of a lot is in quote asset and holds the fees of buying it.

At most LOTS_MAX lots are kept of a position. One more, and the two neighbours bought closest in time
become one (of several such pairs the oldest): mostly slices of one order, so their unit costs hardly
differ, and the order of the lots stays. It keeps the later time, so that nothing seems to have been held
longer than it was. Totals stay exact; which of the two merged lots a sale took from is then a mix of both.
"""

import itertools
from decimal import Decimal
from enum import StrEnum

import msgspec

from genesis.operators.account.money import ZERO, exact, part

LOTS_MAX = 64
"""Most lots of one position."""


class Method(StrEnum):
    """Which lots a sale takes first."""

    FIFO = "fifo"  # the oldest
    LIFO = "lifo"  # the newest


class Lot(msgspec.Struct, array_like=True):
    """A quantity bought at one time, or taken out of one."""

    qty: Decimal  # base asset, above zero
    cost: Decimal  # quote asset, of all of it, fees included
    acquired_ns: int  # account's clock


@exact
def put(lots: list[Lot], lot: Lot) -> None:
    """Append a lot that was just bought; merge two when there are too many.

    >>> lots = [Lot(Decimal(1), Decimal(10), 5)]
    >>> put(lots, Lot(Decimal(2), Decimal(26), 9))
    >>> [float(lot.cost) for lot in lots]
    [10.0, 26.0]
    """
    lots.append(lot)
    if len(lots) <= LOTS_MAX:
        return
    gaps = [after.acquired_ns - before.acquired_ns for before, after in itertools.pairwise(lots)]
    at = gaps.index(min(gaps))
    first, second = lots[at], lots[at + 1]
    lots[at : at + 2] = [Lot(first.qty + second.qty, first.cost + second.cost, second.acquired_ns)]


@exact
def take(lots: list[Lot], qty: Decimal, method: Method) -> list[Lot]:
    """Take a quantity out of the lots; return what was taken, in the order of taking.

    A lot that is taken in part gives up its cost in proportion.

    Raises
    ------
    ValueError
        When the lots hold less; then nothing is taken.

    Examples
    --------
    >>> lots = [Lot(Decimal(1), Decimal(10), 5), Lot(Decimal(2), Decimal(26), 9)]
    >>> taken = take(lots, Decimal(2), Method.FIFO)
    >>> [float(lot.cost) for lot in taken], [float(lot.cost) for lot in lots]
    ([10.0, 13.0], [13.0])
    """
    held = sum((lot.qty for lot in lots), ZERO)
    if qty > held:
        raise ValueError(f"lots: {qty} was to be taken, the lots hold {held}; settle the difference first")
    at = 0 if method == Method.FIFO else -1
    taken = []
    while qty:
        lot = lots[at]
        if lot.qty <= qty:
            taken.append(lots.pop(at))
            qty -= lot.qty
        else:
            cost = part(lot.cost, qty, lot.qty)
            taken.append(Lot(qty, cost, lot.acquired_ns))
            lots[at] = Lot(lot.qty - qty, lot.cost - cost, lot.acquired_ns)
            qty = ZERO
    return taken


@exact
def cost_of(lots: list[Lot]) -> Decimal:
    """Return what the lots cost together, quote asset."""
    return sum((lot.cost for lot in lots), ZERO)
