"""People of the tilt evaluation: each lives 30 usual days, then others from copies of that past."""

from typing import Any

import msgspec
import numpy as np

from genesis.operators.personas.floor import DayRecord, Floor
from genesis.operators.personas.market import SYMBOLS
from genesis.operators.personas.moods import Persona
from genesis.operators.personas.trader import Trader
from genesis.operators.tilt.evidence import IS_STRONG, LIT, STATE
from genesis.operators.tilt.indicators import COUNT, HABITS, INDICATORS, Kind

USUAL_DAYS = 30
BAD = -1.0
"""Drift of a bad day, in deviations of a day: the market goes against whoever buys."""

TRIES = 3
"""Days that a revenge persona gets for one spiral; on many he stays calm."""

SPIRALS = 5
"""Spirals of one person, each from a copy of his past."""

GAMED_DAYS = 5
"""Last usual days of a gamer, on which he plays with his figures."""

STREAK, COOLDOWN_S = 3, 1_800.0
"""Simple rule: after so many losses in a row no order for so long."""

CAPS = {"cap_10_in_60_min": (10, 3_600.0), "cap_3_in_10_min": (3, 600.0)}
"""Simple rules: no more orders than this in so long."""

RULES = ("streak", *CAPS)
IS_BOUND = np.array([each.kind is Kind.BOUND for each in INDICATORS])


class Signs(msgspec.Struct, frozen=True):
    """Names of the indicators that could have been lit on a day, that were lit, and that were strong."""

    met: tuple[str, ...]
    lit: tuple[str, ...]
    strong: tuple[str, ...]


class Day(msgspec.Struct, frozen=True):
    """What a watch and the simple rules made of a day without a spiral."""

    kind: str
    level_max: int
    calibrated: bool
    orders: int
    losses: int
    episode: bool
    rules: dict[str, bool]
    signs: Signs


class Spiral(msgspec.Struct, frozen=True):
    """What they made of an episode, up to its third order."""

    kind: str
    orders: int  # of the episode
    level_before: int  # when it began
    caught: bool  # level 2 or more by the third order
    noticed: bool  # … level 1
    ever: bool  # level 2 or more at any time of the episode
    calibrated: bool
    third_s: float  # from the beginning to the third order
    rules: dict[str, bool]


class Person(msgspec.Struct):
    """One person's share of the evaluation."""

    seed: int
    usual: str
    days: list[Day] = []
    spirals: list[Spiral] = []
    calm_days: int = 0  # of revenge personas on which no spiral began


class SignedFloor(Floor):
    """Floor that notes how far each sign was at any time of the day, told on the screen or not."""

    signs = Signs((), (), ())

    def branched(self, branch: int) -> "SignedFloor":
        """Return a copy whose days go on by themselves; the market's future is another."""
        other = super().branched(branch)
        assert isinstance(other, SignedFloor)
        return other

    def run(self, persona: Persona, drift: float = 0.0, branch: int = 0) -> DayRecord:
        """Run the next day of the career; return what came of it."""
        self._far = np.zeros(COUNT, np.int64)
        before = self._weighed()
        record = super().run(persona, drift, branch)
        met = np.any(self._weighed() != before, axis=0)
        able = (self._state()["usual"] > 0.0) | IS_BOUND  # else it has too few values to weigh one
        self.signs = Signs(_names(met & able), _names(self._far >= LIT), _names(self._far >= IS_STRONG))
        return record

    def _levelled(self, now_s: float) -> None:
        super()._levelled(now_s)
        np.maximum(self._far, self._state()["lit"].max(axis=1), out=self._far)

    def _state(self) -> Any:
        held = self.account.tilt.watch or bytes(STATE.itemsize)
        return np.frombuffer(held, STATE)[0]

    def _weighed(self) -> np.ndarray[Any, Any]:
        """Return, of each indicator, what changes whenever it has an occasion; shape (3, COUNT)."""
        state = self._state()
        judged = np.pad(state["judged"].astype(np.float64), (0, COUNT - HABITS))
        return np.stack([state["count"].astype(np.float64), judged, state["value"]])


def _names(chosen: np.ndarray[Any, Any]) -> tuple[str, ...]:
    return tuple(each.name for each, is_chosen in zip(INDICATORS, chosen, strict=True) if is_chosen)


