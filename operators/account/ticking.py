"""Ticking: from frames of ticks and signals to the market records of an account's log.

Law: a record is due at every 100 ms of event time, once all partitions of quotes and trades have passed
it. It has the marks that changed since the record before, what was traded between, and correlations that
moved. So the records depend on the rows alone, and a replay makes the same ones.

Rows of another market than spot are left out: accounts trade spot. After a pause of everything there is one
record, not one for every 100 ms that passed.
"""

from typing import Any, NamedTuple

import numpy as np

from genesis.operators.account.events import Mark, MarketRecord, pair_of
from genesis.operators.records import QUOTE, TRADE, WATERMARK_FINAL_NS, WHOLE_MARKET, Market

Rows = np.ndarray[Any, np.dtype[np.void]]

RECORD_NS = 100_000_000
"""Event time between two records."""

MOVED = 0.01
"""A correlation is told again when it has moved by so much."""

HALF_LIFE_NS = 300 * 10**9
"""Half-life of the correlations that are told, when it is among those published; else the longest is."""

NEVER = -(2**62)


class Due(NamedTuple):
    """A record, and its time."""

    event_ns: int
    record: MarketRecord


class Ticking:
    """What the ticker holds between two records.

    Parameters
    ----------
    parts
        The (topic, partition) pairs of quotes and trades that must have passed.
    """

    def __init__(self, parts: list[tuple[str, int]]) -> None:
        self._passed_ns = dict.fromkeys(parts, NEVER)
        self._rows = {"quotes": [QUOTE.empty()], "trades": [TRADE.empty()]}
        self._states: dict[str, tuple[int, bool]] = {}
        self._market_state = 0
        self._marks: dict[str, Mark] = {}
        self._correlations: dict[str, float] = {}
        self._moved: dict[str, tuple[str, str, float]] = {}
        self._notionals: dict[str, float] = {}
        self._told_ns = NEVER

    def take(self, topic: str, partition: int, rows: Rows, watermark_ns: int) -> None:
        """Take in a frame of quotes, trades, market_state, correlation or day_volume."""
        if topic in self._rows:
            if rows.size:
                self._rows[topic].append(rows[rows["market"] == Market.SPOT])
            self._passed_ns[topic, partition] = max(self._passed_ns[topic, partition], watermark_ns)
        elif rows.size:
            {"market_state": self._state, "correlation": self._correlate, "day_volume": self._volume}[topic](
                rows
            )

    def _state(self, rows: Rows) -> None:
        for row in rows[rows["market"] == Market.SPOT]:
            if row["symbol"] == WHOLE_MARKET:
                self._market_state = int(row["state"])
            else:
                self._states[row["symbol"].decode()] = (int(row["state"]), bool(row["stale"]))

    def _correlate(self, rows: Rows) -> None:
        newest = rows[rows["sample_ns"] == rows["sample_ns"].max()]
        lives = newest["half_life_ns"]
        wanted = HALF_LIFE_NS if HALF_LIFE_NS in lives else lives.max()
        spot = (newest["market_a"] == Market.SPOT) & (newest["market_b"] == Market.SPOT)
        chosen = newest[
            (lives == wanted) & spot & np.isfinite(newest["correlation"]) & (newest["stale"] == 0)
        ]
        for one, other, value in zip(
            chosen["symbol_a"].tolist(),
            chosen["symbol_b"].tolist(),
            chosen["correlation"].tolist(),
            strict=True,
        ):
            pair = pair_of(one.decode(), other.decode())
            if abs(value - self._correlations.get(pair, 9.0)) >= MOVED:
                self._correlations[pair] = value
                self._moved[pair] = (one.decode(), other.decode(), round(value, 4))

    def _volume(self, rows: Rows) -> None:
        for row in rows[(rows["market"] == Market.SPOT) & np.isfinite(rows["day_notional"])]:
            self._notionals[row["symbol"].decode()] = float(row["day_notional"])

    def due(self) -> list[Due]:
        """Return the records that are due now; those of a pause are one."""
        passed_ns = min(self._passed_ns.values())
        quotes, trades = self._merged("quotes"), self._merged("trades")
        if passed_ns == WATERMARK_FINAL_NS:
            times = [int(rows["effective_ns"].max()) for rows in (quotes, trades) if rows.size]
            passed_ns = max([*times, self._told_ns]) + RECORD_NS
        last_ns = passed_ns // RECORD_NS * RECORD_NS
        if last_ns <= self._told_ns or passed_ns == NEVER:
            return []
        ends = self._ends(quotes, trades, last_ns)
        found = [self._record(quotes, trades, begin_ns, end_ns) for begin_ns, end_ns in ends]
        self._told_ns = last_ns
        for name, rows in (("quotes", quotes), ("trades", trades)):
            self._rows[name] = [rows[rows["effective_ns"] > last_ns]]
        return found

    def _ends(self, quotes: Rows, trades: Rows, last_ns: int) -> list[tuple[int, int]]:
        """Return begin and end of the intervals in which something happened, and of the last one."""
        times = np.concatenate([quotes["effective_ns"], trades["effective_ns"]])
        ends = np.unique(np.append(-(-times[times <= last_ns] // RECORD_NS) * RECORD_NS, last_ns))
        ends = ends[ends > self._told_ns]
        return list(zip([self._told_ns, *ends[:-1].tolist()], ends.tolist(), strict=True))

    def _merged(self, name: str) -> Rows:
        parts = self._rows[name]
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return parts[0]

    def _record(self, quotes: Rows, trades: Rows, begin_ns: int, end_ns: int) -> Due:
        new = _between(quotes, begin_ns, end_ns)
        traded: dict[str, float] = {}
        for trade in _between(trades, begin_ns, end_ns):
            name = trade["symbol"].decode()
            traded[name] = traded.get(name, 0.0) + float(trade["qty"])
        newest: dict[str, Any] = {}
        for row in new[np.lexsort([new[each] for each in ("update_id", "event_ns")])] if new.size else ():
            newest[row["symbol"].decode()] = row
        changed = []
        for symbol in sorted({*newest, *traded, *(name for name in self._marks if self._has_turned(name))}):
            mark = self._mark(symbol, newest.get(symbol), traded.get(symbol, 0.0))
            if mark is not None:
                self._marks[symbol] = mark
                changed.append(mark)
        moved, self._moved = self._moved, {}
        notionals, self._notionals = self._notionals, {}
        record = MarketRecord(
            marks=changed,
            correlations=[moved[pair] for pair in sorted(moved)],
            market_state=self._market_state,
            day_notionals={name: notionals[name] for name in sorted(notionals)},
        )
        return Due(end_ns, record)

    def _has_turned(self, symbol: str) -> bool:
        mark, state = self._marks[symbol], self._states.get(symbol)
        return state is not None and (mark.state, mark.stale) != state

    def _mark(self, symbol: str, row: Any, traded: float) -> Mark | None:
        state, stale = self._states.get(symbol, (0, False))
        before = self._marks.get(symbol)
        if row is not None:
            return Mark(
                symbol=symbol,
                bid=_text(row["bid_price"]),
                ask=_text(row["ask_price"]),
                bid_qty=_text(row["bid_qty"]),
                ask_qty=_text(row["ask_qty"]),
                traded_qty=_text(traded),
                state=state,
                stale=stale,
                quoted_ns=int(row["event_ns"]),
            )
        if before is None:
            return None
        return Mark(
            symbol=symbol,
            bid=before.bid,
            ask=before.ask,
            bid_qty=before.bid_qty,
            ask_qty=before.ask_qty,
            traded_qty=_text(traded),
            state=state,
            stale=stale,
            quoted_ns=before.quoted_ns,
        )


def _between(rows: Rows, begin_ns: int, end_ns: int) -> Rows:
    """Return the rows that count after one time and up to another."""
    times = rows["effective_ns"]
    return rows[(times > begin_ns) & (times <= end_ns)]


def _text(value: float) -> str:
    """Return the shortest text of a figure; what is no number is 0, which no check takes for a price.

    >>> _text(61837.64), _text(float("nan")), _text(1e-05)
    ('61837.64', '0', '0.00001')
    """
    value = float(value)
    if not 0.0 < value < 1e15:
        return "0"
    return np.format_float_positional(round(value, 12), trim="-")
