"""Slots are dense, lasting and the same for the same name."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import instruments as instruments_of
from genesis.operators.arrays import in_words
from genesis.operators.records import QUOTE, TRADE

name = st.tuples(st.integers(1, 3), st.text("ABC1", min_size=1, max_size=16).map(str.encode))


@given(st.lists(name, min_size=1, max_size=300), st.integers(1, 50))
def test_slots_are_those_of_a_dictionary(names: list[tuple[int, bytes]], size: int) -> None:
    trades = TRADE.empty(len(names))
    trades["market"], trades["symbol"] = zip(*names, strict=True)
    table, found = instruments_of.no_instruments(), []
    for begin in range(0, trades.size, size):
        part = trades[begin : begin + size].copy()
        table, keys, _ = instruments_of.trade_ticks(table, part.view(in_words(TRADE)))
        found += keys[:, 2].tolist()
    twin: dict[tuple[int, bytes], int] = {}
    assert found == [twin.setdefault(each, len(twin)) for each in names]
    assert list(zip(instruments_of.markets(table), instruments_of.symbols(table), strict=True)) == list(twin)
    assert [list(twin)[slot] for slot in instruments_of.sorted_slots(table)] == sorted(twin)


def test_a_thousand_instruments_keep_their_slots() -> None:
    quotes = QUOTE.empty(3_000)
    quotes["symbol"] = [b"S%d" % (number % 1_000) for number in range(3_000)]
    table, keys, _ = instruments_of.quote_ticks(instruments_of.no_instruments(), quotes.view(in_words(QUOTE)))
    assert table.size == 1_000
    np.testing.assert_array_equal(keys[:, 2], np.tile(np.arange(1_000), 3))


def test_ticks_carry_the_columns_of_their_rows() -> None:
    trades, quotes = TRADE.empty(2), QUOTE.empty(2)
    for rows, number in ((trades, "trade_id"), (quotes, "update_id")):
        rows["effective_ns"], rows["event_ns"], rows[number] = [5, 6], [1, 2], [8, 9]
    trades["price"], trades["qty"], trades["side"] = [10.0, 11.0], [1.0, 2.0], [1, -1]
    quotes["bid_price"], quotes["ask_price"] = [9.0, np.nan], [11.0, 12.0]
    quotes["bid_qty"], quotes["ask_qty"] = [3.0, 4.0], [5.0, 6.0]
    for rows, schema, make, values in (
        (trades, TRADE, instruments_of.trade_ticks, [[10.0, 1.0], [11.0, -2.0]]),
        (quotes, QUOTE, instruments_of.quote_ticks, [[9.0, 11.0, 3.0, 5.0], [np.nan, 12.0, 4.0, 6.0]]),
    ):
        before = rows.copy()
        _, keys, found = make(instruments_of.no_instruments(), rows.view(in_words(schema)))
        assert keys.tolist() == [[5, 1, 0, 8], [6, 2, 0, 9]]
        np.testing.assert_array_equal(found, values)
        assert rows.tobytes() == before.tobytes()
