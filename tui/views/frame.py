"""The frame around every screen: title, market and freshness above, what is said and the keys below.

It is grey. While the trader is not himself it is amber, on every screen: a change of weather, no alarm.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from genesis.operators.records import Market
from genesis.tui import accounting, derived, figures, keys, messages, notices, text
from genesis.tui.derived import Fresh, Freshness
from genesis.tui.keys import SCREENS, Controls, Mode
from genesis.tui.model import Model
from genesis.tui.text import Block, Row
from genesis.tui.views import (
    checklist,
    command,
    correlation,
    feed,
    guide,
    journal,
    overview,
    results,
    risk,
    tier,
    trading,
    welcome,
    why,
)
from genesis.tui.views.look import Look, Panel, look_at
from genesis.tui.views.prices import state_colour, state_name

COLS_MIN, ROWS_MIN = 80, 24
"""The smallest window that everything fits into."""

SAID_ROWS = 2
"""Lines for what happened, in a window with room for them; in a smaller one it is one."""

BORDER_ROWS = 2
"""Lines of a message that protects, within its border."""

BODIES: Mapping[str, Panel] = {
    "trading": trading.screen,
    "risk": risk.screen,
    "results": results.screen,
    "tier": tier.screen,
    "journal": journal.screen,
    "overview": overview.overview,
    "correlation": correlation.screen,
    "feed": feed.screen,
}
"""What is inside the frame, by screen."""

PAGES: Mapping[Mode, Panel] = {
    Mode.HELP: guide.screen,
    Mode.WHY: why.screen,
    Mode.CHECKLIST: checklist.screen,
    Mode.WELCOME: welcome.screen,
}
"""What lies over any screen while it is read."""

TITLES: Mapping[Mode, str] = {
    Mode.HELP: "help",
    Mode.WHY: "why",
    Mode.CHECKLIST: "checklist",
    Mode.WELCOME: "first steps",
}
"""What such a page is called."""


class Scene(NamedTuple):
    """The room and the moment: columns, rows, now and since when the display is held (monotonic, ns)."""

    cols: int
    rows: int
    now_ns: int
    held_ns: int | None = None


class Drawn(NamedTuple):
    """A screen that was drawn, and what of it a key of the command line leaves as it is."""

    block: Block
    scene: Scene
    look: Look | None = None  # None where the window is too small for one
    bodies: Mapping[tuple[int, int], Block] = {}  # by their columns and rows


def draw(model: Model, controls: Controls, scene: Scene) -> Block:
    """Return the whole screen: exactly ``scene.rows`` rows of ``scene.cols`` columns."""
    return drawn(model, controls, scene).block


def drawn(model: Model, controls: Controls, scene: Scene, before: Drawn | None = None) -> Drawn:
    """Return the same with what the next drawing may keep of it.

    Law: ``before`` changes nothing but the time it takes. Where it shows the same model, moment and choices,
    the bodies are taken from it, so that a typed key costs the command line and the frame alone.
    """
    if scene.cols < COLS_MIN or scene.rows < ROWS_MIN:
        return Drawn(_too_small(scene), scene)
    known = before if before is not None and _differs_in_line_alone(before, model, controls, scene) else None
    if known is not None and known.look is not None:
        look = known.look._replace(controls=controls)
    else:
        fresh = derived.freshness(model, scene.now_ns, scene.held_ns)
        look = look_at(model, controls, fresh, scene.held_ns or scene.now_ns)
        look = look.within(scene.cols - 2, scene.rows - 2)
    bodies = dict(known.bodies) if known is not None else {}
    return Drawn(_framed(look, scene, bodies), scene, look, bodies)


def _differs_in_line_alone(before: Drawn, model: Model, controls: Controls, scene: Scene) -> bool:
    """Say whether nothing but the command line can look different; bodies are drawn without it."""
    if before.look is None or before.look.model is not model or before.scene != scene:
        return False
    was = before.look.controls
    typing = (Mode.LOOK, Mode.LINE)
    modes = was.mode in typing and controls.mode in typing
    return modes and replace(was, line=controls.line, mode=controls.mode) == controls


def _framed(look: Look, scene: Scene, bodies: dict[tuple[int, int], Block]) -> Block:
    """Return the screen in its frame; ``bodies`` are taken from and added to."""

    def body(room: Look) -> Block:
        size = (room.cols, room.rows)
        if size not in bodies:
            bodies[size] = BODIES[name](room)
        return bodies[size]

    model, controls = look.model, look.controls
    name = SCREENS[controls.screen]
    if controls.mode in PAGES:
        lines = [text.blank(look.cols), *PAGES[controls.mode](look.within(look.cols, look.rows - 1))]
    elif name in keys.ACCOUNT_SCREENS:
        lines = _account_page(look, body)
    else:
        lines = _market_page(look, body)
    edge = weather(model)
    framed = [[(edge, "│"), *line, (edge, "│")] for line in lines]
    return [_top(look, edge, scene.cols), *framed, _bottom(look, edge, scene.cols)]


def weather(model: Model) -> str:
    """Return the colour of the frame: that of rules, or amber from tilt level 1 on."""
    return "amber" if accounting.level_of(model.affairs) else "faint"


def _market_page(look: Look, body: Panel) -> Block:
    """Return a screen of the market: its body, and below it one sentence, or the command line in use."""
    line = look.controls.line
    if line.active or line.sent:
        return _with_prompt(look, body, [])
    rows, cols = look.rows - 3, look.cols
    sentence = messages.sentence(look.model, look.controls, look.fresh, look.now_ns)
    if not look.controls.note and notices.protection(look.affairs, look.controls.acknowledged):
        sentence = messages.Sentence(notices.Kind.CAUTION, "the account has something to tell you: f1")
    return [
        text.blank(cols),
        *text.tall(body(look.within(cols, rows)), rows, cols),
        text.rule(cols),
        text.row([("text", "   "), (sentence.kind, sentence.text)], cols),
    ]


def _account_page(look: Look, body: Panel) -> Block:
    """Return a screen of the account: its body, what happened, and the command line's place."""
    return _with_prompt(look, body, _protection(look) or _said(look))


