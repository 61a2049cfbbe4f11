"""Tickers: what is known of one instrument's trades and quotes; repeats, holes and late comers told apart.

Trade ids are contiguous, so a repeat, a trade that is late and a hole are told apart exactly. The ids
of quotes only rise; the newest of them are remembered.
"""

from typing import NamedTuple

from genesis.connectors.feed.gaps import GapKeeper, Now, OpenGap, Stream
from genesis.connectors.feed.outbox import Lane
from genesis.operators.records import GapReason, Market, StreamKind

RECENT_IDS = 1_024
"""Quote ids that are remembered, so that one that comes out of order is told from a repeat."""

MISSING_IDS_MAX = 10_000
"""Missing trade ids that are waited for one by one; a larger hole is a gap at once."""

HOLES_MAX = 64
"""Holes that are open at once; of more, the oldest is a gap at once."""

REORDER_NS = 1_000_000_000
"""How long, in event time, a missing trade may still come before it is published as a gap."""

RENUMBERED_TRADE_NS = 1_000_000_000
RENUMBERED_QUOTE_NS = 60_000_000_000
"""An id from the past on something this much newer than the newest: the venue counts anew. A quote on
spot has no time of its own, so a repeat looks as new as its arrival."""


class Hole(NamedTuple):
    """Trade ids that were jumped over."""

    first: int
    last: int
    before_ns: int
    after_ns: int


class Ticker:
    """One instrument.

    Parameters
    ----------
    instrument
        Its market and symbol.
    lanes
        Where trades and quotes go.
    gaps
        Where holes are published.
    """

    def __init__(self, instrument: tuple[Market, str], lanes: tuple[Lane, Lane], gaps: GapKeeper) -> None:
        market, self.name = instrument
        self.symbol = self.name.encode()
        self.trades = Stream(market, self.symbol, StreamKind.TRADES)
        self.quotes = Stream(market, self.symbol, StreamKind.QUOTES)
        self.trade_lane, self.quote_lane = lanes
        self.trade_id = -1
        self.trade_ns = 0
        self.trade_count = 0
        self.missing: set[int] = set()
        self.holes: list[Hole] = []
        self.is_excused = False  # the next jump lies in a gap that has been published
        self.quote_id = -1
        self.quote_ns = 0
        self.quote_count = 0
        self._recent = [-1] * RECENT_IDS
        self._gaps = gaps

    def admits_trade(self, trade_id: int, event_ns: int) -> bool:
        """Take in a trade whose id is not the next one; return False for a repeat."""
        if self.trade_id < 0 or trade_id == self.trade_id + 1:
            pass
        elif trade_id > self.trade_id:
            self._jump(trade_id, event_ns)
        elif trade_id in self.missing:
            self.missing.discard(trade_id)
            return True
        elif event_ns > self.trade_ns + RENUMBERED_TRADE_NS:
            self.holes.append(Hole(0, 0, self.trade_ns, event_ns))
            self.missing.clear()
        else:
            return False
        self.trade_id = trade_id
        self.is_excused = False
        return True

    def admits_quote(self, update_id: int, event_ns: int) -> bool:
        """Take in a quote; return False for a repeat."""
        if update_id > self.quote_id or event_ns > self.quote_ns + RENUMBERED_QUOTE_NS:
            self.quote_id = update_id
        elif update_id in self._recent or update_id < min(self._recent):
            return False
        self._recent[self.quote_count % RECENT_IDS] = update_id
        self.quote_count += 1
        return True

    def settle(self, event_ns: int, now: Now) -> None:
        """Publish holes that have waited long enough for their trades, up to ``event_ns``."""
        for hole in list(self.holes):
            lost = [number for number in range(hole.first, hole.last + 1) if number in self.missing]
            large = hole.last - hole.first >= MISSING_IDS_MAX
            if not lost and not large and hole.last:
                self.holes.remove(hole)
            elif large or event_ns - hole.after_ns > REORDER_NS or len(self.holes) > HOLES_MAX:
                self.holes.remove(hole)
                self.missing.difference_update(lost)
                ids = (lost[0], lost[-1]) if lost else (hole.first, hole.last)
                self._gaps.begin(self.trades, OpenGap(hole.before_ns, GapReason.SEQUENCE, *ids), now)
                self._gaps.end(self.trades, hole.after_ns, now)

    def _jump(self, trade_id: int, event_ns: int) -> None:
        """Note the ids that were jumped over, unless a gap speaks of them; they may still come."""
        if self.is_excused or self.trades in self._gaps.open:
            return
        hole = Hole(self.trade_id + 1, trade_id - 1, self.trade_ns, event_ns)
        self.holes.append(hole)
        if hole.last - hole.first < MISSING_IDS_MAX:
            self.missing.update(range(hole.first, hole.last + 1))
