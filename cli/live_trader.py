"""Live trader: a simulated person who trades on the running system, by the same commands as anybody.

He reads the account as the ledger has it, and every command goes the way of `genesis order`. What his hands
do at the keys is told to the account by what tells of a dashboard's. His clock can run faster than the real
one; the market's does not.
"""

import secrets
import time
from collections.abc import Callable

from genesis.cli.simulate_trader import clock
from genesis.connectors import keys
from genesis.connectors.commanding import Commander, Teller
from genesis.connectors.ledger import open_ledger
from genesis.connectors.settings import Settings
from genesis.operators.account import composure, figures, state
from genesis.operators.account.events import Act, ActKind, Command, PlaceOrder, Role
from genesis.operators.account.state import Account
from genesis.operators.personas.floor import CRUMB
from genesis.operators.personas.hands import Gesture
from genesis.operators.personas.moods import Persona
from genesis.operators.personas.trader import Holding, Sight, Trader

LOOK_S = 1.0
"""How often he looks at the account while he does nothing, real time."""

ANSWER_S = 15.0
"""Longest wait for a decision."""

ARRIVAL_S = 1.0
"""Longest wait until gestures are in the log, so that the command that they led to stands behind them."""

SYMBOLS_MAX = 8
"""Pairs that he follows."""


class NoAccountError(RuntimeError):
    """There is no account that could trade; the message says what to do."""


class LiveTrader:
    """A persona on the running system.

    Parameters
    ----------
    settings
        Of the running system.
    persona, seed
        Who he is.
    pace
        Seconds of his day in a real second.
    say
        Takes each line of what happens.
    """

    def __init__(
        self, settings: Settings, persona: Persona, seed: int, pace: float, say: Callable[[str], None]
    ) -> None:
        ring = keys.open_keys(settings, Role.TRADER, keys.AUDIT)
        self._settings, self._pace, self._say = settings, pace, say
        self._ledger = open_ledger(settings, audit_key=ring[keys.AUDIT], create=False)
        account = self._account()
        symbols = tuple(sorted(name for name, view in account.views.items() if view.is_two_sided))
        if not symbols:
            self._ledger.close()
            raise NoAccountError(
                "no pair has a price yet. Give the system a moment, or look at `genesis doctor`"
            )
        self._realised = {name: each.realised for name, each in account.portfolio.positions.items()}
        self.trader = Trader(persona, seed, symbols[:SYMBOLS_MAX])
        self._commander = Commander(settings, ring[Role.TRADER])
        self._hands = _Hands(settings, ring[Role.TRADER], f"{persona}-{seed}")
        self._level = 0
        self._came_s = self._now_s = 0.0
        self.decided = 0

    def run(self, length_s: float) -> None:
        """Trade until his day is over, or for so long, real time."""
        trader = self.trader
        starts_s, began_s = trader.begin(trader.persona), time.monotonic()
        self._came_s = starts_s
        while not trader.gone and time.monotonic() - began_s < length_s:
            now_s = self._now_s = starts_s + (time.monotonic() - began_s) * self._pace
            sight = self._sight(now_s)
            if trader.wakes_s <= now_s:
                for deed in trader.acts(sight):
                    self._hands.did(deed.gestures)
                    if deed.command is not None:
                        self._send(deed.command, now_s)
            left_s = (trader.wakes_s - now_s) / self._pace
            time.sleep(min(max(left_s, 0.05), LOOK_S))

    def close(self) -> None:
        """Leave; what is held and at work stays as it is."""
        if not self.trader.gone:
            self._hands.did((Gesture("left", self._now_s - self._came_s),))
        self._hands.close()
        self._commander.close()
        self._ledger.close()

    def _account(self) -> Account:
        saved = self._ledger.load(self._settings.account)
        if saved is None:
            raise NoAccountError("the ledger has no account yet. Start one with `genesis up`")
        return state.decoded(saved.snapshot)

    def _send(self, command: Command, now_s: float) -> None:
        decision = self._commander.ask(command, ANSWER_S)
        self.decided += 1
        answer = "" if decision.accepted else f" ({decision.code})"
        self._say(f"{clock(now_s)}  {decision.subject}: {decision.sentence}{answer}")
        if isinstance(command, PlaceOrder):
            self.trader.told(now_s, decision.accepted, decision.code, command.symbol)

    def _levelled(self, now_s: float, level: int) -> None:
        """See the tilt level on the screen."""
        if level != self._level:
            self._level = level
            self._say(f"{clock(now_s)}  tilt level {level}")
            self.trader.notices(now_s, level)

    def _sight(self, now_s: float) -> Sight:
        """Look at the account, and hear what was realised since the last look."""
        account = self._account()
        self._levelled(now_s, composure.level_of(account))
        equity = float(account.performance.equity)
        for name, position in account.portfolio.positions.items():
            gained = float(position.realised - self._realised.get(name, 0))
            if gained and equity:
                self._say(f"{clock(now_s)}  {name} realised {gained:+.2f}")
                self.trader.sold(now_s, name, gained / equity)
            self._realised[name] = position.realised
        prices = {name: float(view.mid) for name, view in account.views.items() if view.is_two_sided}
        held = {}
        for name, position in account.portfolio.positions.items():
            worth = float(position.qty) * prices.get(name, 0.0)
            if worth >= CRUMB:
                held[name] = Holding(worth, worth / float(position.cost) - 1.0)
        return Sight(
            now_s,
            equity,
            float(figures.limits_of(account).position_max_notional),
            prices,
            held,
            {each.symbol: key for key, each in account.working.items() if not each.order},
            self._level,
        )


class _Hands:
    """His hands, as the account hears of them; another name when he sits down elsewhere."""

    def __init__(self, settings: Settings, key: bytes, name: str) -> None:
        self._settings, self._key, self._name, self._clients = settings, key, name, 0
        self._teller = self._elsewhere()

    def _elsewhere(self) -> Teller:
        self._clients += 1
        return Teller(self._settings, self._key, f"{self._name}-{self._clients}", secrets.token_hex(8))

    def did(self, gestures: tuple[Gesture, ...]) -> None:
        """Tell of gestures, in order, and wait until they are in the log."""
        acts: list[Act] = []
        for what, value, other, symbol in gestures:
            if what == ActKind.CONNECTED and other:
                self._teller.tell(acts)
                self._teller.close()
                self._teller, acts = self._elsewhere(), []
            acts.append(Act(what=ActKind(what), value=value, other=other, symbol=symbol))
        self._teller.tell(acts)
        self._teller.arrive(ARRIVAL_S)

    def close(self) -> None:
        """Tell no more."""
        self._teller.close()
