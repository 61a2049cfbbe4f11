"""Steps: decimals to whole lots and ticks and back, exactly.

Money is decimal outside and whole steps inside. What is not a multiple of its step is refused, never
rounded in silence; to round a wish down is a function of its own.
"""

from decimal import Decimal
from typing import NamedTuple


class Steps(NamedTuple):
    """The steps of one instrument."""

    lot: Decimal  # quantity step, base asset
    tick: Decimal  # price step, quote asset


def whole(value: Decimal, step: Decimal, name: str) -> int:
    """Return ``value`` in steps.

    >>> whole(Decimal("0.01500"), Decimal("0.00001"), "qty")
    1500
    >>> whole(Decimal("1.005"), Decimal("0.01"), "price")
    Traceback (most recent call last):
    ...
    ValueError: slicing: price must be a multiple of 0.01, was 1.005; round it before
    """
    count = down(value, step)
    if count * step != value:
        raise ValueError(f"slicing: {name} must be a multiple of {step}, was {value}; round it before")
    return count


def down(value: Decimal, step: Decimal) -> int:
    """Return the largest number of whole steps that is at most ``value``.

    >>> down(Decimal("0.019"), Decimal("0.01")), down(Decimal("-0.019"), Decimal("0.01"))
    (1, -2)
    """
    top, bottom = value.as_integer_ratio()
    step_top, step_bottom = step.as_integer_ratio()
    return top * step_bottom // (bottom * step_top)


def notional_steps(notional: Decimal, steps: Steps) -> int:
    """Return the least number of lots times ticks that is worth at least ``notional`` in quote asset.

    >>> notional_steps(Decimal("5"), Steps(Decimal("0.00001"), Decimal("0.01")))
    50000000
    """
    return -down(-notional, steps.lot * steps.tick)


def quantity(lots: int, steps: Steps) -> Decimal:
    """Return lots as a quantity in base asset.

    >>> quantity(1500, Steps(Decimal("0.00001"), Decimal("0.01")))
    Decimal('0.01500')
    """
    return lots * steps.lot


def price(ticks: int, steps: Steps) -> Decimal:
    """Return ticks as a price in quote asset.

    >>> price(6183764, Steps(Decimal("0.00001"), Decimal("0.01")))
    Decimal('61837.64')
    """
    return ticks * steps.tick
