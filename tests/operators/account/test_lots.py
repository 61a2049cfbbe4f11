"""Lots: what is taken and what is left are what was there, oldest or newest first, whatever their number."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.account.lots import LOTS_MAX, Lot, Method, cost_of, put, take

qty = st.integers(1, 10**10).map(lambda units: Decimal(units).scaleb(-8))
cost = st.integers(0, 10**12).map(lambda units: Decimal(units).scaleb(-6))
methods = st.sampled_from(Method)
lists = st.lists(st.tuples(qty, cost), min_size=1, max_size=12)


def lots_of(rows: list[tuple[Decimal, Decimal]]) -> list[Lot]:
    lots: list[Lot] = []
    for at, (one, price) in enumerate(rows):
        put(lots, Lot(one, price, at))
    return lots


def held(lots: list[Lot]) -> Fraction:
    return sum((Fraction(lot.qty) for lot in lots), Fraction())


@given(lists, methods, st.integers(0, 1_000))
def test_what_is_taken_and_what_is_left_are_what_was_there(rows, method, permille) -> None:
    lots = lots_of(rows)
    before = held(lots), Fraction(cost_of(lots))
    wanted = (sum((lot.qty for lot in lots), Decimal()) * permille / 1_000).quantize(Decimal("1e-8"))
    taken = take(lots, wanted, method)
    assert held(taken) == Fraction(wanted)
    assert (held(taken) + held(lots), Fraction(cost_of(taken)) + Fraction(cost_of(lots))) == before
    assert all(lot.qty > 0 for lot in (*taken, *lots))


@given(lists, methods)
def test_the_oldest_or_the_newest_go_first(rows, method) -> None:
    lots = lots_of(rows)
    taken = take(lots, sum((lot.qty for lot in lots), Decimal()), method)
    times = [lot.acquired_ns for lot in taken]
    assert times == (sorted(times) if method == Method.FIFO else sorted(times, reverse=True))
    assert [(lot.qty, lot.cost) for lot in taken] == (rows if method == Method.FIFO else rows[::-1])
    assert lots == []


def test_a_lot_taken_in_part_gives_up_its_cost_in_proportion() -> None:
    lots = [Lot(Decimal(3), Decimal(10), 5)]
    assert take(lots, Decimal(1), Method.FIFO) == [Lot(Decimal(1), Decimal("3.333333333333333333333333"), 5)]
    assert lots == [Lot(Decimal(2), Decimal("6.666666666666666666666667"), 5)]


def test_more_than_there_is_is_refused_and_nothing_is_taken() -> None:
    lots = lots_of([(Decimal(1), Decimal(10))])
    with pytest.raises(ValueError, match=r"^lots: 2 was to be taken, the lots hold 1; settle"):
        take(lots, Decimal(2), Method.LIFO)
    assert lots == [Lot(Decimal(1), Decimal(10), 0)]


@given(st.lists(st.tuples(qty, cost, st.integers(0, 10**6)), min_size=LOTS_MAX, max_size=3 * LOTS_MAX))
def test_too_many_lots_are_merged_and_totals_stay(rows) -> None:
    lots: list[Lot] = []
    now_ns = 0
    for one, price, wait_ns in rows:
        now_ns += wait_ns
        put(lots, Lot(one, price, now_ns))
        assert len(lots) <= LOTS_MAX
        times = [lot.acquired_ns for lot in lots]
        assert times == sorted(times)
    assert held(lots) == sum(Fraction(one) for one, _, _ in rows)
    assert Fraction(cost_of(lots)) == sum(Fraction(price) for _, price, _ in rows)


def test_the_neighbours_closest_in_time_are_merged_and_keep_the_later_one() -> None:
    lots = [Lot(Decimal(1), Decimal(at), 100 * at) for at in range(LOTS_MAX)]
    lots[10].acquired_ns = lots[11].acquired_ns - 7
    put(lots, Lot(Decimal(1), Decimal(1), 100 * LOTS_MAX))
    assert len(lots) == LOTS_MAX
    assert lots[10] == Lot(Decimal(2), Decimal(21), 1_100)


@given(lists)
def test_lots_come_back_from_a_snapshot(rows) -> None:
    lots = lots_of(rows)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(lots), type=list[Lot]) == lots
