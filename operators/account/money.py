"""Money: exact decimal amounts: how text becomes one, how one is cut to a venue's step, and the grid of all.

Law: an amount that comes in has at most WHOLE_DIGITS_MAX digits before its point and FRACTION_DIGITS_MAX
after it. A product of two has at most twice as many, so everything that is added up lies on the GRID, and
in the context MONEY adding, subtracting and multiplying never round. A division does; its result is put on
the grid, half to even, and what is left over stays with the rest (`part`). Thus no money is made or lost.

Python's own context has 28 digits, and belongs to the thread. Each public function of this package that
computes with amounts therefore runs in MONEY, by the decorator `exact`; the fold wraps its step in it.
"""

import math
import re
from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    getcontext,
    setcontext,
)
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

WHOLE_DIGITS_MAX = 15
"""Digits before the point of an amount that comes in: up to a thousand trillion."""

FRACTION_DIGITS_MAX = 12
"""Digits after the point of an amount that comes in; Binance uses up to 8."""

TEXT_CHARACTERS_MAX = 64
"""Longest text that is read as an amount."""

TEXTS_KEPT = 4_096
"""Newest plain texts whose amounts are kept: most of what a market record says was said by the one before."""

GRID = Decimal((0, (1,), -2 * FRACTION_DIGITS_MAX))
"""Step of everything that is added up: the finest product of two amounts."""