def _with_prompt(look: Look, body: Panel, spoken: Block) -> Block:
    cols, below = look.cols, command.rows_of(look.rows + 2)
    prompt = text.tall(text.indent(command.command_block(look, cols - 4), 1, cols), below, cols)
    rows = look.rows - 2 - len(spoken) - below
    return [
        text.blank(cols),
        *text.tall(body(look.within(cols, rows)), rows, cols),
        *spoken,
        text.rule(cols),
        *prompt,
    ]


def _said(look: Look) -> Block:
    """Return the newest things that happened; what is wrong with the data comes first."""
    most = SAID_ROWS if look.rows >= 28 else 1
    trouble = messages.sentence(look.model, look.controls, look.fresh, look.now_ns)
    if trouble.text and (trouble.kind is notices.Kind.CAUTION or look.controls.note):
        found = [notices.Notice(trouble.kind, trouble.text)]
    else:
        found = notices.said(look.affairs, most)
    lines = [
        text.row([(notices.pulse(each.kind, look.now_ns), text.cut(each.text, look.cols - 6))], look.cols - 3)
        for each in found
    ]
    above = [text.blank(look.cols) for _ in range(most - len(lines))]
    return [*above, *text.indent(lines, 3, look.cols)]


def _protection(look: Look) -> Block | None:
    """Return a message that protects, in its border, while there is one to be acknowledged."""
    decision = notices.protection(look.affairs, look.controls.acknowledged)
    if decision is None:
        return None
    cols = look.cols - 6
    words = text.wrapped(text.clean(decision.sentence), cols - 4, BORDER_ROWS)
    hint = " enter: seen "
    line = "─" * (cols - 2 - len(hint))
    block: Block = [[("border", f"┌{'─' * (cols - 2)}┐")]]
    for sentence in words:
        block.append([("border", "│ "), ("text", text.pad(sentence, cols - 4)), ("border", " │")])
    block.append([("border", f"└{line}"), ("dim", hint), ("border", "┘")])
    return text.indent(block, 3, look.cols)


def _edge(words: tuple[Row, Row], corners: str, edge: str, cols: int) -> Row:
    """Return a border with words in it: ``┌─ left ───── right ─┐``."""
    left, right = words
    room = cols - 6
    right = right if text.span_columns(right) < room - 20 else []
    left = text.row(left, min(text.span_columns(left), room - text.span_columns(right) - 2))
    line = "─" * (room - text.span_columns(left) - text.span_columns(right) - (2 if right else 1))
    middle: Row = [(edge, f" {line} " if right else f" {line}")]
    end = f"─{corners[1]}"
    return [
        (edge, f"{corners[0]}─ "),
        *left,
        *middle,
        *right,
        (edge, f" {end}" if right else f"─{end}"),
    ]


