"""The synthetic market as a source: what happens in it, written as Binance writes it."""

import math
from collections.abc import Iterable, Iterator

from genesis.connectors.venue.source import Counts, Instrument, Kind, Message, StreamKey
from genesis.operators.records import Market
from genesis.operators.synthetic_listings import E8, Listing
from genesis.operators.synthetic_market import (
    STEP_NS,
    Step,
    SyntheticDiff,
    SyntheticMarket,
    SyntheticParameters,
    SyntheticQuote,
    SyntheticSnapshot,
    SyntheticTrade,
)

_MS_NS = 1_000_000
_SPOT = Market.SPOT


class SyntheticSource:
    """A spot market made up by a seed; the receive time of a message is its event time.

    Parameters
    ----------
    parameters
        Of the market.
    duration_s
        How long it lasts; infinite by default.
    live
        Whether it is played as time goes by.

    Notes
    -----
    The books are given after the first diffs, as in a recording: a client that subscribes first
    and then asks for a snapshot finds it inside its stream.
    """

    def __init__(
        self, parameters: SyntheticParameters, duration_s: float = math.inf, live: bool = True
    ) -> None:
        self.description = f"synthetic market of {parameters.symbols} symbols, seed {parameters.seed}"
        self.live = live
        self.start_ns = parameters.start_ns
        self.counts = Counts()
        self.instruments = tuple(_instrument(listing) for listing in parameters.listings)
        self._writers = [_Writer(listing) for listing in parameters.listings]
        self.streams = {
            StreamKey(_SPOT, each.symbol, kind): name
            for each in self._writers
            for kind, name in ((Kind.TRADE, each.trade), (Kind.QUOTE, each.quote), (Kind.DIFF, each.depth))
        }
        self._market = SyntheticMarket(parameters)
        self._first_step = self._market.advance()
        snapshots = [
            self._writers[each.listing].snapshot_message(each, self._first_step.end_ns)
            for each in self._market.snapshots()
        ]
        self.opening = {(_SPOT, each.symbol): each for each in snapshots}
        self._steps_max = duration_s * 1e9 / STEP_NS
        self._steps = 0

    def __iter__(self) -> Iterator[Message]:
        step = self._first_step
        while self._steps < self._steps_max:
            self._steps += 1
            for message in self._messages(step):
                self.counts.add(_SPOT, message.symbol, message.kind)
                yield message
            step = self._market.advance()

    def fraction(self) -> float | None:
        """Return how much of the duration has passed, None when it is infinite."""
        return None if math.isinf(self._steps_max) else min(1.0, self._steps / self._steps_max)

    def _messages(self, step: Step) -> Iterator[Message]:
        writers = self._writers
        for tick in step.ticks:
            yield writers[tick.listing].tick_message(tick)
        for diff in step.diffs:
            yield writers[diff.listing].diff_message(diff)
        if self._steps == 1:
            yield from self.opening.values()


def _instrument(listing: Listing) -> Instrument:
    names = (listing.symbol, listing.base, listing.quote)
    return Instrument(_SPOT, *names, listing.tick_e8, listing.step_e8)


class _Writer:
    """Writes the messages of one symbol. Spot prices and quantities have 8 decimals."""

    def __init__(self, listing: Listing) -> None:
        lower = listing.symbol.lower()
        self.symbol = listing.symbol
        self.trade, self.quote, self.depth = f"{lower}@trade", f"{lower}@bookTicker", f"{lower}@depth@100ms"
        self._tick_e8 = listing.tick_e8
        self._step_e8 = listing.step_e8

    def tick_message(self, tick: SyntheticTrade | SyntheticQuote) -> Message:
        """Return the message of a trade or a quote."""
        if isinstance(tick, SyntheticTrade):
            return Message(tick.event_ns, _SPOT, Kind.TRADE, self.symbol, self._trade(tick), self.trade)
        return Message(tick.event_ns, _SPOT, Kind.QUOTE, self.symbol, self._quote(tick), self.quote)

    def diff_message(self, diff: SyntheticDiff) -> Message:
        """Return the message of a depth diff."""
        text = (
            f'{{"e":"depthUpdate","E":{diff.event_ns // _MS_NS},"s":"{self.symbol}",'
            f'"U":{diff.first_update_id},"u":{diff.last_update_id},'
            f'"b":{self._levels(diff.bids)},"a":{self._levels(diff.asks)}}}'
        )
        return Message(diff.event_ns, _SPOT, Kind.DIFF, self.symbol, text.encode(), self.depth)

    def snapshot_message(self, snapshot: SyntheticSnapshot, recv_ns: int) -> Message:
        """Return a whole book as the REST answer gives it."""
        text = (
            f'{{"lastUpdateId":{snapshot.update_id},"bids":{self._levels(snapshot.bids)},'
            f'"asks":{self._levels(snapshot.asks)}}}'
        )
        return Message(recv_ns, _SPOT, Kind.SNAPSHOT, self.symbol, text.encode(), "")

    def _trade(self, trade: SyntheticTrade) -> bytes:
        event_ms = trade.event_ns // _MS_NS
        maker = "true" if trade.buyer_is_maker else "false"
        return (
            f'{{"e":"trade","E":{event_ms},"s":"{self.symbol}","t":{trade.trade_id},'
            f'"p":"{_e8(trade.price_ticks * self._tick_e8)}","q":"{_e8(trade.qty_steps * self._step_e8)}",'
            f'"T":{event_ms},"m":{maker},"M":true}}'
        ).encode()

    def _quote(self, quote: SyntheticQuote) -> bytes:
        tick_e8, step_e8 = self._tick_e8, self._step_e8
        return (
            f'{{"u":{quote.update_id},"s":"{self.symbol}",'
            f'"b":"{_e8(quote.bid_ticks * tick_e8)}","B":"{_e8(quote.bid_steps * step_e8)}",'
            f'"a":"{_e8(quote.ask_ticks * tick_e8)}","A":"{_e8(quote.ask_steps * step_e8)}"}}'
        ).encode()

    def _levels(self, levels: Iterable[tuple[int, int]]) -> str:
        tick_e8, step_e8 = self._tick_e8, self._step_e8
        rows = (f'["{_e8(ticks * tick_e8)}","{_e8(steps * step_e8)}"]' for ticks, steps in levels)
        return f"[{','.join(rows)}]"


def _e8(units: int) -> str:
    return f"{units // E8}.{units % E8:08d}"
