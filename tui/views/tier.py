"""The tier screen: what the next tier asks for, line by line, what it brings, and how it went so far."""

import math

from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tier_table import TIERS
from genesis.operators.account.tiers import GateProgress
from genesis.tui import figures, text
from genesis.tui.affairs import Books
from genesis.tui.text import Block, Row
from genesis.tui.views import panels
from genesis.tui.views.look import Look, joined

MARGIN = 3
MARK_COLS = 3
VALUE_COLS, VALUE_COLS_NARROW = 22, 10
WIDE_COLS = 100
"""Room from which on a gate has its gauge and its bound beside it."""

GAUGE_COLS = 16
SHARES = frozenset(
    {"PROFITABLE_DAYS", "FAST_EXECUTIONS", "DRAWDOWN_MONTH", "SLICED_ORDERS", "STRATEGY_SHARE"}
)
"""Gates whose measure is a part of 1."""

NO_LEDGER = "The gates are in the ledger, which is not read here yet"


def screen(look: Look) -> Block:
    """Return the screen ``tier`` in exactly the room given."""
    inner = look.within(look.cols - 2 * MARGIN, look.rows)
    books = look.affairs.books
    if books is None:
        block = [text.row([("dim", NO_LEDGER)], inner.cols)]
    else:
        block = [*_head(inner, books), text.blank(inner.cols)]
        ceremony = _ceremony(inner, books)
        block += [*ceremony, text.blank(inner.cols)] if ceremony else []
        block += _gates(inner.within(inner.cols, inner.rows - len(block)), books)
        block += _history(inner.within(inner.cols, inner.rows - len(block)))
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)


def _head(look: Look, books: Books) -> Block:
    days = max(books.event_ns - books.entered_ns, 0) / 86_400e9 if books.entered_ns >= 0 else math.nan
    passed = sum(gate.passed for gate in books.gates)
    parts: list[Row] = [[("strong", books.tier.title)]]
    if not math.isnan(days):
        parts.append([("dim", f"for {figures.span(days * 86_400)}")])
    if books.gates:
        parts.append([("text", f"{passed} of {len(books.gates)} gates")])
    else:
        parts.append([("dim", "the highest tier; it is kept by keeping the rules")])
    if books.guarded:
        parts.append([("dim", "the next tier is near: limits are a fifth lower")])
    return [text.row(joined(parts, look.cols), look.cols)]


def _ceremony(look: Look, books: Books) -> Block:
    """Return what a new tier has brought, for the two days in which its limits settle in."""
    left_ns = books.halved_until_ns - books.event_ns
    if left_ns <= 0 or books.tier is Tier.SNIPER:
        return []
    hours = math.ceil(left_ns / 3_600e9)
    lines = [f"You are {books.tier.title} now. Every gate was passed by what you did.", _new(books.tier)]
    lines.append(f"Limits are halved for {hours} h more, to settle in. There is no hurry.")
    width = max(text.columns(line) for line in lines) + 4
    cols = min(width, look.cols)
    block: Block = [text.row([("good", "─" * cols)], look.cols)]
    for i, line in enumerate(lines):
        shown = text.pad(text.cut(line, cols - 4), cols - 4, "^")
        block.append(text.row([("strong" if i == 0 else "text", f"  {shown}  ")], look.cols))
    return [*block, text.row([("good", "─" * cols)], look.cols)]


def _new(tier: Tier) -> str:
    """Return what a tier has that the one below it has not."""
    rights, below = TIERS[tier], TIERS[Tier(tier - 1)]
    more = sorted(rights.algorithms - below.algorithms)
    parts = [f"orders by {', '.join(more)}"] if more else []
    if rights.strategies_max > below.strategies_max:
        parts.append(f"{rights.strategies_max} strategies at once")
    if rights.daily_loss is not None:
        parts.append(f"a daily budget of {figures.round_dollars(float(rights.daily_loss))}")
    elif rights.daily_loss_share is not None:
        parts.append(f"a daily budget of {figures.part(float(rights.daily_loss_share))}")
    return "New: " + ", ".join(parts)


def _gates(look: Look, books: Books) -> Block:
    """Return what the next tier asks for, and what it brings; what finds no room is counted."""
    if not books.gates:
        return []
    after = Tier(books.tier + 1)
    lines = [line for gate in books.gates for line in _gate(gate, look.cols)]
    room = max(look.rows - 2, 1)
    if len(lines) > room:
        more = f"   and {len(lines) - room + 1} more; a higher window has them"
        lines = [*lines[: room - 1], text.row([("dim", more)], look.cols)]
    return [
        *panels.titled(f"What {after.title} asks for", lines, look.cols),
        text.row([("dim", text.cut(f"   {_new(after)}", look.cols))], look.cols),
    ]


def _gate(gate: GateProgress, cols: int) -> Block:
    """Return a gate: whether it is passed, what it asks for, how far it is, and with room a gauge."""
    mark, attribute = ("✓", "text") if gate.passed else ("○", "dim")
    wide = cols >= WIDE_COLS
    value = (
        f"{_value(gate, gate.value)} of {_value(gate, gate.threshold)}" if wide else _value(gate, gate.value)
    )
    if math.isnan(gate.value):
        value = "not known yet" if wide else "not known"
    room = cols - MARK_COLS - (VALUE_COLS + GAUGE_COLS if wide else VALUE_COLS_NARROW)
    sentence = text.wrapped(text.clean(gate.sentence), room - 1, 2)
    spans: Row = [("good" if gate.passed else "dim", text.pad(mark, MARK_COLS))]
    spans.append((attribute, text.pad(sentence[0], room)))
    if wide:
        spans += [*panels.gauge(_far(gate), GAUGE_COLS - 2, False), ("text", "  ")]
    spans.append(("dim" if math.isnan(gate.value) else "text", value))
    rest = [text.row([("text", " " * MARK_COLS), (attribute, words)], cols) for words in sentence[1:]]
    return [text.row(spans, cols), *rest]


def _value(gate: GateProgress, value: float) -> str:
    if gate.code == "CAPITAL":
        return figures.round_dollars(value)
    if gate.code in SHARES:
        return figures.part(value)
    if gate.code == "IMPACT":
        return f"{figures.bps(value)} bps"
    return f"{value:.1f}".removesuffix(".0") if gate.code != "SHARPE" else f"{value:.2f}"


def _far(gate: GateProgress) -> float:
    """Return how far a gate is, 0 to 1; of one that asks for at most something: passed or not."""
    if math.isnan(gate.value):
        return math.nan
    if gate.passed:
        return 1.0
    if gate.sign in (">=", ">") and gate.threshold > 0.0:
        return min(max(gate.value / gate.threshold, 0.0), 1.0)
    return 0.0


def _history(look: Look) -> Block:
    """Return how the account came to its tier, the newest first, while there is room."""
    room = look.rows - 2
    steps = look.affairs.tier_steps[::-1][: max(room, 0)]
    if not steps or room < 1:
        return []
    lines = [
        text.row(
            [
                ("dim", f"{figures.date(each.event_ns)}  "),
                ("text", text.cut(text.clean(each.sentence), look.cols - 12)),
            ],
            look.cols,
        )
        for each in steps
    ]
    return [text.blank(look.cols), *panels.titled("How it went", lines, look.cols)]