def refusals(day: DayRecord) -> dict[str, list[bool]]:
    """Return for each simple rule which attempts of a day it would have refused.

    >>> sorted(refusals(DayRecord("calm", 0)))
    ['cap_10_in_60_min', 'cap_3_in_10_min', 'streak']
    """
    times = [each.now_s for each in day.attempts]
    found = {
        name: [sum(now_s - length_s < at_s < now_s for at_s in times) >= most for now_s in times]
        for name, (most, length_s) in CAPS.items()
    }
    lost, until_s, rests = 0, -1.0, []
    for at_s, share in day.results:
        lost = lost + 1 if share < 0 else 0
        if lost >= STREAK:
            lost, until_s = 0, at_s + COOLDOWN_S
            rests.append((at_s, until_s))
    found["streak"] = [any(begun_s <= now_s < end_s for begun_s, end_s in rests) for now_s in times]
    return found


def day_of(kind: str, day: DayRecord, signs: Signs) -> Day:
    """Return what was made of a day; a simple rule counts when it would have refused an order."""
    rules = {name: any(refused) for name, refused in refusals(day).items()}
    losses = sum(share < 0 for _at_s, share in day.results)
    episode = day.episode_s is not None
    return Day(kind, day.level_max, day.calibrated, len(day.attempts), losses, episode, rules, signs)


def spiral_of(kind: str, day: DayRecord) -> Spiral | None:
    """Return what was made of a day's first episode; None with fewer than three orders in it."""
    begun_s = day.episode_s
    if begun_s is None:
        return None
    ended_s = day.ended_s if day.ended_s is not None else 1e9
    numbers = [i for i, each in enumerate(day.attempts) if begun_s <= each.now_s <= ended_s]
    if len(numbers) < 3:
        return None
    first = [day.attempts[i] for i in numbers[:3]]
    reached = [level for at_s, level in day.levels if begun_s <= at_s < first[2].now_s]
    level = max([day.level_before, *reached, *(each.level for each in first)])
    later = [level for at_s, level in day.levels if begun_s <= at_s <= ended_s]
    rules = {name: any(refused[i] for i in numbers[:3]) for name, refused in refusals(day).items()}
    return Spiral(
        kind, len(numbers), day.level_before, level >= 2, level >= 1, max([level, *later]) >= 2,
        day.calibrated, first[2].now_s - begun_s, rules,
    )  # fmt: skip


def lived(seed: int, usual: Persona = Persona.CALM, days: int = USUAL_DAYS) -> Person:
    """Return the share of one person."""
    past = SignedFloor(Trader(Persona.CALM, seed, SYMBOLS), seed)
    for _ in range(days):
        past.run(usual)
    person = Person(seed, str(usual))
    for branch, (kind, drift) in enumerate([("usual", 0.0), ("bad", BAD)] * 3, 1):
        floor = past.branched(branch)
        record = floor.run(usual, drift, branch)
        seen = day_of("learner" if usual is Persona.LEARNER else kind, record, floor.signs)
        person.days.append(seen)
    if usual is Persona.LEARNER:
        return person
    for branch in range(10, 10 + SPIRALS):
        _until_episode(person, past.branched(branch), Persona.REVENGE, branch)
    for branch, persona in enumerate((Persona.CHASER, Persona.FROZEN, Persona.EXHAUSTED), 20):
        _until_episode(person, past.branched(branch), persona, branch)
    gamer = past.branched(30)
    for _ in range(GAMED_DAYS):
        record = gamer.run(Persona.GAMER, 0.0, 30)
        if record.episode_s is not None:
            break
    else:
        _until_episode(person, gamer, Persona.GAMER, 31)
        return person
    _noted(person, Persona.GAMER, record, gamer.signs)
    return person


def _until_episode(person: Person, floor: SignedFloor, persona: Persona, branch: int) -> None:
    """Live days of a persona until the hidden state changes on one."""
    for _ in range(TRIES):
        record = floor.run(persona, 0.5 * BAD if persona is not Persona.CHASER else 0.0, branch)
        if record.episode_s is not None:
            _noted(person, persona, record, floor.signs)
            return
        person.calm_days += 1


def _noted(person: Person, persona: Persona, record: DayRecord, signs: Signs) -> None:
    spiral = spiral_of(str(persona), record)
    if spiral is not None and persona is not Persona.FROZEN:
        person.spirals.append(spiral)
    else:  # a frozen person hardly trades: the day counts, whatever its orders
        person.days.append(day_of(str(persona), record, signs))
