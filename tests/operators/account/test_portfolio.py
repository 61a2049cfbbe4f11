"""The portfolio books each trade once, loses no digit, and agrees with books kept by fractions."""

from decimal import Decimal, localcontext
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import portfolio as books
from genesis.operators.account.events import Execution
from genesis.operators.account.lots import LOTS_MAX, cost_of
from genesis.operators.account.money import AmountError
from genesis.operators.account.portfolio import (
    LATE_TRADES_MAX,
    SYMBOLS_MAX,
    Portfolio,
    PortfolioError,
    Realised,
    Traded,
    apply,
)
from genesis.operators.account.settlement import difference, settle, venue_totals
from tests.operators.account.naive_books import Books

ROUNDED = Fraction(1, 10**20)
"""What divisions put on the grid may differ by in a history of these tests."""

BASES = ("BTC", "ETH", "BNB")


def fill(symbol: str = "BTCUSDT", side: str = "buy", trade_id: int = 1, **changed: object) -> Traded:
    given = {
        "qty": "1",
        "price": "100",
        "commission": "0",
        "commission_asset": "",
        "commission_price": None,
    } | changed
    amounts = {
        name: value if value is None else Decimal(str(value))
        for name, value in given.items()
        if name not in {"commission_asset", "event_ns", "quote"}
    }
    return Traded(
        symbol=symbol,
        base=symbol.removesuffix("USDT"),
        quote=str(given.get("quote", "USDT")),
        side=side,
        trade_id=trade_id,
        commission_asset=str(given["commission_asset"]),
        event_ns=int(str(given.get("event_ns", trade_id))),
        **amounts,
    )


def opened(cash: str = "1000") -> Portfolio:
    portfolio = Portfolio()
    settle(portfolio, {"USDT": Decimal(cash)}, {}, 0)
    return portfolio


def small(units_max: int, places: int, least: int = 1) -> st.SearchStrategy[Decimal]:
    return st.integers(least, units_max).map(lambda units: Decimal(units).scaleb(-places))


@st.composite
def histories(draw: st.DrawFn) -> list[Traded]:
    """Draw trades of three pairs; fees in base, quote, BNB, or another asset; some sell what nobody holds."""
    count = draw(st.integers(1, 14))
    history = []
    for trade_id in range(1, count + 1):
        base = draw(st.sampled_from(BASES))
        asset = draw(st.sampled_from([base, "USDT", "BNB", "XYZ"]))
        qty = draw(small(10**9, 8, least=10**4))
        history.append(
            fill(
                f"{base}USDT",
                draw(st.sampled_from(["buy", "buy", "sell"])),
                trade_id,
                qty=qty,
                price=draw(small(10**7, draw(st.sampled_from([2, 8])))),
                commission=min(draw(small(10**6, 8, least=0)), qty / 2),
                commission_asset=asset,
                commission_price=draw(small(10**6, 3)),
            )
        )
    return history


@settings(max_examples=150, deadline=None)
@given(histories())
def test_it_agrees_with_books_kept_by_fractions(history: list[Traded]) -> None:
    portfolio, naive = opened(), Books(Fraction(1_000))
    for each in history:
        did = apply(portfolio, each)
        expected = naive.trade(each, Fraction(each.commission_price or 0))
        assert did is not None
        for method in ("average", "fifo", "lifo"):
            assert abs(Fraction(getattr(did, method)) - expected[method]) < ROUNDED
        assert Fraction(did.fee_value) == expected["fee"]
    assert Fraction(portfolio.cash) == naive.cash
    assert Fraction(portfolio.transferred) == naive.transferred
    for base in (*BASES, "XYZ"):
        position = books.position_of(portfolio, f"{base}USDT")
        if position is None:
            assert naive.qty(base) == 0
            continue
        assert Fraction(position.qty) == naive.qty(base)
        costs = {"average": position.cost, "fifo": cost_of(position.fifo), "lifo": cost_of(position.lifo)}
        for method, cost in costs.items():
            assert abs(Fraction(cost) - naive.cost(base, method)) < ROUNDED


