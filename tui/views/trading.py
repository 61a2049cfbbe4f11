"""The trading screen: what the day has brought, what may be lost, what is held; and at level 3, rest.

Each thing has its place, the same in every tier: the result top left, the budget beside or below it,
positions in the middle. What a tier shows is `density.POINTS`.
"""

from collections.abc import Callable

from genesis.operators.account.tier_gates import Tier
from genesis.tui import accounting, figures, text
from genesis.tui.text import Block, Row
from genesis.tui.views import density, overview, panels
from genesis.tui.views.look import Look, joined

MARGIN = 3
TIGHT_ROWS = 20
"""Room with fewer rows than this has no empty lines to spare."""

BESIDE_COLS = 100
"""Room in columns from which on panels lie beside each other."""

SIDE_SHARE = 0.4
LEFT_COLS = 40


def screen(look: Look) -> Block:
    """Return the screen ``trading`` in exactly the room given."""
    inner = look.within(look.cols - 2 * MARGIN, look.rows)
    if accounting.level_of(look.affairs) >= 3:
        return text.tall(text.indent(resting(inner), MARGIN, look.cols), look.rows, look.cols)
    if look.affairs.status is None:
        block = panels.nothing_yet(inner)
    elif look.tier is Tier.SNIPER:
        block = _sniper(inner)
    else:
        block = _more(inner, density.shown(look.tier))
    if look.account.dim or look.fresh.dim:
        block = text.dimmed(block)
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)


def _sniper(look: Look) -> Block:
    """Three things and nothing else, one below the other."""
    gap = [text.blank(look.cols)]
    block = [*panels.today(look, split=False), *gap, *panels.budget(look), *gap, *gap]
    room = look.within(look.cols, max(look.rows - len(block) - 1, 1))
    held = accounting.holdings(look.model)
    lines = panels.position_lines(room, held, detailed=False)
    lines += panels.waiting_lines(room.within(room.cols, max(room.rows - len(lines), 0)))
    return [*block, *panels.titled("Position" if len(held) < 2 else "Positions", lines, look.cols)]


def _more(look: Look, points: frozenset[str]) -> Block:
    """Return head, then positions and orders with room beside them for more, then lines of the rest."""
    rule: Block = [] if look.rows < TIGHT_ROWS else [[("faint", "─" * look.cols)]]
    gap = [] if look.rows < TIGHT_ROWS else [text.blank(look.cols)]
    head = [*_head(look, points), *(rule or [text.blank(look.cols)])]
    foot = [*rule, *_foot(look, points), *gap]
    middle = look.within(look.cols, max(look.rows - len(head) - len(foot), 4))
    return [*head, *text.tall(_middle(middle, points), middle.rows, look.cols), *foot]


