"""Behaviour: what is seen of the hands at the keys, as a pure fold of keys and moments.

Law: no key's content is in it, and nothing of what was typed: only how many, how fast, how often, and which
screen. Durations are by the monotonic clock and are sent as values; the account's own clock says when.
Nothing is decided here: the account's fold turns what is told into observations.
"""

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

from genesis.operators.account.events import ActKind
from genesis.tui.commands.errand import What
from genesis.tui.commands.grammar import Mistake, read
from genesis.tui.commands.line import Line, Stage
from genesis.tui.commands.values import Amount
from genesis.tui.keys import MARKET_SCREENS, SCREENS, Controls

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000

PAUSE_NS = 2 * SECOND_NS
"""A longer interval between two keys is thinking and not typing."""

INTERVALS_MAX = 256
"""Intervals of one command that are kept, the newest."""

STARE_NS = 300 * SECOND_NS
"""How often it is told that the screen is looked at without a key."""

CHART_NS = 20 * SECOND_NS
"""How long looks at prices and charts are counted together."""

JUMP_NS = 2 * SECOND_NS
"""A wall clock that moves this much against the monotonic one was changed."""

TAKEN_BACK = frozenset({"backspace", "delete", "ctrl h", "ctrl d", "ctrl w", "ctrl u", "ctrl k"})
LOOKS = frozenset({"up", "down", "page up", "page down", "home", "end", "left", "right", *"jkgGhlm"})
"""Keys that look at another price or chart, on the screens of the market."""


class Seen(NamedTuple):
    """One thing that was seen; ``value`` and ``other`` are as `operators.tilt.observations` says."""

    at_ns: int
    what: ActKind
    value: float = 0.0
    other: float = 0.0
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Hands:
    """What is remembered between two keys; times are monotonic, 0 for never.

    Attributes
    ----------
    began_ns
        When the dashboard was opened.
    key_ns, first_ns, looked_ns
        The newest key, the first key of the command, and when its preview was asked for.
    intervals_ms, keys, corrections, edits
        Of the command that is being typed.
    amount
        The newest amount in it that could be read.
    looks, looks_ns
        Looks at prices and charts that are not told yet, and when the first of them was.
    stared
        How often it was told that no key came.
    offset_ns
        Wall clock less the monotonic one.
    """

    began_ns: int
    offset_ns: int
    key_ns: int
    first_ns: int = 0
    looked_ns: int = 0
    intervals_ms: tuple[float, ...] = ()
    keys: int = 0
    corrections: int = 0
    edits: int = 0
    amount: Amount | None = None
    looks: int = 0
    looks_ns: int = 0
    stared: int = 0


Told = tuple[Hands, list[Seen]]


def opened(now_ns: int, wall_ns: int) -> Told:
    """Return the beginning."""
    return Hands(now_ns, wall_ns - now_ns, now_ns), [Seen(now_ns, ActKind.CONNECTED)]


def left(hands: Hands, now_ns: int) -> list[Seen]:
    """Return what is to be told at the end."""
    open_s = (now_ns - hands.began_ns) / SECOND_NS
    return [*_looks(hands, now_ns, due=True)[1], Seen(now_ns, ActKind.LEFT, open_s)]