def conserved(portfolio: Portfolio) -> None:
    """Hold the law of the module, by each method, exactly."""
    every = [*portfolio.positions.values(), *portfolio.flat.values()]
    cash, transferred = Fraction(portfolio.cash), Fraction(portfolio.transferred)
    for cost, realised in (
        (sum(Fraction(each.cost) for each in every), sum(Fraction(each.realised) for each in every)),
        (
            sum(Fraction(cost_of(each.fifo)) for each in every),
            sum(Fraction(each.realised_fifo) for each in every),
        ),
        (
            sum(Fraction(cost_of(each.lifo)) for each in every),
            sum(Fraction(each.realised_lifo) for each in every),
        ),
    ):
        assert cash + cost - realised == transferred


@settings(max_examples=150, deadline=None)
@given(histories(), st.lists(small(10**7, 4), min_size=4, max_size=4), st.data())
def test_realised_and_unrealised_are_the_change_of_equity_to_the_last_digit(history, marks, data) -> None:
    portfolio = opened()
    prices = dict(zip(("BTCUSDT", "ETHUSDT", "BNBUSDT", "XYZUSDT"), marks, strict=True))
    outside = Fraction(1_000)
    for each in history:
        if data.draw(st.booleans()):
            asset = data.draw(st.sampled_from(["USDT", "BTC", "BNB"]))
            qty = data.draw(small(10**6, 6)) * data.draw(st.sampled_from([1, -1]))
            outside += Fraction(settle(portfolio, {asset: qty}, prices, each.event_ns))
        did = apply(portfolio, each)
        assert did is not None
        outside += Fraction(did.transferred)
        conserved(portfolio)
    equity = Fraction(books.equity(portfolio, prices))
    unrealised = sum(
        Fraction(books.unrealised(each, prices[symbol])) for symbol, each in portfolio.positions.items()
    )
    assert Fraction(portfolio.transferred) == outside
    assert Fraction(books.realised(portfolio)) + unrealised == equity - outside
    assert (
        sum(map(Fraction, books.exposures(portfolio, prices).values())) + Fraction(portfolio.cash) == equity
    )


