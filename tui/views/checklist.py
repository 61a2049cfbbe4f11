"""The checklist: what is agreed to before trading goes on after a rest, and the way back."""

from genesis.operators.tilt.interventions import CHECKLIST
from genesis.tui import text
from genesis.tui.text import Block
from genesis.tui.views.look import Look

MARGIN = 3
MARK_COLS = 4
SIGNS_MAX = 6


def screen(look: Look) -> Block:
    """Return the page in exactly the room given."""
    cols = look.cols - 2 * MARGIN
    head = "Before trading goes on: read each point, and answer it as it is."
    block: Block = [text.row([("strong", head)], cols), text.blank(cols)]
    for i, point in enumerate(CHECKLIST):
        for j, piece in enumerate(text.wrapped(point, cols - MARK_COLS, 2)):
            mark = text.pad(str(i + 1) if j == 0 else "", MARK_COLS)
            block.append(text.row([("dim", mark), ("text", piece)], cols))
    how = f"Then: checklist {'y' * len(CHECKLIST)}; n for what is not so yet."
    block += [text.blank(cols), text.row([("text", text.cut(how, cols))], cols)]
    signs = look.affairs.mood.signs if look.affairs.mood is not None else ()
    if signs:
        block += [text.blank(cols), text.row([("text", "What was not as usual:")], cols)]
        block += [
            text.row([("dim", f"  {text.cut(text.clean(each), cols - 2)}")], cols)
            for each in signs[:SIGNS_MAX]
        ]
    missing = look.affairs.mood.missing if look.affairs.mood is not None else ()
    debt = look.affairs.mood.debt if look.affairs.mood is not None else 0
    if missing or debt:
        block.append(text.blank(cols))
    if debt:
        words = f"Sizes are full again after {debt} disciplined trade{'s' * (debt > 1)} with a gain."
        block.append(text.row([("dim", text.cut(words, cols))], cols))
    if missing:
        words = f"Still asked for: {', '.join(text.clean(each) for each in missing)}"
        block.append(text.row([("dim", text.cut(words, cols))], cols))
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)
