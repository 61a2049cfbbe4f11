"""The help screen: the table of keys, and what the signs mean."""

from genesis.tui import keys, text
from genesis.tui.text import Block
from genesis.tui.views.look import Look

SIGNS = (
    ("·", "undefined, or not heard"),
    ("~", "computed across a gap"),
    ("░▒▓█", "above .2 .4 .6 .8"),
)
"""Signs and what they mean."""

KEY_COLS = 10
BRIEF_COLS, BRIEF_MIN = 5, 4


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
    """Return a heading and a line for each key; of keys that do what one word says, two to a line."""
    block = [text.row([("strong", name)], cols)]
    brief = [each for each in lines if " " not in each[1] and text.columns(each[0]) < BRIEF_COLS]
    if len(brief) < BRIEF_MIN:
        brief = []
    half = (len(brief) + 1) // 2
    second = [*brief[half:], ("", "")][:half]
    width = cols // 2
    for (shown, does), (shown_too, does_too) in zip(brief[:half], second, strict=True):
        left = [("text", f"  {text.pad(shown, BRIEF_COLS)}"), ("dim", does)]
        right = [("text", text.pad(shown_too, BRIEF_COLS)), ("dim", does_too)]
        block.append([*text.row(left, width), *text.row(right, cols - width)])
    for shown, does in lines:
        if (shown, does) not in brief:
            block.append(text.row([("text", "  " + text.pad(shown, KEY_COLS)), ("dim", does)], cols))
    return block