def passed(hands: Hands, now_ns: int, wall_ns: int) -> Told:
    """Return what is seen as time passes without a key."""
    seen: list[Seen] = []
    offset_ns = wall_ns - now_ns
    jump_ns = offset_ns - hands.offset_ns
    if abs(jump_ns) >= JUMP_NS:
        seen.append(Seen(now_ns, ActKind.CLOCK_JUMPED, jump_ns / SECOND_NS))
    hands = replace(hands, offset_ns=offset_ns)
    idle_ns = now_ns - hands.key_ns
    if idle_ns >= (hands.stared + 1) * STARE_NS:
        hands = replace(hands, stared=idle_ns // STARE_NS)
        seen.append(Seen(now_ns, ActKind.STARED, idle_ns / SECOND_NS))
    hands, looks = _looks(hands, now_ns, due=False)
    return hands, seen + looks


def pressed(hands: Hands, key: str, before: Controls, after: Controls, now_ns: int) -> Told:
    """Return what is seen of a key that led from one state of the dashboard to another."""
    seen: list[Seen] = []
    if after.screen != before.screen:
        seen.append(Seen(now_ns, ActKind.SCREEN, float(after.screen)))
    hands = _looked(hands, key, before, after, now_ns)
    if before.line.active or after.line.active:
        hands, more = _typed(hands, key, before.line, after.line, now_ns)
        seen += more
    return replace(hands, key_ns=now_ns, stared=0), seen


def _looked(hands: Hands, key: str, before: Controls, after: Controls, now_ns: int) -> Hands:
    """Count a look at prices or charts."""
    on_market = SCREENS[after.screen] in MARKET_SCREENS
    moved = key in LOOKS and not after.line.active
    if not on_market or not (moved or after.screen != before.screen):
        return hands
    return replace(hands, looks=hands.looks + 1, looks_ns=hands.looks_ns or now_ns)


def _looks(hands: Hands, now_ns: int, due: bool) -> Told:
    if not hands.looks or not (due or now_ns - hands.looks_ns >= CHART_NS):
        return hands, []
    told = [Seen(now_ns, ActKind.CHART, float(hands.looks))]
    return replace(hands, looks=0, looks_ns=0), told


def _typed(hands: Hands, key: str, before: Line, after: Line, now_ns: int) -> Told:
    """Take a key of the command line in; at the end of a command tell of it."""
    since_ns = now_ns - hands.key_ns
    if not before.active:
        hands = replace(
            hands, first_ns=now_ns, looked_ns=0, intervals_ms=(), keys=0, corrections=0, edits=0, amount=None
        )
    elif since_ns <= PAUSE_NS:
        hands = replace(hands, intervals_ms=(*hands.intervals_ms, since_ns / MS_NS)[-INTERVALS_MAX:])
    hands = replace(hands, keys=hands.keys + 1, corrections=hands.corrections + (key in TAKEN_BACK))
    hands = _amount(hands, after)
    seen: list[Seen] = []
    was_looked_at, is_looked_at = (each.stage is Stage.LOOKED_AT for each in (before, after))
    errand = after.errand
    sent = errand is not None and errand is not before.errand and errand.what is What.SEND
    if hands.looked_ns and was_looked_at and not is_looked_at:
        looked_s = (now_ns - hands.looked_ns) / SECOND_NS
        seen.append(Seen(now_ns, ActKind.PREVIEWED, looked_s, float(sent)))
        hands = replace(hands, looked_ns=0)
    if is_looked_at and not was_looked_at:
        hands = replace(hands, looked_ns=now_ns)
    if sent:
        seen.append(Seen(now_ns, ActKind.DECIDED, (now_ns - hands.first_ns) / SECOND_NS))
    if not after.active:
        seen += _of_command(hands, now_ns)
    return hands, seen


def _amount(hands: Hands, line: Line) -> Hands:
    """Count a size that was changed; a number that only grew longer is still being typed."""
    said = read(line.text)
    found = None if isinstance(said, Mistake) else said.values.get("amount")
    if found is None or found == hands.amount:
        return hands
    old = "" if hands.amount is None else hands.amount.number
    if old != found.number and old.startswith(found.number):
        return hands  # it is being taken back; what comes in its place will tell
    changed = not found.number.startswith(old)
    return replace(hands, amount=found, edits=hands.edits + changed)


def _of_command(hands: Hands, now_ns: int) -> list[Seen]:
    """Return what is told of a command once it is sent or let go."""
    pace_ms = median(hands.intervals_ms) if hands.intervals_ms else math.nan
    told = []
    if hands.intervals_ms:
        told.append(Seen(now_ns, ActKind.KEYS, pace_ms, float(hands.keys)))
    if hands.corrections:
        told.append(Seen(now_ns, ActKind.CORRECTIONS, float(hands.corrections), float(hands.keys)))
    if hands.edits:
        told.append(Seen(now_ns, ActKind.EDITED, float(hands.edits)))
    return told
