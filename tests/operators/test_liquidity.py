"""Liquidity equals what plain Python makes of the levels of one book."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.liquidity import liquidity
from genesis.operators.records import BOOK, BOOK_LEVELS, DEPTH_DISTANCES_BPS

Side = list[tuple[float, float]]
levels = st.lists(
    st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 1e6)),
    max_size=BOOK_LEVELS,
    unique_by=lambda level: level[0],
)


def book_of(bids: Side, asks: Side, beyond_qty: float = 0.0) -> np.ndarray:
    """Return a book; ``beyond_qty`` rests beyond the carried levels within every distance."""
    row = BOOK.empty(1)
    mid = (bids[0][0] + asks[0][0]) / 2 if bids and asks else math.nan
    for side, listed in (("bid", bids), ("ask", asks)):
        for name, column in (("price", 0), ("qty", 1)):
            row[f"{side}_{name}"] = np.nan
            row[f"{side}_{name}"][0, : len(listed)] = [level[column] for level in listed]
        for k, distance in enumerate(DEPTH_DISTANCES_BPS):
            inside = [qty for price, qty in listed if abs(price - mid) / mid <= distance * 1e-4]
            row[f"{side}_depth_qty"][0, k] = sum(inside) + beyond_qty
    return row


def ladders(offers: tuple[Side, Side]) -> tuple[Side, Side]:
    bids, asks = (sorted(side) for side in offers)
    return [(100.0 - away, qty) for away, qty in bids], [(100.0 + away, qty) for away, qty in asks]


@given(st.tuples(levels, levels))
def test_it_equals_plain_python(offers: tuple[Side, Side]) -> None:
    bids, asks = ladders(offers)
    row = liquidity(book_of(bids, asks))[0]
    if not bids or not asks:
        assert np.isnan([row["mid_price"], row["micro_price"], row["spread_bps"]]).all()
        assert np.isnan(row["bid_depth_notional"]).all()
        return
    (bid, bid_qty), (ask, ask_qty) = bids[0], asks[0]
    mid = (bid + ask) / 2
    assert row["mid_price"] == mid
    assert row["spread_bps"] == pytest.approx((ask - bid) / mid * 1e4)
    if bid_qty + ask_qty > 0:
        assert row["micro_price"] == pytest.approx((ask * bid_qty + bid * ask_qty) / (bid_qty + ask_qty))
    near = [sum(qty for _, qty in side[:5]) for side in (bids, asks)]
    if sum(near) > 0:
        assert row["imbalance"] == pytest.approx((near[0] - near[1]) / sum(near))
        assert -1.0 <= row["imbalance"] <= 1.0
    for name, side in (("bid", bids), ("ask", asks)):
        for k, distance in enumerate(DEPTH_DISTANCES_BPS):
            worth = sum(price * qty for price, qty in side if abs(price - mid) / mid <= distance * 1e-4)
            assert row[f"{name}_depth_notional"][k] == pytest.approx(worth, abs=1e-9)


def test_what_rests_beyond_the_carried_levels_is_valued_at_the_last_of_them() -> None:
    side = [(0.001 * (level + 1), 1.0) for level in range(BOOK_LEVELS)]
    bids, asks = ladders((side, side))
    row = liquidity(book_of(bids, asks, beyond_qty=3.0))[0]
    seen = sum(price for price, _ in bids)
    assert row["bid_depth_notional"].tolist() == pytest.approx([seen + 3.0 * bids[-1][0]] * 3)


def test_rows_do_not_depend_on_how_books_are_cut() -> None:
    rng = np.random.default_rng(5)
    books = np.concatenate(
        [book_of(*ladders(([(float(a), 1.0)], [(float(b), 2.0)]))) for a, b in rng.uniform(0.01, 1, (30, 2))]
    )
    books["update_id"] = np.arange(30)
    before = books.copy()
    parts = np.concatenate(
        [liquidity(books[:7]), liquidity(books[7:8]), liquidity(books[8:]), liquidity(books[:0])]
    )
    assert liquidity(books).tobytes() == parts.tobytes()
    assert books.tobytes() == before.tobytes()
