"""The overview: the markets, the price table, one instrument in detail, the feed, the processes."""

import functools

from genesis.tui import derived, figures, text
from genesis.tui.derived import Process
from genesis.tui.model import market_name
from genesis.tui.text import Block, Row
from genesis.tui.views import correlation, feed
from genesis.tui.views.look import LABEL_COLS, Look, joined, labelled, says
from genesis.tui.views.prices import cursor_row, prices, state_colour, state_name

MARGIN = 3
"""Columns left of everything; the cursor stands in them."""

DETAIL_ROWS = 25
"""Room in rows from which on the selected instrument is shown in detail."""

DETAIL_LINES = 5

SIDE_COLS = 180
"""Width from which on correlations and gaps have a panel of their own at the right."""

SIDE_SHARE = 68
"""Columns of that panel."""


def overview(look: Look) -> Block:
    """Return the screen ``overview`` in exactly the room given."""
    if look.cols >= SIDE_COLS:
        left_cols = look.cols - SIDE_SHARE
        left = _main(look.within(left_cols, look.rows))
        return text.beside(left, _side(look.within(SIDE_SHARE, look.rows)), left_cols, SIDE_SHARE)
    return _main(look)


def _main(look: Look) -> Block:
    cols = look.cols - MARGIN - 1
    inner = look.within(cols, look.rows)
    below: Block = [text.blank(look.cols)]
    if look.rows >= DETAIL_ROWS:
        rule = text.rule(look.cols)
        below = [rule, *text.indent(detail(inner), MARGIN, look.cols), rule]
    below += text.indent([feed_line(inner), processes_line(inner)], MARGIN, look.cols)
    above = text.indent([market_line(inner), text.blank(cols)], MARGIN, look.cols)
    table = inner.within(cols, look.rows - len(above) - len(below))
    body = [*above, *text.indent(_dim(table, prices(table)), MARGIN, look.cols), *below]
    at = cursor_row(table)
    if at >= 0:
        body[len(above) + at] = _pointed(body[len(above) + at], look.cols)
    return body


def _dim(look: Look, block: Block) -> Block:
    return text.dimmed(block) if look.fresh.dim else block


def _pointed(row: Row, cols: int) -> Row:
    return text.row([("strong", " › "), *row[1:]], cols)