def _head(look: Look, points: frozenset[str]) -> Block:
    left = min(LEFT_COLS, look.cols * 2 // 5)
    result = panels.today(look.within(left - 2, look.rows), split="split" in points)
    right = look.within(look.cols - left, look.rows)
    limits = [*panels.budget(right), *panels.guards(right, points)]
    return text.beside(text.indent(result, 0, left), limits, left, look.cols - left)


def _middle(look: Look, points: frozenset[str]) -> Block:
    if look.cols < BESIDE_COLS or "heat" not in points:
        return _held(look, points)
    right = int(look.cols * SIDE_SHARE)
    left = look.cols - right
    side = _side(look.within(right - 2, look.rows), points)
    return text.beside(_held(look.within(left, look.rows), points), text.indent(side, 2, right), left, right)


def _held(look: Look, points: frozenset[str]) -> Block:
    """Positions above, and below them the orders at work, with room for what there is of each."""
    held, orders = accounting.holdings(look.model), accounting.working(look.affairs)
    wanted = 1 + max(2 * len(orders), 1) if "working" in points else 0
    spare = look.rows - 2 - max(len(held), 1)
    least = min(wanted, max(spare, 2))
    room = look.within(look.cols, max(look.rows - 2 - least, 1))
    block = panels.titled("Positions", panels.position_lines(room, held, detailed=True), look.cols)
    if not wanted:
        return block
    block.append(text.blank(look.cols))
    return [*block, *panels.working(look.within(look.cols, look.rows - len(block)))]


def _side(look: Look, points: frozenset[str]) -> Block:
    """Return the panels beside the positions, one below the other while there is room."""
    block = panels.heat(look.within(look.cols, max(look.rows * 2 // 3, 4)))
    more: list[Callable[[Look], Block]] = []
    if "trades" in points:
        more.append(panels.trades)
    if "strategies" in points:
        more.append(panels.strategies)
    for i, panel in enumerate(more):
        room = (look.rows - len(block) - 1) // (len(more) - i)
        if room >= 3:
            block += [text.blank(look.cols), *panel(look.within(look.cols, room - 1))]
    return block


def _foot(look: Look, points: frozenset[str]) -> Block:
    block: Block = []
    if "market" in points:
        block.append(overview.market_line(look))
    if "way" in points:
        block.append(way_line(look))
    if "system" in points and look.rows >= TIGHT_ROWS:
        block.append(overview.processes_line(look))
    return block


def way_line(look: Look) -> Row:
    """Return how far it is to the next tier, in one line."""
    books = look.affairs.books
    if books is None:
        return text.row([("dim", "The way up is in the ledger, which is not read here")], look.cols)
    if not books.gates:
        return text.row([("dim", "The highest tier; it is kept by keeping the rules")], look.cols)
    passed = sum(gate.passed for gate in books.gates)
    parts: list[Row] = [[("text", f"{passed} of {len(books.gates)} gates")]]
    nearest = next((gate for gate in books.gates if not gate.passed), None)
    if nearest is not None:
        parts.append([("dim", f"next: {text.clean(nearest.sentence)}")])
    parts.append([("dim", "f4 has all")])
    label = f"To {Tier(books.tier + 1).title}  "
    return text.row([("dim", label), *joined(parts, look.cols - text.columns(label))], look.cols)


SIGNS_MAX = 4
REST_COLS = 64


def resting(look: Look) -> Block:
    """Return the screen of a lockout: why, what stays open, and until when."""
    mood = look.affairs.mood
    cols = min(look.cols, REST_COLS)
    lines: Block = [text.row([("strong", "A pause, to protect what you have built")], cols), text.blank(cols)]
    signs = mood.signs if mood is not None else ()
    if signs:
        lines.append(text.row([("text", "What was not as usual:")], cols))
        for sign in signs[:SIGNS_MAX]:
            sentence = text.wrapped(text.clean(sign), cols - 2, 2)
            lines += [text.row([("dim", f"  {words}")], cols) for words in sentence]
        if len(signs) > SIGNS_MAX:
            lines.append(text.row([("dim", f"  and {len(signs) - SIGNS_MAX} more")], cols))
        lines.append(text.blank(cols))
    lines.append(text.row([("text", "Stops stay in place. Closing is always open: flatten")], cols))
    lines.append(text.blank(cols))
    lines.append(text.row(_until(look), cols))
    left = max((look.cols - cols) // 2, 0)
    above = max((look.rows - len(lines)) // 2, 0)
    return [*[text.blank(look.cols)] * above, *text.indent(lines, left, look.cols)]


def _until(look: Look) -> Row:
    known = look.affairs
    if known.mood is None or known.mood.until_ns <= 0:
        return [("dim", "Trading opens again by itself; the account keeps the time")]
    left_s = (known.mood.until_ns - known.event_ns) / 1e9
    if left_s <= 0.0 and "the checklist" in known.mood.missing:
        return [("text", "The time is over. What is left is a look at yourself: checklist")]
    if left_s <= 0.0:
        return [("text", "Trading may open now, at a quarter of your size")]
    return [
        ("text", f"Trading opens again in {figures.countdown(left_s)}"),
        ("dim", ", at a quarter of your size"),
    ]
