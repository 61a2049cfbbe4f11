"""The price table: one line for each instrument, columns by the room there is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from genesis.operators.records import MarketState
from genesis.tui import derived, figures, text
from genesis.tui.text import Block, Row, Span
from genesis.tui.views.look import Look, window

COURSE_MIN, COURSE_MIN_WIDE = 5, 16
"""A sparkline shorter than this says too little and is left out."""

COURSE_MAX = 60
"""A sparkline longer than this would repeat itself: there is one mid a second."""

NAME_MAX = 18
NAME_MIN = 10


class Column(NamedTuple):
    """A column of the table. ``rank`` says which are left out first: the greatest."""

    title: str
    brief: str
    cols: int
    rank: int
    align: str
    cell: Callable[[Look, int], Span]


def state_name(state: int) -> str:
    """Return the name of a market state, undefined while unknown."""
    known = state in set(MarketState) and state != MarketState.UNKNOWN
    return MarketState(state).name.lower() if known else figures.UNDEFINED


def state_colour(state: int) -> str:
    """Return the colour of a market state; its name says the same."""
    return {MarketState.VOLATILE: "amber", MarketState.PANIC: "amber", MarketState.NORMAL: "text"}.get(
        MarketState(state) if state in set(MarketState) else MarketState.UNKNOWN, "dim"
    )


def moved(ratio: float) -> Span:
    """Return a change: gains green with a plus, losses grey with a minus."""
    shown = figures.change(ratio)
    return ("good" if shown.startswith("+") else "dim", shown)


def _name(look: Look, place: int) -> Span:
    return ("strong" if place == look.selected else "text", look.name(place))


def _mid(look: Look, place: int) -> Span:
    return ("text", figures.price(float(look.figures.mid[place])))


def _minute(look: Look, place: int) -> Span:
    return moved(float(look.figures.minute_change[place]))


def _start(look: Look, place: int) -> Span:
    return moved(float(look.figures.start_change[place]))


def _side(field: str) -> Callable[[Look, int], Span]:
    return lambda look, place: ("dim", figures.price(float(look.model.board["quote"][field][place])))


def _spread(look: Look, place: int) -> Span:
    return ("text", figures.bps(float(look.figures.spread_bps[place])))


def _trades(look: Look, place: int) -> Span:
    return ("text", figures.rate(float(look.figures.trades_per_s[place])))


def _depth(look: Look, place: int) -> Span:
    row = look.model.board["liquidity"][place]
    return ("text", figures.short(float(row["bid_depth_notional"][1] + row["ask_depth_notional"][1])))


def _imbalance(look: Look, place: int) -> Span:
    value = float(look.model.board["liquidity"]["imbalance"][place])
    return ("text", figures.UNDEFINED if np.isnan(value) else f"{value:+.2f}")


def _volatility(look: Look, place: int) -> Span:
    return ("text", figures.ratio(float(look.model.board["state"]["volatility_ratio"][place])))


def _age(look: Look, place: int) -> Span:
    age_s = float(look.figures.age_s[place])
    return ("amber", figures.span(age_s)) if age_s >= derived.LATE_S else ("dim", "")


def _state(look: Look, place: int) -> Span:
    row = look.model.board["state"][place]
    mark = "~" if row["stale"] else ""
    return (state_colour(int(row["state"])), mark + state_name(int(row["state"])))


def _course(look: Look, place: int, cols: int) -> Span:
    return ("dim", figures.sparkline(look.figures.course[place].tolist(), cols))


COLUMNS = (
    Column("mid", "mid", 13, 0, ">", _mid),
    Column("minute", "minute", 9, 1, ">", _minute),
    Column("last minute", "", 0, 6, "<", lambda _look, _place: ("dim", "")),
    Column("since start", "start", 11, 7, ">", _start),
    Column("bid", "bid", 13, 11, ">", _side("bid_price")),
    Column("ask", "ask", 13, 10, ">", _side("ask_price")),
    Column("spread bps", "bps", 10, 2, ">", _spread),
    Column("trades/s", "trades/s", 8, 3, ">", _trades),
    Column("depth 10 bps", "depth", 12, 8, ">", _depth),
    Column("imbalance", "imbal.", 9, 12, ">", _imbalance),
    Column("volatility", "volat.", 10, 9, ">", _volatility),
    Column("age", "age", 6, 4, ">", _age),
    Column("state", "state", 12, 5, "<", _state),
)
"""The columns after the name. The one of no width is the sparkline: it takes what is left."""

_BRIEF_COLS = {"spread bps": 6, "mid": 12, "state": 9, "since start": 9, "age": 5}


class _Layout(NamedTuple):
    columns: tuple[Column, ...]
    name_cols: int
    course_cols: int
    gap: int


def _layout(look: Look) -> _Layout:
    longest = max((text.columns(look.name(place)) for place in look.places), default=0)
    name_cols = min(max(longest, NAME_MIN), NAME_MAX)
    gap = 2 if look.wide else 1
    columns = [c if look.wide else c._replace(cols=_BRIEF_COLS.get(c.title, c.cols)) for c in COLUMNS]
    left = look.cols - name_cols
    kept = set()
    for column in sorted(columns, key=lambda each: each.rank):
        need = gap + (column.cols or (COURSE_MIN_WIDE if look.wide else COURSE_MIN))
        if need > left:
            break
        kept.add(column.title)
        left -= need
    course = "last minute" in kept
    course_cols = min(left + (COURSE_MIN_WIDE if look.wide else COURSE_MIN), COURSE_MAX) if course else 0
    return _Layout(tuple(c for c in columns if c.title in kept), name_cols, course_cols, gap)


def _title(column: Column, look: Look) -> str:
    if column.title == "minute":
        seconds = look.figures.minute_s
        return "1 min" if seconds >= derived.MINUTE_S else f"{seconds} s"
    return column.title if look.wide else column.brief


def _header(look: Look, layout: _Layout) -> Row:
    made: Row = [("dim", text.pad("symbol", layout.name_cols))]
    for column in layout.columns:
        cols = column.cols or layout.course_cols
        made.append(("dim", " " * layout.gap + text.pad(_title(column, look), cols, column.align)))
    return text.row(made, look.cols)


def _line(look: Look, layout: _Layout, place: int) -> Row:
    old = float(look.figures.age_s[place]) >= derived.LATE_S
    attribute, name = _name(look, place)
    made: Row = [(attribute, text.pad(name, layout.name_cols))]
    for column in layout.columns:
        cols = column.cols or layout.course_cols
        attribute, shown = column.cell(look, place) if column.cols else _course(look, place, cols)
        if old and attribute in ("text", "good"):
            attribute = "dim"
        made.append((attribute, " " * layout.gap + text.pad(shown, cols, column.align)))
    return text.row(made, look.cols)


def prices(look: Look) -> Block:
    """Return the table: a line of titles and as many instruments as fit, the selected one among them."""
    layout = _layout(look)
    seen = window(look.at, len(look.places), look.rows - 1)
    lines = [_line(look, layout, look.places[i]) for i in seen]
    return text.tall([_header(look, layout), *lines], look.rows, look.cols)


def cursor_row(look: Look) -> int:
    """Return the row of the table on which the cursor is; -1 without instruments."""
    if not look.places:
        return -1
    return 1 + look.at - window(look.at, len(look.places), look.rows - 1).start