def _side(look: Look) -> Block:
    cols = look.cols - 1
    heat = correlation.correlations(look.within(cols, look.rows * 2 // 3))
    gaps = feed.gaps(look.within(cols - MARGIN, look.rows - len(heat) - 1))
    block = [*_dim(look, heat), text.blank(cols), *text.indent(gaps, MARGIN, cols)]
    return [text.row(each, look.cols) for each in block]


def market_line(look: Look) -> Row:
    """Return the state of each whole market, with what it was judged on."""
    parts: list[Row] = []
    for row in look.model.markets:
        state = int(row["state"])
        part: Row = [("dim", f"{market_name(int(row['market']))} ")]
        part.append((state_colour(state), ("~" if row["stale"] else "") + state_name(state)))
        held_s = (int(row["event_ns"]) - int(row["since_ns"])) / 1e9
        part.append(("dim", f" for {figures.span(held_s)}"))
        if look.wide:
            part.append(("dim", f", volatility {figures.ratio(float(row['volatility_ratio']))} usual"))
        parts.append(part)
    spans = joined(parts, look.cols - LABEL_COLS) or [("dim", "no state yet")]
    return labelled("Market", text.dimmed([spans])[0] if look.fresh.dim else spans, look.cols)


def detail(look: Look) -> Block:
    """Return five lines on the selected instrument."""
    place = look.selected
    if place is None:
        return [text.blank(look.cols) for _ in range(DETAIL_LINES)]
    row = look.model.board[place]
    quote, book, bar, state = row["quote"], row["liquidity"], row["bar"], row["state"]
    third = look.cols // 3

    def side(label: str, price: str, qty: str) -> Row:
        amount = figures.quantity(float(quote[qty]))
        return says((label, f"{figures.price(float(quote[price]))} × {amount}"))

    def usual(label: str, field: str) -> Row:
        return says((label, f"{figures.ratio(float(state[field]))} usual"))

    def depth(at: int) -> str:
        bid, ask = float(book["bid_depth_notional"][at]), float(book["ask_depth_notional"][at])
        return f"{figures.short(bid)} × {figures.short(ask)}"

    high_low = f"{figures.price(float(bar['high']))} · {figures.price(float(bar['low']))}"
    volume = f"{figures.short(float(bar['notional']))} in {figures.count(float(bar['trade_count']))} trades"
    columns: list[list[Row]] = [
        [
            [("strong", look.name(place))],
            side("ask", "ask_price", "ask_qty"),
            side("bid", "bid_price", "bid_qty"),
            says(("micro price", figures.price(float(book["micro_price"])))),
        ],
        [
            says(("state since", figures.clock(int(state["since_ns"])))),
            usual("volatility", "volatility_ratio"),
            usual("spread", "spread_ratio"),
            usual("trades", "trade_rate_ratio"),
        ],
        [
            says(("minute of", figures.clock(int(bar["open_ns"])))),
            says(("high · low", high_low)) if bar["open_ns"] else says(("high · low", figures.UNDEFINED)),
            says(("volume", volume if bar["open_ns"] else figures.UNDEFINED)),
            joined([says(("depth 10 bps", depth(1))), says(("50 bps", depth(2)))], look.cols - 2 * third + 8),
        ],
    ]
    widths = (third, third - 8, look.cols - 2 * third + 8)
    lines = [
        [span for spans, cols in zip(each, widths, strict=True) for span in text.row(spans, cols)]
        for each in zip(*columns, strict=True)
    ]
    return _dim(look, [*lines, _company(look, place)])


def _company(look: Look, place: int) -> Row:
    """Return what the instrument moves with, within its market."""
    half_life_ns = look.half_life_ns
    if half_life_ns is None:
        return text.blank(look.cols)
    found = derived.matrix(look.model, half_life_ns, look.model.instruments[place].market)
    return correlation.closest_line(look, found, f"moves with ({figures.half_life(half_life_ns)})")


def feed_line(look: Look) -> Row:
    """Return the feed in one line: as many of its figures as fit, the weightiest first."""
    figure = functools.partial(derived.feed_figure, look.model)
    parts = [
        [("text", figures.count(figure("messages_per_s"))), ("dim", " messages/s")],
        _gaps(look),
        says(("dead letters", figures.count(figure("dead_letters")))),
        says(("resyncs", figures.count(figure("resyncs")))),
        says(("connections", figures.count(figure("connections")))),
        says(("lag", figures.milliseconds(figure("lag_ms")))),
    ]
    return labelled("Feed", joined(parts, look.cols - LABEL_COLS), look.cols)


def _gaps(look: Look) -> Row:
    number = derived.gaps_open(look.model)
    total = derived.feed_figure(look.model, "gaps_total")
    return [
        ("dim", "gaps "),
        ("amber" if number > 0 else "text", f"{figures.count(number)} open"),
        ("dim", f" of {figures.count(total)}"),
    ]


def processes_line(look: Look) -> Row:
    """Return the components by their state, those that need a look first."""
    by_state: dict[tuple[bool, str], list[Process]] = {}
    for process in derived.processes(look.model, look.now_ns):
        by_state.setdefault((process.well, process.state), []).append(process)
    parts: list[Row] = []
    for (well, state), those in sorted(by_state.items(), key=lambda each: each[0]):
        names = " ".join(process.name for process in those)
        heard = any(process.name in look.model.health for process in those)
        quiet = state == derived.NO_WORD and not heard
        parts.append(
            [("text" if well else "dim" if quiet else "amber", f"{text.clean(state)}: "), ("dim", names)]
        )
    return labelled("Processes", joined(parts), look.cols)
