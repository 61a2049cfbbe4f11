"""Stress: an account as it is, replayed through a crash by its own fold, with its own strategies.

Law: the same snapshot, crash and strategies give the same replay, and the same digest. Nothing leaves: the
copy has keys of its own, and its orders go to the venue of quotes that backtests use.

Working orders go on, but what was at the real venue is taken as cancelled and placed anew in the calm
before the crash. In that calm the copy also buys what the account follows, each pair up to what its own
rules take, so that a careful moment does not pass for a careful account.
"""

from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from genesis.operators.account import figures, portfolio, signing, state
from genesis.operators.account.desk import SIDES, FoldKeys
from genesis.operators.account.events import Body, Execution, MarketRecord, PlaceOrder, Role, VenueLink
from genesis.operators.account.fold import fold
from genesis.operators.account.money import ZERO, down_to, exact, text
from genesis.operators.account.outcomes import ChildOrder, Decision, Fill
from genesis.operators.account.state import Account
from genesis.operators.strategies import crashes
from genesis.operators.strategies.quote_venue import QuoteVenue
from genesis.operators.strategies.strategy import Strategy

PAIRS_MAX = 12
"""Pairs that a replay has beside those that are held and those of the strategies."""

BUY_AFTER_S = 30
"""Seconds of calm before the copy buys."""

CENT = Decimal("0.01")
REASON = "made by the stress replay to fill the book"


class NothingToReplay(ValueError):
    """The account cannot be replayed; the message says why and what helps."""


class Replay(NamedTuple):
    """What a crash would have done to an account; money in quote asset."""

    crash: str
    state_ns: int  # the account's clock in the state that was replayed
    head: str  # newest audit entry of that state
    equity_before: Decimal
    at_risk: Decimal  # worth of what was held when the crash began
    equity_lowest: Decimal
    equity_after: Decimal
    fills: int
    strategies: tuple[str, ...]
    digest: str  # of every record that went in and every outcome that came out


class _Copy:
    """The account's copy, and the venue that it trades at."""

    def __init__(self, snapshot: bytes, strategies: tuple[Strategy, ...]) -> None:
        self.account = state.decoded(snapshot)
        roles = {str(role): _key(role) for role in Role}
        self._keys = FoldKeys(roles, _key("permit"), _key("audit"))
        self._venue = QuoteVenue(self.account.rules, self._keys.permit)
        self._strategies = [(each, each.begin()) for each in strategies]
        self._number, self.fills = 0, 0
        self.digest = blake2b(snapshot, digest_size=16)
        for child in [each for each in self.account.children.values() if each.is_open]:
            self.put(
                Role.GATEWAY,
                Execution(
                    client_order_id=child.client_order_id,
                    venue_order_id=0,
                    symbol=child.symbol,
                    side=SIDES[child.side],
                    status="canceled",
                ),
            )
        self.put(Role.GATEWAY, VenueLink(connected=True))

    def put(self, role: Role, body: Body, event_ns: int = 0) -> None:
        """Fold an event; its orders go to the venue."""
        self._number += 1
        account = self.account
        at_ns = event_ns or max(account.now_ns, account.seen_floor_ns.get(role, 0)) + self._number
        name = f"stress/{self._number}"
        event = signing.sealed(self._keys.roles[role], role, account.account_id, name, at_ns, body)
        self.digest.update(event.body.encode())
        for outcome in fold(account, self._keys, [event]):
            record = outcome.record
            if isinstance(record, ChildOrder):
                self._venue.submit(record)
            elif isinstance(record, Fill):
                self.fills += 1
            if isinstance(record, ChildOrder | Fill | Decision):
                self.digest.update(msgspec.json.encode(record))

    def take(self, record: MarketRecord, event_ns: int) -> None:
        """Take a record: first the account, then the venue, then the strategies."""
        self.put(Role.TICKER, record, event_ns)
        for report in self._venue.on_record(record, event_ns):
            self.put(Role.GATEWAY, report)
        for place, (strategy, before) in enumerate(self._strategies):
            after, intents = strategy.on_market(before, record, event_ns)
            self._strategies[place] = (strategy, after)
            for intent in intents:
                self.put(Role.STRATEGY, intent)

    def buy_all(self, symbols: list[str]) -> None:
        """Ask for each pair up to what a position may be worth; the account's own rules say how many."""
        for symbol in symbols:
            found = figures.taken(self.account, self.account.rules[symbol])
            most = found.limits.position_max_notional - found.exposure.get(symbol, ZERO)
            notional = min(down_to(max(most, ZERO) * Decimal("0.98"), CENT), found.free_quote)
            slices = found.limits.slices_min(notional)
            if notional > 0:
                how = {"algorithm": "twap", "duration_s": 60, "slices": slices} if slices > 1 else {}
                order = PlaceOrder(symbol=symbol, side="buy", notional=text(notional), reason=REASON)
                self.put(Role.TRADER, msgspec.structs.replace(order, **how))

    def at_risk(self) -> Decimal:
        """Return what is held, at its marks."""
        return sum(portfolio.exposures(self.account.portfolio, figures.prices(self.account)).values(), ZERO)


@exact
def replayed(snapshot: bytes, crash: str, strategies: tuple[Strategy, ...] = ()) -> Replay:
    """Return what a crash would do to the account of a snapshot.

    Parameters
    ----------
    snapshot
        As `state.encoded` gives it.
    crash
        Name of one of `crashes.LEGS`.
    strategies
        Those that run; each begins anew.

    Raises
    ------
    NothingToReplay
        When the account is not open, or no pair of it has rules and a price.
    """
    copy = _Copy(snapshot, strategies)
    account = copy.account
    symbols = _symbols(account, strategies)
    if not account.is_open or not symbols:
        raise NothingToReplay(
            f"account {account.account_id} has no balances or prices yet: start the system and try again"
        )
    begin_ns, head = account.now_ns, state.decoded(snapshot).head_hash
    mids = {symbol: account.views[symbol].mid for symbol in symbols}
    before = lowest = account.performance.equity
    at_risk, has_bought = ZERO, False
    for due in crashes.records(crash, account.rules, mids, begin_ns):
        copy.take(due.record, begin_ns + due.offset_ns)
        if not has_bought and due.offset_ns >= BUY_AFTER_S * 10**9:
            copy.buy_all(symbols)
            has_bought = True
        if due.has_begun:
            lowest = min(lowest, account.performance.equity)
        else:
            before = lowest = account.performance.equity
            at_risk = copy.at_risk()
    return Replay(
        crash,
        begin_ns,
        head,
        before,
        at_risk,
        lowest,
        account.performance.equity,
        copy.fills,
        tuple(each.name for each in strategies),
        copy.digest.hexdigest(),
    )


def _symbols(account: Account, strategies: tuple[Strategy, ...]) -> list[str]:
    """Return the pairs of a replay: held, of the strategies, and a few more."""
    usable = [
        symbol
        for symbol, rules in sorted(account.rules.items())
        if rules.quote == account.portfolio.quote
        and symbol in account.views
        and account.views[symbol].is_two_sided
    ]
    first = {*account.portfolio.positions, *(name for each in strategies for name in each.symbols)}
    first |= {working.symbol for working in account.working.values()}
    chosen = [symbol for symbol in usable if symbol in first]
    return chosen + [symbol for symbol in usable if symbol not in first][:PAIRS_MAX]


def _key(name: str) -> bytes:
    """Return a key that is worth nothing outside a replay, and the same in each."""
    return blake2b(f"genesis stress {name}".encode(), digest_size=32).digest()
