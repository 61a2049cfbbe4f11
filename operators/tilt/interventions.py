"""Interventions: what follows from a tilt level: a pause that was accepted, a rest, and the way back.

A pure machine in event time; the account fold carries out what it says. Levels 1 and 2 ask for nothing here
but an offer, smaller sizes and a sentence of reasoning. Level 3 begins a rest: 5 minutes, 30 minutes or 24
hours, by how many rests began within a week. It ends when its time is over, the checklist is agreed to and,
after the longest, 500 words are in the journal; then sizes are a quarter until the debt is paid by
disciplined trades with a profit. A break that is accepted takes one trade off the debt and lowers the next
rest by a step. Closing a position is possible at all times, and nothing shortens a rest.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
WEEK_NS = 7 * 24 * 60 * MINUTE_NS

REST_NS = (5 * MINUTE_NS, 30 * MINUTE_NS, 24 * 60 * MINUTE_NS)
"""How long a rest lasts, by step."""

PAUSE_NS = 5 * MINUTE_NS
"""How long an accepted break lasts."""

LADDER_NS = WEEK_NS
"""Rests that began within it raise the step of the next."""

JOURNAL_WORDS = 500
"""Words in the journal that end the longest rest."""

DEBT = 3
"""Disciplined trades with a profit that pay for a rest."""

DEBT_MAX = 9
HELD_S_MIN = 60.0
"""A trade held for less is not counted as disciplined."""

REASON_WORDS = 5
"""Fewest words of a reason, at level 2."""

CHECKLIST = (
    "I know what my last trades cost, and it is written down.",
    "I am not trading to win it back.",
    "My next order has a size and a stop that I chose while calm.",
    "I have eaten, slept, or stepped away since.",
    "I can close the screen now without regret.",
)
"""Points to agree to before trading begins again."""


class Phase(StrEnum):
    """Where the trader stands."""

    FREE = "free"
    PAUSING = "pausing"
    RESTING = "resting"
    RETURNING = "returning"


class Step(NamedTuple):
    """One arrow of the machine."""

    before: Phase
    after: Phase
    why: str


STEPS = (
    Step(Phase.FREE, Phase.PAUSING, "a break is accepted"),
    Step(Phase.FREE, Phase.RESTING, "level 3"),
    Step(Phase.PAUSING, Phase.FREE, "5 minutes are over, without debt"),
    Step(Phase.PAUSING, Phase.RETURNING, "5 minutes are over, with debt"),
    Step(Phase.PAUSING, Phase.RESTING, "level 3"),
    Step(Phase.RESTING, Phase.RETURNING, "time is over, checklist agreed, journal written"),
    Step(Phase.RETURNING, Phase.PAUSING, "a break is accepted"),
    Step(Phase.RETURNING, Phase.RESTING, "level 3"),
    Step(Phase.RETURNING, Phase.FREE, "the debt is paid"),
)
"""The machine, as the page shows it."""


class Rest(msgspec.Struct):
    """What is remembered of interventions."""

    phase: Phase = Phase.FREE
    until_ns: int = 0  # end of the time of a pause or a rest
    step: int = 0  # of the newest rest
    rests_ns: list[int] = []  # beginnings of the rests within LADDER_NS
    relief: int = 0  # breaks accepted since the newest rest
    words: int = 0  # in the journal since the rest began
    agreed: bool = False  # checklist, since the rest began
    debt: int = 0


def is_open(rest: Rest) -> bool:
    """Say whether positions may be opened."""
    return rest.phase in (Phase.FREE, Phase.RETURNING)


def missing(rest: Rest, now_ns: int) -> list[str]:
    """Return what keeps a pause or a rest from ending, in the order in which it is done.

    >>> missing(Rest(phase=Phase.RESTING, until_ns=90 * SECOND_NS), now_ns=0)
    ['2 min', 'the checklist']
    """
    if is_open(rest):
        return []
    left = []
    if now_ns < rest.until_ns:
        left.append(_span(rest.until_ns - now_ns))
    if rest.phase is Phase.RESTING:
        if rest.step == len(REST_NS) - 1 and rest.words < JOURNAL_WORDS:
            left.append(f"{JOURNAL_WORDS - rest.words} words in the journal")
        if not rest.agreed:
            left.append("the checklist")
    return left


def _span(ns: int) -> str:
    minutes = -(-ns // MINUTE_NS)
    return f"{minutes} min" if minutes < 120 else f"{-(-minutes // 60)} h"


def next_step(rest: Rest, now_ns: int) -> int:
    """Return the step that a rest would have if it began now."""
    recent = sum(now_ns - LADDER_NS < each for each in rest.rests_ns)
    return min(max(recent - min(rest.relief, 1), 0), len(REST_NS) - 1)


def after(rest: Rest, level: int, now_ns: int) -> Step | None:
    """Bring the machine up to a level and a time; return the step that was taken, if any.

    >>> rest = Rest()
    >>> after(rest, 3, 0).why, rest.until_ns // MINUTE_NS
    ('level 3', 5)
    >>> after(rest, 0, 6 * MINUTE_NS) is None, missing(rest, 6 * MINUTE_NS)
    (True, ['the checklist'])
    """
    if level >= 3 and rest.phase is not Phase.RESTING:
        return _begin(rest, now_ns)
    if not is_open(rest) and not missing(rest, now_ns):
        if rest.phase is Phase.PAUSING:
            rest.debt, rest.relief = max(rest.debt - 1, 0), rest.relief + 1
        return _move(rest, Phase.RETURNING if rest.debt else Phase.FREE)
    if rest.phase is Phase.RETURNING and not rest.debt:
        return _move(rest, Phase.FREE)
    return None


def _begin(rest: Rest, now_ns: int) -> Step:
    rest.step = next_step(rest, now_ns)
    rest.rests_ns = [*[each for each in rest.rests_ns if now_ns - LADDER_NS < each][-7:], now_ns]
    rest.until_ns = now_ns + REST_NS[rest.step]
    rest.relief, rest.words, rest.agreed = 0, 0, False
    rest.debt = min(rest.debt + DEBT, DEBT_MAX)
    return _move(rest, Phase.RESTING)


def _move(rest: Rest, phase: Phase) -> Step:
    before, rest.phase = rest.phase, phase
    return next(step for step in STEPS if (step.before, step.after) == (before, phase))


def accept(rest: Rest, now_ns: int) -> bool:
    """Begin a pause; False while one is under way or a rest is."""
    if not is_open(rest):
        return False
    rest.until_ns = now_ns + PAUSE_NS
    _move(rest, Phase.PAUSING)
    return True


def write(rest: Rest, words: int) -> None:
    """Count words of the journal towards the end of a rest."""
    if rest.phase is Phase.RESTING:
        rest.words += words


def answer(rest: Rest, agreed: tuple[bool, ...]) -> bool:
    """Take the answers of the checklist; True when all points are agreed to."""
    complete = len(agreed) == len(CHECKLIST) and all(agreed)
    if rest.phase is Phase.RESTING and complete:
        rest.agreed = True
    return complete


def pay(rest: Rest) -> None:
    """Take one disciplined trade with a profit off the debt, on the way back."""
    if rest.phase is Phase.RETURNING:
        rest.debt = max(rest.debt - 1, 0)


def limit_level(rest: Rest, level: int) -> int:
    """Return the level whose size factor holds: on the way back that of 3, else the level, 2 at most."""
    return 3 if rest.phase in (Phase.RETURNING, Phase.RESTING) else min(level, 2)


def shown_level(rest: Rest, level: int) -> int:
    """Return the level as it is told: 3 as long as a rest lasts."""
    return 3 if rest.phase is Phase.RESTING else min(level, 2)
