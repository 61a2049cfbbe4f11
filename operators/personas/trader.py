"""Trader: one simulated person at his dashboard: an agenda of what he does next, and what he sends.

Law: the same persona, seed and day, shown the same things, does the same. He knows what a screen shows
(`Sight`) and what he is told, nothing else. `acts` is asked when `wakes_s` has come; what it returns is put
on the way by whoever runs him: the fast floor (`floor`) or the real system (`genesis simulate-trader`).
"""

import heapq
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from genesis.operators.account.events import CancelOrders, Command, Flatten, PlaceOrder, SetStop, WriteJournal
from genesis.operators.personas import hands, moods
from genesis.operators.personas.gaming import decoys
from genesis.operators.personas.habits import Habits, drawn
from genesis.operators.personas.hands import Gesture
from genesis.operators.personas.moods import Leaning, Mood, Persona, Result

STARE_S = 300.0
"""How often a dashboard says for how long no key was touched."""

SLICED = 200.0
"""Orders above it, in quote asset, are cut: everybody at this tier knows."""

LATEST_S = 86_000.0
"""He is gone before the day is over."""

CAP_KNOWN = 0.9
"""Part of the position cap that a person who knows it uses at most."""

WORDS = (
    *("the", "range", "held", "and", "volume", "came", "back", "so", "I", "take", "the", "way", "up"),
    *("to", "the", "old", "high", "with", "a", "stop", "below", "it"),
)
"""From which reasons are written: what they say is not looked at."""


class Holding(NamedTuple):
    """A position as the screen shows it."""

    worth: float  # quote asset
    gain: float  # unrealised return


class Sight(NamedTuple):
    """What the screen shows."""

    now_s: float  # of the day, UTC
    equity: float
    position_max: float  # quote asset
    prices: Mapping[str, float]
    held: Mapping[str, Holding]
    resting: Mapping[str, str]  # symbol to the id of an order that waits in the book
    level: int = 0  # of tilt
    stress: float = 1.0  # the market's volatility over its usual one


class Deed(NamedTuple):
    """What he does at one moment: gestures, and mostly a command with them."""

    gestures: tuple[Gesture, ...] = ()
    command: Command | None = None


