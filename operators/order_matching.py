"""Order matching: a taker order walks a recorded book, and a resting order waits in its queue.

Law: an order never fills beyond its quantity nor at a price worse than its limit, and what is shown at
a level is taken at most once until the recording renews the level.

What is assumed, since the recorded market never met our orders:

- What a taker order takes is gone until the next recorded change of that level, which brings what it says.
- Of a price, what is recorded is taken before our own resting orders; these in the order of their arrival.
- What stood at its price when an order came is ahead of it. Trades at the price shorten the queue and fill
  the order with what is left of them; of a level that shrinks, what vanished stood behind it if it can.
- A recorded trade at a price worse for the taker than the order's (through it) fills the order whole.
- A recorded level of the other side at the order's price or better fills it with what the level shows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

ZERO = Decimal(0)


class Side(StrEnum):
    """Of an order, or of a book: bids are BUY."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Prevention(StrEnum):
    """What happens when an order meets one of its own account."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class Level(NamedTuple):
    """Price and what is shown there, in the base asset."""

    price: Decimal
    qty: Decimal


@dataclass(slots=True)
class Resting:
    """An order in the book.

    Parameters
    ----------
    order_id
        Unique, growing with arrival.
    owner
        The account; two orders of one owner may be kept from trading with each other.
    side, price
        Where it stands.
    left_qty
        What is not filled yet, base asset.
    ahead_qty
        What stands before it in the recorded queue, base asset.
    """

    order_id: int
    owner: str
    side: Side
    price: Decimal
    left_qty: Decimal
    ahead_qty: Decimal = ZERO


class Taker(NamedTuple):
    """An order that takes at once what it can.

    Either ``qty`` or ``notional`` limits it; ``limit`` None is a market order.
    """

    owner: str
    side: Side
    limit: Decimal | None = None
    qty: Decimal | None = None  # base asset
    notional: Decimal | None = None  # quote asset
    step: Decimal = Decimal("1E-8")  # to which quantities bought for a notional are rounded down
    prevention: Prevention = Prevention.NONE


class Match(NamedTuple):
    """One fill. ``maker`` is the resting order's id, or None for the recorded market."""

    price: Decimal
    qty: Decimal
    maker: int | None = None


class Taken(NamedTuple):
    """What a taker order met."""

    matches: tuple[Match, ...]
    prevented: tuple[int, ...] = ()  # resting orders that expire, since they are of the same account
    is_stopped: bool = False  # the taker itself expires for that reason

    @property
    def qty(self) -> Decimal:
        """What was filled in all, base asset."""
        return sum((match.qty for match in self.matches), ZERO)


