"""The command line's place: at the bottom of every screen, always as tall.

It has a prompt, and below it what a command would do, what it would cost, what the rules make of it, and what
it may be completed to; after it was sent, what was decided.
"""

from genesis.operators.account.events import PlaceOrder
from genesis.operators.account.preview import Preview
from genesis.tui import figures, keys, text
from genesis.tui.commands.completion import candidates
from genesis.tui.commands.grammar import Mistake
from genesis.tui.commands.line import Around, Line, Stage, fits, understood
from genesis.tui.commands.meaning import Ask, Meant
from genesis.tui.commands.values import QUOTE_ASSET
from genesis.tui.text import Block, Row
from genesis.tui.views.look import Look, joined, says

PROMPT = "› "
MARGIN = "  "
CURSOR = "▏"

HINT = "type a command, such as b25u btc · ? has them all"
HINT_WATCHING = "this dashboard only watches"

ROWS, ROWS_MORE, MORE_ROWS = 5, 6, 36
"""Its rows: in a window of fewer than MORE_ROWS rows, and in a higher one."""

TEXT_ROWS_MAX = 4
"""Most rows of what is typed that are shown: the end of a long entry."""

REASON_LEVEL = 2
"""From this tilt level on an order asks for a sentence."""


def rows_of(rows: int) -> int:
    """Return how many rows it takes in a window of ``rows``."""
    return ROWS_MORE if rows >= MORE_ROWS else ROWS


def command_block(look: Look, cols: int) -> Block:
    """Return the command line, and what there is to say of it."""
    line = look.controls.line
    if not line.active:
        return [text.row([("strong", PROMPT)], cols), *_after(look, line, cols)]
    typed = _typed(line, cols)
    return [*typed, *_before(look, line, cols)]


def _typed(line: Line, cols: int) -> Block:
    """Return what is typed with its cursor, on as many rows as it takes, the last ones when it is long."""
    at = line.cursor
    end = at >= len(line.text)
    shown = line.text + CURSOR if end else line.text[:at] + CURSOR + line.text[at:]
    room = cols - len(PROMPT) - 1
    pieces = _pieces(text.clean(shown), room)[-TEXT_ROWS_MAX:]
    return [
        text.row([("strong", PROMPT if i == 0 else MARGIN), ("strong", piece)], cols)
        for i, piece in enumerate(pieces)
    ]


def _pieces(words: str, room: int) -> list[str]:
    """Return text cut into rows of at most ``room`` columns, at spaces where there are some."""
    made = [""]
    for word in words.split(" "):
        piece = f"{made[-1]} {word}" if made[-1] else word
        if text.columns(piece) <= room:
            made[-1] = piece
            continue
        made += [word[i : i + room] for i in range(0, len(word), room)] or [""]
    return made if made[0] or len(made) == 1 else made[1:]


def _after(look: Look, line: Line, cols: int) -> Block:
    """Return what became of the command that was sent last, or what can be done."""
    if look.controls.watching:
        return [text.row([("dim", f"{MARGIN}{HINT_WATCHING}")], cols)]
    if not line.sent:
        return [text.row([("dim", f"{MARGIN}{HINT}")], cols)]
    sent = text.row([("dim", f"{MARGIN}{text.clean(line.says)}")], cols)
    answer = look.model.answers.get(line.sent)
    if answer is None:
        return [sent, text.row([("dim", f"{MARGIN}sent; the account decides")], cols)]
    if answer.decision is None:
        return [sent, *_wrapped("amber", answer.trouble, cols)]
    decision = answer.decision
    block = [sent, *_wrapped("text" if decision.accepted else "amber", decision.sentence, cols)]
    if not decision.accepted:
        block.append(text.row([("dim", f"{MARGIN}why says more")], cols))
    return block


def _wrapped(attribute: str, sentence: str, cols: int, most: int = 2) -> Block:
    words = text.wrapped(text.clean(sentence), cols - len(MARGIN), most)
    return [text.row([(attribute, f"{MARGIN}{each}")], cols) for each in words]


def _before(look: Look, line: Line, cols: int) -> Block:
    """Return what is to be said of a command that is not sent yet."""
    around = keys.around(look.controls, look.model)
    if not line.text.strip():
        return [text.row([("dim", f"{MARGIN}{HINT}")], cols)]
    found = understood(line.text, around.known)
    block = _says(found, line, cols)
    if isinstance(found, Ask):
        block += _outlook(look, line, found, cols)
    return [*block, _keys(line, found, around, cols)]


def _says(found: Meant, line: Line, cols: int) -> Block:
    if isinstance(found, Mistake):
        return _wrapped("dim" if found.unfinished else "amber", found.sentence, cols)
    if isinstance(found, Ask):
        attribute = "strong" if line.stage is Stage.LOOKED_AT else "text"
        return _wrapped(attribute, found.says, cols, 1)
    return [text.row([("text", f"{MARGIN}{_shows(found.what, found.value)}")], cols)]


