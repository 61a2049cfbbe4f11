"""Moods: the hidden state of a simulated trader, and what it does to his habits.

A mood gives a `Temper`, factors on the habits of the moment. It hears of results and of time, never of what
the program thinks of him. An *episode* is the part of a day in which the hidden state is not the calm one;
its beginning is kept, so that a watch can be held against it. Which of the effects a person shows, and how
strongly, is his own (`Leaning`): hardly anybody shows all of them.

No field study measured revenge trading as such, so the sizes of its effects are choices, spread widely.
The directions are from the literature.

References
----------
- After losses people take more risk to break even: Coval and Shumway (2005), J. Finance 60; Smith, Levere and
  Kurtzman (2009), Poker player behavior after big wins and big losses, Management Science 55; Takano et al.
  (2010), PLoS ONE 5. They act faster: Verbruggen et al. (2017); Eben et al. (2020).
- After large gains they take more as well, the house's money: Thaler and Johnson (1990), Management Science
  36; Liu, Tsai, Wang and Zhu (2010), Management Science 56. A streak makes overconfident: Gervais and Odean
  (2001), Review of Financial Studies 14.
- Some do nothing: Anderson (2003), The psychology of doing nothing, Psych. Bulletin 129; they hold what
  loses: Odean (1998); and look away: Karlsson, Loewenstein and Seppi (2009), J. Risk and Uncertainty 38.
- Stress shows in typing, in either direction, by person: Vizer, Zhou and Sears (2009), Int. J. Human-Computer
  Studies 67. Fatigue slows the keys and adds corrections: de Jong et al. (2020), PLoS ONE 15; it adds lapses:
  Lim and Dinges (2010), Psych. Bulletin 136.
- Beginners get faster and surer with practice by a power law: Newell and Rosenbloom (1981); they learn by
  trading: Seru, Shumway and Stoffman (2010), Review of Financial Studies 23.
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np


class Persona(StrEnum):
    """What a person is prone to."""

    CALM = "calm"
    LEARNER = "learner"
    REVENGE = "revenge"
    CHASER = "chaser"  # after wins
    FROZEN = "frozen"
    EXHAUSTED = "exhausted"
    GAMER = "gamer"  # revenge, and knows that he is watched


class Temper(NamedTuple):
    """Factors on the habits; 1 is as usual. Chances are said where they are."""

    gap: float = 1.0  # on the time between looks
    size: float = 1.0
    think: float = 1.0
    think_spread: float = 1.0
    keys: float = 1.0  # on the interval between keys
    corrections: float = 1.0
    charts: float = 1.0
    screens: float = 1.0
    edits: float = 1.0
    preview: float = 1.0
    abandon: float = 1.0
    stop: float = 1.0  # on the distance of the stop-loss
    hold: float = 1.0
    patience: float = 1.0
    entry: float = 1.0
    loyal: float = 0.0  # chance that the next order is in the pair of the last result
    adds: float = 0.0  # chance at a look to add to what loses
    widens: float = 0.0  # chance at a look to widen the stop of what loses
    fiddles: float = 0.01  # chance at a look to change a parameter
    insists: float = 0.15  # chance to try a refused order again
    overruns: float = 0.0  # chance to go on when the session is over
    heeds: float = 0.9  # chance to take an offered break
    deaf: bool = False  # forgets the number of positions he allows himself


NEUTRAL = Temper()


class Leaning(NamedTuple):
    """How one person changes when he is not himself; drawn once, apart from his habits."""

    snap: float  # readiness to lose his head at a loss of usual size
    gap_s: float  # to the next order after a loss in a spiral, median
    pace: float  # factor on gaps in a spiral when nothing was lost just now
    size: float
    martingale: float  # factor on the size for each further loss
    think: float
    keys: float
    corrections: float
    charts: float
    preview: float
    stop: float
    adds: float
    loyal: float
    length_s: float
    rest_h: float  # hours after which he is exhausted
    slow: float  # how much an exhausted person slows in an hour

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Leaning":
        """Return a person's leaning; each effect is absent in about one of five people."""

        def effect(median: float, spread: float = 0.3) -> float:
            value = float(np.exp(np.log(median) * np.exp(spread * rng.standard_normal())))
            return value if rng.uniform() < 0.8 else 1.0

        return cls(
            snap=float(rng.uniform(0.35, 0.8)),
            gap_s=float(np.clip(45.0 * np.exp(0.5 * rng.standard_normal()), 12.0, 180.0)),
            pace=effect(0.3),
            size=effect(2.0),
            martingale=float(rng.uniform(1.0, 1.4)),
            think=effect(0.5),
            keys=effect(float(rng.choice([0.8, 1.15], p=[0.7, 0.3]))),
            corrections=effect(1.8),
            charts=effect(2.5),
            preview=effect(0.4),
            stop=effect(1.7),
            adds=float(rng.uniform(0.0, 0.35)),
            loyal=float(rng.uniform(0.35, 0.95)),
            length_s=float(np.clip(1_200.0 * np.exp(0.5 * rng.standard_normal()), 420.0, 5_400.0)),
            rest_h=float(rng.uniform(3.5, 6.0)),
            slow=float(rng.uniform(0.06, 0.18)),
        )


