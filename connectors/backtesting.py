"""Backtesting: recordings to the market records of an account's log, without broker, feed and flows.

Messages are read by the recording's own reader and timed by the feed's fold of time (`Arrival`), then the
ticker's `Ticking` makes the records. What the market flow would add is not there: states of the market are
unknown, and correlations are added by `operators.strategies.trial`. Only spot counts: accounts trade spot.
"""

from collections.abc import Iterator, Sequence
from math import nan

import msgspec
import numpy as np

from genesis.connectors.feed import messages
from genesis.connectors.venue.recording import RecordingSource, open_recordings
from genesis.connectors.venue.source import Instrument, Kind, Message
from genesis.operators.account.events import Listing, Listings
from genesis.operators.account.ticking import Due, Ticking
from genesis.operators.arrays import Rows
from genesis.operators.arrival import Arrival
from genesis.operators.records import QUOTE, TRADE, WATERMARK_FINAL_NS, Market, Side

LATENESS_NS = 250_000_000
"""How far the watermark trails the newest event."""

CHUNK = 20_000
"""Messages that are turned into rows at a time."""

MIN_NOTIONAL = "5"
"""Least value of an order, quote asset: Binance's; recordings do not say it."""

MAX_QTY = "9000000"

E8 = 100_000_000


class NothingToTrade(ValueError):
    """The recordings have no spot market; the message is a sentence."""


class Recorded:
    """Recordings as market records.

    Parameters
    ----------
    names
        Paths, as `open_recordings` takes them.

    Raises
    ------
    RecordingError
        When a file cannot be used.
    NothingToTrade
        When none is of a spot market.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._source: RecordingSource = open_recordings(names)
        spot = [each for each in self._source.instruments if each.market == Market.SPOT]
        if not spot:
            raise NothingToTrade("none of the recordings is of a spot market, and accounts trade spot only")
        self.listings = Listings(listings=[_listing(each) for each in sorted(spot)])
        self.unreadable = 0

    def __iter__(self) -> Iterator[Due]:
        """Yield the records in order of time."""
        ticking = Ticking([("quotes", 0), ("trades", 0)])
        arrival = Arrival(LATENESS_NS)
        rows: dict[str, list[tuple[object, ...]]] = {"quotes": [], "trades": []}
        count = 0
        for message in self._source:
            if message.market != Market.SPOT or message.kind not in (Kind.TRADE, Kind.QUOTE):
                continue
            self._read(message, arrival, rows)
            count += 1
            if count % CHUNK == 0:
                yield from _passed(ticking, rows, arrival.watermark_ns)
        yield from _passed(ticking, rows, WATERMARK_FINAL_NS)

    def _read(self, message: Message, arrival: Arrival, rows: dict[str, list[tuple[object, ...]]]) -> None:
        """Add the row of a message; one that cannot be read is counted, one before any time left out."""
        recv_ns, symbol = message.recv_ns, message.symbol.encode()
        raw = msgspec.Raw(message.payload)
        try:
            if message.kind == Kind.TRADE:
                trade = messages.decode_trade(raw)
                event_ns = (trade.T or trade.E) * messages.MS_NS
                messages.check_time(trade.E, trade.T or trade.E)
                effective_ns = arrival.timed(event_ns, trade.E * messages.MS_NS, recv_ns)
                side = Side.SELL if trade.m else Side.BUY
                rows["trades"].append(
                    (event_ns, recv_ns, effective_ns, trade.t, trade.p, trade.q, symbol, Market.SPOT, side)
                )
            elif arrival.is_timed:
                quote = messages.decode_quote(raw)
                event_ns = arrival.event_of(recv_ns)
                times = (event_ns, recv_ns, arrival.effective_of(event_ns))
                prices = (quote.b or nan, quote.B, quote.a or nan, quote.A)
                rows["quotes"].append((*times, quote.u, *prices, symbol, Market.SPOT))
        except (msgspec.MsgspecError, messages.BadValue):
            self.unreadable += 1


def _passed(ticking: Ticking, rows: dict[str, list[tuple[object, ...]]], watermark_ns: int) -> list[Due]:
    """Hand rows to the ticking, forget them here, and return what is due."""
    for name, schema in (("quotes", QUOTE), ("trades", TRADE)):
        ticking.take(name, 0, _rows(schema.empty(len(rows[name])), rows[name]), watermark_ns)
        rows[name].clear()
    return ticking.due()


def _rows(empty: Rows, values: list[tuple[object, ...]]) -> Rows:
    for name, column in zip(empty.dtype.names or (), zip(*values, strict=True), strict=False):
        empty[name] = np.array(column)
    return empty


def _listing(each: Instrument) -> Listing:
    step = _plain(each.step_e8)
    return Listing(
        symbol=each.symbol,
        base=each.base,
        quote=each.quote,
        tick=_plain(each.tick_e8),
        lot=step,
        min_qty=step,
        max_qty=MAX_QTY,
        min_notional=MIN_NOTIONAL,
    )


def _plain(units_e8: int) -> str:
    """Return units of 1e-8 as text.

    >>> _plain(1_000), _plain(200_000_000)
    ('0.00001000', '2.00000000')
    """
    return f"{units_e8 // E8}.{units_e8 % E8:08d}"
