"""Figures as a person reads them: short, with their unit, and `·` for what is not defined.

Nothing here knows the screen. Every function takes plain numbers in the unit its argument names,
and NaN always comes out as ``UNDEFINED``, never as zero.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

UNDEFINED = "·"
"""Shown for NaN and for what has not been heard."""

_LEVELS = "▁▂▃▄▅▆▇"
_SHADES = " ░▒▓█"
_SECOND_NS = 1_000_000_000


def _decimals(price: float) -> int:
    """Return the decimals that show a price to five digits or more: cents for what costs thousands."""
    for least, decimals in ((1000.0, 2), (10.0, 3), (1.0, 4), (0.01, 5), (0.0001, 7)):
        if price >= least:
            return decimals
    return 9


def price(value: float) -> str:
    """Return a price in quote asset.

    >>> price(61234.5), price(0.33915), price(0.00001352), price(math.nan)
    ('61,234.50', '0.33915', '0.000013520', '·')
    """
    return UNDEFINED if math.isnan(value) else f"{value:,.{_decimals(abs(value))}f}"


def change(ratio: float) -> str:
    """Return a relative change in per cent, with its sign.

    >>> change(0.0012), change(-0.2), change(0.0), change(math.nan)
    ('+0.12 %', '-20.00 %', '0.00 %', '·')
    """
    if math.isnan(ratio):
        return UNDEFINED
    text = f"{100.0 * ratio:+.2f} %"
    return "0.00 %" if text in ("+0.00 %", "-0.00 %") else text


def bps(value: float) -> str:
    """Return basis points, finer where they are small.

    >>> bps(0.0016), bps(0.44), bps(12.31), bps(240.0)
    ('0.002', '0.44', '12.3', '240')
    """
    if math.isnan(value):
        return UNDEFINED
    size = abs(value)
    return f"{value:.{3 if size < 0.1 else 2 if size < 10.0 else 1 if size < 100.0 else 0}f}"


def quantity(value: float) -> str:
    """Return a quantity in base asset to four digits or so.

    >>> quantity(0.00041), quantity(1.5), quantity(1204.4), quantity(2_500_000.0)
    ('0.00041', '1.5000', '1,204', '2.50M')
    """
    if math.isnan(value):
        return UNDEFINED
    size = abs(value)
    if size >= 1e5:
        return short(value)
    return f"{value:,.{0 if size >= 1000 else 2 if size >= 10 else 4 if size >= 0.01 or size == 0 else 5}f}"


def short(value: float) -> str:
    """Return a large number in three digits and a letter.

    >>> short(950.0), short(12_345.0), short(2.5e6), short(7.1e9)
    ('950', '12.3k', '2.50M', '7.10G')
    """
    if math.isnan(value):
        return UNDEFINED
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit * 0.99995:
            scaled = value / unit
            return f"{scaled:.{2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0}f}{letter}"
    return f"{value:.0f}"


def count(value: float) -> str:
    """Return a whole number with thousands apart.

    >>> count(1204.0), count(math.nan)
    ('1,204', '·')
    """
    return UNDEFINED if math.isnan(value) else f"{value:,.0f}"


def dollars(value: float, *, signed: bool = False) -> str:
    """Return an amount of quote asset to the cent.

    >>> dollars(1204.5), dollars(4.124, signed=True), dollars(-2.25, signed=True), dollars(-0.001)
    ('$1,204.50', '+$4.12', '-$2.25', '$0.00')
    """
    if math.isnan(value):
        return UNDEFINED
    words = f"{abs(value):,.2f}" if abs(value) < 1e9 else short(abs(value))
    sign = "" if words == "0.00" else "-" if value < 0 else "+" if signed else ""
    return f"{sign}${words}"


def round_dollars(value: float) -> str:
    """Return a limit: whole dollars without cents.

    >>> round_dollars(25.0), round_dollars(12.5)
    ('$25', '$12.50')
    """
    return dollars(value).removesuffix(".00")


def part(share: float) -> str:
    """Return a share in per cent.

    >>> part(0.021), part(0.15), part(1.0), part(math.nan), part(-0.008)
    ('2.1 %', '15 %', '100 %', '·', '-0.8 %')
    """
    if math.isnan(share):
        return UNDEFINED
    return f"{100.0 * share:.1f}".removesuffix(".0") + " %"


def gauge(share: float, cols: int) -> tuple[str, str]:
    """Return what is full and what is empty of a gauge ``cols`` wide; both end within it.

    Any share above 0 shows at least one column, any below 1 leaves at least one: neither is rounded away.

    >>> gauge(0.5, 8), gauge(0.001, 4), gauge(0.999, 4), gauge(3.0, 3), gauge(math.nan, 3)
    (('━━━━', '────'), ('━', '───'), ('━━━', '─'), ('━━━', ''), ('', '───'))
    """
    cols = max(cols, 0)
    if math.isnan(share) or share <= 0.0:
        return "", "─" * cols
    full = cols if share >= 1.0 else min(max(round(share * cols), 1), max(cols - 1, 0))
    return "━" * full, "─" * (cols - full)


def countdown(seconds: float) -> str:
    """Return a time that is left.

    >>> countdown(47.2), countdown(1634.0), countdown(86_399.0), countdown(-3.0)
    ('0:48', '27:14', '23:59:59', '0:00')
    """
    left = max(math.ceil(seconds), 0)
    hours, minutes, seconds_ = left // 3600, left // 60 % 60, left % 60
    return f"{hours}:{minutes:02}:{seconds_:02}" if hours else f"{minutes}:{seconds_:02}"


def rate(per_second: float) -> str:
    """Return a rate, with a decimal while it is small.

    >>> rate(0.3), rate(12.34), rate(1204.0)
    ('0.3', '12.3', '1,204')
    """
    if math.isnan(per_second):
        return UNDEFINED
    return f"{per_second:,.1f}" if per_second < 100.0 else f"{per_second:,.0f}"


def ratio(value: float) -> str:
    """Return how many times the usual something is.

    >>> ratio(1.14), ratio(12.0), ratio(math.nan)
    ('1.1 ×', '12 ×', '·')
    """
    if math.isnan(value):
        return UNDEFINED
    return f"{value:.1f} ×" if value < 10.0 else f"{value:,.0f} ×"


def milliseconds(value_ms: float) -> str:
    """Return a delay; from a second on in seconds.

    >>> milliseconds(12.4), milliseconds(3210.0), milliseconds(0.3), milliseconds(math.nan)
    ('12 ms', '3.2 s', '0.3 ms', '·')
    """
    if math.isnan(value_ms):
        return UNDEFINED
    if abs(value_ms) < 1000.0:
        return f"{value_ms:.1f} ms" if abs(value_ms) < 10.0 and value_ms % 1.0 else f"{value_ms:.0f} ms"
    return f"{value_ms / 1000.0:.1f} s" if abs(value_ms) < 60_000.0 else span(value_ms / 1000.0)


def span(seconds: float) -> str:
    """Return a length of time in its largest whole unit.

    >>> span(12.7), span(192.0), span(7300.0), span(200_000.0)
    ('12 s', '3 min', '2 h', '2 d')
    """
    if math.isnan(seconds):
        return UNDEFINED
    for unit_s, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds // unit_s:.0f} {name}"
    return f"{max(seconds, 0.0):.0f} s" if seconds < 1.0 else f"{seconds // 1:.0f} s"


def half_life(half_life_ns: int) -> str:
    """Return the name of a half-life; 0 stands for equal weights.

    >>> half_life(60 * 10**9), half_life(90 * 10**9), half_life(3600 * 10**9), half_life(0)
    ('1 min', '90 s', '1 h', 'equal weights')
    """
    if half_life_ns == 0:
        return "equal weights"
    seconds = half_life_ns / _SECOND_NS
    for unit_s, name in ((3_600, "h"), (60, "min")):
        if seconds % unit_s == 0:
            return f"{seconds // unit_s:.0f} {name}"
    return f"{seconds:g} s"


def clock(event_ns: int) -> str:
    """Return the time of day in UTC.

    >>> clock(1_723_161_581_250_000_000), clock(0)
    ('23:59:41', '·')
    """
    return UNDEFINED if event_ns <= 0 else f"{_utc(event_ns):%H:%M:%S}"


def date(event_ns: int) -> str:
    """Return the day in UTC.

    >>> date(1_723_161_581_250_000_000)
    '2024-08-08'
    """
    return UNDEFINED if event_ns <= 0 else f"{_utc(event_ns):%Y-%m-%d}"


def _utc(event_ns: int) -> datetime:
    # A time beyond the calendar comes from a broken row; it must not take the screen down.
    return datetime.fromtimestamp(min(event_ns // _SECOND_NS, 253_402_300_799), UTC)


def correlation(value: float) -> str:
    """Return a correlation in at most four characters.

    >>> correlation(0.614), correlation(-0.12), correlation(0.999), correlation(math.nan)
    ('.61', '-.12', '1.0', '·')
    """
    if math.isnan(value):
        return UNDEFINED
    if abs(value) >= 0.995:
        return "1.0" if value > 0 else "-1.0"
    text = f"{abs(value):.2f}"[1:]
    return f"-{text}" if value < 0 and text != ".00" else text


def shade(value: float) -> str:
    """Return the shading of a correlation: a fifth of its size each.

    >>> [shade(x) for x in (0.1, -0.3, 0.5, 0.7, -0.9)]
    [' ', '░', '▒', '▓', '█']
    """
    return UNDEFINED if math.isnan(value) else _SHADES[min(int(abs(value) * 5.0 + 1e-9), 4)]


def sparkline(values: Sequence[float], cols: int) -> str:
    """Return the course of ``values`` in ``cols`` characters, the newest on the right.

    The lowest is at the bottom and the highest at the top; what never moved lies in the middle, and
    what is not known yet is left empty. Undefined values take the one before them.

    >>> sparkline([1.0, 2.0, 3.0, 2.0], 4), sparkline([math.nan, 5.0, 5.0], 3)
    ('▁▄▇▄', ' ▄▄')
    """
    if cols <= 0:
        return ""
    filled: list[float] = []
    last = math.nan
    for value in values:
        if value == value:
            last = value
        filled.append(last)
    size = len(filled)
    picked = [
        filled[(i + 1) * size // cols - 1 if (i + 1) * size >= cols else 0] for i in range(cols) if size
    ]
    known = [value for value in picked if value == value]
    if not known:
        return " " * cols
    low, high = min(known), max(known)
    if high <= low:
        return " " * (cols - len(known)) + _LEVELS[len(_LEVELS) // 2] * len(known)
    scale = (len(_LEVELS) - 1) / (high - low)
    course = "".join([_LEVELS[round((value - low) * scale)] for value in known])
    return " " * (cols - len(known)) + course