@settings(max_examples=100, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_repeats_change_nothing_and_a_snapshot_goes_on_alike(history, random) -> None:
    once, often = opened(), opened()
    given_before: list[Traded] = []
    for each in history:
        apply(once, each)
        apply(often, each)
        given_before.append(each)
        for again in random.sample(given_before, k=min(3, len(given_before))):
            before = msgspec.msgpack.encode(often)
            assert apply(often, again) is None
            assert msgspec.msgpack.encode(often) == before
        often = msgspec.msgpack.decode(msgspec.msgpack.encode(often), type=Portfolio)
    assert msgspec.msgpack.encode(once) == msgspec.msgpack.encode(often)


def test_trades_out_of_order_are_booked_once_each() -> None:
    portfolio = opened("100000")
    for trade_id in (5, 3, 9, 3, 5, 4, 9):
        apply(portfolio, fill(trade_id=trade_id))
    assert portfolio.positions["BTCUSDT"].qty == 4


def test_the_memory_of_trade_ids_is_bounded_and_what_is_below_it_counts_as_a_repeat() -> None:
    portfolio = opened("100000")
    for trade_id in range(10, 10 + LATE_TRADES_MAX + 1):
        assert apply(portfolio, fill(trade_id=trade_id)) is not None
    assert portfolio.seen["BTCUSDT"].floor == 10
    assert len(portfolio.seen["BTCUSDT"].newest) == LATE_TRADES_MAX
    assert apply(portfolio, fill(trade_id=9)) is None
    assert apply(portfolio, fill(trade_id=10)) is None


def test_the_same_trade_id_of_another_symbol_is_another_trade() -> None:
    portfolio = opened()
    assert apply(portfolio, fill("BTCUSDT", trade_id=7)) is not None
    assert apply(portfolio, fill("ETHUSDT", trade_id=7)) is not None


def done(portfolio: Portfolio, each: Traded) -> Realised:
    did = apply(portfolio, each)
    assert did is not None
    return did


def test_a_fee_in_base_lowers_what_comes_and_adds_to_what_goes() -> None:
    portfolio = opened()
    done(portfolio, fill(qty=2, price=100, commission="0.002", commission_asset="BTC"))
    position = portfolio.positions["BTCUSDT"]
    assert (position.qty, position.cost, portfolio.cash) == (Decimal("1.998"), 200, 800)
    did = done(
        portfolio,
        fill(side="sell", trade_id=2, qty="1.997", price=110, commission="0.001", commission_asset="BTC"),
    )
    assert (did.qty, did.average, did.transferred) == (0, Decimal("219.67") - 200, 0)
    assert portfolio.cash == 800 + Decimal("219.67")


def test_a_fee_in_quote_raises_the_cost_and_lowers_the_proceeds() -> None:
    portfolio = opened()
    done(portfolio, fill(commission="0.1", commission_asset="USDT"))
    assert books.average_cost(portfolio.positions["BTCUSDT"]) == Decimal("100.1")
    did = done(portfolio, fill(side="sell", trade_id=2, commission="0.1", commission_asset="USDT"))
    assert did.average == did.fifo == did.lifo == Decimal("-0.2")
    assert portfolio.cash == Decimal("999.8")


def test_a_fee_in_a_third_asset_is_a_sale_of_it_at_its_price() -> None:
    portfolio = opened()
    settle(portfolio, {"BNB": Decimal(1)}, {"BNBUSDT": Decimal(300)}, 0)
    did = done(portfolio, fill(commission="0.01", commission_asset="BNB", commission_price=310))
    assert (did.fee_value, did.fee_realised) == (Decimal("3.10"), Decimal("0.10"))
    assert portfolio.positions["BNBUSDT"].qty == Decimal("0.99")
    assert portfolio.positions["BTCUSDT"].cost == Decimal("103.10")
    assert portfolio.cash == 900
    conserved(portfolio)


def test_a_fee_in_an_unpriced_asset_takes_its_last_price_or_none() -> None:
    portfolio = opened()
    settle(portfolio, {"BNB": Decimal(1)}, {"BNBUSDT": Decimal(300)}, 0)
    assert done(portfolio, fill(commission="0.01", commission_asset="BNB")).fee_value == 3
    did = done(portfolio, fill(trade_id=2, commission="0.01", commission_asset="XYZ"))
    assert (did.fee_value, did.fee_realised, did.transferred) == (0, 0, 0)
    conserved(portfolio)


def test_methods_differ_as_they_should() -> None:
    portfolio = opened()
    for trade_id, price in ((1, 100), (2, 130), (3, 160)):
        done(portfolio, fill(trade_id=trade_id, price=price))
    did = done(portfolio, fill(side="sell", trade_id=4, price=150))
    assert (did.average, did.fifo, did.lifo) == (20, 50, -10)


def test_what_is_sold_beyond_what_is_known_came_from_outside() -> None:
    portfolio = opened()
    done(portfolio, fill(qty=1, price=100))
    did = done(portfolio, fill(side="sell", trade_id=2, qty=3, price=120))
    assert (did.transferred, did.average, did.qty) == (240, 20, 0)
    assert portfolio.transferred == 1_240
    assert portfolio.cash == 1_260
    conserved(portfolio)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"quote": "BTC"}, "OTHER_QUOTE"),
        ({"side": "hold"}, "SIDE"),
        ({"qty": "0"}, "FILL_AMOUNT"),
        ({"price": "0"}, "FILL_AMOUNT"),
        ({"commission": "-1", "commission_asset": "USDT"}, "FILL_AMOUNT"),
        ({"commission": "1", "commission_asset": "BTC"}, "FILL_AMOUNT"),
    ],
)
def test_a_trade_that_cannot_be_is_refused_and_leaves_no_trace(wrong, code) -> None:
    portfolio = opened()
    before = msgspec.msgpack.encode(portfolio)
    with pytest.raises(PortfolioError) as refused:
        apply(portfolio, fill(**wrong))
    assert refused.value.code == code
    assert refused.value.sentence
    assert msgspec.msgpack.encode(portfolio) == before


def test_an_execution_is_read_with_care() -> None:
    report = Execution(
        client_order_id="c1",
        venue_order_id=1,
        symbol="BTCUSDT",
        side="buy",
        status="filled",
        trade_id=7,
        last_qty="0.5",
        last_price="100.10",
        commission="0.0005",
        commission_asset="BTC",
    )
    made = books.traded("BTC", "USDT", report, None, 9)
    assert (made.qty, made.price, made.commission, made.event_ns) == (
        Decimal("0.5"),
        Decimal("100.1"),
        Decimal("0.0005"),
        9,
    )
    for name, text in (("last_qty", "NaN"), ("last_price", "1e30"), ("commission", "-1"), ("last_qty", "0")):
        with pytest.raises(AmountError, match=name):
            books.traded("BTC", "USDT", msgspec.structs.replace(report, **{name: text}), None, 9)


