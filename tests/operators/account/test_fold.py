"""The account fold: what it decides follows from its log alone, and agrees with the venue's own books."""

import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import audit, portfolio, state
from genesis.operators.account.events import (
    AmendOrder,
    Body,
    CancelOrders,
    Flatten,
    MarketRecord,
    PauseOrder,
    PlaceOrder,
    ResumeOrder,
    Role,
    SetMode,
    SetStop,
    WriteJournal,
)
from genesis.operators.account.outcomes import AuditEntry, ChildOrder, Fill, ParentOrder
from genesis.operators.account.tier_gates import Tier
from tests.operators.account.lab import KEYS, PRICES, SYMBOLS, Lab, Venue, folded, of

pytestmark = pytest.mark.timeout(180)

COMMANDS = 1_000


def random_command(chance: random.Random, lab: Lab) -> Body:
    symbol = chance.choice(SYMBOLS)
    working = [*lab.account.working, "nothing"]
    kind = chance.random()
    if kind < 0.6:
        algorithm = chance.choice(["one", "one", "twap", "pov", "iceberg", "vwap", "shortfall"])
        notional = str(chance.choice([3, 12, 40, 90, 250, 400]))
        rests = algorithm == "one" and chance.random() < 0.2
        limit = PRICES[symbol][0] if rests else ""
        buys = {"side": "buy", "notional": notional}
        sells = {"side": "sell", "share": str(chance.choice([0.25, 0.5, 1]))}
        return PlaceOrder(
            symbol=symbol,
            algorithm=algorithm,
            limit_price=limit,
            rests=rests,
            duration_s=chance.choice([0, 5, 30]),
            slices=chance.choice([0, 3, 5]),
            stop_ppm=chance.choice([0, 20_000]),
            **(buys if chance.random() < 0.6 else sells),
        )
    return chance.choice(
        [
            CancelOrders(parent_id=chance.choice(working)),
            CancelOrders(symbol=symbol),
            PauseOrder(parent_id=chance.choice(working)),
            ResumeOrder(parent_id=chance.choice(working)),
            AmendOrder(parent_id=chance.choice(working), limit_price=PRICES[symbol][1]),
            SetStop(symbol=symbol, distance_ppm=chance.choice([5_000, 50_000])),
            Flatten(symbol=symbol),
            WriteJournal(text="a calm entry"),
            SetMode(mode=chance.choice(["active", "active", "reducing"])),
        ]
    )


def session(seed: int, commands: int, tier: Tier = Tier.STRATEGIST) -> tuple[Lab, Venue]:
    """Return a laboratory after random commands, with all orders at their end."""
    chance = random.Random(seed)
    lab, venue = Lab(tier, "20000"), Venue(seed)
    lab.correlate(("BTCUSDT", "ETHUSDT", 0.8), ("ADAUSDT", "BTCUSDT", 0.2), ("ADAUSDT", "ETHUSDT", -0.1))
    for _ in range(commands):
        lab.put(Role.TRADER, random_command(chance, lab))
        lab.fill(venue, chance.choice([0.1, 0.1, 1.0, 3.0]))
    lab.put(Role.TRADER, SetMode(mode="active"))
    lab.put(Role.TRADER, Flatten())
    for _ in range(400):
        lab.fill(venue, 1.0)
        if not lab.account.working and not lab.account.closing:
            break
    return lab, venue


@pytest.fixture(scope="module")
def long_session() -> tuple[Lab, Venue]:
    """Give a session of many commands."""
    return session(7, COMMANDS)


def test_books_equal_those_of_the_venue_to_the_last_digit(long_session: tuple[Lab, Venue]) -> None:
    lab, venue = long_session
    assert len(venue.trades) > COMMANDS / 4
    ours = portfolio.balances(lab.account.portfolio)
    # fees in an asset that was never held count as come from outside
    theirs = {asset: qty for asset, qty in venue.balances(Decimal(20_000)).items() if asset != "BNB"}
    assert ours == theirs


def test_realised_profit_is_what_the_cash_says(long_session: tuple[Lab, Venue]) -> None:
    book = long_session[0].account.portfolio
    cost = sum((each.cost for each in book.positions.values()), Decimal(0))
    assert book.cash + cost - portfolio.realised(book) == book.transferred


