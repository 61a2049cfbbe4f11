"""An account in a laboratory: sealed events by short calls, and a venue whose own books can be compared."""

import itertools
import random
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple, TypeVar

from genesis.operators.account import signing, state
from genesis.operators.account.desk import FoldKeys, Outcome
from genesis.operators.account.events import (
    AccountEvent,
    Body,
    Execution,
    Listing,
    Listings,
    Mark,
    MarketRecord,
    Role,
    VenueBalances,
    VenueLink,
)
from genesis.operators.account.fold import fold
from genesis.operators.account.outcomes import ChildOrder, Decision
from genesis.operators.account.state import Account
from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tiers import Standing

ROLE_KEYS = {role: f"{role}-".encode() * 8 for role in Role}
KEYS = FoldKeys(ROLE_KEYS, b"permit" * 8, b"audit-" * 8)
START_NS = 1_700_000_000 * 10**9
T = TypeVar("T")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "ADAUSDT")
PRICES = {"BTCUSDT": ("100", "100.02"), "ETHUSDT": ("50", "50.01"), "ADAUSDT": ("2", "2.01")}


def listing(symbol: str, *, tick: str = "0.01", lot: str = "0.0001", trading: bool = True) -> Listing:
    """Return the rules of a symbol."""
    return Listing(
        symbol=symbol,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        tick=tick,
        lot=lot,
        min_qty=lot,
        max_qty="10000",
        min_notional="5",
        trading=trading,
    )


class Lab:
    """An account, its log, and all that came out of it."""

    def __init__(self, tier: Tier = Tier.SNIPER, capital: str = "1000") -> None:
        self.account = Account("main", standing=Standing(tier=tier, entered_ns=START_NS))
        self.log: list[AccountEvent] = []
        self.outcomes: list[Outcome] = []
        self.now_ns = START_NS
        self._number = 0
        self.put(Role.TICKER, Listings(listings=[listing(symbol) for symbol in SYMBOLS]))
        self.tick()
        self.put(Role.GATEWAY, VenueBalances(balances={"USDT": (capital, "0")}, opening=True))
        self.put(Role.GATEWAY, VenueLink(connected=True))
        self.tick()

    def event(self, role: str, body: Body, event_ns: int = 0) -> AccountEvent:
        """Return a sealed event."""
        self._number += 1
        at_ns = event_ns or self._number
        return signing.sealed(ROLE_KEYS[Role(role)], role, "main", f"e{self._number}", at_ns, body)

    def take(self, *events: AccountEvent) -> list[Outcome]:
        """Fold events; return what came of them."""
        self.log += events
        found = fold(self.account, KEYS, events)
        self.outcomes += found
        return found

    def put(self, role: str, body: Body) -> list[Outcome]:
        """Seal a body and fold it."""
        return self.take(self.event(role, body))

    def ask(self, body: Body, role: str = Role.TRADER) -> Decision:
        """Fold a command; return the decision on it."""
        event = self.event(role, body)
        (found,) = [
            each for each in of(self.take(event), "decisions", Decision) if each.subject == event.kind
        ]
        return found

    def tick(self, seconds: float = 0.1, **prices: tuple[str, str]) -> list[Outcome]:
        """Fold a market record; prices by symbol, those of the laboratory by default."""
        self.now_ns += int(seconds * 1e9)
        marks = [self.mark(symbol, *price) for symbol, price in {**PRICES, **prices}.items()]
        return self.take(self.event(Role.TICKER, MarketRecord(marks=marks), self.now_ns))

    def mark(self, symbol: str, bid: str, ask: str) -> Mark:
        """Return a fresh mark."""
        return Mark(
            symbol=symbol,
            bid=bid,
            ask=ask,
            bid_qty="100",
            ask_qty="100",
            traded_qty="50",
            quoted_ns=self.now_ns,
        )

    def correlate(self, *pairs: tuple[str, str, float]) -> list[Outcome]:
        """Fold a market record that tells correlations."""
        self.now_ns += 10**8
        return self.take(self.event(Role.TICKER, MarketRecord(correlations=list(pairs)), self.now_ns))

    def fill(self, venue: "Venue", seconds: float = 0.1) -> None:
        """Hand the newest child orders to a venue, fold what it reports, stops that follow too, and go on."""
        while orders := self.new_children(venue):
            for order in orders:
                for report in venue.take(order, self.now_ns):
                    self.put(Role.GATEWAY, report)
        self.tick(seconds)

    def new_children(self, venue: "Venue") -> list[ChildOrder]:
        """Return the child orders that a venue has not seen."""
        every = of(self.outcomes, "child_orders", ChildOrder)
        return [each for each in every if each.id not in venue.known]


def of(outcomes: Iterable[Outcome], topic: str, kind: type[T]) -> list[T]:
    """Return the records of a topic."""
    return [
        outcome.record for outcome in outcomes if outcome.topic == topic and isinstance(outcome.record, kind)
    ]


class VenueTrade(NamedTuple):
    """A trade in the venue's own books."""

    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str


