"""The feed screen: how the data comes in, how each process is, and what was missing or unusable."""

import functools
import math

from genesis.operators.records import GapReason
from genesis.tui import derived, figures, messages, text
from genesis.tui.derived import Process
from genesis.tui.model import HISTORY_MAX, Model, market_name
from genesis.tui.text import Block, Row
from genesis.tui.views.look import Look, joined, labelled, says

COURSE_COLS = 30
FIGURES_SHOWN = 4
"""Figures of a process that are shown in its line; the rest is in the store."""

NAME_COLS = 11
STATE_COLS = 10


def screen(look: Look) -> Block:
    """Return the screen ``feed`` in exactly the room given."""
    inner = look.within(look.cols - 4, look.rows)
    blank = text.blank(inner.cols)
    top = [*figures_of_feed(inner), blank, *processes(inner), blank]
    left = max(look.rows - len(top), 2)
    if inner.wide and look.rows >= 30:
        missing = gaps(inner.within(inner.cols, left // 2))
        block = [*top, *missing, blank, *dead_letters(inner.within(inner.cols, left - len(missing) - 1))]
    else:
        half = (left + 1) // 2
        block = [
            *top,
            *gaps(inner.within(inner.cols, half)),
            *dead_letters(inner.within(inner.cols, left - half)),
        ]
    return text.tall(text.indent(block, 3, look.cols), look.rows, look.cols)


def _course(model: Model, name: str) -> Row:
    said = [record.figures.get(name, math.nan) for record in model.feed_history]
    values = [math.nan] * (HISTORY_MAX - len(said)) + said
    return [("dim", figures.sparkline(values, COURSE_COLS))] if said else []


def figures_of_feed(look: Look) -> Block:
    """Return the figures that the feed gives of itself, with the last minute of two of them."""
    model = look.model
    figure = functools.partial(derived.feed_figure, model)
    open_ = derived.gaps_open(model)
    silence = derived.silence_s(model, "feed ticks", look.now_ns)
    rate = text.pad(figures.count(figure("messages_per_s")), 10)
    lag = text.pad(figures.milliseconds(figure("lag_ms")), 10)
    gap: Row = [("amber" if open_ > 0 else "text", f"{figures.count(open_)} open")]
    gap.append(("dim", f" of {figures.count(figure('gaps_total'))}"))
    rest = joined(
        [
            [("dim", "gaps "), *gap],
            says(("resyncs", figures.count(figure("resyncs")))),
            says(("dead letters", figures.count(figure("dead_letters")))),
            says(("connections", figures.count(figure("connections")))),
        ]
    )
    late = silence >= derived.LATE_S
    heard: Row = [
        ("dim", "heard "),
        ("amber" if late else "text", f"{figures.span(silence)} ago"),
        ("dim", " · clock offset "),
        ("text", figures.milliseconds(figure("clock_offset_ms"))),
        ("dim", " · read here "),
        ("text", f"{figures.short(float(model.ticks))} ticks"),
    ]
    return [
        labelled("Messages/s", [("text", rate), *_course(model, "messages_per_s")], look.cols),
        labelled("Lag", [("text", lag), *_course(model, "lag_ms")], look.cols),
        labelled("Feed", rest, look.cols),
        labelled("", heard, look.cols),
    ]


def processes(look: Look) -> Block:
    """Return a line for each component: its state, when it was heard, its restarts and figures."""
    heading = (
        text.pad("process", NAME_COLS) + text.pad("state", STATE_COLS) + text.pad("heard", 8, ">") + "  "
    )
    block = [text.row([("dim", heading)], look.cols)]
    return block + [_process(look, each) for each in derived.processes(look.model, look.now_ns)]


def _process(look: Look, process: Process) -> Row:
    quiet = process.state == derived.NO_WORD and process.name not in look.model.health
    state = "text" if process.well else "dim" if quiet else "amber"
    heard = "" if math.isnan(process.silence_s) else f"{figures.span(process.silence_s)}"
    spans: Row = [
        ("strong", text.pad(text.clean(process.name), NAME_COLS)),
        (state, text.pad(text.clean(process.state), STATE_COLS)),
        ("amber" if process.silence_s >= derived.SILENT_S else "dim", text.pad(heard, 8, ">") + "  "),
    ]
    said: list[Row] = []
    if process.restarts:
        said.append([("amber", f"restarts {process.restarts}")])
    if process.detail:
        said.append([("dim", text.clean(process.detail))])
    if process.name != "feed":
        said += [
            says((_figure_name(n), _figure(n, v))) for n, v in list(process.figures.items())[:FIGURES_SHOWN]
        ]
    return text.row(spans + joined(said, look.cols - text.span_columns(spans)), look.cols)


def _figure_name(name: str) -> str:
    for unit in ("_per_s", "_ms", "_total", "_bytes"):
        name = name.removesuffix(unit)
    return text.clean(name.replace("_", " "))


def _figure(name: str, value: float) -> str:
    if name.endswith("_ms"):
        return figures.milliseconds(value)
    if name.endswith("_per_s"):
        return f"{figures.rate(value)}/s"
    return figures.short(value) + ("B" if name.endswith("_bytes") else "")


def gaps(look: Look) -> Block:
    """Return the newest gaps, those still open first."""
    rows = look.model.gaps[::-1]
    found = [*rows[rows["end_ns"] == 0], *rows[rows["end_ns"] != 0]]
    heading = "Gaps seen here" if found else "No gap seen here"
    block = [text.row([("dim", heading)], look.cols)]
    for gap in found[: max(look.rows - 1, 0)]:
        start_ns, end_ns = int(gap["start_ns"]), int(gap["end_ns"])
        name = text.clean(gap["symbol"].decode(errors="replace"))
        where = f"{name} {market_name(int(gap['market']))} {messages.stream_name(int(gap['stream']))}"
        length = f"{figures.milliseconds((end_ns - start_ns) / 1e6)}" if end_ns else "open"
        spans: Row = [
            ("text", f"{figures.clock(start_ns)}  "),
            ("amber" if not end_ns else "dim", text.pad(length, 9)),
            ("text", text.pad(where, 32)),
            ("dim", _reason(int(gap["reason"]))),
        ]
        block.append(text.row(spans, look.cols))
    return block


def _reason(reason: int) -> str:
    return GapReason(reason).name.lower().replace("_", " ") if reason in set(GapReason) else str(reason)


def dead_letters(look: Look) -> Block:
    """Return the newest dead letters."""
    found = look.model.dead_letters[::-1]
    block = [
        text.row([("dim", "Dead letters seen here" if found else "No dead letter seen here")], look.cols)
    ]
    for letter in found[: max(look.rows - 1, 0)]:
        spans: Row = [
            ("text", f"{figures.clock(letter.recv_ns)}  "),
            ("text", text.pad(text.clean(letter.reason), 18) + " "),
            ("dim", text.clean(f"{letter.source}: {letter.detail}")),
        ]
        block.append(text.row(spans, look.cols))
    return block
