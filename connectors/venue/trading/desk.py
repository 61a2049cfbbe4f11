"""The desk: the exchange within the play. It gives orders their time and the exchange its market data.

Latency: an order that arrives takes effect at the source time of its arrival plus a constant plus a jitter
that depends on the seed and on how many came before it, thus after all recorded messages up to that time.
While the play stands still it takes effect at once. Answers and events travel without latency.
"""

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from genesis.connectors.venue.book import Diff, decode_diff
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.player import Player, State
from genesis.connectors.venue.rest import BLOCKED_S
from genesis.connectors.venue.source import Kind, Message
from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.exchange import Exchange
from genesis.connectors.venue.trading.filters import SymbolRules
from genesis.connectors.venue.trading.journal import Journal
from genesis.operators.order_matching import Level, Side
from genesis.operators.records import Market

DEPTH_MAX = 5_000
"""Levels of a side that an order can walk."""

ARRIVALS_MAX = 1_000
"""Arrivals of orders that are remembered."""

_MATTERS = frozenset({Kind.TRADE, Kind.DIFF, Kind.SNAPSHOT})

Result = TypeVar("Result")


class TradingOptions(NamedTuple):
    """What the trading side is made of."""

    accounts_file: Path | None = None  # made, with one account, when it is not there
    latency_ms: float = 2.0  # from arrival to effect, source time
    jitter_ms: float = 1.0  # at most so much more
    seed: int = 1  # of the jitter
    state_file: Path | None = None  # where orders and balances are kept for the next start


class _Trade(msgspec.Struct):
    p: str
    q: str
    m: bool


_decode_trade = msgspec.json.Decoder(_Trade).decode


class Desk:
    """The exchange of a venue, moved by its player."""

    def __init__(
        self, hub: Hub, player: Player, accounts: Iterable[Account], options: TradingOptions
    ) -> None:
        rules = {
            each.symbol: SymbolRules.of(each)
            for each in hub.instruments.values()
            if each.market == Market.SPOT
        }
        self.accounts = list(accounts)
        self.by_key = {account.api_key: account for account in self.accounts}
        self.journal = Journal(options.state_file) if options.state_file else None
        self.exchange = Exchange(rules, self.accounts, self, self.journal)
        self.skew_ms = 0.0  # of the clock, by a fault
        self._hub = hub
        self._player = player
        self._options = options
        self._last_trades: dict[str, bytes] = {}
        self._arrivals: list[tuple[int, int, Callable[[], None]]] = []
        self._arrived = 0
        self.arrivals_ns: dict[str, int] = {}  # by client order id
        player.taps.append(self.on_message)

    @property
    def now_ms(self) -> int:
        """Source time, milliseconds: of the newest message, or of its event when that is later."""
        return max(self._player.event_ms, self._player.recv_ns // 1_000_000)

    def clocks_ms(self) -> tuple[float, float]:
        """Return source time and the time on the wall, both as a fault may have set them wrong."""
        return self.now_ms + self.skew_ms, time.time() * 1e3 + self.skew_ms

    def levels(self, symbol: str, side: Side) -> list[Level]:
        """Return the recorded levels of one side, best first; none while the book is not known."""
        book = self._hub.books[Market.SPOT, symbol]
        if not book.is_whole:
            return []
        bids, asks = book.levels(DEPTH_MAX)
        return [Level(Decimal(price), Decimal(qty)) for price, qty in (bids if side is Side.BUY else asks)]

    def last_price(self, symbol: str) -> Decimal | None:
        """Return the price of the newest recorded trade."""
        payload = self._last_trades.get(symbol)
        return None if payload is None else Decimal(_decode_trade(payload).p)

    def note_arrival(self, client_order_id: str) -> None:
        """Remember when, by the clock on the wall, a request with this id arrived; a repeat counts not."""
        if client_order_id and client_order_id not in self.arrivals_ns:
            self.arrivals_ns[client_order_id] = time.time_ns()
            while len(self.arrivals_ns) > ARRIVALS_MAX:
                del self.arrivals_ns[next(iter(self.arrivals_ns))]

    async def submit(self, action: Callable[[], Result]) -> Result:
        """Do something when its time has come; return what it returns, or raise what it raises."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            try:
                result = action()
            except Exception as error:  # noqa: BLE001 it is the caller's
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        number, self._arrived = self._arrived, self._arrived + 1
        jitter = random.Random(f"{self._options.seed}/{number}").random()
        latency_ms = self._options.latency_ms + jitter * self._options.jitter_ms
        due_ns = self._player.recv_ns + int(latency_ms * 1e6)
        heapq.heappush(self._arrivals, (due_ns, number, arrive))
        while not future.done():
            if self._player.state != State.PLAYING or latency_ms <= 0.0:
                self._let_in(None)
                continue
            position = self._player.position
            await asyncio.wait({future}, timeout=BLOCKED_S)
            if not future.done() and self._player.position == position:
                self._let_in(None)
        return future.result()

    def on_message(self, message: Message, diff: Diff | None) -> None:
        """Take in a message that the player has just applied to the books."""
        recv_ns, market, kind, symbol, payload, _stream = message
        if kind in _MATTERS and market == Market.SPOT and symbol in self.exchange.matchers:
            if kind == Kind.TRADE:
                self._last_trades[symbol] = payload
            if not self.exchange.is_idle(symbol):
                if kind == Kind.TRADE:
                    trade = _decode_trade(payload)
                    aggressor = Side.SELL if trade.m else Side.BUY
                    self.exchange.on_trade(symbol, Decimal(trade.p), Decimal(trade.q), aggressor)
                elif kind == Kind.DIFF:
                    self._on_diff(symbol, diff or decode_diff(payload))
                else:
                    self.exchange.matchers[symbol].on_snapshot()
        if self._arrivals:
            self._let_in(recv_ns)

    def _on_diff(self, symbol: str, diff: Diff) -> None:
        for side, levels in ((Side.BUY, diff.bids), (Side.SELL, diff.asks)):
            for price, qty in levels:
                self.exchange.on_level(symbol, side, Level(Decimal(price), Decimal(qty)))

    def _let_in(self, until_ns: int | None) -> None:
        """Do what is due by a source time, or everything."""
        while self._arrivals and (until_ns is None or self._arrivals[0][0] <= until_ns):
            heapq.heappop(self._arrivals)[2]()