class Result(NamedTuple):
    """What a person hears of a position that was lowered."""

    now_s: float
    share: float  # realised P&L over the size of his usual loss; below zero lost


class Mood:
    """A calm person: good and bad days, a little slower or faster after a loss, and no episode.

    Parameters
    ----------
    leaning
        How he changes.
    rng
        Randomness of the day.
    """

    def __init__(self, leaning: Leaning, rng: np.random.Generator) -> None:
        self.leaning, self.rng = leaning, rng
        self.begun_s: float | None = None  # of the episode of the day, first one
        self.ended_s: float | None = None

    @property
    def in_episode(self) -> bool:
        """Whether he is not himself now."""
        return self.begun_s is not None and self.ended_s is None

    def hears(self, result: Result) -> None:
        """Take a result in."""

    def passes(self, now_s: float) -> None:
        """Let time pass, seconds of the day."""

    def temper(self, now_s: float) -> Temper:  # noqa: ARG002 - the heirs' tempers depend on time
        """Return what the mood does now."""
        return NEUTRAL

    def urge_s(self) -> float | None:
        """Return in how many seconds he must act after what he heard last; None leaves it to habit."""
        return None

    def cools(self, now_s: float) -> None:
        """Come back: a break that was taken, or a door that stays shut."""
        if self.in_episode:
            self.ended_s = now_s

    def _begin(self, now_s: float) -> None:
        if self.begun_s is None:
            self.begun_s = now_s
        self.ended_s = None


class Learner(Mood):
    """A beginner: slow, unsure, full of corrections, by the power law of practice; calm all the same."""

    def __init__(self, leaning: Leaning, rng: np.random.Generator, day: int) -> None:
        super().__init__(leaning, rng)
        self._raw = (1.0 + day) ** -0.35  # 1 on the first day, 0.3 after a month

    def temper(self, now_s: float) -> Temper:  # noqa: ARG002 - as above
        """Return how a beginner differs from who he will be."""
        raw = self._raw
        return Temper(
            think=1 + 1.6 * raw, think_spread=1 + 0.6 * raw, keys=1 + 0.7 * raw, corrections=1 + 2.0 * raw,
            charts=1 + 0.8 * raw, screens=1 + 2.0 * raw, edits=1 + 3.0 * raw, preview=1 + 0.3 * raw,
            abandon=1 + 3.0 * raw, patience=1 - 0.5 * raw, fiddles=0.01 + 0.05 * raw, insists=0.3,
            gap=1 + raw,
        )  # fmt: skip


class Revenge(Mood):
    """Loses his head at a loss, now and then, and wants it back at once."""

    def __init__(self, leaning: Leaning, rng: np.random.Generator) -> None:
        super().__init__(leaning, rng)
        self._heat, self._heard_s, self._losses = 0.0, 0.0, 0
        self._until_s = self._latest_s = 0.0
        self._stung, self._spent = False, 0

    def hears(self, result: Result) -> None:
        """Heat up at a loss; a win that makes it good cools."""
        self._heat *= float(np.exp2(-(result.now_s - self._heard_s) / 1_800.0))
        self._heard_s, self._stung = result.now_s, result.share < 0
        if not self._stung:
            self._heat = max(0.0, self._heat - 0.7 * result.share)
            if self.in_episode and self.rng.uniform() < min(0.3 * result.share, 0.8):
                self.cools(result.now_s)
            return
        self._heat += min(-result.share, 3.0)
        if self.in_episode:
            self._losses += 1
            self._until_s = min(self._until_s + 60.0, self._latest_s)
        elif self.rng.uniform() < 1.0 - np.exp(-self.leaning.snap * self._heat / 4**self._spent):
            self._begin(result.now_s)
            self._losses = 1
            length_s = self.leaning.length_s * np.exp(0.4 * self.rng.standard_normal())
            self._until_s = result.now_s + float(length_s)
            self._latest_s = result.now_s + 1.5 * float(length_s)

    def passes(self, now_s: float) -> None:
        """Come back when it has burnt out."""
        if self.in_episode and now_s > self._until_s:
            self.cools(now_s)

    def cools(self, now_s: float) -> None:
        """Come back, and be tired of it: what was hot is spent for the day, mostly."""
        super().cools(now_s)
        self._heat, self._spent = 0.0, self._spent + 1

    def urge_s(self) -> float | None:
        """Return the short wait to the next order after a loss."""
        if not (self.in_episode and self._stung):
            return None
        self._stung = False
        return float(np.clip(self.leaning.gap_s * np.exp(0.6 * self.rng.standard_normal()), 3.0, 600.0))

    def temper(self, now_s: float) -> Temper:  # noqa: ARG002 - as above
        """Return what anger does."""
        one = self.leaning
        if not self.in_episode:
            return NEUTRAL
        return Temper(
            gap=0.5 * one.pace, size=one.size * one.martingale ** min(self._losses - 1, 4), think=one.think,
            keys=one.keys, corrections=one.corrections, charts=one.charts, screens=one.charts, edits=1.5,
            preview=one.preview, stop=one.stop, hold=0.4, entry=3.0, loyal=one.loyal, adds=one.adds,
            widens=one.adds / 2, insists=0.7, overruns=0.5, heeds=0.15, deaf=True,
        )  # fmt: skip


