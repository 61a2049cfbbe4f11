"""The risk screen: each limit as a gauge with what is left of it, and what of the holdings moves together."""

import math

from genesis.operators.account.events import pair_of
from genesis.tui import accounting, figures, text
from genesis.tui.accounting import Holding
from genesis.tui.text import Block, Row
from genesis.tui.views import panels
from genesis.tui.views.look import Look, joined, says

MARGIN = 3
LABEL_COLS = 19
GAUGE_MAX = 40
BESIDE_COLS = 95
LEFT_SHARE = 0.6

REASONS = {
    "PROMOTED": "a new tier is settling in",
    "GUARD": "the next tier is near",
    "LOSING_DAYS": "two days in a row lost",
    "TILT": "you are not quite yourself",
}
"""Why sizes are lowered, by the code of `operators.account.tiers.Limits.reasons`."""


def screen(look: Look) -> Block:
    """Return the screen ``risk`` in exactly the room given."""
    inner = look.within(look.cols - 2 * MARGIN, look.rows)
    if look.affairs.status is None:
        block = panels.nothing_yet(inner)
    elif inner.cols >= BESIDE_COLS:
        left = int(inner.cols * LEFT_SHARE)
        right = inner.cols - left
        side = text.indent(_heat(inner.within(right - 3, inner.rows)), 3, right)
        block = text.beside(_limits(inner.within(left, inner.rows)), side, left, right)
    else:
        block = _limits(inner)
        room = inner.rows - len(block) - 1
        whole = len(accounting.holdings(inner.model)) + 2
        below = _heat(inner.within(inner.cols, room)) if room >= whole else _closest(inner)
        block += [text.blank(inner.cols), *below]
    if look.account.dim or look.fresh.dim:
        block = text.dimmed(block)
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)


def _limits(look: Look) -> Block:
    """Return the gauges: budget, drawdown, what moves together, and each position against its cap."""
    status = look.affairs.status
    assert status is not None
    held = accounting.holdings(look.model)
    share = accounting.together(held, accounting.correlations(look.model))
    drawdown_max = accounting.figure(look.affairs, "drawdown_max")
    tight = look.rows < 20
    gap: Block = [] if tight else [text.blank(look.cols)]
    block = [
        _budget(look, status.daily_budget, accounting.figure(look.affairs, "daily_loss_max")),
        *gap,
        _meter(look, "Drawdown", status.drawdown, drawdown_max),
        *gap,
        _meter(look, "Moving together", share, accounting.TOGETHER_SHARE_MAX),
        text.blank(look.cols),
    ]
    cap = accounting.figure(look.affairs, "position_max_notional")
    words = f"Positions, at most {figures.dollars(cap)} each"
    below = _standing(look)
    room = max(look.rows - len(block) - len(below) - 2, 1)
    if tight:
        room = min(room, max(len(held), 1), 4)
    lines = [_position(look, each, cap) for each in held] or [
        text.row([("dim", "nothing is held")], look.cols)
    ]
    if len(lines) > room:
        lines = [
            *lines[: room - 1],
            text.row([("dim", f"and {len(lines) - room + 1} more, all smaller")], look.cols),
        ]
    return [*block, *panels.titled(words, lines, look.cols), text.blank(look.cols), *below]


def _gauge_cols(look: Look, words: str) -> int:
    return max(min(look.cols - LABEL_COLS - text.columns(words), GAUGE_MAX), 4)


def _budget(look: Look, left: float, most: float) -> Row:
    words = f"  {figures.dollars(left)} of {figures.round_dollars(most)} left"
    share = left / most if most > 0.0 else math.nan
    gauge = panels.gauge(share, _gauge_cols(look, words), share < panels.LOW)
    return text.row([("dim", text.pad("Daily budget", LABEL_COLS)), *gauge, ("text", words)], look.cols)


def _meter(look: Look, name: str, value: float, most: float) -> Row:
    """Return how much of a limit is used; amber from four fifths on."""
    words = f"  {figures.part(value)} of {figures.part(most)}"
    share = value / most if most > 0.0 else math.nan
    gauge = panels.gauge(share, _gauge_cols(look, "  100.0 % of 100 %"), share >= 1.0 - panels.LOW)
    return text.row([("dim", text.pad(name, LABEL_COLS)), *gauge, ("text", words)], look.cols)


def _position(look: Look, each: Holding, cap: float) -> Row:
    share = each.worth / cap if cap > 0.0 else math.nan
    words = f"  {figures.dollars(each.worth)}"
    gauge = panels.gauge(share, _gauge_cols(look, f"  $100,000.00{'  stop 00,000.00'}"), False)
    spans = [("text", text.pad(text.clean(each.symbol), LABEL_COLS)), *gauge]
    spans += [("text", text.pad(words, 12)), ("dim", panels.stop_words(each))]
    return text.row(spans, look.cols)


def _standing(look: Look) -> Block:
    """Return mode, what sizes are multiplied by, and the attempts to get around a limit."""
    status = look.affairs.status
    assert status is not None
    factor = accounting.figure(look.affairs, "size_factor")
    attempts = status.override_attempts
    parts: list[Row] = [
        says(("mode", text.clean(status.mode))),
        [("dim", "sizes "), ("amber" if factor < 1.0 else "text", figures.part(factor))],
        [
            ("dim", "attempts to get around a limit, 24 h: "),
            ("amber" if attempts else "text", str(attempts)),
        ],
    ]
    return panels.flowing(parts, look.cols)


def _heat(look: Look) -> Block:
    return panels.heat(look)


def _closest(look: Look) -> Block:
    """Return the pairs of what is held that move closest, in one line: where there is no room for all."""
    held = [each.symbol for each in accounting.holdings(look.model)]
    known = accounting.correlations(look.model)
    found = [
        (known[pair_of(one, other)], one, other)
        for i, one in enumerate(held)
        for other in held[i + 1 :]
        if pair_of(one, other) in known
    ]
    parts: list[Row] = [
        [("dim", f"{text.clean(one)} {text.clean(other)} "), ("text", figures.correlation(value))]
        for value, one, other in sorted(found, reverse=True)
    ]
    spans = joined(parts, look.cols) or [("dim", "not known yet")]
    return panels.titled("Closest pairs", [text.row(spans, look.cols)], look.cols)
