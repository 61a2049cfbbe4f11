"""The panels of the account: each is one thing, drawn in the room it is given, with its name above it.

Dollars come first, per cent second and dimmer. Gains are green with a plus, losses grey with a minus.
"""

import math

from genesis.operators.account.outcomes import Fill, ParentOrder
from genesis.operators.records import Market
from genesis.tui import accounting, figures, text
from genesis.tui.accounting import Holding
from genesis.tui.text import Block, Row, Span
from genesis.tui.views import correlation
from genesis.tui.views.look import Look, joined

GAUGE_MAX = 50
"""Longest gauge in columns: longer says no more."""

SYMBOL_COLS = 10
COURSE_COLS = 7

WORDS_COLS = 64
"""Longest line of a paragraph."""

LOW = 0.2
"""A gauge with less than this left is amber."""


def nothing_yet(look: Look) -> Block:
    """Return what is said before the account has said anything."""
    words = (
        "A system that trades says how its account stands once a second, and this screen fills by itself. "
        "The market is on f6, the feed and the processes are on f8."
    )
    lines = text.wrapped(words, min(look.cols, WORDS_COLS), 3)
    return [
        text.row([("text", "No word from an account yet")], look.cols),
        text.blank(look.cols),
        *(text.row([("dim", line)], look.cols) for line in lines),
    ]


def titled(name: str, block: Block, cols: int) -> Block:
    """Return a panel: its name, and below it what it shows."""
    return [text.row([("dim", name)], cols), *block]


def gain(value: float) -> Span:
    """Return a result in dollars: green with a plus, grey with a minus.

    >>> gain(4.12), gain(-2.25)
    (('good', '+$4.12'), ('dim', '-$2.25'))
    """
    shown = figures.dollars(value, signed=True)
    return ("good" if shown.startswith("+") else "dim" if shown.startswith("-") else "text", shown)


def today(look: Look, split: bool) -> Block:
    """Return today's result, and with ``split`` what of it is open and what is closed."""
    found = accounting.today(look.affairs)
    attribute, shown = gain(found.pnl)
    spans: Row = [("strong" if attribute == "text" else attribute, shown)]
    if not math.isnan(found.share):
        spans.append(("dim", f"   {figures.part(found.share)}"))
    block = [text.row(spans, look.cols)]
    if split:
        parts: list[Row] = [
            [("dim", "open "), gain(found.open)],
            [("dim", "closed "), gain(found.closed)],
        ]
        block += flowing(parts, look.cols)
    return titled("Today", block, look.cols)


def gauge(left: float, cols: int, low: bool) -> Row:
    """Return a gauge; amber when it is low, and never red."""
    full, empty = figures.gauge(left, cols)
    return [("amber" if low else "text", full), ("faint", empty)]


def budget(look: Look) -> Block:
    """Return what may still be lost today, as a fuel gauge."""
    status, most = look.affairs.status, accounting.figure(look.affairs, "daily_loss_max")
    left = status.daily_budget if status is not None else math.nan
    share = left / most if most > 0.0 else math.nan
    words = f"  {figures.dollars(left)} of {figures.round_dollars(most)}"
    cols = max(min(look.cols - text.columns(words), GAUGE_MAX), 0)
    spans = [*gauge(share, cols, share < LOW), ("text", words)]
    return titled("Budget left today", [text.row(spans, look.cols)], look.cols)


def guards(look: Look, points: frozenset[str]) -> Block:
    """Return the drawdown and what moves together, each against its limit: in one line, or else in two."""
    parts: list[Row] = []
    status, known = look.affairs.status, look.affairs
    if "drawdown" in points:
        below, most = status.drawdown if status else math.nan, accounting.figure(known, "drawdown_max")
        parts.append(_against("drawdown", below, most))
    if "together" in points:
        held = accounting.holdings(look.model)
        share = accounting.together(held, accounting.correlations(look.model))
        parts.append(_against("moving together", share, accounting.TOGETHER_SHARE_MAX))
    return flowing(parts, look.cols)


