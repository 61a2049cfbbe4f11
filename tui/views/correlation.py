"""The correlation heatmap: shading for the eye, numbers for the mind, `·` where undefined.

Shading goes by size: a fifth each of ` ░▒▓█`. With enough room every cell has its number; else cells
are two characters of shading, and the numbers of the selected instrument stand at the right.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from genesis.tui import derived, figures, text
from genesis.tui.derived import Matrix
from genesis.tui.model import market_name
from genesis.tui.text import Block, Row, Span
from genesis.tui.views.look import Look, joined, window

CELL_COLS = 5
NARROW_COLS = 2
NUMBER_COLS = 8
"""Columns of the numbers at the right of narrow cells."""

NAME_MAX = 13
MARGIN = 3
"""Columns left of everything; the cursor stands in them."""

LEGEND = "░ above .2   ▒ .4   ▓ .6   █ .8   · undefined   ~ across a gap"
CLOSEST = 6
"""Instruments named in the line below the matrix."""


class _Shape(NamedTuple):
    """Which instruments are drawn, by their place in the matrix, and how wide a cell is."""

    members: tuple[int, ...]
    rows: range
    cols: range
    name_cols: int
    cell_cols: int
    cursor: int


def _shape(look: Look, found: Matrix) -> _Shape:
    places = set(look.places)
    members = tuple(i for i, place in enumerate(found.members) if place in places)
    name_cols = min(max((text.columns(_label(look, found, i)) for i in members), default=0), NAME_MAX) + 1
    room = look.cols - name_cols
    wide = room >= CELL_COLS * len(members)
    cell_cols = CELL_COLS if wide else NARROW_COLS
    at = next((k for k, i in enumerate(members) if found.members[i] == look.selected), 0)
    fit = len(members) if wide else (room - NUMBER_COLS) // NARROW_COLS
    return _Shape(
        members=members,
        rows=window(at, len(members), look.rows - 1),
        cols=window(at, len(members), max(fit, 1)),
        name_cols=name_cols,
        cell_cols=cell_cols,
        cursor=at,
    )


def _label(look: Look, found: Matrix, member: int) -> str:
    place = found.members[member]
    if place < 0:
        return "?"
    name = text.clean(look.model.instruments[place].name)
    return look.name(place) if look.market == 0 else name


UNDEFINED = -1000
"""Stands for NaN among hundredths."""


def hundredths(values: Any) -> list[list[int]]:
    """Return correlations, shape (k, k), in whole hundredths, as they are shown."""
    whole = np.where(np.isnan(values), UNDEFINED, np.rint(values * 100.0))
    shown: list[list[int]] = whole.astype(int).tolist()
    return shown


def attribute_of(value: int, stale: bool) -> str:
    """Return the colour of a cell: the closer, the brighter; what is not current is dim."""
    if stale or value == UNDEFINED or abs(value) < 40:
        return "dim"
    return "strong" if abs(value) >= 80 else "text"


@functools.lru_cache(4096)
def cell(value: int, stale: bool, cols: int) -> Span:
    """Return the cell of a correlation in hundredths.

    A tilde in front says that a gap touches it, a minus that they move apart.

    >>> cell(61, False, CELL_COLS), cell(-12, False, CELL_COLS), cell(70, True, NARROW_COLS)
    (('text', '▓.61 '), ('dim', '-.12 '), ('dim', '~▓'))
    """
    attribute = attribute_of(value, stale)
    if value == UNDEFINED:
        return (attribute, text.pad(f" {figures.UNDEFINED}", cols))
    shade = figures.shade(value / 100.0)
    if cols == NARROW_COLS:
        first = "~" if stale else "-" if value <= -20 else shade
        return (attribute, first + shade)
    number = figures.correlation(value / 100.0)
    mark = "~" if stale else "" if shade == " " and number.startswith("-") else shade
    return (attribute, text.pad(mark + number, cols))


def matrix(look: Look, found: Matrix) -> tuple[Block, int | None]:
    """Return the heatmap in the room given, and in which of its rows the selected instrument is."""
    shape = _shape(look, found)
    block = [_heading(look, found, shape)]
    values, stale = hundredths(found.values), found.stale.tolist()
    for k in shape.rows:
        i, here = shape.members[k], k == shape.cursor
        made: Row = [("strong" if here else "text", text.pad(_label(look, found, i), shape.name_cols))]
        made += _cells(values[i], stale[i], i, shape)
        if shape.cell_cols == NARROW_COLS and not here:
            j = shape.members[shape.cursor]
            undefined = values[i][j] == UNDEFINED
            number = figures.UNDEFINED if undefined else figures.correlation(values[i][j] / 100.0)
            shown = ("~" if stale[i][j] else "") + number
            made.append((attribute_of(values[i][j], stale[i][j]), text.pad(shown, NUMBER_COLS, ">")))
        block.append(text.row(made, look.cols))
    return block, 1 + shape.cursor - shape.rows.start if shape.members else None


def _cells(values: list[int], stale: list[bool], own: int, shape: _Shape) -> Row:
    """Return the cells of one row, neighbours of one colour in one span."""
    made: Row = []
    attribute, words = "dim", ""
    for k in shape.cols:
        j = shape.members[k]
        if j == own:
            colour, drawn = "dim", " " * shape.cell_cols
        else:
            colour, drawn = cell(values[j], stale[j], shape.cell_cols)
        if colour != attribute:
            made.append((attribute, words))
            attribute, words = colour, ""
        words += drawn
    return [*made, (attribute, words)]


def _heading(look: Look, found: Matrix, shape: _Shape) -> Row:
    made: Row = [("dim", " " * shape.name_cols)]
    for k in shape.cols:
        attribute = "strong" if k == shape.cursor else "dim"
        if shape.cell_cols == NARROW_COLS:
            made.append((attribute, text.pad("↓" if k == shape.cursor else "", NARROW_COLS, ">")))
        else:
            name = derived.short_name(look.model, found.members[shape.members[k]], False)
            made.append((attribute, " " + text.pad(text.clean(name)[: CELL_COLS - 1], CELL_COLS - 1)))
    if shape.cell_cols == NARROW_COLS and shape.members:
        name = derived.short_name(look.model, found.members[shape.members[shape.cursor]], False)
        made.append(("strong", text.pad(text.cut(text.clean(name), NUMBER_COLS - 1), NUMBER_COLS, ">")))
    return text.row(made, look.cols)


def _choices(names: list[str], chosen: int) -> Row:
    made: Row = []
    for i, name in enumerate(names):
        made.append(("strong", f"‹{name}›") if i == chosen else ("dim", f" {name} "))
    return made


def choices_line(look: Look, found: Matrix) -> Row:
    """Return which market and which half-life are shown, among which others."""
    half_lives, markets = derived.half_lives(look.model), derived.correlated_markets(look.model)
    at = half_lives.index(look.half_life_ns or 0) if half_lives else 0
    lives = _choices([figures.half_life(each) for each in half_lives], at)
    names = [market_name(each) if each else "all" for each in markets]
    parts = [_choices(names, markets.index(look.market)), [("dim", "half-life "), *lives]]
    spans = joined(parts)
    if look.wide:
        least, most = figures.count(found.count_min), figures.count(found.count_max)
        samples = least if least == most else f"{least} to {most}"
        said = f"log returns of {found.interval_ns / 1e9:g} s, {samples} effective samples"
        spans += [("faint", " · "), ("dim", said)]
    return text.row(spans, look.cols)


def closest_line(look: Look, found: Matrix, label: str = "moves with") -> Row:
    """Return what the selected instrument moves with, the closest first."""
    place = look.selected
    if place is None:
        return text.blank(look.cols)
    markets = {look.model.instruments[member].market for member in found.members if member >= 0}
    parts: list[Row] = []
    for other, value in derived.moves_with(found, place)[:CLOSEST]:
        name = text.clean(derived.short_name(look.model, other, len(markets) > 1))
        parts.append([("dim", f"{name} "), ("text", figures.correlation(value))])
    room = look.cols - text.columns(label) - 1
    said = joined(parts, room) or [("dim", "nothing that is defined yet")]
    return text.row([("dim", f"{label} "), *said], look.cols)


def _moves(look: Look) -> str:
    return "moves with" if look.selected is None else f"{look.name(look.selected)} moves with"


def correlations(look: Look) -> Block:
    """Return the panel: the choices, the matrix, and what the selected instrument moves with.

    Its rows are three columns narrower than the room: the cursor stands in the first three.
    """
    found = look.matrix()
    if found is None:
        said = "no correlation has been heard yet; the first comes after some seconds"
        return text.indent([[("dim", said)]], MARGIN, look.cols)
    inner = look.within(look.cols - MARGIN, look.rows - 4)
    body, cursor = matrix(inner, found)
    block = [choices_line(inner, found), text.blank(inner.cols), *body, text.blank(inner.cols)]
    block.append(closest_line(inner, found, _moves(look)))
    block = text.indent(block, MARGIN, look.cols)
    if cursor is not None:
        block[2 + cursor] = text.row([("strong", " › "), *block[2 + cursor][1:]], look.cols)
    return block


def screen(look: Look) -> Block:
    """Return the screen ``correlation`` in exactly the room given."""
    block = correlations(look.within(look.cols - 1, look.rows - 2))
    if look.rows > len(block) + 1:
        legend: Row = [("dim", f"{' ' * MARGIN}{LEGEND}")]
        block = [*text.tall(block, look.rows - 1, look.cols - 1), legend]
    if look.fresh.dim:
        block = text.dimmed(block)
    return text.tall([text.row(each, look.cols) for each in block], look.rows, look.cols)
