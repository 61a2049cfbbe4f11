"""Order matching against a naive twin that moves one lot at a time, and its laws."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.order_matching import Level, Matcher, Prevention, Resting, Side, Taker

PRICES = range(95, 106)


def test_a_queue_is_worked_off_before_an_order_fills() -> None:
    matcher = Matcher()
    order = Resting(1, "me", Side.BUY, Decimal(100), Decimal(2))
    matcher.rest(order, [Level(Decimal(100), Decimal(5)), Level(Decimal(99), Decimal(9))])
    assert matcher.on_trade(Decimal(100), Decimal(4), Side.SELL) == []
    assert order.ahead_qty == 1
    (match,) = matcher.on_trade(Decimal(100), Decimal(2), Side.SELL)
    assert (match.qty, match.maker, order.left_qty) == (1, 1, 1)
    assert matcher.on_trade(Decimal(100), Decimal(9), Side.BUY) == [], "a buyer takes asks, not our bid"
    (match,) = matcher.on_trade(Decimal(99), Decimal("0.1"), Side.SELL)
    assert (match.price, match.qty) == (100, 1), (
        "a trade through the price fills the rest, at the order's price"
    )
    assert matcher.is_idle


def test_a_level_that_shrinks_moves_an_order_up_no_further_than_it_must() -> None:
    matcher = Matcher()
    order = Resting(1, "me", Side.SELL, Decimal(101), Decimal(1))
    matcher.rest(order, [Level(Decimal(101), Decimal(5))])
    matcher.on_level(Side.SELL, Decimal(101), Decimal(8))
    assert order.ahead_qty == 5, "what came later stands behind it"
    matcher.on_level(Side.SELL, Decimal(101), Decimal(3))
    assert order.ahead_qty == 3
    (match,) = matcher.on_level(Side.BUY, Decimal(101), Decimal("0.4"))
    assert (match.price, match.qty) == (Decimal(101), Decimal("0.4")), "a bid at its price takes it"


def test_what_was_taken_is_gone_until_the_level_is_renewed() -> None:
    asks = [Level(Decimal(100), Decimal(2)), Level(Decimal(101), Decimal(2))]
    matcher = Matcher()
    buy = Taker("me", Side.BUY, Decimal(100), Decimal(3))
    assert matcher.take(buy, asks, is_rehearsal=True).qty == 2
    assert matcher.take(buy, asks).qty == 2
    assert matcher.take(buy, asks).qty == 0
    matcher.on_level(Side.SELL, Decimal(100), Decimal(2))
    assert matcher.take(buy, asks).qty == 2
    matcher.on_snapshot()
    assert matcher.take(buy, asks).qty == 2


def test_a_notional_buys_whole_steps() -> None:
    asks = [Level(Decimal(100), Decimal(1)), Level(Decimal(101), Decimal(9))]
    taken = Matcher().take(
        Taker("me", Side.BUY, notional=Decimal(150), step=Decimal("0.1")), asks, is_rehearsal=True
    )
    assert [(match.price, match.qty) for match in taken.matches] == [(100, 1), (101, Decimal("0.4"))]


def test_self_trade_prevention() -> None:
    def meet(prevention: Prevention, owner: str = "me") -> tuple[int, tuple[int, ...], bool, int]:
        matcher = Matcher()
        matcher.rest(Resting(1, "me", Side.SELL, Decimal(99), Decimal(1)), [])
        asks = [Level(Decimal(100), Decimal(1))]
        taken = matcher.take(Taker(owner, Side.BUY, None, Decimal(2), prevention=prevention), asks)
        return int(taken.qty), taken.prevented, taken.is_stopped, len(matcher.resting)

    assert meet(Prevention.NONE) == (2, (), False, 0)
    assert meet(Prevention.EXPIRE_MAKER) == (1, (1,), False, 0)
    assert meet(Prevention.EXPIRE_TAKER) == (0, (), True, 1)
    assert meet(Prevention.EXPIRE_BOTH) == (0, (1,), True, 0)
    assert meet(Prevention.EXPIRE_TAKER, "another") == (2, (), False, 0)


@dataclass
class Lot:
    """An order of the twin: its quantity is a count of lots."""

    order_id: int
    side: Side
    price: int
    left: int
    ahead: int


@dataclass
class Twin:
    """The rules word by word, one lot at a time, over plain integers."""

    resting: list[Lot] = field(default_factory=list)
    taken: dict[tuple[Side, int], int] = field(default_factory=dict)
    book: dict[Side, dict[int, int]] = field(default_factory=lambda: {Side.BUY: {}, Side.SELL: {}})

    def queue(self, side: Side) -> list[Lot]:
        sign = -1 if side is Side.BUY else 1
        lots = [lot for lot in self.resting if lot.side is side and lot.left]
        return sorted(lots, key=lambda lot: (sign * lot.price, lot.order_id))

    def take(self, side: Side, limit: int, qty: int) -> list[tuple[int, int | None]]:
        found: list[tuple[int, int | None]] = []
        for _ in range(qty):
            other = side.opposite
            sign = 1 if other is Side.SELL else -1
            offers: list[tuple[int, int, int, Lot | None]] = [
                (sign * price, 0, price, None)
                for price, shown in self.book[other].items()
                if shown > self.taken.get((other, price), 0)
            ]
            offers += [(sign * lot.price, lot.order_id, lot.price, lot) for lot in self.queue(other)]
            offers = [offer for offer in offers if offer[0] <= sign * limit]
            if not offers:
                break
            _key, _id, price, lot = min(offers, key=lambda offer: offer[:2])
            if lot is None:
                self.taken[other, price] = self.taken.get((other, price), 0) + 1
            else:
                lot.left -= 1
            found.append((price, lot.order_id if lot else None))
        return found

    def trade(self, price: int, qty: int, aggressor: Side) -> list[tuple[int, int | None]]:
        side = aggressor.opposite
        found: list[tuple[int, int | None]] = []
        for lot in self.queue(side):
            is_through = lot.price > price if side is Side.BUY else lot.price < price
            if is_through:
                found += [(lot.price, lot.order_id)] * lot.left
                lot.left = 0
        at_price = [lot for lot in self.queue(side) if lot.price == price]
        for _ in range(qty):
            first = min((lot for lot in at_price if lot.left), key=lambda lot: lot.order_id, default=None)
            for lot in at_price:
                if lot.ahead:
                    lot.ahead -= 1
                elif lot is first:
                    lot.left -= 1
                    found.append((lot.price, lot.order_id))
        return found

    def level(self, side: Side, price: int, qty: int) -> list[tuple[int, int | None]]:
        self.book[side][price] = qty
        self.taken.pop((side, price), None)
        for lot in self.queue(side):
            if lot.price == price:
                lot.ahead = min(lot.ahead, qty)
        found: list[tuple[int, int | None]] = []
        for lot in self.queue(side.opposite):
            reaches = lot.price >= price if side is Side.SELL else lot.price <= price
            while reaches and lot.left and self.taken.get((side, price), 0) < qty:
                lot.left -= 1
                self.taken[side, price] = self.taken.get((side, price), 0) + 1
                found.append((lot.price, lot.order_id))
        return found


SIDES = st.sampled_from(Side)
STEPS = st.one_of(
    st.tuples(st.just("level"), SIDES, st.sampled_from(PRICES), st.integers(0, 6)),
    st.tuples(st.just("trade"), SIDES, st.sampled_from(PRICES), st.integers(1, 6)),
    st.tuples(st.just("order"), SIDES, st.sampled_from(PRICES), st.integers(1, 6)),
    st.tuples(st.just("cancel"), SIDES, st.just(0), st.integers(1, 8)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_matching_equals_the_naive_twin(steps: list[tuple[str, Side, int, int]]) -> None:
    matcher, twin = Matcher(), Twin()
    orders: dict[int, tuple[Side, int, int]] = {}
    filled: dict[int, int] = {}
    for kind, side, price, qty in steps:
        if kind == "order":
            levels = {
                each: sorted(
                    (Level(Decimal(p), Decimal(q)) for p, q in twin.book[each].items() if q),
                    reverse=each is Side.BUY,
                )
                for each in Side
            }
            taker = Taker(str(len(orders)), side, Decimal(price), Decimal(qty))
            rehearsed = matcher.take(taker, levels[side.opposite], is_rehearsal=True)
            taken = matcher.take(taker, levels[side.opposite])
            assert taken == rehearsed
            ours, theirs = taken.matches, twin.take(side, price, qty)
            number = len(orders) + 1
            orders[number] = (side, price, qty)
            filled[number] = int(taken.qty)
            assert all(m.price <= price if side is Side.BUY else m.price >= price for m in ours)
            if taken.qty < qty:
                left = qty - int(taken.qty)
                ahead = twin.book[side].get(price, 0)
                twin.resting.append(Lot(number, side, price, left, ahead))
                resting = Resting(number, str(number), side, Decimal(price), Decimal(left))
                matcher.rest(resting, levels[side])
        elif kind == "level":
            ours, theirs = (
                tuple(matcher.on_level(side, Decimal(price), Decimal(qty))),
                twin.level(side, price, qty),
            )
        elif kind == "trade":
            ours, theirs = (
                tuple(matcher.on_trade(Decimal(price), Decimal(qty), side)),
                twin.trade(price, qty, side),
            )
        else:
            matcher.cancel(qty)
            twin.resting = [lot for lot in twin.resting if lot.order_id != qty]
            ours, theirs = (), []
        for match in ours:
            if match.maker is not None:
                filled[match.maker] += int(match.qty)
        flat = [(int(match.price), match.maker) for match in ours for _ in range(int(match.qty))]
        assert sorted(flat, key=str) == sorted(theirs, key=str), (kind, side, price, qty)
        left_over = {each.order_id: each.left_qty for each in matcher.resting.values()}
        assert left_over == {lot.order_id: lot.left for lot in twin.resting if lot.left}
        assert all(filled[number] <= qty for number, (_side, _price, qty) in orders.items())