MONEY = Context(
    prec=80,
    rounding=ROUND_HALF_EVEN,
    Emin=-999,
    Emax=999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""The context of all money: 80 digits, so 56 before the point on the grid; half to even."""

ZERO = Decimal(0)
ONE = Decimal(1)

_AMOUNT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_PLAIN = re.compile(rf"[0-9]{{1,{WHOLE_DIGITS_MAX}}}(?:\.[0-9]{{1,{FRACTION_DIGITS_MAX}}})?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:s?nan[0-9]*|inf(?:inity)?)", re.IGNORECASE)
_PARSING = Context(prec=TEXT_CHARACTERS_MAX, Emin=-2_000, Emax=2_000, traps=[InvalidOperation, Clamped])

P = ParamSpec("P")
R = TypeVar("R")


class AmountError(ValueError):
    """A text that is no amount, with a stable code and a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function, run in the context MONEY whatever the thread's context is.

    MONEY itself is set, not a copy, so that one such function knows when another has called it.

    >>> exact(lambda: Decimal("123456789012345.123456789012") * Decimal("1.000000000001"))()
    Decimal('123456789012468.580245801357123456789012')
    """

    @wraps(function)
    def in_money(*args: P.args, **kwargs: P.kwargs) -> R:
        outer = getcontext()
        if outer is MONEY:
            return function(*args, **kwargs)
        setcontext(MONEY)
        try:
            return function(*args, **kwargs)
        finally:
            setcontext(outer)

    return in_money


@lru_cache(TEXTS_KEPT)
def _plainly(text: str) -> Decimal | None:
    """Return the amount in a text as the venue and we write it; None for any other."""
    return (Decimal(text) or ZERO) if _PLAIN.fullmatch(text) else None


def signed(text: str, name: str) -> Decimal:
    """Return the amount in a text that may come from anybody; it may be below zero.

    Parameters
    ----------
    text
        Decimal digits, with or without a point and an exponent.
    name
        What it is, for the sentence.

    Raises
    ------
    AmountError
        With code ``AMOUNT_TEXT``, ``AMOUNT_NOT_FINITE``, ``AMOUNT_TOO_LARGE`` or ``AMOUNT_TOO_FINE``.

    Examples
    --------
    >>> signed("-1.50", "change"), signed("1e-8", "change")
    (Decimal('-1.50'), Decimal('1E-8'))
    """
    known = _plainly(text)
    if known is not None:
        return known
    shown = repr(text[:24])
    if len(text) > TEXT_CHARACTERS_MAX:
        raise AmountError(
            "AMOUNT_TEXT", f"{name} has {len(text)} characters, at most {TEXT_CHARACTERS_MAX} are read"
        )
    if _NOT_FINITE.fullmatch(text):
        raise AmountError("AMOUNT_NOT_FINITE", f"{name} must be a number, was {shown}; write it in digits")
    if not _AMOUNT.fullmatch(text):
        raise AmountError("AMOUNT_TEXT", f"{name} must be a number, was {shown}; write it as 12.5")
    value = _PARSING.create_decimal(text)
    if not value:
        return ZERO
    if value.adjusted() >= WHOLE_DIGITS_MAX:
        raise AmountError(
            "AMOUNT_TOO_LARGE",
            f"{name} must be below 1 followed by {WHOLE_DIGITS_MAX} zeros, was {shown}; give a smaller one",
        )
    _, _, exponent = _PARSING.normalize(value).as_tuple()
    if int(exponent) < -FRACTION_DIGITS_MAX:
        raise AmountError(
            "AMOUNT_TOO_FINE",
            f"{name} may have {FRACTION_DIGITS_MAX} digits after the point, was {shown}; round it",
        )
    return value if -FRACTION_DIGITS_MAX <= int(value.as_tuple().exponent) <= 0 else plain(value)


def amount(text: str, name: str) -> Decimal:
    """Return the amount in a text that may come from anybody; zero or more.

    Raises
    ------
    AmountError
        As `signed`, and with code ``AMOUNT_NEGATIVE``.

    Examples
    --------
    >>> amount("0.00041", "qty")
    Decimal('0.00041')
    >>> amount("1e30", "qty")
    Traceback (most recent call last):
    ...
    genesis.operators.account.money.AmountError: qty must be below 1 followed by 15 zeros, was '1e30'; \
give a smaller one
    """
    value = _plainly(text)
    if value is not None:
        return value
    value = signed(text, name)
    if value < 0:
        raise AmountError("AMOUNT_NEGATIVE", f"{name} must not be below zero, was {text[:24]!r}")
    return value


def positive(text: str, name: str) -> Decimal:
    """Return the amount in a text that may come from anybody; above zero.

    Raises
    ------
    AmountError
        As `amount`, and with code ``AMOUNT_ZERO``.
    """
    value = amount(text, name)
    if not value:
        raise AmountError("AMOUNT_ZERO", f"{name} must be above zero, was {text[:24]!r}")
    return value


def plain(value: Decimal) -> Decimal:
    """Return the same value without trailing zeros after the point, and without an exponent above zero.

    >>> plain(Decimal("1E+3")), plain(Decimal("1.500")), plain(Decimal("-0.0"))
    (Decimal('1000'), Decimal('1.5'), Decimal('0'))
    """
    tidy = MONEY.normalize(value)
    if not tidy:
        return ZERO
    return tidy if MONEY.remainder(tidy, ONE) else MONEY.quantize(tidy, ONE)


def text(value: Decimal) -> str:
    """Return an amount as text without an exponent and without trailing zeros: what records hold.

    >>> text(Decimal("1E+3")), text(Decimal("0.00041000")), text(Decimal("0E-24"))
    ('1000', '0.00041', '0')
    """
    tidy = MONEY.normalize(value)
    return format(tidy, "f") if tidy else "0"


def on_grid(value: Decimal) -> Decimal:
    """Return the value put on the grid, half to even.

    >>> on_grid(Decimal(2) / 3)
    Decimal('0.666666666666666666666667')
    """
    return plain(MONEY.quantize(value, GRID))


def part(total: Decimal, qty: Decimal, whole_qty: Decimal) -> Decimal:
    """Return the part of a total that belongs to ``qty`` of ``whole_qty``; all of it when they are equal.

    Rounded to the grid, half to even. Who takes the part leaves ``total - part`` behind, which is exact.

    >>> part(Decimal(1), Decimal(1), Decimal(3))
    Decimal('0.333333333333333333333333')
    """
    if qty == whole_qty:
        return total
    return on_grid(MONEY.divide(MONEY.multiply(total, qty), whole_qty))


def share(value: Decimal, whole: Decimal) -> float:
    """Return value over whole as a float for comparing and showing; NaN when the whole is not above zero.

    It is rounded once, at the end, so 15 of 100 gives exactly what is written 0.15.

    >>> share(Decimal(75), Decimal(500))
    0.15
    """
    if not whole > 0:
        return math.nan
    above, below = value.as_integer_ratio()
    whole_above, whole_below = whole.as_integer_ratio()
    return above * whole_below / (below * whole_above)


def down_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of a venue's step that is not above a value of zero or more.

    >>> down_to(Decimal("0.123456"), Decimal("0.00010000"))
    Decimal('0.1234')
    """
    return plain(MONEY.multiply(MONEY.divide_int(value, step), step))


def up_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of a venue's step that is not below a value of zero or more.

    >>> up_to(Decimal("0.12341"), Decimal("0.0001"))
    Decimal('0.1235')
    """
    below = down_to(value, step)
    return below if below == value else plain(MONEY.add(below, step))


def nearest(value: Decimal, step: Decimal) -> Decimal:
    """Return the nearest multiple of a venue's step; of two, the even one.

    >>> nearest(Decimal("0.00025"), Decimal("0.0001")), nearest(Decimal("0.00035"), Decimal("0.0001"))
    (Decimal('0.0002'), Decimal('0.0004'))
    """
    return plain(MONEY.multiply(MONEY.to_integral_value(MONEY.divide(value, step)), step))


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Say whether a value is a whole number of steps.

    >>> is_multiple(Decimal("0.3"), Decimal("0.1")), is_multiple(Decimal("0.35"), Decimal("0.1"))
    (True, False)
    """
    return not MONEY.remainder(value, step)