def flowing(parts: list[Row], cols: int) -> Block:
    """Return the parts in one line when they fit, or else a line for each."""
    line = joined(parts)
    whole = [line] if text.span_columns(line) <= cols else parts
    return [text.row(each, cols) for each in whole]


def _against(name: str, value: float, most: float) -> Row:
    near = value >= most * (1.0 - LOW)
    shown: Span = ("amber" if near else "text", figures.part(value))
    return [("dim", f"{name} "), shown, ("dim", f" of {figures.part(most)}")]


def position_lines(look: Look, held: list[Holding], detailed: bool) -> Block:
    """Return a line for each position: what it is, how it stands, and with room its course and stop."""
    if not held:
        return [text.row([("dim", "nothing is held")], look.cols)]
    lines = [_position(look, each, detailed) for each in held]
    if len(lines) > look.rows:
        worth = sum(each.worth for each in held[look.rows - 1 :])
        rest = f"and {len(held) - look.rows + 1} more, {figures.dollars(worth)} together"
        lines = [*lines[: look.rows - 1], text.row([("dim", rest)], look.cols)]
    return lines


def _position(look: Look, each: Holding, detailed: bool) -> Row:
    name = text.cut(text.clean(each.symbol), SYMBOL_COLS)
    result = gain(each.unrealised)
    spans: Row = [
        ("text", text.pad(name, SYMBOL_COLS + 1)),
        ("text", text.pad(figures.quantity(each.qty), 10)),
    ]
    if not detailed:
        spans += [(result[0], text.pad(result[1], 11, ">")), ("dim", f"  {figures.part(each.share)}")]
        return text.row(spans, look.cols)
    spans += [
        ("dim", "at "),
        ("text", text.pad(figures.price(each.cost), 11, ">")),
        (result[0], text.pad(result[1], 11, ">")),
    ]
    room = look.cols - text.span_columns(spans)
    if room >= COURSE_COLS + 24:
        spans += [("dim", f" {text.pad(figures.part(each.share), 8, '>')}")]
        course = "" if each.place is None else figures.sparkline(_course(look, each.place), COURSE_COLS)
        spans += [("dim", text.pad(f"  {course}", COURSE_COLS + 3))]
    spans.append(("dim", stop_words(each)))
    return text.row(spans, look.cols)


def stop_words(each: Holding) -> str:
    """Return the stop-loss of a position: at the venue, or watched by the account in its place."""
    if math.isnan(each.stop):
        return "  no stop"
    return f"  {'watched' if each.is_watched else 'stop'} {figures.price(each.stop)}"


def _course(look: Look, place: int) -> list[float]:
    found: list[float] = look.figures.course[place].tolist()
    return found


def waiting_lines(look: Look) -> Block:
    """Return a line for each order that waits: of a tier whose orders are in one piece."""
    return [_waiting(each, look.cols) for each in accounting.working(look.affairs)[: look.rows]]


def _waiting(order: ParentOrder, cols: int) -> Row:
    words = f"{order.side} {figures.quantity(accounting.number(order.qty))}"
    spans: Row = [("dim", text.pad(text.clean(order.symbol), SYMBOL_COLS + 1)), ("dim", f"{words}, waits")]
    if order.status == "paused":
        spans.append(("amber", " · paused"))
    return text.row(spans, cols)


