"""Shard fold: the ticks of one shard in, its bars, liquidity, measures and samples out; a pure fold.

Law: what comes out, taken together, depends on the rows that came in and on nothing else: not on
how they were cut into batches, nor on how the topics were interleaved.

Trades, quotes and gaps wait until the shard's watermark (the least of their three) has passed
them and are folded in fold order; a book row gives its liquidity at once. A row that counts at or
before the watermark breaks its partition's promise; it counts at the earliest time still open.
Under the final watermark everything is folded, and every bar and slice that holds something closes; seconds
and minutes of `measures` only when they have ended.
A frame after that opens the shard again where its rows ended.

Refused, with a reason, are trades without a usable price or quantity, and late trades whose bar is
no longer kept. Quotes without a usable price are kept: they say that there is none.
"""

import json
from typing import NamedTuple

import numpy as np

from genesis.operators import bar_ranges, repeats, sampling, standings, waiting
from genesis.operators import bars as bars_of
from genesis.operators import instruments as instruments_of
from genesis.operators import measures as measures_of
from genesis.operators.arrays import NEVER_NS, Bools, Ints, Rows, copied, in_words, together
from genesis.operators.interval_volatility import SECOND_NS
from genesis.operators.liquidity import liquidity
from genesis.operators.records import (
    BAR,
    BOOK,
    GAP,
    QUOTE,
    TRADE,
    WATERMARK_FINAL_NS,
    StreamKind,
)
from genesis.operators.sampling import SLICE_NS
from genesis.operators.waiting import EFFECTIVE, Ticks

TRADES, QUOTES, BOOKS, GAPS = range(4)
"""The topics of a shard, in the order of ``Arrivals.rows``."""

WAITED = [TRADES, QUOTES, GAPS]
"""The topics whose watermarks close cells; the book waits for nobody and nobody for it."""

SCHEMAS = (TRADE, QUOTE, BOOK, GAP)

_WORDS = {schema.name: in_words(schema) for schema in (TRADE, QUOTE, GAP, BAR)}

_NO_QUOTES = Ticks(np.empty((0, 4), np.int64), np.empty((0, 4)))

_NAME = np.dtype([("symbol_0", "<u8"), ("symbol_1", "<u8"), ("market", "<i8")])


HELD_MAX = 512
"""So many ticks are measured at once, or those of a second: a call costs as much as some hundred ticks."""


class Arrivals(NamedTuple):
    """What came in for one shard: rows of trades, quotes, book and gaps, and the newest promises."""

    rows: tuple[Rows, Rows, Rows, Rows]
    watermarks_ns: tuple[int, int, int, int]  # NEVER_NS for a topic without one; not the final one
    ended: tuple[int, int, int, int]  # 1 when the newest frame has the final watermark, 0 not, -1 no frame


class Refused(NamedTuple):
    """A row that could not be used: a stable reason, a sentence, and the row as JSON text."""

    reason: str
    detail: str
    payload: str
    at_ns: int  # when it was received; for a late trade, when it counts


class Counts(NamedTuple):
    """What happened so far, in rows."""

    folded: int = 0
    repeats: int = 0  # trades that had been folded before
    early: int = 0  # rows that broke a promise
    too_late: int = 0  # late trades whose bar is no longer kept

    def more(self, folded: int, early: int) -> "Counts":
        """Return the counts with rows that came in."""
        return self._replace(folded=self.folded + folded, early=self.early + early)


class Held(NamedTuple):
    """What has been folded, but not measured yet."""

    trades: Ticks
    quotes: Ticks
    gaps: Rows  # GAP


class Shard(NamedTuple):
    """The state of one shard; arrays by slot, ready to be pickled."""

    instruments: instruments_of.Instruments
    trades: waiting.Waiting
    quotes: waiting.Waiting
    gaps: Rows  # GAP, waiting
    seen: repeats.Seen
    bars: bars_of.Bars
    traded: sampling.Samples
    quoted: sampling.Samples
    ranges: bar_ranges.BarRanges
    held: tuple[Held, ...]  # in fold order
    measures: measures_of.Measures  # of all that is not held
    standing: standings.Waiting
    watermarks_ns: Ints  # shape (4,): the newest promise of each topic, but for the final one
    ended: Bools  # shape (4,): whether the final watermark has come
    folded_ns: int  # everything that counts at or before this has been folded
    counts: Counts


