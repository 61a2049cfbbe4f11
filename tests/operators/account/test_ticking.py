"""Market records depend on the rows alone; a recorded session folds to the venue's own books."""

import random
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import portfolio
from genesis.operators.account.events import (
    AmendOrder,
    CancelOrders,
    Flatten,
    Listings,
    MarketRecord,
    PauseOrder,
    PlaceOrder,
    ResumeOrder,
    Role,
    decode,
    encode,
)
from genesis.operators.account.outcomes import Fill, ParentOrder
from genesis.operators.account.ticking import RECORD_NS, Due, Ticking
from genesis.operators.account.tier_gates import Tier
from genesis.operators.measure_records import VOLUME
from genesis.operators.records import (
    CORRELATION,
    MARKET_STATE,
    QUOTE,
    TRADE,
    WATERMARK_FINAL_NS,
    Market,
    MarketState,
)
from tests.operators import recorded
from tests.operators.account.lab import Lab, Venue, listing, of

pytestmark = pytest.mark.timeout(180)

START_NS = 1_700_000_000 * 10**9
PARTS = [("quotes", 0), ("trades", 0)]
COMMANDS = 1_000


def rows_of(ticks: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return quotes and trades for (ms since the one before, instrument, price)."""
    quotes, trades, now_ns = [], [], START_NS
    for number, (step_ms, instrument, price) in enumerate(ticks):
        now_ns += step_ms * 1_000_000
        schema, found = (QUOTE, quotes) if number % 3 else (TRADE, trades)
        row = schema.empty(1)
        row["event_ns"] = row["effective_ns"] = now_ns
        row["symbol"], row["market"] = [b"AAAUSDT", b"BBBUSDT", b"CCCUSDT"][instrument], Market.SPOT
        if instrument == 2:
            row["market"] = Market.USDM
        if number % 3:
            row["update_id"], row["bid_price"], row["ask_price"] = number, price, price + 1
        else:
            row["trade_id"], row["price"], row["qty"] = number, price, price / 10
        found.append(row)
    return np.concatenate([QUOTE.empty(), *quotes]), np.concatenate([TRADE.empty(), *trades])


def ticked(quotes: np.ndarray, trades: np.ndarray, cuts_ns: list[int]) -> list[Due]:
    """Return the records of rows that come in frames, cut at these times."""
    ticking, found, begin_ns = Ticking(PARTS), [], -(2**62)
    for end_ns in [*sorted(cuts_ns), WATERMARK_FINAL_NS]:
        for name, rows in (("quotes", quotes), ("trades", trades)):
            times = rows["effective_ns"]
            ticking.take(name, 0, rows[(times > begin_ns) & (times <= end_ns)], end_ns)
            found += ticking.due()
        begin_ns = end_ns
    return found


ticks = st.lists(
    st.tuples(st.sampled_from([0, 1, 30, 99, 100, 250, 2_000]), st.integers(0, 2), st.floats(1.0, 100.0)),
    min_size=1,
    max_size=40,
)


@given(ticks)
def test_records_are_those_of_a_naive_twin(ticks: list[tuple[int, int, float]]) -> None:
    quotes, trades = rows_of(ticks)
    marks: dict[str, tuple[float, int]] = {}
    for due in ticked(quotes, trades, []):
        begin_ns = due.event_ns - RECORD_NS
        told = {mark.symbol: mark for mark in due.record.marks}
        expected: dict[str, float] = {}
        for row in trades:
            if begin_ns < row["effective_ns"] <= due.event_ns and row["market"] == Market.SPOT:
                name = row["symbol"].decode()
                expected[name] = expected.get(name, 0.0) + float(row["qty"])
        for row in quotes:
            if begin_ns < row["effective_ns"] <= due.event_ns and row["market"] == Market.SPOT:
                marks[row["symbol"].decode()] = (float(row["bid_price"]), int(row["event_ns"]))
                expected.setdefault(row["symbol"].decode(), 0.0)
        assert set(told) == {name for name in expected if name in marks}
        for name, mark in told.items():
            assert float(mark.traded_qty) == pytest.approx(expected[name], abs=1e-9)
            assert (float(mark.bid), mark.quoted_ns) == (pytest.approx(marks[name][0]), marks[name][1])


@given(ticks, st.lists(st.integers(0, 60), max_size=10))
@settings(max_examples=60)
def test_however_frames_are_cut_the_marks_are_the_same(
    ticks: list[tuple[int, int, float]], cuts: list[int]
) -> None:
    quotes, trades = rows_of(ticks)
    whole = ticked(quotes, trades, [])
    parts = ticked(quotes, trades, [START_NS + cut * 70_000_000 for cut in cuts])
    told = {due.event_ns: due.record for due in parts}
    for due in whole[:-1]:
        assert told[due.event_ns] == due.record
    # a record more comes only where a promise passed a time at which nothing happened
    extra = set(told) - {due.event_ns for due in whole}
    assert all(told[event_ns] == MarketRecord() for event_ns in extra)


def test_states_and_correlations_are_told_once_they_change() -> None:
    ticking = Ticking(PARTS)
    quotes, trades = rows_of([(0, 0, 5.0), (10, 0, 5.0), (10, 1, 7.0)])
    state, correlation = MARKET_STATE.empty(2), CORRELATION.empty(1)
    state["symbol"], state["market"] = [b"AAAUSDT", b"*"], Market.SPOT
    state["state"] = MarketState.VOLATILE
    correlation["symbol_a"], correlation["symbol_b"] = b"AAAUSDT", b"BBBUSDT"
    correlation["market_a"] = correlation["market_b"] = Market.SPOT
    correlation["correlation"] = 0.25
    told = []
    volume = VOLUME.empty(2)
    volume["symbol"], volume["market"], volume["day_notional"] = [b"AAAUSDT", b"BBBUSDT"], 1, [5e6, np.nan]
    ticking.take("day_volume", 0, volume, 0)
    for second in range(1, 4):
        ticking.take("market_state", 0, state, 0)
        ticking.take("correlation", 0, correlation, 0)
        correlation["correlation"] += 0.004
        for name, rows in (("quotes", quotes), ("trades", trades)):
            ticking.take(name, 0, rows if second == 1 else rows[:0], START_NS + second * 10**9)
        told += ticking.due()
    assert [due.record.correlations for due in told if due.record.correlations] == [
        [("AAAUSDT", "BBBUSDT", 0.25)]
    ]
    assert {mark.state for due in told for mark in due.record.marks if mark.symbol == "AAAUSDT"} == {3}
    assert told[0].record.market_state == MarketState.VOLATILE
    assert told[0].record.day_notionals == {"AAAUSDT": 5e6}
    assert decode(encode(told[0].record)) == told[0].record


def test_a_thousand_commands_over_recorded_ticks_leave_the_books_of_the_venue(recordings: Path) -> None:
    trades, quotes = recorded.together(recordings, "spot_btcusdt", "spot_ethusdt")
    ticking, lab, venue = Ticking(PARTS), Lab(Tier.STRATEGIST, "40000"), Venue(3)
    names = ("BTCUSDT", "ETHUSDT")
    rules = [listing(name, lot="0.00001" if name == "BTCUSDT" else "0.0001") for name in names]
    lab.account.views.clear()
    lab.put(Role.TICKER, Listings(listings=rules))
    chance, asked = random.Random(5), 0
    for part in np.array_split(np.arange(quotes.size), 1_100):
        until_ns = int(quotes["recv_ns"][part[-1]])
        mine = trades[(trades["recv_ns"] <= until_ns) & (trades["recv_ns"] > int(quotes["recv_ns"][part[0]]))]
        watermark_ns = int(quotes["effective_ns"][part].max()) - recorded.LATENESS_NS
        ticking.take("quotes", 0, quotes[part], watermark_ns)
        ticking.take("trades", 0, mine, watermark_ns)
        for due in ticking.due():
            lab.now_ns = due.event_ns
            lab.take(lab.event(Role.TICKER, due.record, due.event_ns))
        if asked == 0:
            lab.correlate(("BTCUSDT", "ETHUSDT", 0.61))
        if asked < COMMANDS and lab.account.views.keys() >= set(names):
            asked += 1
            lab.put(Role.TRADER, _command(chance, lab, names))
        for order in lab.new_children(venue):
            for report in venue.take(order, lab.now_ns):
                lab.put(Role.GATEWAY, report)
    assert asked == COMMANDS
    assert len(venue.trades) > 200
    theirs = {asset: qty for asset, qty in venue.balances(Decimal(40_000)).items() if asset != "BNB"}
    assert portfolio.balances(lab.account.portfolio) == theirs
    filled: dict[str, Decimal] = {}
    for fill in of(lab.outcomes, "executions", Fill):
        filled[fill.parent_id] = filled.get(fill.parent_id, Decimal(0)) + Decimal(fill.qty)
    newest = {each.parent_id: each for each in of(lab.outcomes, "parent_orders", ParentOrder)}
    for parent_id, parent in newest.items():
        assert filled.get(parent_id, Decimal(0)) == Decimal(parent.filled_qty) <= Decimal(parent.qty)


def _command(chance: random.Random, lab: Lab, names: tuple[str, ...]) -> object:
    symbol, working = chance.choice(names), [*lab.account.working, "nothing"]
    if chance.random() < 0.7:
        algorithm = chance.choice(["one", "twap", "pov", "iceberg", "vwap", "shortfall"])
        amount = {"side": "buy", "notional": str(chance.choice([20, 60, 150]))}
        if chance.random() < 0.5:
            amount = {"side": "sell", "share": "0.5"}
        return PlaceOrder(symbol=symbol, algorithm=algorithm, duration_s=5, slices=3, **amount)
    return chance.choice(
        [
            CancelOrders(parent_id=chance.choice(working)),
            PauseOrder(parent_id=chance.choice(working)),
            ResumeOrder(parent_id=chance.choice(working)),
            AmendOrder(parent_id=chance.choice(working), limit_price="999999"),
            Flatten(symbol=symbol),
        ]
    )
