"""The model: everything the screen can show, as a pure fold of batches.

Law: ``apply(model, batch)`` never changes ``model``, knows no clock, and any way of cutting the same
records into batches ends in the same model. Newest means newest by event time, and among equals the
last one in the log.

Of the account it holds what `affairs` keeps; of the market, one row for each instrument on a *board*: its
newest quote, signals and state, and a short memory of one mid and one trade count a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from genesis.connectors.run_file import RunFile
from genesis.operators import records
from genesis.operators.records import WATERMARK_FINAL_NS, WHOLE_MARKET, DeadLetter, Health, Market
from genesis.tui import affairs
from genesis.tui.affairs import NOTHING, Affairs
from genesis.tui.batch import (
    SECOND_NS,
    WINDOW_S,
    Batch,
    Part,
    Rows,
    correlation_key,
    gap_key,
    instrument,
    newest,
)
from genesis.tui.commands.errand import Answer, newest_answers

GAPS_MAX = 200
"""Gaps remembered, the newest by their start."""

DEAD_LETTERS_MAX = 50
"""Dead letters remembered, the newest."""

HISTORY_MAX = 60
"""Health records of the feed remembered: about a minute."""

BOARD = np.dtype(
    [
        ("quote", records.QUOTE.dtype),
        ("liquidity", records.LIQUIDITY.dtype),
        ("bar", records.BAR.dtype),
        ("state", records.MARKET_STATE.dtype),
        ("start_ns", "<i8"),
        ("start_mid", "<f8"),
        ("mid_ns", "<i8", (WINDOW_S,)),
        ("mid", "<f8", (WINDOW_S,)),
        ("trades", "<i8", (WINDOW_S,)),
    ]
)
"""One instrument. Times are 0 and floats NaN where nothing has been heard; column ``k`` of the
memories is the second ``newest_s - WINDOW_S + 1 + k``."""


class Instrument(NamedTuple):
    """A symbol in a market; sorts as on the screen."""

    market: int
    symbol: bytes

    @property
    def name(self) -> str:
        """The symbol as the venue writes it."""
        return self.symbol.decode(errors="replace")

    @property
    def market_name(self) -> str:
        """The market in lower case."""
        return market_name(self.market)


def market_name(market: int) -> str:
    """Return the name of a market; a number that is not known stays a number.

    >>> market_name(1), market_name(9)
    ('spot', '9')
    """
    return Market(market).name.lower() if market in set(Market) else str(market)


def _unknown(rows: int) -> Rows:
    """Return board rows of which nothing is known."""
    board = np.zeros(rows, BOARD)
    for name in ("quote", "liquidity", "bar", "state"):
        inner = board[name]
        for column in inner.dtype.names or ():
            if inner.dtype[column].base.kind == "f":
                inner[column] = np.nan
    board["start_mid"] = np.nan
    board["mid"] = np.nan
    return board


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What is known; see the module.

    Attributes
    ----------
    instruments, board
        The instruments in the order of the screen, and one BOARD row for each.
    newest_s
        Second of event time of the newest column of the board's memories; 0 before the first.
    markets
        MARKET_STATE rows of whole markets, by market.
    correlation
        The newest CORRELATION row of each pair and half-life, sorted by its key.
    gaps
        GAP rows, each in its last revision, sorted by start.
    watermarks
        Newest watermark of each tick partition.
    health, feed_history
        The last word of each component, and the last minute of the feed's words.
    heard_ns
        When something was last heard, by our monotonic clock; see ``Batch``.
    affairs
        What is known of the account.
    answers
        What became of the newest errands of the command line, by their numbers.
    run
        What the run file says of the system; None without one.
    messages, ticks, unreadable
        Totals since the screen was opened.
    """

    instruments: tuple[Instrument, ...] = ()
    board: Rows = field(default_factory=lambda: _unknown(0))
    newest_s: int = 0
    markets: Rows = field(default_factory=records.MARKET_STATE.empty)
    correlation: Rows = field(default_factory=records.CORRELATION.empty)
    gaps: Rows = field(default_factory=records.GAP.empty)
    watermarks: Mapping[Part, int] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)
    feed_history: tuple[Health, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    heard_ns: Mapping[str, int] = field(default_factory=dict)
    affairs: Affairs = NOTHING
    answers: Mapping[int, Answer] = field(default_factory=dict)
    run: RunFile | None = None
    messages: int = 0
    ticks: int = 0
    unreadable: int = 0

    @property
    def venue_ns(self) -> int:
        """The venue's time, as far as it is known here; 0 before the first tick."""
        marks = [mark for mark in self.watermarks.values() if mark < WATERMARK_FINAL_NS]
        quotes = self.board["quote"]["event_ns"]
        return max([0, *marks, *([int(quotes.max())] if quotes.size else [])])

    @property
    def ended(self) -> bool:
        """True when every tick partition has said that nothing more will come."""
        return bool(self.watermarks) and min(self.watermarks.values()) == WATERMARK_FINAL_NS


def apply(model: Model, batch: Batch) -> Model:
    """Return the model after the batch."""
    if batch.forget:
        model = Model(
            health=model.health,
            feed_history=model.feed_history,
            dead_letters=model.dead_letters,
            heard_ns=model.heard_ns,
            affairs=model.affairs,
            answers=model.answers,
            run=model.run,
            messages=model.messages,
            ticks=model.ticks,
            unreadable=model.unreadable,
        )
    if batch.rows:
        model = _apply_rows(model, batch.rows)
    feed = tuple(record for record in batch.health if record.component == "feed")
    known = {letter.id for letter in model.dead_letters}
    letters = model.dead_letters + tuple(each for each in batch.dead_letters if each.id not in known)
    return replace(
        model,
        watermarks={**model.watermarks, **batch.watermarks},
        health={**model.health, **{record.component: record for record in batch.health}},
        feed_history=(model.feed_history + feed)[-HISTORY_MAX:],
        dead_letters=letters[-DEAD_LETTERS_MAX:],
        heard_ns={**model.heard_ns, **batch.heard_ns},
        affairs=affairs.merge(model.affairs, batch.affairs),
        answers=newest_answers(model.answers, batch.answers),
        run=batch.run or model.run,
        messages=model.messages + batch.messages,
        ticks=model.ticks + batch.ticks,
        unreadable=model.unreadable + batch.unreadable,
    )


def _apply_rows(model: Model, rows: Mapping[str, Rows]) -> Model:
    by_instrument = {name: rows[name] for name in ("quotes", "trades", "liquidity", "bars") if name in rows}
    states = rows.get("market_state", model.markets[:0])
    whole = states["symbol"] == WHOLE_MARKET
    by_instrument["market_state"] = states[~whole]
    instruments, board = _with_room(model, by_instrument)
    seconds = [rows[name] for name in ("quotes", "trades") if name in rows]
    newest_s = max([model.newest_s, *(_last_second(each) for each in seconds)])
    _advance(board, newest_s - model.newest_s)
    index = {each: i for i, each in enumerate(instruments)}
    for name, column, order in _NEWEST:
        if name in by_instrument:
            _take(board[column], by_instrument[name], index, order)
    if "quotes" in rows:
        _remember_mids(board, rows["quotes"], index, newest_s)
    if "trades" in rows:
        _remember_trades(board, rows["trades"], index, newest_s)
    return replace(
        model,
        instruments=instruments,
        board=board,
        newest_s=newest_s,
        markets=_merged(model.markets, states[whole], lambda r: [r["market"]], "event_ns"),
        correlation=_merged(model.correlation, rows.get("correlation"), correlation_key, "sample_ns"),
        gaps=_recent(_merged(model.gaps, rows.get("gaps"), gap_key, "revision")),
    )


_NEWEST = (
    ("quotes", "quote", ("event_ns",)),
    ("liquidity", "liquidity", ("event_ns",)),
    ("bars", "bar", ("open_ns", "revision")),
    ("market_state", "state", ("event_ns",)),
)
"""Topic, its column on the board, and what makes a row newer than another."""


def _last_second(rows: Rows) -> int:
    seconds = rows["second"] if "second" in (rows.dtype.names or ()) else rows["event_ns"] // SECOND_NS
    return int(seconds.max(initial=0))


def _with_room(model: Model, rows: Mapping[str, Rows]) -> tuple[tuple[Instrument, ...], Rows]:
    """Return the instruments with the new ones among them, and a board of our own with their rows."""
    found: set[Instrument] = set()
    for each in rows.values():
        found.update(
            Instrument(m, s)
            for m, s in set(zip(each["market"].tolist(), each["symbol"].tolist(), strict=True))
        )
    if found <= set(model.instruments):
        return model.instruments, model.board.copy()
    instruments = tuple(sorted(found | set(model.instruments)))
    board = _unknown(len(instruments))
    places = {each: i for i, each in enumerate(instruments)}
    board[[places[each] for each in model.instruments]] = model.board
    return instruments, board


def _places(rows: Rows, index: Mapping[Instrument, int]) -> Any:
    pairs = zip(rows["market"].tolist(), rows["symbol"].tolist(), strict=True)
    return np.fromiter((index[Instrument(m, s)] for m, s in pairs), np.intp, rows.size)


def _advance(board: Rows, seconds: int) -> None:
    """Move the memories ``seconds`` to the left."""
    if seconds <= 0:
        return
    for name, empty in (("mid_ns", 0), ("mid", np.nan), ("trades", 0)):
        memory = board[name]
        kept = max(WINDOW_S - seconds, 0)
        memory[:, :kept] = memory[:, WINDOW_S - kept :].copy()
        memory[:, kept:] = empty


def _take(column: Rows, rows: Rows, index: Mapping[Instrument, int], order: tuple[str, ...]) -> None:
    """Write into the column the newest row of each instrument, where it is newer than what is there."""
    rows = newest(rows, instrument(rows), [rows[name] for name in order])
    places = _places(rows, index)
    there = column[places]
    newer = np.zeros(rows.size, bool)
    for name in reversed(order):
        newer = (rows[name] > there[name]) | ((rows[name] == there[name]) & (newer | (name == order[-1])))
    column[places[newer]] = rows[newer]


def _remember_mids(board: Rows, rows: Rows, index: Mapping[Instrument, int], newest_s: int) -> None:
    second = rows["event_ns"] // SECOND_NS
    rows = newest(rows, [*instrument(rows), second], [rows["event_ns"]])
    second, places = rows["event_ns"] // SECOND_NS, _places(rows, index)
    mids = mid_price(rows)
    for i, at, s, mid in zip(
        places.tolist(), rows["event_ns"].tolist(), second.tolist(), mids.tolist(), strict=True
    ):
        cell = board[i]
        start_s = int(cell["start_ns"]) // SECOND_NS
        if cell["start_ns"] == 0 or s < start_s or (s == start_s and at >= cell["start_ns"]):
            cell["start_ns"], cell["start_mid"] = at, mid
        column = s - newest_s + WINDOW_S - 1
        if column >= 0 and at >= cell["mid_ns"][column]:
            cell["mid_ns"][column], cell["mid"][column] = at, mid


def _remember_trades(board: Rows, rows: Rows, index: Mapping[Instrument, int], newest_s: int) -> None:
    column = rows["second"] - newest_s + WINDOW_S - 1
    seen = column >= 0
    np.add.at(board["trades"], (_places(rows[seen], index), column[seen]), rows["count"][seen])


def mid_price(quotes: Rows) -> Any:
    """Return the mid of best bid and ask in quote asset, NaN without both; shape as ``quotes``."""
    bid, ask = quotes["bid_price"], quotes["ask_price"]
    return np.where((bid > 0.0) & (ask > 0.0), (bid + ask) / 2.0, np.nan)


def _merged(old: Rows, new: Rows | None, key: Any, order: str) -> Rows:
    """Return the newest row of each key, sorted by key."""
    if new is None or new.size == 0:
        return old
    both = np.concatenate((old, new))
    return newest(both, key(both), [both[order]])


def _recent(gaps: Rows) -> Rows:
    """Return the newest gaps, sorted by their start."""
    if gaps.size < 2:
        return gaps
    order = np.lexsort((*reversed(gap_key(gaps)[:-1]), gaps["start_ns"]))
    return gaps[order[-GAPS_MAX:]]