class Folded(NamedTuple):
    """What a batch brought about."""

    bars: Rows  # BAR, sorted by (effective_ns, revision, interval, market, symbol)
    liquidity: Rows  # LIQUIDITY, in the order of the books
    samples: Rows  # sampling.SAMPLE, of slices that ended
    measured: measures_of.Measured  # its candidates are those whose minute the books have passed too
    minute_ns: int  # all candidates of minutes that end at or before this have been named
    gaps: Rows  # GAP, folded now, effective_ns as it was counted
    refused: list[Refused]
    watermark_ns: int  # of bars: no later bar row counts at or before this
    book_watermark_ns: int
    closed_ns: int  # all slices that end at or before this have ended
    quiet_ns: int  # the same by event time alone, without the final watermark


def new_shard() -> Shard:
    """Return the state before the first row."""
    return Shard(
        instruments_of.no_instruments(),
        (),
        (),
        GAP.empty(),
        repeats.nothing_seen(),
        bars_of.no_bars(),
        sampling.no_samples(),
        sampling.no_samples(),
        bar_ranges.no_ranges(),
        (),
        measures_of.no_measures(),
        standings.nothing_waits(),
        np.full(4, NEVER_NS),
        np.zeros(4, np.bool_),
        NEVER_NS,
        Counts(),
    )


def kept(shard: Shard) -> Shard:
    """Return a copy to keep: nothing in it changes later, and what waits is in one piece."""
    rooms = [waiting.admit((), waiting.together(room), NEVER_NS)[0] for room in (shard.trades, shard.quotes)]
    return copied(shard._replace(trades=rooms[0], quotes=rooms[1]))


def fold(shard: Shard, arrived: Arrivals) -> tuple[Shard, Folded]:
    """Return the state after a batch, and what it brought about. ``shard`` is used up.

    Examples
    --------
    >>> trade = TRADE.empty(1)
    >>> trade["event_ns"] = trade["effective_ns"] = trade["trade_id"] = 5
    >>> trade["price"], trade["qty"], trade["symbol"], trade["market"] = 10.0, 1.0, b"BTCUSDT", 1
    >>> rows = (trade, QUOTE.empty(), BOOK.empty(), GAP.empty())
    >>> _, folded = fold(new_shard(), Arrivals(rows, (NEVER_NS,) * 4, ended=(1, 1, 1, 1)))
    >>> [int(interval) for interval in folded.bars["interval_ns"] // 10**9], folded.samples.size
    ([1, 60, 300, 3600], 1)
    """
    refused: list[Refused] = []
    shard = _admitted(shard, arrived, refused)
    np.maximum(shard.watermarks_ns, arrived.watermarks_ns, out=shard.watermarks_ns)
    told = np.array(arrived.ended)
    shard.ended[told >= 0] = told[told >= 0] == 1
    promise_ns = np.where(shard.ended, WATERMARK_FINAL_NS, shard.watermarks_ns)
    watermark_ns = int(promise_ns[WAITED].min())
    shard, found = _with_books(shard, arrived.rows[BOOKS])
    nothing = Folded(
        BAR.empty(),
        found,
        np.empty(0, sampling.SAMPLE),
        measures_of.nothing_measured(),
        NEVER_NS,
        GAP.empty(),
        refused,
        max(watermark_ns, shard.folded_ns),
        int(promise_ns[BOOKS]),
        _boundary(max(watermark_ns, shard.folded_ns)),
        _boundary(int(shard.watermarks_ns[WAITED].min())),
    )
    folded = nothing
    if watermark_ns > shard.folded_ns:
        shard, folded = _passed(shard, watermark_ns, nothing)
    return _told(shard, folded)


def _with_books(shard: Shard, books: Rows) -> tuple[Shard, Rows]:
    """Return the shard with the depth of the books in it, and their liquidity."""
    found = liquidity(books)
    if not books.size:
        return shard, found
    names = np.empty(books.size, _NAME)
    names["market"] = books["market"]
    symbols = np.ascontiguousarray(books["symbol"]).view("<u8").reshape(-1, 2)
    names["symbol_0"], names["symbol_1"] = symbols[:, 0], symbols[:, 1]
    table, slots = instruments_of.slots_of(shard.instruments, names)
    standing = standings.with_books(shard.standing, slots, books["effective_ns"], found)
    return shard._replace(instruments=table, standing=standing), found


def _told(shard: Shard, folded: Folded) -> tuple[Shard, Folded]:
    """Return the shard, and what it tells of minutes that the books have passed too."""
    candidates = folded.measured.candidates
    standing, told, minute_ns = standings.tell(
        shard.standing, candidates, folded.closed_ns, folded.book_watermark_ns
    )
    measured = folded.measured._replace(candidates=told)
    return shard._replace(standing=standing), folded._replace(measured=measured, minute_ns=minute_ns)


