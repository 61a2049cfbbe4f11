"""Live trader: a simulated person who trades on the running system, by the same commands as anybody.

He reads the account as the ledger has it, and every command goes the way of `genesis order`. His clock can
run faster than the real one; the market's does not.
"""

import time
from collections.abc import Callable

from genesis.cli.simulate_trader import clock
from genesis.connectors import keys
from genesis.connectors.commanding import Commander
from genesis.connectors.ledger import open_ledger
from genesis.connectors.settings import Settings
from genesis.operators.account import figures, state
from genesis.operators.account.events import Command, PlaceOrder, Role
from genesis.operators.account.state import Account
from genesis.operators.personas.floor import CRUMB
from genesis.operators.personas.moods import Persona
from genesis.operators.personas.trader import Holding, Sight, Trader

LOOK_S = 1.0
"""How often he looks at the account while he does nothing, real time."""

ANSWER_S = 15.0
"""Longest wait for a decision."""

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
        self.decided = 0

    def run(self, length_s: float) -> None:
        """Trade until his day is over, or for so long, real time."""
        trader = self.trader
        starts_s, began_s = trader.begin(trader.persona), time.monotonic()
        while not trader.gone and time.monotonic() - began_s < length_s:
            now_s = starts_s + (time.monotonic() - began_s) * self._pace
            sight = self._sight(now_s)
            if trader.wakes_s <= now_s:
                for deed in trader.acts(sight):
                    if deed.command is not None:
                        self._send(deed.command, now_s)
            left_s = (trader.wakes_s - now_s) / self._pace
            time.sleep(min(max(left_s, 0.05), LOOK_S))

    def close(self) -> None:
        """Leave; what is held and at work stays as it is."""
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

    def _sight(self, now_s: float) -> Sight:
        """Look at the account, and hear what was realised since the last look."""
        account = self._account()
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
        )
