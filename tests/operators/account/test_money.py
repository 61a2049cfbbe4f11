"""Money is exact: bad text is refused with a sentence, steps are hit, the thread does not matter."""

from decimal import Decimal, getcontext, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.account import money
from genesis.operators.account.money import AmountError

amounts = st.decimals(0, 10**14, allow_nan=False, allow_infinity=False, places=8)
above_zero = st.integers(1, 10**20).map(lambda units: Decimal(units).scaleb(-8))
steps = st.sampled_from(["0.00000001", "0.00010000", "0.01", "0.25", "0.5", "1", "1E+1"]).map(Decimal)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "AMOUNT_TEXT"),
        (" 1", "AMOUNT_TEXT"),
        ("1\n", "AMOUNT_TEXT"),
        ("1,5", "AMOUNT_TEXT"),
        ("1_000", "AMOUNT_TEXT"),
        ("٣", "AMOUNT_TEXT"),
        ("0x10", "AMOUNT_TEXT"),
        (".", "AMOUNT_TEXT"),
        ("e5", "AMOUNT_TEXT"),
        ("1e9999999999", "AMOUNT_TEXT"),
        ("1" * 65, "AMOUNT_TEXT"),
        ("nan", "AMOUNT_NOT_FINITE"),
        ("-NaN123", "AMOUNT_NOT_FINITE"),
        ("sNaN", "AMOUNT_NOT_FINITE"),
        ("inf", "AMOUNT_NOT_FINITE"),
        ("-Infinity", "AMOUNT_NOT_FINITE"),
        ("1e30", "AMOUNT_TOO_LARGE"),
        ("1e999", "AMOUNT_TOO_LARGE"),
        ("1000000000000000", "AMOUNT_TOO_LARGE"),
        ("1e-13", "AMOUNT_TOO_FINE"),
        ("1e-999", "AMOUNT_TOO_FINE"),
        ("0.1234567890123", "AMOUNT_TOO_FINE"),
        ("-1", "AMOUNT_NEGATIVE"),
        ("-1e-8", "AMOUNT_NEGATIVE"),
        ("0", "AMOUNT_ZERO"),
        ("-0.000", "AMOUNT_ZERO"),
        ("0e999", "AMOUNT_ZERO"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_code_and_a_sentence(text: str, code: str) -> None:
    with pytest.raises(AmountError, match=r"^qty (must|may|has) ") as refused:
        money.positive(text, "qty")
    assert refused.value.code == code
    assert refused.value.sentence == str(refused.value)
    assert len(refused.value.sentence) < 160


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("+1.50", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1E-8", "0.00000001"),
        ("0.000000000001", "1e-12"),
        ("999999999999999.999999999999", "999999999999999.999999999999"),
        ("1.0000000000000000000", "1"),
        ("0" * 60 + "7", "7"),
    ],
)
def test_an_amount_is_what_its_text_says(text: str, value: str) -> None:
    assert money.positive(text, "qty") == Decimal(value)


@given(st.text(max_size=80))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        value = money.signed(text, "qty")
    except AmountError:
        return
    assert value.is_finite()
    assert abs(value) < 10**money.WHOLE_DIGITS_MAX
    assert Fraction(value) * 10**money.FRACTION_DIGITS_MAX % 1 == 0


@given(st.from_regex(r"[+-]?[0-9]{0,17}\.?[0-9]{0,14}(e[+-]?[0-9]{1,2})?", fullmatch=True))
def test_what_passes_is_exactly_what_was_written(text: str) -> None:
    try:
        value = money.signed(text, "qty")
    except AmountError:
        return
    assert Fraction(value) == Fraction(Decimal(text))


@given(amounts)
def test_text_comes_back_as_it_was(value: Decimal) -> None:
    text = money.text(value)
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))
    assert money.amount(text, "value") == value


@given(amounts, steps)
def test_a_step_below_above_and_nearest(value: Decimal, step: Decimal) -> None:
    exact, unit = Fraction(value), Fraction(step)
    below = exact // unit * unit
    assert Fraction(money.down_to(value, step)) == below
    assert Fraction(money.up_to(value, step)) == -(-exact // unit) * unit
    assert Fraction(money.nearest(value, step)) == round(exact / unit) * unit
    assert money.is_multiple(value, step) == (below == exact)


@given(amounts, above_zero, above_zero)
def test_a_part_and_what_it_leaves_are_the_whole(total: Decimal, one: Decimal, other: Decimal) -> None:
    with localcontext(money.MONEY):
        qty, whole = min(one, other), max(one, other)
        part = money.part(total, qty, whole)
        assert part + (total - part) == total
        assert (
            abs(Fraction(part) - Fraction(total) * Fraction(qty) / Fraction(whole))
            <= Fraction(money.GRID) / 2
        )


@given(amounts, amounts, amounts)
def test_adding_and_multiplying_never_round(one: Decimal, two: Decimal, three: Decimal) -> None:
    found = money.exact(lambda: one * two + three * two - one * three)()
    assert Fraction(found) == Fraction(one) * Fraction(two) + Fraction(three) * Fraction(two) - Fraction(
        one
    ) * Fraction(three)


@given(amounts, above_zero)
def test_a_share_is_the_float_nearest_to_it(value: Decimal, whole: Decimal) -> None:
    assert money.share(value, whole) == pytest.approx(float(Fraction(value) / Fraction(whole)), rel=0, abs=0)


def test_nothing_depends_on_the_context_of_the_thread() -> None:
    getcontext().clear_flags()
    with localcontext(prec=3):
        assert money.amount("123456789.12345678", "qty") == Decimal("123456789.12345678")
        assert money.text(Decimal("123456.78900")) == "123456.789"
        assert money.down_to(Decimal("123456.789"), Decimal("0.01")) == Decimal("123456.78")
        assert money.exact(lambda: Decimal("1.2345") * 2)() == Decimal("2.4690")
        assert Decimal("1.2345") * 2 == Decimal("2.47")
        with pytest.raises(ZeroDivisionError):
            money.exact(money.exact(lambda: 1 // 0))()
        assert Decimal("1.2345") * 2 == Decimal("2.47")