def _top(look: Look, edge: str, cols: int) -> Row:
    name = TITLES.get(look.controls.mode, SCREENS[look.controls.screen])
    if name in keys.ACCOUNT_SCREENS:
        left: Row = [("strong", "GENESIS"), ("dim", f" · {_title(look, name)}")]
        return _edge((left, [*_market(look), *_account_status(look)]), "┌┐", edge, cols)
    seen_ns = look.fresh.seen_ns
    right: Row = []
    if seen_ns:
        day = f"{figures.date(seen_ns)} " if cols >= 100 else ""
        right = [("dim", f"{day}{figures.clock(seen_ns)} UTC"), ("faint", " · ")]
    right.append(_status(look.model, look.fresh))
    return _edge(([("strong", "GENESIS"), ("dim", f" · {name}")], right), "┌┐", edge, cols)


def _title(look: Look, name: str) -> str:
    """Return tier and screen; the tier alone where the screen is the main one."""
    tier = accounting.tier_of(look.affairs)
    parts = [tier.title] if tier is not None else []
    if accounting.level_of(look.affairs) >= 3:
        parts.append("resting")
    if name != "trading" or not parts:
        parts.append(name)
    status = look.affairs.status
    if status is not None and status.mode != "active":
        parts.append(text.clean(status.mode))
    return " · ".join(parts)


def _market(look: Look) -> Row:
    """Return the state of the spot market, which accounts trade."""
    for row in look.model.markets:
        if row["market"] == Market.SPOT:
            state = int(row["state"])
            words = f"{'~' if row['stale'] else ''}{state_name(state)}"
            return [("dim", "market "), (state_colour(state), words), ("faint", " · ")]
    return []


def _account_status(look: Look) -> Row:
    """Return how fresh the account's figures are when they are not, or else how fresh the market's are."""
    feed_status, account = _status(look.model, look.fresh), look.account
    if look.affairs.status is None or not account.dim or feed_status[0] == "amber":
        return [feed_status]
    if math.isnan(account.age_s):
        return [("amber", f"account as of {figures.clock(account.seen_ns)}")]
    return [("amber", f"account {figures.span(account.age_s)} old")]


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


WORDS_WIDE, WORDS_WIDER = 100, 110
"""Widths from which on the border below names the screens, and how to leave."""


def _bottom(look: Look, edge: str, cols: int) -> Row:
    controls = look.controls
    here = SCREENS[controls.screen] if controls.mode in (Mode.LOOK, Mode.LINE) else ""
    parts: list[tuple[str, str]] = []
    if controls.mode is Mode.FILTER:
        parts = [("enter keeps", ""), ("esc goes back", "")]
    elif controls.mode is Mode.HELP:
        parts = [("tab next page", ""), ("esc closes help", ""), ("q leaves", "")]
    elif controls.mode in (Mode.WHY, Mode.CHECKLIST):
        parts = [("esc closes it", ""), ("q leaves", "")]
    elif controls.mode is Mode.WELCOME:
        parts = [("enter goes on", ""), ("esc leaves the first steps", ""), ("q leaves", "")]
    elif controls.mode is Mode.LINE:
        parts = [("enter looks, then sends", ""), ("tab completes", ""), ("esc lets go", "")]
    elif here in keys.ACCOUNT_SCREENS:
        run = look.model.run
        parts = [(text.clean(run.trading), "")] if run is not None and run.trading else []
        if cols < WORDS_WIDE:
            parts += [("f1 trade … f8 feed", ""), ("tab screens", ""), ("? help", ""), ("q leave", "")]
        else:
            parts += [(f"f{i + 1} {name}", name) for i, name in enumerate(keys.ACCOUNT_SCREENS)]
            parts += [("f6 market", ""), ("? help", "")]
            parts += [("q leave", "")] if cols >= WORDS_WIDER else []
    else:
        parts = [("f1 trade", "")]
        parts += [(f"{i + 1} {name}", name) for i, name in enumerate(keys.MARKET_SCREENS)]
        parts += [("/ filter", ""), ("? help", "")]
        parts += [("space hold", ""), ("q leave", "")] if cols >= WORDS_WIDE else []
    left: Row = []
    for word, name in parts:
        left += [("faint", " · ")] if left else []
        left.append(("text" if name and name == here else "dim", word))
    return _edge((left, []), "└┘", edge, cols)


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