def _boundary(watermark_ns: int) -> int:
    """Return the end of the newest slice that a watermark has passed."""
    return watermark_ns if watermark_ns == WATERMARK_FINAL_NS else (watermark_ns + 1) // SLICE_NS * SLICE_NS


def _admitted(shard: Shard, arrived: Arrivals, refused: list[Refused]) -> Shard:
    """Return the shard with the arrived rows in its waiting rooms."""
    floor_ns, counts = shard.folded_ns + 1, shard.counts
    trades, quotes, _, gaps = arrived.rows
    if trades.size:
        trades = _usable(trades, refused)
        table, keys, values = instruments_of.trade_ticks(shard.instruments, trades.view(_WORDS["trade"]))
        room, early = waiting.admit(shard.trades, Ticks(keys, values), floor_ns)
        shard, counts = shard._replace(instruments=table, trades=room), counts.more(trades.size, early)
    if quotes.size:
        table, keys, values = instruments_of.quote_ticks(shard.instruments, quotes.view(_WORDS["quote"]))
        room, early = waiting.admit(shard.quotes, Ticks(keys, values), floor_ns)
        shard, counts = shard._replace(instruments=table, quotes=room), counts.more(quotes.size, early)
    if gaps.size:
        table, _ = instruments_of.slots_of(shard.instruments, gaps.view(_WORDS["gap"]))
        gaps = gaps.copy()
        early = int(np.count_nonzero(gaps["effective_ns"] < floor_ns))
        gaps["effective_ns"] = np.maximum(gaps["effective_ns"], floor_ns)
        shard = shard._replace(instruments=table, gaps=together([shard.gaps, gaps]))
        counts = counts.more(0, early)
    return shard._replace(counts=counts)


def _usable(trades: Rows, refused: list[Refused]) -> Rows:
    price, qty = trades["price"], trades["qty"]
    good = (price > 0.0) & (price < np.inf) & (qty >= 0.0) & (qty < np.inf)
    if good.all():
        return trades
    for row in trades[~good]:
        what = f"price {row['price']} and quantity {row['qty']} of trade {row['trade_id']} cannot be used"
        text = {name: str(row[name]) for name in ("market", "trade_id", "event_ns", "price", "qty")}
        text["symbol"] = row["symbol"].decode(errors="replace")
        refused.append(Refused("bad_trade", what, json.dumps(text), int(row["recv_ns"])))
    return trades[good]


def _passed(shard: Shard, watermark_ns: int, folded: Folded) -> tuple[Shard, Folded]:
    """Fold everything that counts at or before a newer watermark."""
    names, slots, before_ns = shard.instruments.names, shard.instruments.size, shard.folded_ns
    trades_left, trades = waiting.release(shard.trades, watermark_ns)
    quotes_left, quotes = waiting.release(shard.quotes, watermark_ns)
    going = shard.gaps["effective_ns"] <= watermark_ns
    gaps = shard.gaps[going]
    gaps = gaps[np.lexsort([gaps[name] for name in ("revision", "stream", "start_ns", "effective_ns")])]
    until_ns = _boundary(watermark_ns) if _boundary(watermark_ns) != _boundary(shard.folded_ns) else 0
    seen, new = repeats.unseen(repeats.with_slots(shard.seen, slots), trades)
    again = new.size - int(np.count_nonzero(new))
    if again:
        trades = Ticks(trades.keys[new], trades.values[new])
    bars, bar_rows, too_late = _fold_bars(
        bars_of.with_slots(shard.bars, slots), trades, until_ns, gaps, shard
    )
    traded, trade_rows = sampling.sample(
        sampling.with_slots(shard.traded, slots), trades, until_ns, names, of_quotes=False
    )
    quoted, quote_rows = sampling.sample(
        sampling.with_slots(shard.quoted, slots), quotes, until_ns, names, of_quotes=True
    )
    refused = folded.refused + _late(trades, too_late, shard.instruments)
    counts = shard.counts._replace(
        repeats=shard.counts.repeats + again, too_late=shard.counts.too_late + int(np.count_nonzero(too_late))
    )
    newest_ns = max([shard.folded_ns, *(int(t.keys[-1, EFFECTIVE]) for t in (trades, quotes) if t.keys.size)])
    newest_ns = max(newest_ns, int(gaps["effective_ns"].max(initial=NEVER_NS)))
    shard = shard._replace(
        trades=trades_left,
        quotes=quotes_left,
        gaps=shard.gaps[~going],
        seen=seen,
        bars=bars,
        traded=traded,
        quoted=quoted,
        folded_ns=newest_ns if watermark_ns == WATERMARK_FINAL_NS else watermark_ns,
        counts=counts,
    )
    samples = together([quote_rows, trade_rows])
    shard = _with_ranges(shard, bar_rows)
    shard, measured = _measured(shard, Held(trades, quotes, gaps), before_ns)
    return shard, folded._replace(
        bars=bar_rows, samples=samples, measured=measured, gaps=gaps, refused=refused
    )


