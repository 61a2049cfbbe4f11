"""Decimals become whole steps and come back exactly, or are refused."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.slicing import steps

step = st.sampled_from(["0.00000001", "0.00001", "0.01", "0.5", "1", "10"]).map(Decimal)
value = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=8)


@given(st.integers(0, 10**12), step, step)
def test_whole_steps_come_back_as_they_were(count: int, lot: Decimal, tick: Decimal) -> None:
    of = steps.Steps(lot, tick)
    assert steps.whole(steps.quantity(count, of), lot, "qty") == count
    assert steps.whole(steps.price(count, of), tick, "price") == count


@given(value, step)
def test_rounding_down_is_that_of_fractions(wanted: Decimal, of: Decimal) -> None:
    assert steps.down(wanted, of) == Fraction(wanted) // Fraction(of)


@given(value, step)
def test_what_is_no_multiple_is_refused_with_a_remedy(wanted: Decimal, of: Decimal) -> None:
    if Fraction(wanted) % Fraction(of):
        with pytest.raises(ValueError, match=r"must be a multiple of .*; round it before"):
            steps.whole(wanted, of, "qty")
    else:
        assert steps.whole(wanted, of, "qty") == Fraction(wanted) / Fraction(of)


@given(st.decimals(0, 10**6, places=8), step, step)
def test_a_least_value_in_steps_is_the_least_that_is_enough(
    notional: Decimal, lot: Decimal, tick: Decimal
) -> None:
    count = steps.notional_steps(notional, steps.Steps(lot, tick))
    unit = Fraction(lot) * Fraction(tick)
    assert (count - 1) * unit < Fraction(notional) <= count * unit
