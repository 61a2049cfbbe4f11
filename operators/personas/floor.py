"""Floor: days of a simulated trader through the account's own fold, in event time, without processes.

Law: the same trader, market and days give the same record of each day. Every command is sealed and folded as
it would be in the running system; orders are filled by the venue of quotes that backtests use. Market
records come when something may happen: every 2 s while an order works, 60 s while something is held or waits,
else 300 s, and at each act. A stop-loss therefore acts up to a minute late. What his hands do is told to the
fold as a dashboard tells it, and what the fold does about his tilt happens to him.
"""

import copy
import math
from decimal import Decimal
from hashlib import blake2b

import msgspec

from genesis.operators.account import composure, figures, signing
from genesis.operators.account import state as states
from genesis.operators.account.desk import FoldKeys
from genesis.operators.account.events import (
    ACTS_MAX,
    Act,
    ActKind,
    AnswerChecklist,
    Behaviour,
    Body,
    Command,
    PlaceOrder,
    Role,
    VenueBalances,
    VenueLink,
    WriteJournal,
)
from genesis.operators.account.fold import fold
from genesis.operators.account.outcomes import ChildOrder, Decision, Fill
from genesis.operators.account.state import Account
from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tiers import Standing
from genesis.operators.personas.hands import Gesture
from genesis.operators.personas.market import LISTINGS, SYMBOLS, Market
from genesis.operators.personas.moods import Persona
from genesis.operators.personas.trader import Deed, Holding, Sight, Trader
from genesis.operators.strategies.quote_venue import QuoteVenue
from genesis.operators.tilt.interventions import CHECKLIST, JOURNAL_WORDS, Phase

FIRST_DAY = 19_700
"""UTC day, since 1970, of the first day of everybody's career."""

DAY_S = 86_400.0
CAPITAL = "20000"
"""Opening cash, quote asset: a Strategist, whose cap leaves room for a usual order and for one in anger."""

WORKING_S, HELD_S, IDLE_S = 2.0, 60.0, 300.0
CRUMB = 6
"""Less than this, in quote asset, is the crumb of a sale: nobody holds it."""


class Attempt(msgspec.Struct, frozen=True):
    """An order that was tried."""

    now_s: float
    accepted: bool
    code: str
    level: int  # of tilt when it was asked, the hands that typed it known, the order itself not
    share: float  # notional over equity
    in_episode: bool  # hidden state


class DayRecord(msgspec.Struct):
    """What came of a day; times in seconds of the day, UTC."""

    persona: str
    day: int  # of the career
    attempts: list[Attempt] = []
    results: list[tuple[float, float]] = []  # time, realised P&L as a share of the equity
    levels: list[tuple[float, int]] = []  # each change
    episode_s: float | None = None  # when the hidden state began to be another
    ended_s: float | None = None
    level_before: int = 0  # when the episode began
    calibrated: bool = False
    pnl_share: float = 0.0
    records: int = 0

    @property
    def level_max(self) -> int:
        """The highest level of the day."""
        return max((level for _at_s, level in self.levels), default=0)


