"""The view is the naive one, may be conflated anywhere, and twice changes nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import records, view
from genesis.operators.liquidity import liquidity

SYMBOLS = (b"BTCUSDT", b"ETHUSDT", b"1000SHIBUSDT")
tick = st.tuples(
    st.sampled_from(("trade", "quote", "book")),
    st.sampled_from(SYMBOLS),
    st.sampled_from((1, 2)),
    st.integers(1, 4_000_000_000),
    st.sampled_from((0.0, np.nan, np.inf, 1e-300, 9.5, 1e300)),
)
ticks = st.lists(tick, max_size=30)


def rows_of(found: list[tuple[str, bytes, int, int, float]]) -> np.ndarray:
    """Return one VIEW row for each tick, in their order."""
    made = [records.VIEW.empty()]
    for kind, symbol, market, event_ns, price in found:
        schema = {"trade": records.TRADE, "quote": records.QUOTE, "book": records.BOOK}[kind]
        row = schema.empty(1)
        row["symbol"], row["market"], row["event_ns"] = symbol, market, event_ns
        if kind == "quote":
            row["bid_price"], row["ask_price"] = price, price + 1.0
        if kind == "book":
            row["bid_price"][0, 0], row["ask_price"][0, 0], row["bid_qty"][0, 0] = price, price + 1.0, 2.0
        of = {"trade": view.of_trades, "quote": view.of_quotes, "book": view.of_books}[kind]
        made.append(of(row))
    return np.concatenate(made)


def naive(rows: np.ndarray) -> dict[tuple[int, bytes, int], list[object]]:
    """Return (ticks, trades, quote time, bid, book time, imbalance) by instrument and second."""
    found: dict[tuple[int, bytes, int], list[object]] = {}
    for row in rows:
        key = (int(row["market"]), bytes(row["symbol"]), int(row["second"]))
        mine = found.setdefault(key, [0, 0, 0, np.nan, 0, np.nan])
        mine[0] += int(row["tick_count"])
        mine[1] += int(row["trade_count"])
        for at, time, figure in ((2, "quote_ns", "bid_price"), (4, "book_ns", "imbalance")):
            if row[time] >= mine[at] and (row[time] or np.isnan(mine[at + 1])):
                mine[at], mine[at + 1] = int(row[time]), float(row[figure])
    return found


@given(ticks)
def test_it_is_the_naive_one(found: list[tuple[str, bytes, int, int, float]]) -> None:
    rows = rows_of(found)
    before = rows.tobytes()
    result = view.conflate(rows)
    assert rows.tobytes() == before
    expected = naive(rows)
    assert len(result) == len(expected)
    assert list(naive(result)) == sorted(expected)
    for key, mine in naive(result).items():
        np.testing.assert_array_equal(mine, expected[key])


@given(ticks, st.integers(0, 30))
def test_it_may_be_conflated_anywhere_and_twice(
    found: list[tuple[str, bytes, int, int, float]], cut: int
) -> None:
    rows = rows_of(found)
    whole = view.conflate(rows)
    parts = np.concatenate([view.conflate(rows[:cut]), view.conflate(rows[cut:])])
    assert view.conflate(parts).tobytes() == whole.tobytes()
    assert view.conflate(whole).tobytes() == whole.tobytes()


def test_a_book_is_shown_by_its_liquidity() -> None:
    book = records.BOOK.empty(1)
    book["bid_price"], book["ask_price"] = np.nan, np.nan
    book["bid_price"][0, :2], book["ask_price"][0, :2] = (99.0, 98.0), (101.0, 102.0)
    book["bid_qty"][0, :2], book["ask_qty"][0, :2] = (1.0, 2.0), (3.0, 4.0)
    book["event_ns"] = 5
    row, found = view.of_books(book)[0], liquidity(book)[0]
    assert row["book_ns"] == 5
    for name in view.BOOK_FIELDS:
        np.testing.assert_array_equal(row[name], found[name])
