"""The checklist: what is agreed to before trading goes on after a rest."""

from genesis.operators.tilt.interventions import CHECKLIST
from genesis.tui import text
from genesis.tui.text import Block
from genesis.tui.views.look import Look

MARGIN = 3
MARK_COLS = 4


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
    missing = look.affairs.mood.missing if look.affairs.mood is not None else ()
    if missing:
        words = f"Still asked for: {', '.join(text.clean(each) for each in missing)}"
        block.append(text.row([("dim", text.cut(words, cols))], cols))
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)
