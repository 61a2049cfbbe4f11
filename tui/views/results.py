"""The results screen: a calendar of days, results by pair and by hour, and state of mind against result."""

import math

from genesis.tui import accounting, figures, text
from genesis.tui.accounting import Cell, Result
from genesis.tui.affairs import Books
from genesis.tui.text import Block, Row, Span
from genesis.tui.views import panels
from genesis.tui.views.look import Look, joined

MARGIN = 3
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK_COLS = 8
CELL_MIN, CELL_MAX = 9, 12
WEEKS_MIN = 4
WEEKS_MAX = 12
BESIDE_COLS = 110
HOUR_COLS = 2
UNKNOWN = "not known: nobody has said it"
NO_LEDGER = "The calendar is in the ledger, which is not read here yet"


def screen(look: Look) -> Block:
    """Return the screen ``results`` in exactly the room given."""
    inner = look.within(look.cols - 2 * MARGIN, look.rows)
    books = look.affairs.books
    if books is None:
        block = [text.row([("dim", NO_LEDGER)], inner.cols)]
    elif inner.cols >= BESIDE_COLS:
        left = min(inner.cols * 2 // 3, WEEK_COLS + 7 * CELL_MAX + 3)
        right = inner.cols - left
        side = _side(inner.within(right - 3, inner.rows), books)
        main = [*_calendar(inner.within(left, inner.rows - 6), books), text.blank(left)]
        main += hours(inner.within(left, inner.rows - len(main)))
        block = text.beside(main, text.indent(side, 3, right), left, right)
    else:
        block = _stacked(inner, books)
    if look.account.dim or look.fresh.dim:
        block = text.dimmed(block)
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)


def _stacked(look: Look, books: Books) -> Block:
    below = [text.blank(look.cols), *_brief(look, books), text.blank(look.cols), *hours(look)]
    return [*_calendar(look.within(look.cols, look.rows - len(below)), books), *below]