class Venue:
    """A venue that fills as a seed tells it, within what an order allows, and keeps its own books."""

    def __init__(self, seed: int, *, whole: bool = False) -> None:
        self._random = random.Random(seed)
        self._whole = whole
        self.known: set[str] = set()
        self.trades: list[VenueTrade] = []
        self.sent: list[ChildOrder] = []
        self._resting: dict[str, tuple[ChildOrder, Decimal]] = {}

    def take(self, order: ChildOrder, now_ns: int) -> list[Execution]:
        """Return the reports that an order leads to."""
        self.known.add(order.id)
        assert signing.is_permitted(KEYS.permit, order)
        assert order.expires_ns > now_ns
        if order.action == "cancel":
            return self._cancel(order)
        assert order.client_order_id not in {each.client_order_id for each in self.sent}
        assert order.side == "buy" or Decimal(order.qty) <= self._free(order.symbol), "more than is free"
        self.sent.append(order)
        chance = self._random.random()
        if not self._whole and chance < 0.1:
            return [self._report(order, "rejected", Decimal(0))]
        reports = [self._report(order, "new", Decimal(0))]
        whole = Decimal(order.qty)
        if order.order_type == "stop_loss_limit":
            self._resting[order.client_order_id] = (order, Decimal(0))
            return reports
        part = whole if self._whole or chance > 0.5 else _part(whole, Decimal(str(round(chance, 2))))
        if part:
            reports += self._fill(order, part, whole)
        if part < whole and order.time_in_force == "ioc":
            reports.append(self._report(order, "expired", part))
        elif part < whole:
            self._resting[order.client_order_id] = (order, part)
        if not self._whole and self._random.random() < 0.2:
            reports += reports[-1:]
        return reports

    def _free(self, symbol: str) -> Decimal:
        """Return how much of a symbol's base asset is held and not locked by a sale."""
        held = self.balances(Decimal(0)).get(symbol.removesuffix("USDT"), Decimal(0))
        sales = [
            each for each in self._resting.values() if each[0].symbol == symbol and each[0].side == "sell"
        ]
        return held - sum((Decimal(order.qty) - done for order, done in sales), Decimal(0))

    def _fill(
        self, order: ChildOrder, part: Decimal, whole: Decimal, done: Decimal = Decimal(0)
    ) -> list[Execution]:
        first = _part(part, Decimal("0.4"))
        reports = []
        for qty in (first, part - first):
            if not qty:
                continue
            done += qty
            fee_asset = "BNB" if self._random.random() < 0.2 else order.symbol.removesuffix("USDT")
            fee = qty / 1000 if fee_asset != "BNB" else Decimal("0.0001")
            if order.side == "sell" and fee_asset != "BNB":
                fee_asset, fee = "USDT", qty * Decimal(order.limit_price) / 1000
            trade = VenueTrade(order.symbol, order.side, qty, Decimal(order.limit_price), fee, fee_asset)
            self.trades.append(trade)
            status = "filled" if done == whole else "partially_filled"
            reports.append(self._report(order, status, done, trade))
        return reports

    def stops(self, symbol: str = "") -> list[ChildOrder]:
        """Return the stop-losses that rest."""
        resting = (order for order, _done in self._resting.values())
        return [each for each in resting if each.stop_price and symbol in ("", each.symbol)]

    def trigger(self, symbol: str, share: str = "1") -> list[Execution]:
        """Return the reports of a market that came to the stops of a symbol and took a share of them."""
        reports = []
        for order in self.stops(symbol):
            whole, done = Decimal(order.qty), self._resting[order.client_order_id][1]
            part = whole - done if share == "1" else _part(whole - done, Decimal(share))
            reports += self._fill(order, part, whole, done)
            self._resting[order.client_order_id] = (order, done + part)
            if done + part == whole:
                del self._resting[order.client_order_id]
        return reports

    def _cancel(self, order: ChildOrder) -> list[Execution]:
        resting, done = self._resting.pop(order.client_order_id, (None, Decimal(0)))
        return [] if resting is None else [self._report(resting, "canceled", done)]

    def _report(
        self, order: ChildOrder, status: str, done: Decimal, trade: VenueTrade | None = None
    ) -> Execution:
        return Execution(
            client_order_id=order.client_order_id,
            venue_order_id=len(self.sent),
            symbol=order.symbol,
            side=order.side,
            status=status,
            trade_id=len(self.trades) if trade is not None else -1,
            last_qty=f"{trade.qty:f}" if trade is not None else "0",
            last_price=f"{trade.price:f}" if trade is not None else "0",
            filled_qty=f"{done:f}",
            commission=f"{trade.fee:f}" if trade is not None else "0",
            commission_asset=trade.fee_asset if trade is not None else "",
            venue_ns=order.event_ns,
        )

    def balances(self, opening: Decimal) -> dict[str, Decimal]:
        """Return what the trades make of the opening cash, zeros left out."""
        found = {"USDT": opening}
        for trade in self.trades:
            base, sign = trade.symbol.removesuffix("USDT"), 1 if trade.side == "buy" else -1
            found[base] = found.get(base, Decimal(0)) + sign * trade.qty
            found["USDT"] -= sign * trade.qty * trade.price
            found[trade.fee_asset] = found.get(trade.fee_asset, Decimal(0)) - trade.fee
        return {asset: qty for asset, qty in found.items() if qty}


def _part(qty: Decimal, share: Decimal) -> Decimal:
    return (qty * share).quantize(Decimal("0.0001"))


def folded(log: list[AccountEvent], tier: Tier, cuts: list[int], kill_at: int = -1) -> tuple[bytes, ...]:
    """Return all outcomes and the last snapshot of a log folded in batches, the state put away at one cut."""
    account = Account("main", standing=Standing(tier=tier, entered_ns=START_NS))
    found: list[Outcome] = []
    edges = sorted({0, len(log), *(cut for cut in cuts if cut < len(log))})
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        if number == kill_at:
            kept = state.encoded(account)
            fold(account, KEYS, log[begin : begin + 7])  # folded after the snapshot, and lost
            account = state.decoded(kept)
        found += fold(account, KEYS, log[begin:end])
    return repr(found).encode(), state.encoded(account)
