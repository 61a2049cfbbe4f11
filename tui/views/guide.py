"""The help screen: the table of keys, and what the signs mean."""

from genesis.tui import keys, text
from genesis.tui.text import Block
from genesis.tui.views.look import Look

SIGNS = (
    ("·", "undefined, or not heard"),
    ("~", "computed across a gap"),
    ("age", "how old a quote is"),
    ("░▒▓█", "above .2 .4 .6 .8"),
)
"""Signs and what they mean."""

KEY_COLS = 10


def screen(look: Look) -> Block:
    """Return the help screen in exactly the room given."""
    cols = (look.cols - 4) // 2
    parts = [
        _group(name, [(key.shown, key.does) for key in those], cols)
        for name, those in keys.by_group().items()
    ]
    parts.append(_group("Signs", list(SIGNS), cols))
    total = sum(len(part) for part in parts)
    left: Block = []
    right: Block = []
    for part in parts:
        side = left if len(left) + len(part) <= max(total // 2 + 1, len(left) + 1) and not right else right
        side += part
    block = text.beside(left, right, cols, cols)
    return text.tall(text.indent(block, 3, look.cols), look.rows, look.cols)


def _group(name: str, lines: list[tuple[str, str]], cols: int) -> Block:
    block = [text.row([("strong", name)], cols)]
    for shown, does in lines:
        block.append(text.row([("text", "  " + text.pad(shown, KEY_COLS)), ("dim", does)], cols))
    return block