class Chaser(Mood):
    """Grows bold with gains: a run of them is the house's money, and he is on a roll."""

    def __init__(self, leaning: Leaning, rng: np.random.Generator) -> None:
        super().__init__(leaning, rng)
        self._run, self._bold = 0.0, 0.0

    def hears(self, result: Result) -> None:
        """Count what was won lately; a loss brings down."""
        if result.share < 0:
            self._run = max(0.0, self._run - 0.5)
            if self.in_episode and self.rng.uniform() < 0.35:
                self.cools(result.now_s)
            return
        self._run = 0.8 * self._run + min(result.share, 4.0)
        if not self.in_episode and self.rng.uniform() < 1.0 - np.exp(-0.5 * self.leaning.snap * self._run):
            self._begin(result.now_s)
        self._bold = min(self._run, 4.0)

    def temper(self, now_s: float) -> Temper:  # noqa: ARG002 - as above
        """Return what boldness does."""
        one = self.leaning
        if not self.in_episode:
            return NEUTRAL
        grown = 1.0 + 0.25 * self._bold
        return Temper(
            gap=max(one.pace, 0.35), size=max(one.size, 1.3) * grown ** 0.5, think=one.think ** 0.7,
            preview=one.preview, stop=one.stop, entry=2.0, hold=0.8, charts=one.charts ** 0.5,
            loyal=one.loyal, insists=0.5, overruns=0.6, heeds=0.3, deaf=True,
        )  # fmt: skip


class Frozen(Mood):
    """Cannot decide after losses: stares, previews and leaves it, holds on to what loses."""

    def __init__(self, leaning: Leaning, rng: np.random.Generator) -> None:
        super().__init__(leaning, rng)
        self._heat = 0.0

    def hears(self, result: Result) -> None:
        """Freeze when losses have piled up."""
        self._heat = max(0.0, 0.8 * self._heat - result.share)
        if not self.in_episode and self.rng.uniform() < 1.0 - np.exp(-0.5 * self.leaning.snap * self._heat):
            self._begin(result.now_s)

    def temper(self, now_s: float) -> Temper:  # noqa: ARG002 - as above
        """Return what fear does."""
        one = self.leaning
        if not self.in_episode:
            return NEUTRAL
        return Temper(
            gap=2.5, size=0.6, think=1 / one.think, think_spread=1.3, keys=1.15, charts=one.charts, edits=3.0,
            preview=2.0, abandon=8.0, entry=0.5, hold=3.0, widens=0.3, patience=0.3, heeds=0.7,
        )  # fmt: skip


class Exhausted(Mood):
    """Goes on too long: slower, less sure, with lapses, more with every hour."""

    def __init__(self, leaning: Leaning, rng: np.random.Generator) -> None:
        super().__init__(leaning, rng)
        self._first_s = -1.0

    def passes(self, now_s: float) -> None:
        """Grow tired; the episode begins at the person's own hour."""
        if self._first_s < 0:
            self._first_s = now_s - float(self.rng.uniform(0.0, 2.0)) * 3_600  # slept badly
        if not self.in_episode and now_s - self._first_s > self.leaning.rest_h * 3_600:
            self._begin(now_s)

    def temper(self, now_s: float) -> Temper:
        """Return what being tired does."""
        if not self.in_episode or self.begun_s is None:
            return Temper(overruns=0.9)
        grown = 1.0 + self.leaning.slow * (1.0 + (now_s - self.begun_s) / 3_600)
        lapse = 3.0 if self.rng.uniform() < 0.12 else 1.0
        return Temper(
            gap=grown, think=grown ** 1.5 * lapse, think_spread=1.4, keys=grown, corrections=grown ** 3,
            edits=grown ** 2, preview=0.8, size=float(np.exp(0.35 * self.rng.standard_normal())),
            patience=0.5, overruns=0.95, heeds=0.4, insists=0.3,
        )  # fmt: skip


def mood_of(persona: Persona, leaning: Leaning, rng: np.random.Generator, day: int) -> Mood:
    """Return the mood that a persona wakes up with on a day of his career, from 0.

    >>> rng = np.random.default_rng(1)
    >>> mood_of(Persona.CALM, Leaning.drawn(rng), rng, 3).in_episode
    False
    """
    if persona is Persona.LEARNER:
        return Learner(leaning, rng, day)
    kinds: dict[Persona, type[Mood]] = {
        Persona.REVENGE: Revenge,
        Persona.GAMER: Revenge,
        Persona.CHASER: Chaser,
        Persona.FROZEN: Frozen,
        Persona.EXHAUSTED: Exhausted,
    }
    return kinds.get(persona, Mood)(leaning, rng)