def test_a_difference_is_what_the_venue_has_more() -> None:
    portfolio = opened()
    done(portfolio, fill(qty=2))
    venue = venue_totals(
        {"USDT": ("700.5", "100"), "BTC": ("1.5", "0.5"), "BNB": ("0", "0"), "ETH": ("0", "3")}
    )
    assert difference(portfolio, venue) == {"ETH": 3, "USDT": Decimal("0.5")}
    assert difference(portfolio, {}) == {"BTC": -2, "USDT": -800}
    settle(portfolio, difference(portfolio, venue), {"ETHUSDT": Decimal(10)}, 5)
    assert difference(portfolio, venue) == {}
    assert portfolio.transferred == Decimal("1030.5")
    conserved(portfolio)
    with pytest.raises(AmountError, match="locked BTC"):
        venue_totals({"BTC": ("1", "-1")})


def test_what_comes_without_a_price_is_worth_nothing_until_its_first_one() -> None:
    portfolio = opened()
    assert settle(portfolio, {"ETH": Decimal(3)}, {}, 5) == 0
    assert portfolio.unpriced == ["ETHUSDT"]
    assert books.equity(portfolio, {}) == 1_000
    assert books.mark(portfolio, {"BTCUSDT": Decimal(9)}) == 0
    assert books.mark(portfolio, {"ETHUSDT": Decimal(10)}) == 30
    assert portfolio.unpriced == []
    assert books.unrealised(portfolio.positions["ETHUSDT"]) == 0
    conserved(portfolio)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_trade_of_what_has_no_price_yet_gives_it_its_own(side: str) -> None:
    portfolio = opened()
    settle(portfolio, {"ETH": Decimal(3), "BNB": Decimal(1)}, {}, 5)
    did = done(
        portfolio,
        fill("ETHUSDT", side, price=10, commission="0.5", commission_asset="BNB", commission_price=300),
    )
    assert did.transferred == 330
    assert portfolio.unpriced == []
    assert books.equity(portfolio, {}) == 1_330 - 150
    conserved(portfolio)


def test_a_silent_market_counts_at_its_last_mark() -> None:
    portfolio = opened()
    done(portfolio, fill(price=100))
    books.mark(portfolio, {"BTCUSDT": Decimal(120)})
    assert books.equity(portfolio, {}) == 1_020


def test_more_cannot_go_than_is_held() -> None:
    portfolio = opened()
    done(portfolio, fill(qty=2, price=100))
    assert settle(portfolio, {"BTC": Decimal(-5)}, {"BTCUSDT": Decimal(110)}, 5) == -220
    assert portfolio.positions == {}
    conserved(portfolio)


def test_a_flat_position_keeps_what_it_realised_and_opens_anew() -> None:
    portfolio = opened()
    done(portfolio, fill(price=100, event_ns=1))
    done(portfolio, fill(side="sell", trade_id=2, price=110))
    assert list(portfolio.flat) == ["BTCUSDT"]
    done(portfolio, fill(trade_id=3, price=90, event_ns=30))
    position = portfolio.positions["BTCUSDT"]
    assert (position.realised, position.opened_ns, portfolio.flat) == (10, 30, {})


def test_everything_is_bounded() -> None:
    portfolio = opened("1000000000")
    for at in range(SYMBOLS_MAX + 20):
        done(portfolio, fill(f"A{at}USDT", event_ns=at))
        done(portfolio, fill(f"A{at}USDT", "sell", trade_id=2, event_ns=at))
    assert len(portfolio.flat) == len(portfolio.seen) == SYMBOLS_MAX
    assert "A19USDT" not in portfolio.flat
    for at in range(2 * LOTS_MAX):
        done(portfolio, fill("BTCUSDT", trade_id=at, event_ns=at))
    assert len(portfolio.positions["BTCUSDT"].fifo) == LOTS_MAX
    full = opened("1000000000")
    for at in range(SYMBOLS_MAX):
        done(full, fill(f"A{at}USDT"))
    assert not books.has_room(full, "BTCUSDT")
    with pytest.raises(PortfolioError, match="held already"):
        apply(full, fill("BTCUSDT"))


def test_the_context_of_the_thread_does_not_matter() -> None:
    with localcontext(prec=4):
        portfolio = opened("123456.789")
        done(
            portfolio,
            fill(qty="1.23456789", price="98765.4321", commission="0.00012345", commission_asset="BTC"),
        )
    assert Fraction(portfolio.cash) == Fraction("123456.789") - Fraction("1.23456789") * Fraction(
        "98765.4321"
    )