def working(look: Look) -> Block:
    """Return the orders at work: how far they are, and with room for a second line what they cost so far."""
    orders = accounting.working(look.affairs)
    if not orders:
        return titled("Working", [text.row([("dim", "no order is at work")], look.cols)], look.cols)
    lines = 2 if look.rows - 1 >= 2 * len(orders) else 1
    room = max((look.rows - 1) // lines, 1)
    block: Block = []
    for order in orders[:room]:
        block += _working(order, look.cols)[:lines]
    if len(orders) > room:
        block[-1] = text.row([("dim", f"and {len(orders) - room} more at work")], look.cols)
    return titled("Working", block, look.cols)


def _working(order: ParentOrder, cols: int) -> Block:
    qty, filled = accounting.number(order.qty), accounting.number(order.filled_qty)
    arrival = order.figures.get("arrival_price", math.nan)
    worth = figures.dollars(qty * arrival)
    how = "" if order.algorithm == "one" else f" by {order.algorithm.upper()}"
    words = text.clean(f"{order.side} {order.symbol} {worth}{how}")
    share = filled / qty if qty > 0.0 else math.nan
    far = f"  {figures.part(share)} · {order.children} sent"
    name_cols = min(max(cols // 2, 30), 40)
    gauge_cols = max(min(cols - name_cols - text.columns(far) - 10, 20), 4)
    first: Row = [("text", text.pad(words, name_cols)), *gauge(share, gauge_cols, False), ("dim", far)]
    if order.status != "working":
        first.append(("amber", f" · {text.clean(order.status)}"))
    cost = order.figures.get("shortfall_bps", math.nan)
    parts: list[Row] = [[("dim", "arrival "), ("text", figures.price(arrival))]]
    if order.average_price:
        average = figures.price(accounting.number(order.average_price))
        parts.insert(0, [("dim", "average "), ("text", average)])
        parts.append([("dim", "cost so far "), ("text", f"{figures.bps(cost)} bps")])
    return [text.row(first, cols), text.row(joined(parts, cols), cols)]


def heat(look: Look) -> Block:
    """Return how close each pair of what is held moves, as shading and numbers."""
    held = [each.place for each in accounting.holdings(look.model) if each.place is not None]
    life = accounting.half_life(look.model)
    if len(held) < 2 or life is None:
        words = "with two positions and more, how close they move" if len(held) < 2 else "not known yet"
        return titled("Moves with", [text.row([("dim", words)], look.cols)], look.cols)
    inner = look._replace(half_life_ns=life, market=Market.SPOT, places=tuple(held), at=0, rows=look.rows - 1)
    found = inner.matrix()
    if found is None or not set(found.members) & set(held):
        return titled("Moves with", [text.row([("dim", "not known yet")], look.cols)], look.cols)
    block, _ = correlation.matrix(inner, found)
    title = f"Moves with · half-life {figures.half_life(life)}"
    return titled(title, block[: look.rows - 1], look.cols)


def trades(look: Look) -> Block:
    """Return the newest trades, with what they cost against the arrival price."""
    fills = look.affairs.fills[::-1][: max(look.rows - 1, 0)]
    block = [_trade(fill, look.cols) for fill in fills] or [text.row([("dim", "no trade yet")], look.cols)]
    return titled("Trades", block, look.cols)


def _trade(fill: Fill, cols: int) -> Row:
    qty, price = accounting.number(fill.qty), accounting.number(fill.price)
    spans: Row = [
        ("dim", f"{figures.clock(fill.event_ns)[:5]}  "),
        ("text", text.pad(f"{fill.side} {text.clean(fill.symbol)}", 14)),
        ("text", text.pad(figures.dollars(qty * price), 10, ">")),
        ("dim", text.pad(figures.price(price), 12, ">")),
    ]
    cost = f"{figures.bps(fill.shortfall_bps)} bps"
    if text.span_columns(spans) + 10 <= cols:
        spans.append(("dim", text.pad(cost, 10, ">")))
    if fill.side == "sell" and text.span_columns(spans) + 12 <= cols:
        result = gain(accounting.number(fill.realised))
        spans.append((result[0], text.pad(result[1], 12, ">")))
    return text.row(spans, cols)


def strategies(look: Look) -> Block:
    """Return what each strategy brought in over the books' days, the best first."""
    books = look.affairs.books
    found = sorted(books.strategies.items(), key=lambda each: -each[1]) if books is not None else []
    days = books.pairs_days if books is not None else 0
    lines = [
        text.row([("text", text.pad(text.clean(name) or "by hand", 16)), gain(float(value))], look.cols)
        for name, value in found[: max(look.rows - 1, 0)]
    ] or [text.row([("dim", "nothing was sold yet")], look.cols)]
    return titled(f"Strategies, {days} days" if days > 1 else "Strategies", lines, look.cols)