class Floor:
    """Where one trader's days happen.

    Parameters
    ----------
    trader
        The person.
    seed
        Of the market.
    """

    def __init__(self, trader: Trader, seed: int) -> None:
        self.trader, self.market = trader, Market(seed, 4)
        self.account = Account("persona")
        roles = {str(role): _key(role) for role in Role}
        self.keys = FoldKeys(roles, _key("permit"), _key("audit"))
        self.venue = QuoteVenue(self.account.rules, self.keys.permit)
        self._number, self._level, self._ns = 0, 0, 0
        self._clients = 1
        self._opened = False
        self.day = DayRecord("", 0)

    def branched(self, branch: int) -> "Floor":
        """Return a copy whose days go on by themselves; the market's future is another."""
        other = copy.copy(self)
        other.trader, other.market = copy.deepcopy(self.trader), Market(self.trader.seed, 5, branch)
        other.market.prices = dict(self.market.prices)
        other.account = states.decoded(states.encoded(self.account))
        other.venue = QuoteVenue(other.account.rules, self.keys.permit)
        return other

    def run(self, persona: Persona, drift: float = 0.0, branch: int = 0) -> DayRecord:
        """Run the next day of the career; return what came of it."""
        trader = self.trader
        self.day = DayRecord(str(persona), trader.days)
        midnight_s = (FIRST_DAY + trader.days) * DAY_S
        now_s = trader.begin(persona, branch)
        self.market.wakes(drift)
        self._midnight_s = midnight_s
        self._record(now_s - 1.0)
        self._come_back(now_s)
        worth = self.account.performance.equity
        while not trader.gone:
            now_s = min(trader.wakes_s, now_s + self._step_s())
            acts = trader.wakes_s <= now_s
            self._record(now_s, acts)
            if acts:
                for deed in trader.acts(self._sight(now_s)):
                    self._put_deed(deed, now_s)
        for _ in range(4):
            now_s += WORKING_S
            self._record(now_s)
        self.day.calibrated = self.account.tilt.calibrated
        self.day.pnl_share = float(self.account.performance.equity / worth - 1) if worth else 0.0
        self.day.episode_s, self.day.ended_s = trader.mood.begun_s, trader.mood.ended_s
        return self.day

    def _put_deed(self, deed: Deed, now_s: float) -> None:
        """Put what he did on the way, as a dashboard would: the gestures first, then the command."""
        acts = [_act(each) for each in deed.gestures]
        # a gesture says that it comes from elsewhere; the account sees it by the client's name
        self._clients += sum(each.what is ActKind.CONNECTED and each.other == 1.0 for each in acts)
        client = f"desk-{self._clients}"
        for first in range(0, len(acts), ACTS_MAX):
            told = Behaviour(client=client, session=client, acts=tuple(acts[first : first + ACTS_MAX]))
            self._put(Role.TRADER, told, now_s)
        if deed.command is not None:
            self._put(Role.TRADER, deed.command, now_s)

    def _record(self, now_s: float, every: bool = True) -> None:
        """Let the market and the venue go on until now; of every pair, or of those that matter."""
        at_s = self._midnight_s + now_s
        self.market.until(at_s)
        self._ns = max(int(at_s * 1e9), self._ns + 1_000_000)
        account = self.account
        matters = SYMBOLS if every else {*self._held(), *self._at_work(), *account.closing}
        record = self.market.record(self._ns, matters, correlations=not self._opened)
        self.day.records += 1
        if not self._opened:
            self._open(now_s)
        self._put(Role.TICKER, record, now_s)
        if account.standing.tier is not Tier.STRATEGIST and not self._opened:
            account.standing = Standing(tier=Tier.STRATEGIST, entered_ns=self._ns)
        self._opened = True
        for report in self.venue.on_record(record, self._ns):
            self._put(Role.GATEWAY, report, now_s)

    def _come_back(self, now_s: float) -> None:
        """Do in the morning what a rest still asks for."""
        if self.account.tilt.rest.phase is Phase.RESTING:
            self._put(Role.TRADER, WriteJournal(text="calm " * JOURNAL_WORDS), now_s)
            self._put(Role.TRADER, AnswerChecklist(agreed=(True,) * len(CHECKLIST)), now_s)

    def _open(self, now_s: float) -> None:
        self._put(Role.TICKER, LISTINGS, now_s)
        self._put(Role.GATEWAY, VenueBalances(balances={"USDT": (CAPITAL, "0")}, opening=True), now_s)
        self._put(Role.GATEWAY, VenueLink(connected=True), now_s)

    def _put(self, role: Role, body: Body, now_s: float) -> None:
        self._number += 1
        level = self._level
        at_ns = self._ns if role == Role.TICKER else self._ns + self._number
        event = signing.sealed(self.keys.roles[role], role, "persona", f"p{self._number}", at_ns, body)
        for outcome in fold(self.account, self.keys, [event]):
            record = outcome.record
            if isinstance(record, ChildOrder):
                self.venue.submit(record)
            elif isinstance(record, Fill):
                self._filled(record, now_s)
            elif isinstance(record, Decision) and isinstance(body, Command) and record.subject == event.kind:
                self._decided(body, record, level, now_s)
        self._levelled(now_s)

    def _decided(self, command: Command, decision: Decision, level: int, now_s: float) -> None:
        equity = float(self.account.performance.equity)
        if isinstance(command, PlaceOrder):
            share = float(command.notional) / equity if command.notional and equity else math.nan
            episode = self.trader.mood.in_episode
            self.day.attempts.append(Attempt(now_s, decision.accepted, decision.code, level, share, episode))
            self.trader.told(now_s, decision.accepted, decision.code, command.symbol)

    def _filled(self, fill: Fill, now_s: float) -> None:
        if fill.side == "sell":
            share = float(Decimal(fill.realised) / self.account.performance.equity)
            self.day.results.append((now_s, share))
            was = self.trader.mood.begun_s
            self.trader.sold(now_s, fill.symbol, share)
            if was is None and self.trader.mood.in_episode:
                self.day.level_before = self._level

    def _levelled(self, now_s: float) -> None:
        """Keep the level when it changed; he sees it on the screen."""
        level = composure.level_of(self.account)
        if level != self._level:
            self._level = level
            self.day.levels.append((now_s, level))
            self.trader.notices(now_s, level)

    def _step_s(self) -> float:
        """Return how long nothing that matters can happen, unless the trader acts."""
        working = self.account.working
        if self.account.closing or any(each.order for each in working.values()):
            return WORKING_S
        return HELD_S if working or self._held() else IDLE_S

    def _at_work(self) -> set[str]:
        return {each.symbol for each in self.account.working.values()}

    def _held(self) -> dict[str, Holding]:
        found = {}
        for symbol, position in self.account.portfolio.positions.items():
            price = self.market.prices[symbol]
            worth = float(position.qty) * price
            if worth >= CRUMB:
                found[symbol] = Holding(worth, price * float(position.qty) / float(position.cost) - 1)
        return found

    def _sight(self, now_s: float) -> Sight:
        account = self.account
        resting = {each.symbol: key for key, each in account.working.items() if not each.order}
        return Sight(
            now_s,
            float(account.performance.equity),
            float(figures.limits_of(account).position_max_notional),
            self.market.prices,
            self._held(),
            resting,
            self._level,
            self.market.stress,
        )


def career(trader: Trader, seed: int, days: int, persona: Persona = Persona.CALM) -> Floor:
    """Return the floor of a trader after so many days as a persona: the days his usual is learned from.

    >>> career(Trader(Persona.CALM, 3, SYMBOLS), 3, 1).day.persona
    'calm'
    """
    floor = Floor(trader, seed)
    for _ in range(days):
        floor.run(persona)
    return floor


def _act(gesture: Gesture) -> Act:
    return Act(what=ActKind(gesture.what), value=gesture.value, other=gesture.other, symbol=gesture.symbol)


def _key(name: str) -> bytes:
    """Return a key that is worth nothing outside a simulation."""
    return blake2b(f"genesis persona {name}".encode(), digest_size=32).digest()