def _with_ranges(shard: Shard, rows: Rows) -> Shard:
    """Write the average true range into bars."""
    if not rows.size:
        return shard
    _, slots = instruments_of.slots_of(shard.instruments, rows.view(_WORDS["bar"]))
    ranges = bar_ranges.with_slots(shard.ranges, shard.instruments.size)
    return shard._replace(ranges=bar_ranges.fold(ranges, slots, rows))


def _measured(shard: Shard, held: Held, before_ns: int) -> tuple[Shard, measures_of.Measured]:
    """Hold ticks and gaps until they are many or a second has ended since ``before_ns``; then measure them.

    When they are taken changes nothing of what they give.
    """
    shard = shard._replace(held=(*shard.held, held))
    many = sum(each.trades.keys.shape[0] + each.quotes.keys.shape[0] for each in shard.held) >= HELD_MAX
    if not many and (shard.folded_ns + 1) // SECOND_NS == (before_ns + 1) // SECOND_NS:
        return shard, measures_of.nothing_measured()
    gaps = together([each.gaps for each in shard.held])
    _, slots = instruments_of.slots_of(shard.instruments, gaps.view(_WORDS["gap"]))
    trades, quotes = (
        measures_of.with_gaps(
            Ticks(
                np.concatenate([part.keys for part in parts]), np.concatenate([part.values for part in parts])
            ),
            *(slots, gaps, stream),
        )
        for parts, stream in (
            ([each.trades for each in shard.held], StreamKind.TRADES),
            (
                [each.quotes for each in shard.held if each.quotes.keys.size] or [_NO_QUOTES],
                StreamKind.QUOTES,
            ),
        )
    )
    measures = measures_of.with_slots(shard.measures, shard.instruments.size)
    measures, measured, slots = measures_of.fold(measures, quotes, trades, shard.folded_ns + 1)
    measured = measures_of.named(measured, slots, shard.instruments)
    return shard._replace(measures=measures, held=()), measured


def _fold_bars(
    bars: bars_of.Bars, trades: Ticks, until_ns: int, gaps: Rows, shard: Shard
) -> tuple[bars_of.Bars, Rows, Bools]:
    """Fold trades and the gaps among them; at the same time the gap comes first."""
    names = shard.instruments.names
    found, marks, begin = [], [], 0
    mine = gaps[gaps["stream"] == StreamKind.TRADES]
    for gap, slot in zip(
        mine, instruments_of.slots_of(shard.instruments, mine.view(_WORDS["gap"]))[1], strict=True
    ):
        effective_ns = int(gap["effective_ns"])
        end = int(np.searchsorted(trades.keys[:, EFFECTIVE], effective_ns))
        part = Ticks(trades.keys[begin:end], trades.values[begin:end])
        bars, rows, late = bars_of.fold_trades(bars, part, effective_ns, names)
        end_ns = int(gap["end_ns"]) or bars_of.OPEN_NS
        bars, amended = bars_of.apply_gap(bars, slot, (int(gap["start_ns"]), end_ns, effective_ns), names)
        found += [rows, amended]
        marks.append(late)
        begin = end
    part = Ticks(trades.keys[begin:], trades.values[begin:])
    bars, rows, late = bars_of.fold_trades(bars, part, until_ns, names)
    rows, late = together([*found, rows]), np.concatenate([*marks, late])
    if rows.size:
        rows = rows[
            instruments_of.by_name(rows, "effective_ns", "revision", "interval_ns", after=("open_ns",))
        ]
    return bars, rows, late


def _late(trades: Ticks, too_late: Bools, table: instruments_of.Instruments) -> list[Refused]:
    if not too_late.any():
        return []
    symbols, markets = instruments_of.symbols(table), instruments_of.markets(table)
    found = []
    for (effective_ns, event_ns, slot, trade_id), (price, _) in zip(
        trades.keys[too_late].tolist(), trades.values[too_late].tolist(), strict=True
    ):
        late_s = (effective_ns - event_ns) / 1e9
        symbol = symbols[slot].decode(errors="replace")
        text = {"market": int(markets[slot]), "symbol": symbol, "trade_id": trade_id, "event_ns": event_ns}
        what = f"trade {trade_id} of {symbol} is {late_s:.3f} s late; a bar it belongs to is no longer kept"
        found.append(Refused("too_late_to_amend", what, json.dumps(text | {"price": price}), effective_ns))
    return found