def _shows(what: str, value: str) -> str:
    return f"show: {what}" if not value else f"{what}: {value}"


def _outlook(look: Look, line: Line, found: Ask, cols: int) -> Block:
    """Return what the account would make of a command, as far as it was looked at."""
    answer = look.model.answers.get(line.number)
    is_asked = line.errand is not None and line.errand.command == found.command
    is_order = isinstance(found.command, PlaceOrder)
    if not is_asked or (answer is None and not is_order):
        return []
    if answer is None:
        return [text.row([("dim", f"{MARGIN}looking at what it would lead to")], cols)]
    if answer.preview is None:
        words = f"it cannot be looked at beforehand: {answer.trouble}" if is_order else ""
        return _wrapped("dim", words, cols) if words else []
    if not answer.preview.accepted:
        return _wrapped("amber", f"this would be declined: {answer.preview.sentence}", cols)
    block = (
        _priced(answer.preview, found.command.symbol, cols) if isinstance(found.command, PlaceOrder) else []
    )
    if is_order and look.affairs.status is not None and _asks_reason(look, found):
        words = "a sentence of why is asked for now: add because and your words"
        block[-1:] = [text.row([("amber", f"{MARGIN}{words}")], cols)]
    return block


def _asks_reason(look: Look, found: Ask) -> bool:
    order = found.command
    level = keys.around(look.controls, look.model).known.level
    return (
        isinstance(order, PlaceOrder) and order.side == "buy" and level >= REASON_LEVEL and not order.reason
    )


def _priced(preview: Preview, symbol: str, cols: int) -> Block:
    """Return size and cost on one row, and what the limits would be after it on the next."""
    base = text.clean(symbol.removesuffix(QUOTE_ASSET))
    cost = f"${float(preview.cost):.2f}" if preview.cost else "nothing"
    bps = f" {figures.bps(preview.cost_bps)} bps" if preview.cost_bps is not None else ""
    first = joined(
        [
            [("dim", "about "), ("text", f"{preview.qty} {base}"), ("dim", f" for ${preview.notional}")],
            [("text", f"{preview.slices} slices")] if preview.slices > 1 else [],
            [("dim", "cost near "), ("text", cost), ("dim", bps)],
        ],
        cols - len(MARGIN),
    )
    return [
        text.row([("text", MARGIN), *first], cols),
        text.row([("text", MARGIN), *_limits(preview, cols - len(MARGIN))], cols),
    ]


def _limits(preview: Preview, cols: int) -> Row:
    parts: list[Row] = []
    share, position = preview.limits.get("share_of_capital"), preview.limits.get("position")
    cash, lost = preview.limits.get("cash_promised"), preview.limits.get("daily_loss")
    if share is not None:
        parts.append(
            says(("after it", f"{figures.part(share.after)} of {figures.part(share.most)} of capital"))
        )
    if position is not None:
        parts.append(says(("", f"${position.after:,.2f} of ${position.most:,.2f}")))
    if cash is not None:
        parts.append(says(("cash left", f"${cash.most - cash.after:,.2f}")))
    if lost is not None:
        used, most = figures.round_dollars(lost.after), figures.round_dollars(lost.most)
        parts.append(says(("lost today", f"{used} of {most}")))
    return joined(parts, cols)


def _keys(line: Line, found: Meant, around: Around, cols: int) -> Row:
    """Return what can be pressed now, or what the line may be completed to."""
    fitting = fits(line, around)
    if fitting:
        return text.row([("dim", f"{MARGIN}tab takes what fits: "), ("text", fitting[0])], cols)
    if line.stage is Stage.LOOKED_AT:
        answer = around.answers.get(line.number)
        waits = isinstance(found, Ask) and isinstance(found.command, PlaceOrder) and answer is None
        declined = answer is not None and answer.preview is not None and not answer.preview.accepted
        is_order = isinstance(found, Ask) and isinstance(found.command, PlaceOrder)
        words = "enter sends it · esc lets go"
        if declined and is_order:
            words = "no smaller one fits now · enter looks again · esc lets go"
        if waits:
            words = "one moment · esc lets go"
        return text.row([("dim" if waits else "strong", f"{MARGIN}{words}")], cols)
    offered = line.offered or tuple(candidates(line.text[: line.cursor], around.known))
    if offered and (isinstance(found, Mistake) or line.offered):
        parts: list[Row] = [[("dim", each.strip())] for each in offered[:8]]
        return text.row([("dim", f"{MARGIN}tab: "), *joined(parts, cols - 8)], cols)
    words = "" if isinstance(found, Mistake) else "enter looks at it" if isinstance(found, Ask) else "enter"
    return text.row([("dim", f"{MARGIN}{words}")], cols)