class Matcher:
    """Our orders in the book of one symbol.

    The recorded book is passed with every call that needs it, best level first; the matcher keeps what was
    taken of it.

    Examples
    --------
    >>> asks = [Level(Decimal(100), Decimal(1)), Level(Decimal(101), Decimal(5))]
    >>> matcher = Matcher()
    >>> buy = Taker("me", Side.BUY, limit=Decimal(101), qty=Decimal(3))
    >>> [(str(match.price), str(match.qty)) for match in matcher.take(buy, asks).matches]
    [('100', '1'), ('101', '2')]
    >>> str(matcher.take(buy, asks).qty), str(matcher.take(buy, asks).qty)
    ('3', '0')
    """

    def __init__(self) -> None:
        self.resting: dict[int, Resting] = {}  # in the order of arrival
        self._taken: dict[tuple[Side, Decimal], Decimal] = {}

    @property
    def is_idle(self) -> bool:
        """Whether neither trades nor levels change anything here."""
        return not self.resting and not self._taken

    def shown(self, side: Side, levels: Iterable[Level]) -> list[Level]:
        """Return recorded levels less what was taken of them."""
        if not self._taken:
            return list(levels)
        left = (Level(price, qty - self._taken.get((side, price), ZERO)) for price, qty in levels)
        return [level for level in left if level.qty > ZERO]

    def take(self, taker: Taker, levels: Sequence[Level], *, is_rehearsal: bool = False) -> Taken:
        """Fill a taker order as far as it goes.

        Parameters
        ----------
        taker
            The order.
        levels
            Recorded levels of the other side, best first.
        is_rehearsal
            Return what would be filled, and change nothing.
        """
        budget = _Budget(taker)
        matches: list[Match] = []
        prevented: list[int] = []
        is_stopped = False
        for price, qty, resting in self._offers(taker.side.opposite, levels):
            if budget.is_spent or is_stopped or not _reaches(taker, price):
                break
            if resting is not None and resting.owner == taker.owner and taker.prevention != Prevention.NONE:
                is_stopped = taker.prevention != Prevention.EXPIRE_MAKER
                if taker.prevention != Prevention.EXPIRE_TAKER:
                    prevented.append(resting.order_id)
                continue
            filled_qty = budget.spend(price, qty)
            if filled_qty > ZERO:
                matches.append(Match(price, filled_qty, resting.order_id if resting else None))
        taken = Taken(tuple(matches), tuple(prevented), is_stopped)
        if not is_rehearsal:
            self._settle(taker.side.opposite, taken)
        return taken

    def rest(self, order: Resting, levels: Iterable[Level]) -> None:
        """Put an order into the book; ``levels`` are those recorded on its own side."""
        order.ahead_qty = sum((qty for price, qty in levels if price == order.price), ZERO)
        self.resting[order.order_id] = order

    def cancel(self, order_id: int) -> None:
        """Take an order out of the book, if it is there."""
        self.resting.pop(order_id, None)

    def on_trade(self, price: Decimal, qty: Decimal, aggressor: Side) -> list[Match]:
        """Take in a recorded trade; return what it fills of our orders, whose ids are the makers'."""
        side = aggressor.opposite
        used_qty = ZERO
        matches = []
        for order in self._queue(side):
            if _is_better(side, order.price, price):
                matches.append(self._fill(order, order.left_qty))
            elif order.price == price:
                over_qty = qty - order.ahead_qty - used_qty
                order.ahead_qty = max(ZERO, order.ahead_qty - qty)
                if over_qty > ZERO:
                    match = self._fill(order, min(over_qty, order.left_qty))
                    used_qty += match.qty
                    matches.append(match)
        return matches

    def on_level(self, side: Side, price: Decimal, qty: Decimal) -> list[Match]:
        """Take in a recorded level; return what it fills of our orders."""
        self._taken.pop((side, price), None)
        matches = []
        for order in self._queue(side):
            if order.price == price:
                order.ahead_qty = min(order.ahead_qty, qty)
        for order in self._queue(side.opposite):
            if qty > ZERO and not _is_better(side, order.price, price):
                match = self._fill(order, min(qty, order.left_qty))
                qty -= match.qty
                self._add_taken(side, price, match.qty)
                matches.append(match)
        return matches

    def on_snapshot(self) -> None:
        """Note that the whole recorded book is new."""
        self._taken.clear()

    def _queue(self, side: Side) -> list[Resting]:
        """Return the orders of one side, best price first, then in the order of arrival."""
        sign = -1 if side is Side.BUY else 1
        return sorted(
            (each for each in self.resting.values() if each.side is side), key=lambda each: sign * each.price
        )

    def _offers(self, side: Side, levels: Iterable[Level]) -> list[tuple[Decimal, Decimal, Resting | None]]:
        """Return all that can be taken of one side, in the order in which it is."""
        recorded: list[tuple[Decimal, Decimal, Resting | None]]
        recorded = [(price, qty, None) for price, qty in self.shown(side, levels)]
        own: list[tuple[Decimal, Decimal, Resting | None]]
        own = [(order.price, order.left_qty, order) for order in self.resting.values() if order.side is side]
        if not own:
            return recorded
        sign = -1 if side is Side.BUY else 1
        return sorted(recorded + own, key=lambda offer: sign * offer[0])

    def _settle(self, side: Side, taken: Taken) -> None:
        for price, qty, maker in taken.matches:
            if maker is None:
                self._add_taken(side, price, qty)
            else:
                self._fill(self.resting[maker], qty)
        for order_id in taken.prevented:
            self.cancel(order_id)

    def _add_taken(self, side: Side, price: Decimal, qty: Decimal) -> None:
        self._taken[side, price] = self._taken.get((side, price), ZERO) + qty

    def _fill(self, order: Resting, qty: Decimal) -> Match:
        order.left_qty -= qty
        if order.left_qty <= ZERO:
            del self.resting[order.order_id]
        return Match(order.price, qty, order.order_id)


class _Budget:
    """What a taker order may still take."""

    def __init__(self, taker: Taker) -> None:
        self._qty = taker.qty
        self._notional = taker.notional
        self._step = taker.step
        self.is_spent = False

    def spend(self, price: Decimal, qty: Decimal) -> Decimal:
        """Take what there is at a price; return how much."""
        if self._qty is not None:
            qty = min(qty, self._qty)
            self._qty -= qty
            self.is_spent = self._qty <= ZERO
            return qty
        assert self._notional is not None, "a taker order has a quantity or a notional"
        most_qty = self._notional / price // self._step * self._step
        qty, self.is_spent = min(qty, most_qty), most_qty <= qty
        self._notional -= qty * price
        return qty


def _reaches(taker: Taker, price: Decimal) -> bool:
    return taker.limit is None or not _is_better(taker.side.opposite, taker.limit, price)


def _is_better(side: Side, price: Decimal, other: Decimal) -> bool:
    """Return whether a price on one side of a book comes before another (higher bid, lower ask)."""
    return price > other if side is Side.BUY else price < other
