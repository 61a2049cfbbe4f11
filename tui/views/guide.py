"""The help screen: the tables of keys and commands, and what the signs mean; a few pages to turn."""

from genesis.tui import keys, text
from genesis.tui.commands import grammar
from genesis.tui.text import Block
from genesis.tui.views.look import Look

SIGNS = (
    ("·", "undefined, or not heard"),
    ("~", "computed across a gap"),
    ("░▒▓█", "above .2 .4 .6 .8"),
)
"""Signs and what they mean."""

KEY_COLS = 12
BRIEF_COLS, BRIEF_MIN = 5, 4


PAGES = (
    ("Screens", "Symbols", "Correlation", "Display", "Filter", ""),
    (),
    ("Command line", "Help", "Why", "Checklist", "First steps"),
)
"""Groups of keys on each page, the empty name for the signs; a page without any has the commands."""


def screen(look: Look) -> Block:
    """Return the page of help that is turned to, in exactly the room given."""
    cols = (look.cols - 4) // 2
    page = PAGES[look.controls.step % len(PAGES)]
    parts = _keys(page, cols) if page else _commands(cols)
    left, right = _balanced(parts)
    block = text.beside(left, right, cols, cols)
    return text.tall(text.indent(block, 3, look.cols), look.rows, look.cols)


def _balanced(parts: list[Block]) -> tuple[Block, Block]:
    """Return the parts in two columns, in their order, the taller one as short as can be."""
    joined = [
        [row for part in some for row in part] for some in ([], *(parts[: i + 1] for i in range(len(parts))))
    ]
    whole = joined[-1]
    left = min(joined, key=lambda some: (max(len(some), len(whole) - len(some)), -len(some)))
    return left, whole[len(left) :]


def _keys(page: tuple[str, ...], cols: int) -> list[Block]:
    groups = keys.by_group()
    return [
        _group(name or "Signs", [(key.shown, key.does) for key in groups[name]] if name else [*SIGNS], cols)
        for name in page
    ]


def _commands(cols: int) -> list[Block]:
    """Return the commands by their groups; a wide column has their forms."""
    made: dict[str, list[tuple[str, str]]] = {}
    for verb in grammar.VERBS:
        made.setdefault(verb.group, []).append((verb.name, verb.does))
    return [_group(name, lines, cols) for name, lines in made.items()]


def _group(name: str, lines: list[tuple[str, str]], cols: int) -> Block:
    """Return a heading and a line for each key; of keys that do what one word says, two to a line."""
    block = [text.row([("strong", name)], cols)]
    brief = [each for each in lines if " " not in each[1] and text.columns(each[0]) <= BRIEF_COLS - 1]
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