def test_slices_sum_to_their_parents(long_session: tuple[Lab, Venue]) -> None:
    lab, _venue = long_session
    parents = {each.parent_id: each for each in of(lab.outcomes, "parent_orders", ParentOrder)}
    filled: dict[str, Decimal] = {}
    for fill in of(lab.outcomes, "executions", Fill):
        filled[fill.parent_id] = filled.get(fill.parent_id, Decimal(0)) + Decimal(fill.qty)
    assert len(parents) > COMMANDS / 20
    for parent_id, parent in parents.items():
        assert parent.status == "ended"
        assert filled.get(parent_id, Decimal(0)) == Decimal(parent.filled_qty) <= Decimal(parent.qty)
        if parent.reason == "filled":
            assert parent.filled_qty == parent.qty
    assert {parent.reason for parent in parents.values()} >= {"filled", "cancelled"}


def test_the_audit_chain_holds_every_decision(long_session: tuple[Lab, Venue]) -> None:
    lab, _venue = long_session
    chain = of(lab.outcomes, "audit", AuditEntry)
    assert not list(audit.faults(KEYS.audit, chain))
    audited = [each for each in lab.outcomes if each.topic in ("decisions", "child_orders", "executions")]
    assert [entry.subject for entry in chain] == [each.topic for each in audited]
    assert lab.account.head_hash == chain[-1].id


@pytest.mark.parametrize("seed", range(3))
def test_every_repeat_changes_nothing(seed: int) -> None:
    lab, _venue = session(seed, 60)
    chance = random.Random(seed)
    doubled = [event for event in lab.log for _ in range(chance.choice([1, 2]))]
    again = [*doubled, *lab.log[-300:]]
    assert folded(again, Tier.STRATEGIST, []) == folded(lab.log, Tier.STRATEGIST, [])


@given(st.integers(0, 20), st.lists(st.integers(0, 300), max_size=12), st.integers(0, 12))
@settings(max_examples=25)
def test_any_batches_and_any_crash_give_the_same(seed: int, cuts: list[int], kill_at: int) -> None:
    lab, _venue = session(seed, 20)
    whole = repr(lab.outcomes).encode()
    outcomes, snapshot = folded(lab.log, Tier.STRATEGIST, cuts, kill_at)
    assert outcomes == whole
    assert snapshot == folded(lab.log, Tier.STRATEGIST, [])[1]


@pytest.mark.parametrize("name", ["bid_qty", "ask_qty", "traded_qty", "bid", "ask"])
def test_a_market_beyond_all_bounds_stops_nothing(name: str) -> None:
    lab = Lab()
    assert lab.ask(PlaceOrder(symbol="BTCUSDT", side="buy", notional="30")).accepted
    mark = msgspec.structs.replace(lab.mark("BTCUSDT", *PRICES["BTCUSDT"]), **{name: "9" * 15})
    lab.now_ns += 10**8
    lab.take(lab.event(Role.TICKER, MarketRecord(marks=[mark]), lab.now_ns))
    assert lab.account.now_ns == lab.now_ns
    lab.fill(Venue(1, whole=True))
    assert "BTCUSDT" in lab.account.portfolio.positions


def test_one_child_of_a_parent_is_open_at_a_time(long_session: tuple[Lab, Venue]) -> None:
    numbers: dict[str, int] = {}
    for order in of(long_session[0].outcomes, "child_orders", ChildOrder):
        if order.action == "send":
            number = int(order.client_order_id.rpartition("-")[2])
            assert number == numbers.get(order.parent_id, 0) + 1
            numbers[order.parent_id] = number


def test_a_refusal_whose_figures_are_counts_keeps_its_bytes_over_a_restart() -> None:
    lab = Lab(Tier.STRATEGIST, "20000")
    assert lab.ask(PlaceOrder(symbol="BTCUSDT", side="buy", notional="400")).code == "TIER_SLICES"
    again = state.decoded(state.encoded(lab.account))
    assert repr(again.last_refusal) == repr(lab.account.last_refusal)
