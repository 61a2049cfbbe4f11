"""Parameters: limits that a trader sets for himself, and his profile; tighter at once, looser in an hour.

A rule that can be loosened the moment it hurts is none. So what tightens holds from now on, and what loosens
waits for `DELAY_NS` of the account's clock; asking again begins the wait again.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

DELAY_NS = 3_600 * 10**9
"""How long a parameter that loosens waits."""

DAY_NS = 24 * DELAY_NS
LIFE_EVENT_DAYS_MAX = 90

PROFILES: dict[str, float] = {"alert": 0.9, "usual": 1.0, "tired": 1.25, "stressed": 1.5}
"""How much evidence weighs by profile; a life event adds `LIFE_EVENT_WEIGHT`."""

LIFE_EVENT_WEIGHT = 0.25


class Parameter(NamedTuple):
    """One parameter; for a number, lower is tighter."""

    usual: str
    least: Decimal
    most: Decimal
    doc: str


PARAMETERS: dict[str, Parameter] = {
    "profile": Parameter("usual", Decimal(0), Decimal(0), "how you are: alert, usual, tired or stressed"),
    "position_share": Parameter(
        "0.05", Decimal("0.001"), Decimal("0.05"), "largest position as a share of the capital"
    ),
    "daily_loss_share": Parameter(
        "1", Decimal("0.1"), Decimal(1), "part of the tier's daily loss limit that you allow yourself"
    ),
}
"""The parameters by name; the tier's own limits hold as well."""


class Waiting(msgspec.Struct, frozen=True):
    """A value that waits."""

    value: str
    from_ns: int


class Chosen(msgspec.Struct):
    """What a trader has chosen."""

    values: dict[str, str] = {}
    waiting: dict[str, Waiting] = {}
    life_event_until_ns: int = 0


def value_of(chosen: Chosen, name: str) -> str:
    """Return a parameter's value now.

    >>> value_of(Chosen(), "profile")
    'usual'
    """
    return chosen.values.get(name, PARAMETERS[name].usual)


def number_of(chosen: Chosen, name: str) -> Decimal:
    """Return the value of a parameter that is a number."""
    return Decimal(value_of(chosen, name))


def problem(name: str, value: str) -> str:
    """Return what is wrong with a wish, as a sentence; nothing when it can be had.

    >>> problem("position_share", "0.2")
    'position_share goes from 0.001 to 0.05.'
    """
    known = PARAMETERS.get(name)
    if known is None:
        return f"{name!r} is no parameter. There are {', '.join(PARAMETERS)}."
    if name == "profile":
        return "" if value in PROFILES else f"The profile is one of {', '.join(PROFILES)}."
    try:
        number = Decimal(value)
        fits = number.is_finite() and known.least <= number <= known.most
    except ArithmeticError:
        fits = False
    return "" if fits else f"{name} goes from {known.least} to {known.most}."


def is_tighter(chosen: Chosen, name: str, value: str) -> bool:
    """Say whether a value holds the trader at least as closely as the present one."""
    if name == "profile":
        return PROFILES[value] >= PROFILES[value_of(chosen, name)]
    return Decimal(value) <= number_of(chosen, name)


def choose(chosen: Chosen, name: str, value: str, now_ns: int) -> int:
    """Take a wish; return from when it holds, ns since the epoch. See `problem` first.

    >>> chosen = Chosen()
    >>> choose(chosen, "position_share", "0.02", 5), choose(chosen, "position_share", "0.03", 5) - DELAY_NS
    (5, 5)
    >>> value_of(chosen, "position_share")
    '0.02'
    """
    chosen.waiting.pop(name, None)
    if is_tighter(chosen, name, value):
        chosen.values[name] = value
        return now_ns
    chosen.waiting[name] = Waiting(value, now_ns + DELAY_NS)
    return now_ns + DELAY_NS


def come_due(chosen: Chosen, now_ns: int) -> list[str]:
    """Put in force what has waited long enough; return the names."""
    due = [name for name, waiting in chosen.waiting.items() if waiting.from_ns <= now_ns]
    for name in due:
        chosen.values[name] = chosen.waiting.pop(name).value
    return due


def sensitivity(chosen: Chosen, now_ns: int) -> float:
    """Return how much evidence weighs now: that of the profile, and more while life asks for care.

    >>> sensitivity(Chosen(values={"profile": "tired"}), 0)
    1.25
    """
    extra = LIFE_EVENT_WEIGHT if now_ns < chosen.life_event_until_ns else 0.0
    return PROFILES[value_of(chosen, "profile")] + extra