class Trader:
    """One person.

    Parameters
    ----------
    persona
        What he is prone to.
    seed
        Who he is: habits and leaning.
    symbols
        Pairs that he trades.
    """

    def __init__(self, persona: Persona, seed: int, symbols: tuple[str, ...]) -> None:
        rng = np.random.default_rng((seed, 1))
        self.persona, self.seed, self.symbols = persona, seed, symbols
        self.habits: Habits = drawn(rng, len(symbols))
        self.leaning: Leaning = Leaning.drawn(np.random.default_rng((seed, 2)))
        self.loss_usual = self.habits.size_share * self.habits.stop_ppm / 1e6
        self.days = 0  # of his career
        self._agenda: list[tuple[float, int, str, str]] = []
        self._number = 0
        self.gone = True

    def begin(self, persona: Persona, branch: int = 0) -> float:
        """Begin a day as a persona; return when he comes, seconds of the day, UTC.

        ``branch`` tells days apart that go on from the same past.
        """
        habits = self.habits
        self.rng = np.random.default_rng((self.seed, 3, self.days, branch))
        self.mood: Mood = moods.mood_of(persona, self.leaning, self.rng, self.days)
        self.today = persona
        self.days += 1
        day = np.exp(habits.day_spread * self.rng.standard_normal(4) * (1.0, 0.6, 0.3, 0.8))
        self._day = moods.NEUTRAL._replace(gap=day[0], size=day[1], keys=day[2], think=day[3])
        start_s = habits.start_s + habits.start_spread_s * float(self.rng.standard_normal())
        start_s = float(np.clip(start_s, 600.0, 70_000.0))
        self.ends_s = min(start_s + habits.session_s * float(self.rng.uniform(0.75, 1.2)), LATEST_S)
        self._agenda = []
        self._refusals, self._tries = 0, 0
        self._last_symbol, self._key_s, self.gone = "", start_s, False
        self._after_loss = False
        self._targets: dict[str, float] = {}
        self._written: dict[str, PlaceOrder] = {}
        self._at(start_s, "open")
        self._at(start_s + float(self.rng.uniform(60, 600)), "look")
        self._at(start_s + STARE_S, "stare")
        self._at(start_s + self._wait(habits.break_gap_s, 0.3), "break")
        self._at(self.ends_s, "leave")
        if persona is Persona.GAMER:
            self._at(start_s + 900.0, "decoy")
        return start_s

    @property
    def wakes_s(self) -> float:
        """When he does something next, seconds of the day."""
        return self._agenda[0][0] if self._agenda else float("inf")

    def temper(self, now_s: float) -> moods.Temper:
        """Return what the day and the mood make of his habits now."""
        now, day = self.mood.temper(now_s), self._day
        return now._replace(
            gap=now.gap * day.gap,
            size=now.size * day.size,
            keys=now.keys * day.keys,
            think=now.think * day.think,
        )

    def acts(self, sight: Sight) -> list[Deed]:
        """Return what he does now; all that was due is done."""
        deeds: list[Deed] = []
        self.mood.passes(sight.now_s)
        while self._agenda and self._agenda[0][0] <= sight.now_s and not self.gone:
            _at_s, _number, what, about = heapq.heappop(self._agenda)
            deeds += getattr(self, f"_{what}")(sight, about)
        return deeds

    def sold(self, now_s: float, symbol: str, pnl_share: float) -> None:
        """Hear what a sale realised, as a share of the equity."""
        self.mood.hears(Result(now_s, pnl_share / self.loss_usual))
        self._last_symbol, self._after_loss = symbol, pnl_share < 0
        urge_s = self.mood.urge_s()
        if urge_s is not None:
            self._drop("look")
            self._at(now_s + urge_s, "look")

    def told(self, now_s: float, accepted: bool, code: str, symbol: str) -> None:
        """Hear what was decided on an order."""
        order = self._written.pop(symbol, None)
        if accepted or order is None:
            self._refusals, self._tries = 0, 0
            return
        self._tries += 1
        temper = self.temper(now_s)
        if code == "TILT_LOCKOUT":
            if self._tries > 3 or self.rng.uniform() > temper.insists:
                self._rest(now_s, 600.0 + float(self.rng.uniform(0, 1_200)))
                return
        elif self._tries > 4 or self.rng.uniform() > max(temper.insists, 0.6 * (code == "TILT_REASON")):
            return
        self._refusals += code == "TILT_REASON"
        smaller = 0.5 if code in ("POSITION_CAP", "FUNDS", "TIER_SLICES") else 1.0
        self._key_s = now_s
        if order.notional:
            again = f"{max(float(order.notional) * smaller, 12.0):.2f}"
            self._compose(now_s, symbol, again)

    def notices(self, now_s: float, level: int) -> None:
        """See the level that the screen shows change."""
        if level >= 1 and self.rng.uniform() < self.temper(now_s).heeds * (0.25, 0.25, 0.6, 1.0)[level]:
            self._rest(now_s, self.habits.break_s * (1.0 + 0.5 * level))

    # what stands on the agenda

    def _open(self, sight: Sight, _about: str) -> list[Deed]:
        self._key_s = sight.now_s
        return [Deed((Gesture("connected"),))]

    def _look(self, sight: Sight, _about: str) -> list[Deed]:
        """Look around, then perhaps do something."""
        temper, habits, rng = self.temper(sight.now_s), self.habits, self.rng
        gap_s = self._wait(habits.look_gap_s * temper.gap / sight.stress**0.5, habits.gap_spread)
        if self._after_loss and not self.mood.in_episode:
            gap_s *= habits.pace_after_loss
        self._after_loss = False
        self._at(sight.now_s + max(gap_s, 4.0), "look")
        symbol = self._chosen(sight, temper)
        self._key_s = sight.now_s
        deeds = [Deed(hands.looked(habits, temper, rng, symbol))]
        for name, holding in sight.held.items():
            deeds += self._tended(temper, name, holding)
        if rng.uniform() < temper.fiddles:
            deeds.append(Deed(hands.typed(habits, temper, rng, 16)))
        room = len(sight.held) < habits.positions_max or temper.deaf
        losing = [name for name, holding in sight.held.items() if holding.gain < -0.001]
        if losing and rng.uniform() < temper.adds:
            self._compose(sight.now_s, losing[0], self._amount(sight, temper, losing[0]))
        elif room and rng.uniform() < min(habits.entry_share * temper.entry, 0.95) and symbol:
            self._compose(sight.now_s, symbol, self._amount(sight, temper, symbol))
        return [deed for deed in deeds if deed.gestures or deed.command]

    def _tended(self, temper: moods.Temper, name: str, holding: Holding) -> list[Deed]:
        """Look after a position: take the gain sooner than the loss, move the stop now and then."""
        rng = self.rng
        target = self.habits.target * self.habits.stop_ppm / 1e6
        sells = 0.1 * (self.habits.disposition if holding.gain > 0 else 1.0) / temper.hold
        if holding.gain > target or rng.uniform() < sells:
            typing = hands.typed(self.habits, temper, rng, 10)
            return [Deed(typing, Flatten(symbol=name))]
        if holding.gain < -0.002 and rng.uniform() < temper.widens:
            ppm = int(min(self.habits.stop_ppm * temper.stop * rng.uniform(1.2, 2.5), 60_000))
            return [Deed(hands.typed(self.habits, temper, rng, 12), SetStop(symbol=name, distance_ppm=ppm))]
        if holding.gain > target / 2 and rng.uniform() < 0.1:
            ppm = max(int(self.habits.stop_ppm * 0.6), 1_000)
            return [Deed(hands.typed(self.habits, temper, rng, 12), SetStop(symbol=name, distance_ppm=ppm))]
        return []

    def _send(self, sight: Sight, about: str) -> list[Deed]:
        """Send what was written."""
        symbol, _, notional = about.partition("|")
        temper, habits, rng = self.temper(sight.now_s), self.habits, self.rng
        words = self._words(sight, temper)
        writing = hands.wrote(habits, temper, rng, words)
        self._key_s = sight.now_s
        if not writing.sent:
            return [Deed(writing.gestures)]
        order = PlaceOrder(
            symbol=symbol,
            side="buy",
            notional=notional,
            stop_ppm=int(np.clip(habits.stop_ppm * temper.stop, 1_000, 100_000)),
            reason=" ".join(rng.choice(WORDS, words)) if words else "",
        )
        if float(notional) > SLICED:
            order = msgspec.structs.replace(order, algorithm="twap", slices=3, duration_s=15)
        elif rng.uniform() < habits.rest_share and not self.mood.in_episode:
            price = sight.prices[symbol] * (1 - abs(float(rng.standard_normal())) * 6e-4)
            order = msgspec.structs.replace(order, limit_price=_on_tick(price), rests=True)
            self._at(sight.now_s + self._wait(habits.patience_s * temper.patience, 0.7), "patience", symbol)
        self._written[symbol] = order
        self._at(sight.now_s + self._wait(habits.hold_s * temper.hold, 0.6), "close", symbol)
        return [Deed(writing.gestures, order)]

    def _close(self, sight: Sight, symbol: str) -> list[Deed]:
        """Sell what was held for long enough; a loss is held on to, sometimes."""
        holding = sight.held.get(symbol)
        if holding is None:
            return []
        if holding.gain < 0 and self.rng.uniform() > 1.0 / self.habits.disposition:
            self._at(sight.now_s + self._wait(self.habits.hold_s, 0.5), "close", symbol)
            return []
        self._key_s = sight.now_s
        typing = hands.typed(self.habits, self.temper(sight.now_s), self.rng, 10)
        return [Deed(typing, Flatten(symbol=symbol))]

    def _patience(self, sight: Sight, symbol: str) -> list[Deed]:
        """Cancel an order that nobody took."""
        parent_id = sight.resting.get(symbol)
        if parent_id is None:
            return []
        self._key_s = sight.now_s
        typing = hands.typed(self.habits, self.temper(sight.now_s), self.rng, 8)
        return [Deed(typing, CancelOrders(parent_id=parent_id))]

    def _stare(self, sight: Sight, _about: str) -> list[Deed]:
        """Let the dashboard say for how long no key was touched."""
        self._at(sight.now_s + STARE_S, "stare")
        idle_s = sight.now_s - self._key_s
        return [Deed((Gesture("stared", idle_s),))] if idle_s >= STARE_S else []

    def _break(self, sight: Sight, _about: str) -> list[Deed]:
        """Take the usual break, unless the hidden state does not let him."""
        self._at(sight.now_s + self._wait(self.habits.break_gap_s, 0.4), "break")
        if not self.mood.in_episode or self.rng.uniform() < 0.2:
            self._rest(sight.now_s, self._wait(self.habits.break_s, 0.6))
        return []

    def _leave(self, sight: Sight, about: str) -> list[Deed]:
        """Sell what is held, write a line, and go; or overrun."""
        temper = self.temper(sight.now_s)
        if not about and sight.now_s < LATEST_S - 7_200 and self.rng.uniform() < temper.overruns:
            self._at(sight.now_s + float(self.rng.uniform(1_800, 7_200)), "leave")
            return []
        if sight.held and about != "sold":
            self._agenda = []
            self._at(sight.now_s + 30.0, "leave", "sold")
            return [Deed(hands.typed(self.habits, temper, self.rng, 8), Flatten())]
        self.gone, self._agenda = True, []
        left = Gesture("left", sight.now_s - (self.ends_s - self.habits.session_s))
        if self.rng.uniform() < 0.4:
            words = int(self.rng.integers(8, 60))
            return [Deed((left,), WriteJournal(text=" ".join(self.rng.choice(WORDS, words))))]
        return [Deed((left,))]

    def _decoy(self, sight: Sight, _about: str) -> list[Deed]:
        """Do something at random, to look busier or calmer than he is."""
        self._at(sight.now_s + self._wait(700.0, 0.5), "decoy")
        if self.mood.in_episode:
            return []
        self._key_s = sight.now_s
        return [Deed(decoys(self.habits, self.rng))]

    # how he does it

    def _compose(self, now_s: float, symbol: str, notional: str) -> None:
        """Begin to write an order; it is sent when it is written."""
        habits, temper = self.habits, self.temper(now_s)
        wait_s = self._wait(habits.think_s * temper.think, habits.think_spread)
        self._at(now_s + max(wait_s, 1.5), "send", f"{symbol}|{notional}")

    def _amount(self, sight: Sight, temper: moods.Temper, symbol: str) -> str:
        """Return an amount, round as people type it; the calm know the cap."""
        spread = float(np.exp(self.habits.size_spread * self.rng.standard_normal()))
        notional = sight.equity * self.habits.size_share * temper.size * spread
        if not temper.deaf:
            holding = sight.held.get(symbol)
            notional = min(notional, CAP_KNOWN * sight.position_max - (holding.worth if holding else 0.0))
        step = self.habits.round_to
        return f"{max(round(notional / step) * step, 12.0):.2f}"

    def _words(self, sight: Sight, temper: moods.Temper) -> int:
        if sight.level < 2 and not self._refusals:
            return 0
        hasty = temper.deaf and not self._refusals
        return int(self.rng.integers(1, 7)) if hasty else int(self.rng.integers(9, 18))

    def _chosen(self, sight: Sight, temper: moods.Temper) -> str:
        """Return the pair to trade next, or nothing when he holds all he likes."""
        if self._last_symbol and self.rng.uniform() < temper.loyal:
            return self._last_symbol
        free = [
            i for i, name in enumerate(self.symbols) if name not in sight.held and name not in sight.resting
        ]
        if not free:
            return self.symbols[0] if temper.deaf else ""
        likes = np.array([self.habits.symbols[i] for i in free]) + 1e-6
        return self.symbols[free[int(self.rng.choice(len(free), p=likes / likes.sum()))]]

    def _rest(self, now_s: float, length_s: float) -> None:
        """Step away: looks and sends wait, and an episode may end."""
        self._drop("look", "send", "stare")
        if self.rng.uniform() < 0.75:
            self.mood.cools(now_s)
        self._at(now_s + length_s, "look")
        self._at(now_s + STARE_S, "stare")

    def _drop(self, *names: str) -> None:
        self._agenda = [each for each in self._agenda if each[2] not in names]
        heapq.heapify(self._agenda)

    def _at(self, at_s: float, what: str, about: str = "") -> None:
        self._number += 1
        heapq.heappush(self._agenda, (at_s, self._number, what, about))

    def _wait(self, median_s: float, spread: float) -> float:
        return float(median_s * np.exp(spread * self.rng.standard_normal()))


def _on_tick(price: float) -> str:
    return f"{price:.2f}" if price >= 1 else f"{price:.4f}"
