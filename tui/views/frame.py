"""The frame around every screen: title, time and freshness above, one sentence and the keys below."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from genesis.tui import derived, figures, messages, text
from genesis.tui.derived import Fresh, Freshness
from genesis.tui.keys import SCREENS, Controls, Mode
from genesis.tui.model import Model
from genesis.tui.text import Block, Row
from genesis.tui.views import correlation, feed, guide, overview
from genesis.tui.views.look import Look, Panel, look_at

COLS_MIN, ROWS_MIN = 80, 24
"""The smallest window that everything fits into."""

BODIES: Mapping[str, Panel] = {
    "overview": overview.overview,
    "correlation": correlation.screen,
    "feed": feed.screen,
}
"""What is inside the frame, by screen."""


class Scene(NamedTuple):
    """The room and the moment: columns, rows, now and since when the display is held (monotonic, ns)."""

    cols: int
    rows: int
    now_ns: int
    held_ns: int | None = None


def draw(model: Model, controls: Controls, scene: Scene) -> Block:
    """Return the whole screen: exactly ``scene.rows`` rows of ``scene.cols`` columns."""
    if scene.cols < COLS_MIN or scene.rows < ROWS_MIN:
        return _too_small(scene)
    fresh = derived.freshness(model, scene.now_ns, scene.held_ns)
    look = look_at(model, controls, fresh, scene.held_ns or scene.now_ns)
    cols, rows = scene.cols - 2, scene.rows - 5
    body = guide.screen if controls.mode is Mode.HELP else BODIES[SCREENS[controls.screen]]
    said = messages.sentence(model, controls, fresh, look.now_ns)
    lines = [
        text.blank(cols),
        *text.tall(body(look.within(cols, rows)), rows, cols),
        text.rule(cols),
        text.row([("text", "   "), (said.kind, said.text)], cols),
    ]
    framed = [[("faint", "│"), *line, ("faint", "│")] for line in lines]
    return [_top(look, scene.cols), *framed, _bottom(controls, scene.cols)]


def _edge(left: Row, right: Row, corners: str, cols: int) -> Row:
    """Return a border with words in it: ``┌─ left ───── right ─┐``."""
    room = cols - 6
    right = right if text.span_columns(right) < room - 20 else []
    left = text.row(left, min(text.span_columns(left), room - text.span_columns(right) - 2))
    line = "─" * (room - text.span_columns(left) - text.span_columns(right) - (2 if right else 1))
    middle: Row = [("faint", f" {line} " if right else f" {line}")]
    end = f"─{corners[1]}"
    return [
        ("faint", f"{corners[0]}─ "),
        *left,
        *middle,
        *right,
        ("faint", f" {end}" if right else f"─{end}"),
    ]


def _top(look: Look, cols: int) -> Row:
    name = "help" if look.controls.mode is Mode.HELP else SCREENS[look.controls.screen]
    seen_ns = look.fresh.seen_ns
    right: Row = []
    if seen_ns:
        day = f"{figures.date(seen_ns)} " if cols >= 100 else ""
        right = [("dim", f"{day}{figures.clock(seen_ns)} UTC"), ("faint", " · ")]
    return _edge(
        [("strong", "GENESIS"), ("dim", f" · {name}")], [*right, _status(look.model, look.fresh)], "┌┐", cols
    )


def _status(model: Model, fresh: Freshness) -> tuple[str, str]:
    """Return how fresh the figures are, in two words."""
    age = figures.span(fresh.age_s)
    match fresh.state:
        case Fresh.LIVE:
            lag_ms = derived.feed_figure(model, "lag_ms")
            return ("dim", "feed live" if math.isnan(lag_ms) else f"feed {figures.milliseconds(lag_ms)}")
        case Fresh.WAITING:
            return ("dim", "waiting")
        case Fresh.ENDED:
            return ("dim", "ended")
        case Fresh.HELD:
            return ("amber", f"held {age}")
        case Fresh.LATE:
            return ("amber", f"feed {age} late")
        case Fresh.SILENT | Fresh.LOST:
            return ("amber", f"{age} old")


def _bottom(controls: Controls, cols: int) -> Row:
    if controls.mode is Mode.FILTER:
        words = ["enter keeps", "esc goes back"]
    elif controls.mode is Mode.HELP:
        words = ["esc closes help", "q leaves"]
    else:
        words = [f"{i + 1} {name}" for i, name in enumerate(SCREENS)]
        words += (
            ["/ filter", "space hold", "? help", "q leave"]
            if cols >= 100
            else ["/ filter", "? help", "q leave"]
        )
    left: Row = []
    for i, word in enumerate(words):
        here = controls.mode is Mode.LOOK and i == controls.screen
        left += [("faint", " · ")] if left else []
        left.append(("text" if here else "dim", word))
    return _edge(left, [], "└┘", cols)


def _too_small(scene: Scene) -> Block:
    sentence = (
        f"GENESIS needs {COLS_MIN} columns and {ROWS_MIN} rows; this window has {scene.cols} by {scene.rows}."
    )
    width = max(min(scene.cols - 2, 60), 1)
    lines: list[str] = []
    for word in [*sentence.split(), "Make", "it", "larger,", "or", "leave", "with", "q."]:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    above = max((scene.rows - len(lines)) // 2, 0)
    block = [text.blank(scene.cols) for _ in range(above)]
    block += [
        text.row([("text", text.pad(text.pad(each, width, "^"), scene.cols, "^"))], scene.cols)
        for each in lines
    ]
    return text.tall(block, scene.rows, scene.cols)