def _calendar(look: Look, books: Books) -> Block:
    """Return the last weeks, one a line, a day a cell: a gain with a plus, a loss with a minus."""
    weeks = min(max(look.rows - 2, WEEKS_MIN), WEEKS_MAX)
    cell = min(max((look.cols - WEEK_COLS) // 7, CELL_MIN), CELL_MAX)
    rows = accounting.calendar(books, weeks)
    first = next((i for i, week in enumerate(rows) if any(each and each.trades for each in week)), weeks - 1)
    heading: Row = [("dim", text.pad("week of", WEEK_COLS))]
    heading += [("dim", text.pad(name, cell, ">")) for name in DAYS]
    block = [text.row(heading, look.cols)]
    for week in rows[min(first, weeks - WEEKS_MIN) :]:
        monday = next(each.day for each in week if each is not None)
        spans: Row = [("dim", text.pad(f"{accounting.date(monday):%d %b}", WEEK_COLS))]
        spans += [_day(each, cell, books.today.day) for each in week]
        block.append(text.row(spans, look.cols))
    found = [each for week in rows for each in week if each is not None and each.trades]
    return [*block, _of_days(found, look.cols)]


def _day(each: Cell | None, cols: int, today: int) -> Span:
    if each is None:
        return ("dim", " " * cols)
    if math.isnan(each.pnl):
        return ("faint" if each.day != today else "text", text.pad(figures.UNDEFINED, cols, ">"))
    attribute, shown = panels.gain(each.pnl)
    if text.columns(shown) >= cols:
        shown = shown[:1] + figures.short(abs(each.pnl))
    return (attribute, text.pad(shown, cols, ">"))


def _of_days(found: list[Cell], cols: int) -> Row:
    gains = sum(each.pnl > 0.0 for each in found)
    if not found:
        return text.row([("dim", "no day with a trade yet")], cols)
    parts: list[Row] = [
        [("text", f"{gains} of {len(found)}"), ("dim", " days gained")],
        [("dim", "together "), panels.gain(sum(each.pnl for each in found))],
        [("dim", "a point: no trade")],
    ]
    return text.row(joined(parts, cols), cols)


def _brief(look: Look, books: Books) -> Block:
    """Return pairs and state of mind in a line each, for a narrow window."""
    pairs: list[Row] = [_pair(each) for each in accounting.by_pair(books)]
    moods: list[Row] = [
        [("dim", f"{each.name.removeprefix('level ')} "), panels.gain(each.realised)]
        for each in accounting.by_mood(look.affairs)
        if each.trades
    ]
    unknown: list[Row] = [[("dim", UNKNOWN)]]
    block: Block = []
    for label, parts in (("By pair", pairs), ("State of mind", moods or unknown)):
        spans = joined(parts, look.cols - 15) or [("dim", "nothing was sold yet")]
        block.append(text.row([("dim", text.pad(label, 15)), *spans], look.cols))
    return block


def _pair(each: Result) -> Row:
    name = text.clean(each.name)
    return [("dim", f"{name.removesuffix('USDT') or name} "), panels.gain(each.realised)]


def _side(look: Look, books: Books) -> Block:
    pairs = accounting.by_pair(books)
    moods = accounting.by_mood(look.affairs)
    room = max(look.rows - len(accounting.LEVELS) - 5, 3)
    block = panels.titled(
        f"By pair, {books.pairs_days} days", _bars(pairs[:room], look.cols, counted=False), look.cols
    )
    block.append(text.blank(look.cols))
    if moods:
        return [*block, *panels.titled("State of mind", _bars(moods, look.cols, counted=True), look.cols)]
    return [*block, *panels.titled("State of mind", [text.row([("dim", UNKNOWN)], look.cols)], look.cols)]


def _bars(found: list[Result], cols: int, counted: bool) -> Block:
    """Return a line for each result: its name, dollars, and a bar of its size."""
    most = max((abs(each.realised) for each in found), default=0.0)
    block: Block = []
    for each in found:
        attribute, shown = panels.gain(each.realised)
        spans: Row = [
            ("text", text.pad(text.clean(each.name), 10)),
            (attribute, text.pad(shown, 11, ">")),
        ]
        words = f"  {each.gains}/{each.trades} gained" if counted and each.trades else ""
        words = "  no sale" if counted and not each.trades else words
        room = min(max(cols - 23 - text.columns(words), 0), 20)
        full, _ = figures.gauge(abs(each.realised) / most if most else 0.0, room)
        spans += [("dim", words)] if words else [("dim", f"  {full}")]
        block.append(text.row(spans, cols))
    return block or [text.row([("dim", "nothing was sold yet")], cols)]


def hours(look: Look) -> Block:
    """Return what sales brought in by hour of the day: a sign and a height for each of the 24."""
    found = accounting.by_hour(look.affairs.fills)
    most = max(abs(each.realised) for each in found)
    number = sum(each.trades for each in found)
    title = f"By hour, UTC, the newest {number} sales" if number else "By hour, UTC: nothing was sold yet"
    if not most or look.rows < 4:
        return panels.titled(title, [], look.cols)
    spans: Row = []
    for each in found:
        mark = " " if not each.trades else "+" if each.realised > 0 else "-" if each.realised < 0 else "0"
        shade = figures.shade(abs(each.realised) / most) if each.trades else " "
        attribute = "good" if each.realised > 0 else "dim"
        spans.append((attribute, f"{mark}{shade or ' '}".ljust(HOUR_COLS)))
        spans.append(("dim", " "))
    numbers = "".join(f"{hour:02} " for hour in range(accounting.HOURS))
    best = max(found, key=lambda each: each.realised)
    worst = min(found, key=lambda each: each.realised)
    words: list[Row] = [
        [("dim", f"best {best.name}:00 "), panels.gain(best.realised)],
        [("dim", f"hardest {worst.name}:00 "), panels.gain(worst.realised)],
    ]
    rows = [text.row(spans, look.cols), text.row([("dim", numbers)], look.cols)]
    return panels.titled(title, [*rows, text.row(joined(words, look.cols), look.cols)], look.cols)
