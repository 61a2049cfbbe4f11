"""Batches: what one reading of the topics brought, conflated to what a screen can show.

Law: folding the conflated batch gives the same model as folding its messages one by one. That holds
because a batch keeps, of each stream, exactly the rows that could be seen: the newest quote of every
instrument and second, the number of trades in it, the newest signal of every key.

A thousand quotes become as many rows as there are instruments, so what follows costs almost nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from genesis.connectors import frames
from genesis.connectors.run_file import RunFile
from genesis.operators import records, topics
from genesis.operators.records import DeadLetter, Health, RowSchema, symbol_words
from genesis.operators.topics import Topic
from genesis.tui import affairs
from genesis.tui.affairs import NOTHING, Affairs
from genesis.tui.commands.errand import Answer, newest_answers

Rows = np.ndarray[Any, np.dtype[Any]]
Ints = npt.NDArray[np.int64]
Part = tuple[str, int]

WINDOW_S = 64
"""Seconds of event time that the screen remembers of each instrument."""

BAR_NS = 60_000_000_000
"""The bar that the screen shows: one minute."""

REWIND_NS = 10_000_000_000
"""A partition whose watermark falls back by more than this has begun another story: a new replay."""

RECORDS_MAX = 500
"""Most health records and most dead letters in one batch; the oldest give way."""

SECOND_NS = 1_000_000_000

COUNT = np.dtype(
    [("second", "<i8"), ("count", "<i8"), ("symbol", f"S{records.SYMBOL_BYTES}"), ("market", "i1")]
)
"""Trades of one instrument in one second of event time."""

TICKS = ("view", "gaps")
"""Topics of the feed that the screen reads. The view holds what it can show of trades, quotes and books."""

FRAMES = (*TICKS, "bars", "correlation", "market_state")
"""Topics of rows that the screen reads."""


class Message(Protocol):
    """What is needed of a Kafka message; see ``genesis.connectors.kafka.Message``."""

    @property
    def topic(self) -> Topic:
        """The topic it came from."""

    @property
    def partition(self) -> int:
        """The partition it came from."""

    @property
    def value(self) -> bytes:
        """A frame or a JSON record."""

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """The headers of the frame."""

    @property
    def restarted(self) -> bool:
        """True for the first message of a log that began anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Conflated records.

    Attributes
    ----------
    rows
        Rows by topic: those of the view as ``quotes``, ``liquidity`` and, as ``COUNT`` rows, ``trades``.
    watermarks
        The newest watermark of each (topic, partition), in the order of its log.
    heard_ns
        When something was last heard, by our monotonic clock: of ``feed ticks``, of ``anything``,
        of ``account status``, and of each component that says how it is.
    forget
        True when the story began anew: what was shown before is no longer true.
    affairs
        What was said of the account that is shown.
    answers
        What became of errands of the command line, by their numbers.
    run
        What the run file says of the system, if there is news.
    messages, ticks, unreadable
        How many messages came, how many ticks were in them, and how many could not be read.
    """

    rows: Mapping[str, Rows] = field(default_factory=dict)
    health: tuple[Health, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    watermarks: Mapping[Part, int] = field(default_factory=dict)
    heard_ns: Mapping[str, int] = field(default_factory=dict)
    forget: bool = False
    affairs: Affairs = NOTHING
    answers: Mapping[int, Answer] = field(default_factory=dict)
    run: RunFile | None = None
    messages: int = 0
    ticks: int = 0
    unreadable: int = 0


def newest(rows: Rows, keys: Sequence[Any], order: Sequence[Any]) -> Rows:
    """Return one row for each distinct key: the greatest by ``order``, among equals the last one.

    Parameters
    ----------
    rows
        Rows in the order of their log, shape (n,).
    keys, order
        Columns of shape (n,); of ``order`` the first decides first.
    """
    if rows.size < 2:
        return rows
    sorted_by = np.lexsort((*reversed(order), *reversed(keys)))
    return rows[sorted_by[_last_of_each(keys, sorted_by)]]


def _last_of_each(keys: Sequence[Any], sorted_by: Ints) -> npt.NDArray[np.bool_]:
    last = np.zeros(sorted_by.size, bool)
    last[-1] = True
    for key in keys:
        column = key[sorted_by]
        last[:-1] |= column[:-1] != column[1:]
    return last


def instrument(rows: Rows) -> list[Any]:
    """Return the columns that tell instruments apart, in the order of the screen."""
    return [rows["market"], *symbol_words(rows["symbol"])]


def correlation_key(rows: Rows) -> list[Any]:
    """Return the columns that tell pairs and half-lives apart."""
    names = [rows["half_life_ns"], rows["market_a"], *symbol_words(rows["symbol_a"])]
    return [*names, rows["market_b"], *symbol_words(rows["symbol_b"])]


def gap_key(rows: Rows) -> list[Any]:
    """Return the columns that tell gaps apart."""
    return [*instrument(rows), rows["stream"], rows["start_ns"]]


def _quotes(rows: Rows) -> Rows:
    second = rows["event_ns"] // SECOND_NS
    rows = newest(rows, [*instrument(rows), second], [rows["event_ns"]])
    second = rows["event_ns"] // SECOND_NS
    border = np.ones(
        rows.size, bool
    )  # the first and the last row of each instrument: sorted, so at its borders
    for column in instrument(rows):
        border[1:-1] &= (column[1:-1] == column[:-2]) & (column[1:-1] == column[2:])
    border[1:-1] = ~border[1:-1]
    kept: Rows = rows[border | (second > second.max(initial=0) - WINDOW_S)]
    return kept


def _counts(rows: Rows) -> Rows:
    if rows.size == 0:
        return rows
    keys = [*instrument(rows), rows["second"]]
    sorted_by = np.lexsort(tuple(reversed(keys)))
    last = _last_of_each(keys, sorted_by)
    first = np.flatnonzero(np.concatenate(([True], last[:-1])))
    counted: Rows = rows[sorted_by[last]]
    counted["count"] = np.add.reduceat(rows["count"][sorted_by], first)
    final = _last_of_each(instrument(counted), np.arange(counted.size))
    kept: Rows = counted[final | (counted["second"] > counted["second"].max() - WINDOW_S)]
    return kept


def _bars(rows: Rows) -> Rows:
    rows = rows[rows["interval_ns"] == BAR_NS]
    return newest(rows, instrument(rows), [rows["open_ns"], rows["revision"]])


def _by_event(rows: Rows) -> Rows:
    return newest(rows, instrument(rows), [rows["event_ns"]])


CONFLATE: Mapping[str, Callable[[Rows], Rows]] = {
    "quotes": _quotes,
    "trades": _counts,
    "liquidity": _by_event,
    "bars": _bars,
    "market_state": _by_event,
    "correlation": lambda rows: newest(rows, correlation_key(rows), [rows["sample_ns"]]),
    "gaps": lambda rows: newest(rows, gap_key(rows), [rows["revision"]]),
}


def parts_of(view: Rows) -> dict[str, Rows]:
    """Return the quotes, counts of trades, and liquidity that are in rows of the view, by topic."""
    quotes = view[view["quote_ns"] > 0]
    trades = view[view["trade_count"] > 0]
    books = view[view["book_ns"] > 0]
    made = {
        "quotes": _filled(records.QUOTE.empty(quotes.size), quotes, "quote_ns"),
        "trades": np.zeros(trades.size, COUNT),
        "liquidity": _filled(records.LIQUIDITY.empty(books.size), books, "book_ns"),
    }
    for name in ("second", "symbol", "market"):
        made["trades"][name] = trades[name]
    made["trades"]["count"] = trades["trade_count"]
    return {name: rows for name, rows in made.items() if rows.size}


def _filled(rows: Rows, view: Rows, time: str) -> Rows:
    """Return ``rows`` with every column that the view has, and its time; floats it has not are NaN."""
    for name in rows.dtype.names or ():
        if name in (view.dtype.names or ()):
            rows[name] = view[name]
        elif rows.dtype[name].base.kind == "f":
            rows[name] = np.nan
    rows["event_ns"] = view[time]
    return rows


class Gatherer:
    """Turns messages into batches; remembers only how far each partition has come.

    Parameters
    ----------
    account_id
        The account that is shown; what is said of others is left out.
    """

    def __init__(self, account_id: str = "main") -> None:
        self._account_id = account_id
        self._far_ns: dict[Part, int] = {}

    def gather(self, messages: Iterable[Message], heard_ns: int) -> Batch:
        """Return the messages as one batch. ``heard_ns`` is now, by our monotonic clock."""
        gathering = _Gathering()
        for message in messages:
            gathering.messages += 1
            if isinstance(message.topic.schema, RowSchema):
                self._frame(gathering, message, message.topic.schema, heard_ns)
            elif message.topic.name in affairs.TOPICS:
                gathering.told(message, self._account_id, heard_ns)
            else:
                gathering.record(message, heard_ns)
            gathering.heard_ns["anything"] = heard_ns
        return gathering.batch()

    def _frame(self, gathering: "_Gathering", message: Message, schema: RowSchema, heard_ns: int) -> None:
        try:
            frame = frames.decode(schema, message.value, message.headers)
        except frames.FrameError:
            gathering.unreadable += 1
            return
        name, part = message.topic.name, (message.topic.name, message.partition)
        if name in TICKS:
            if message.restarted or self._rewound(part, frame.watermark_ns):
                self._far_ns.clear()
                gathering.begin_anew()
            if 0 < frame.watermark_ns < records.WATERMARK_FINAL_NS:
                self._far_ns[part] = max(frame.watermark_ns, self._far_ns.get(part, 0))
            gathering.heard_ns["feed ticks"] = heard_ns
            gathering.watermarks[part] = frame.watermark_ns
        if name == "view":
            gathering.ticks += int(frame.rows["tick_count"].sum())
        if frame.rows.size:
            gathering.rows.setdefault(name, []).append(frame.rows)

    def _rewound(self, part: Part, watermark_ns: int) -> bool:
        return 0 < watermark_ns < self._far_ns.get(part, 0) - REWIND_NS


class _Gathering:
    """A batch in the making."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Rows]] = {}
        self.health: list[Health] = []
        self.dead_letters: list[DeadLetter] = []
        self.watermarks: dict[Part, int] = {}
        self.heard_ns: dict[str, int] = {}
        self.forget = False
        self.affairs = NOTHING
        self.messages = self.ticks = self.unreadable = 0

    def begin_anew(self) -> None:
        self.rows.clear()
        self.watermarks.clear()
        self.forget = True

    def record(self, message: Message, heard_ns: int) -> None:
        try:
            if message.topic is topics.HEALTH:
                self.health.append(msgspec.json.decode(message.value, type=Health))
                self.heard_ns[self.health[-1].component] = heard_ns
            elif message.topic is topics.DEAD_LETTERS:
                self.dead_letters.append(msgspec.json.decode(message.value, type=DeadLetter))
        except msgspec.MsgspecError:
            self.unreadable += 1

    def told(self, message: Message, account_id: str, heard_ns: int) -> None:
        try:
            found = affairs.decoded(message.topic.name, message.value, account_id)
        except msgspec.MsgspecError:
            self.unreadable += 1
            return
        if found is None:
            return
        self.affairs = affairs.merge(self.affairs, found)
        if found.status is not None:
            self.heard_ns["account status"] = heard_ns

    def batch(self) -> Batch:
        joined = {name: np.concatenate(parts) for name, parts in self.rows.items()}
        if "view" in joined:
            joined |= parts_of(joined.pop("view"))
        return Batch(
            rows={name: CONFLATE[name](rows) for name, rows in joined.items()},
            health=tuple(self.health[-RECORDS_MAX:]),
            dead_letters=tuple(self.dead_letters[-RECORDS_MAX:]),
            watermarks=self.watermarks,
            heard_ns=self.heard_ns,
            forget=self.forget,
            affairs=self.affairs,
            messages=self.messages,
            ticks=self.ticks,
            unreadable=self.unreadable,
        )


def merge(first: Batch, then: Batch) -> Batch:
    """Return the two batches as one: what a reader that came late would have seen."""
    rows: dict[str, Rows] = {} if then.forget else dict(first.rows)
    for name, more in then.rows.items():
        rows[name] = CONFLATE[name](np.concatenate((rows[name], more))) if name in rows else more
    return Batch(
        rows=rows,
        health=(first.health + then.health)[-RECORDS_MAX:],
        dead_letters=(first.dead_letters + then.dead_letters)[-RECORDS_MAX:],
        watermarks=then.watermarks if then.forget else {**first.watermarks, **then.watermarks},
        heard_ns={**first.heard_ns, **then.heard_ns},
        forget=first.forget or then.forget,
        affairs=affairs.merge(first.affairs, then.affairs),
        answers=newest_answers(first.answers, then.answers),
        run=then.run or first.run,
        messages=first.messages + then.messages,
        ticks=first.ticks + then.ticks,
        unreadable=first.unreadable + then.unreadable,
    )
