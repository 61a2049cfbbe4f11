"""Values: what a word of a command can be (an amount, a pair, a duration), read and written.

Law: what ``write`` gives, ``read`` reads as the same value. A word that is none gives None: what to say about
it is the grammar's business, which knows what was expected there.
"""

import re
from enum import Enum
from typing import NamedTuple

QUOTE_ASSET = "USDT"
PPM = 1_000_000

UNITS_S = {"s": 1, "m": 60, "h": 3_600}
DURATION_S_MAX = 86_400

QUOTE_WORDS = ("usdt", "usd", "dollars", "u", "$")
"""What stands for the quote asset after a number, the longest first."""

_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"


class Unit(Enum):
    """What an amount counts."""

    QUOTE = "quote asset"
    BASE = "base asset"
    SHARE = "per cent of what is held"


class Amount(NamedTuple):
    """How much: decimal text, and of what."""

    number: str
    unit: Unit


def number(word: str) -> str | None:
    """Return the decimal text of a positive number without idle zeros, None when it is none.

    >>> number("25"), number("0.0500"), number("0"), number("1e3"), number("1,000")
    ('25', '0.05', None, None, '1000')
    """
    plain = word.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", word) else word
    if not re.fullmatch(_NUMBER, plain):
        return None
    whole, _, part = plain.partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    found = f"{whole}.{part}" if part else whole
    return None if found == "0" else found


def amount(word: str) -> Amount | None:
    """Return how much a word says; a number alone counts the base asset.

    >>> amount("25u"), amount("$25") == amount("25usdt"), amount("50%").unit.name, amount("0.01").unit.name
    (Amount(number='25', unit=<Unit.QUOTE: 'quote asset'>), True, 'SHARE', 'BASE')
    >>> amount("all").number, amount("120%"), amount("btc")
    ('100', None, None)
    """
    word = word.lower()
    if word == "all":
        return Amount("100", Unit.SHARE)
    if word.endswith("%"):
        found = number(word[:-1])
        return Amount(found, Unit.SHARE) if found is not None and float(found) <= 100.0 else None
    if word.startswith("$"):
        found = number(word[1:])
        return Amount(found, Unit.QUOTE) if found is not None else None
    for ending in QUOTE_WORDS:
        if word.endswith(ending) and number(word.removesuffix(ending)) is not None:
            return Amount(number(word.removesuffix(ending)) or "", Unit.QUOTE)
    found = number(word)
    return Amount(found, Unit.BASE) if found is not None else None


def write_amount(value: Amount) -> str:
    """Return an amount as a word.

    >>> write_amount(Amount("25", Unit.QUOTE)), write_amount(Amount("50", Unit.SHARE))
    ('25u', '50%')
    """
    return value.number + {Unit.QUOTE: "u", Unit.BASE: "", Unit.SHARE: "%"}[value.unit]


def pair(word: str) -> str | None:
    """Return the venue's name of a pair; a bare asset stands for its pair with USDT.

    >>> pair("btc"), pair("ETHUSDT"), pair("eth/usdt"), pair("25u%"), pair("usdt")
    ('BTCUSDT', 'ETHUSDT', 'ETHUSDT', None, None)
    """
    name = word.upper().replace("/", "").replace("-", "")
    if not re.fullmatch(r"[A-Z0-9]{1,20}", name) or name == QUOTE_ASSET or name.isdigit():
        return None
    return name if name.endswith(QUOTE_ASSET) else f"{name}{QUOTE_ASSET}"


def write_pair(symbol: str, taken: frozenset[str] = frozenset()) -> str:
    """Return a pair as a word: its base asset, unless that word means something else.

    >>> write_pair("BTCUSDT"), write_pair("LIMITUSDT", frozenset({"limit"}))
    ('btc', 'limitusdt')
    """
    short = symbol.removesuffix(QUOTE_ASSET).lower()
    plain = short and pair(short) == symbol and short not in taken and amount(short) is None
    return short if plain and duration_s(short) is None else symbol.lower()


def duration_s(word: str) -> int | None:
    """Return seconds, from 1 to a day.

    >>> duration_s("10m"), duration_s("90s"), duration_s("1h"), duration_s("10"), duration_s("0m")
    (600, 90, 3600, None, None)
    """
    found = re.fullmatch(r"(\d{1,6})([smh])", word.lower())
    seconds = int(found[1]) * UNITS_S[found[2]] if found else 0
    return seconds if 0 < seconds <= DURATION_S_MAX else None


def write_duration(seconds: int) -> str:
    """Return a duration as a word, in the largest unit that is whole.

    >>> write_duration(600), write_duration(90), write_duration(7200)
    ('10m', '90s', '2h')
    """
    unit = "h" if seconds % 3_600 == 0 else "m" if seconds % 60 == 0 else "s"
    return f"{seconds // UNITS_S[unit]}{unit}"


def share_ppm(word: str) -> int | None:
    """Return a share in parts per million, from 0 to 100 %.

    >>> share_ppm("2%"), share_ppm("0.5%"), share_ppm("0%"), share_ppm("2"), share_ppm("101%")
    (20000, 5000, 0, None, None)
    """
    found = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,4}))?%", word)
    if found is None:
        return None
    ppm = int(found[1]) * 10_000 + int((found[2] or "").ljust(4, "0"))
    return ppm if ppm <= PPM else None


def write_share(ppm: int) -> str:
    """Return a share as a word.

    >>> write_share(20000), write_share(5000), write_share(1)
    ('2%', '0.5%', '0.0001%')
    """
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + "%"


def words(text: str) -> str | None:
    """Return text without space around it; None when there is none.

    >>> words("  a calm day "), words(" ")
    ('a calm day', None)
    """
    return text.strip() or None
