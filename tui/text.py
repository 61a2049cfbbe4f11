"""Rows of coloured text that fill their width exactly: what every view is made of.

A *span* is an attribute and a piece of text, a *row* is spans that together are exactly as wide as
asked, a *block* is rows of one width. Nothing that came from outside can break a row: control
characters, and characters that change the direction of writing, are replaced.
"""

import unicodedata

from urwid import calc_width

Span = tuple[str, str]
Row = list[Span]
Block = list[Row]

CUT = "…"
"""Stands where text was cut off."""

_CONTROLS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

_DRAWN = "─━│┌┐└┘├┤›‹·…×░▒▓█▁▂▃▄▅▆▇↑↓←→“”✓○▏"
_NARROW = frozenset(_DRAWN) | {chr(code) for code in range(32, 127)}
"""Characters known to take one column; all that the views draw with are among them."""

# One character of plain ASCII for each character that the views draw with.
_ASCII = str.maketrans(_DRAWN, '-=|++++++><.~x.:%#__..--^^v<>""vo|')


def wrapped(words: str, cols: int, lines_max: int) -> list[str]:
    """Return a sentence on at most ``lines_max`` lines of ``cols`` columns; what is left over is cut off.

    >>> wrapped("nothing is sent until it is reached", 16, 2), wrapped("one two three", 8, 1)
    (['nothing is sent', 'until it is rea…'], ['one two…'])
    """
    lines: list[str] = []
    for word in words.split():
        if lines and columns(lines[-1]) + 1 + columns(word) <= cols:
            lines[-1] += f" {word}"
        elif len(lines) < lines_max:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return [cut(line, cols) for line in lines]


def columns(text: str) -> int:
    """Return how many columns of the screen ``text`` takes.

    >>> columns("BTCUSDT"), columns("币安")
    (7, 4)
    """
    if text.isascii() or _NARROW.issuperset(text):
        return len(text)
    return int(calc_width(text, 0, len(text)))


def clean(text: str) -> str:
    r"""Return ``text`` on one line and without anything that a terminal would obey.

    >>> clean("bad \x1b[31m message\n")
    'bad ?[31m message?'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("?" if unicodedata.category(c) in _CONTROLS else c for c in text)


def cut(text: str, cols: int) -> str:
    """Return as much of ``text`` as fits, ending in an ellipsis when something is missing.

    >>> cut("correlation", 6), cut("state", 6), cut("state", 0)
    ('corre…', 'state', '')
    """
    if columns(text) <= cols:
        return text
    if cols <= 0:
        return ""
    kept, used = [], 0
    for character in text:
        used += columns(character)
        if used > cols - 1:
            break
        kept.append(character)
    return "".join(kept) + CUT


def pad(text: str, cols: int, align: str = "<") -> str:
    """Return ``text`` cut or filled to exactly ``cols`` columns; ``align`` is one of ``< > ^``.

    >>> pad("mid", 6, ">"), pad("mid", 2)
    ('   mid', 'm…')
    """
    text = cut(text, cols)
    rest = max(cols - columns(text), 0)
    left = {"<": 0, ">": rest, "^": rest // 2}[align]
    return " " * left + text + " " * (rest - left)


def span_columns(spans: Row) -> int:
    """Return the columns that the spans take together."""
    return sum(columns(text) for _, text in spans)


def row(spans: Row, cols: int, fill: str = "text") -> Row:
    """Return the spans as a row of exactly ``cols`` columns, cut or filled on the right."""
    made: Row = []
    left = cols
    for attribute, text in spans:
        wide = columns(text)
        if text and wide <= left:
            made.append((attribute, text))
        elif text:
            made.append((attribute, pad(text, left)))
        left -= wide
        if left <= 0:
            return made
    made.append((fill, " " * left))
    return made


def between(left: Row, right: Row, cols: int) -> Row:
    """Return a row with ``left`` at its left end and ``right`` at its right end; the right one wins."""
    kept = min(span_columns(right), cols)
    return row(left, cols - kept) + row(right, kept)


def blank(cols: int) -> Row:
    """Return an empty row."""
    return [("text", " " * cols)]


def rule(cols: int) -> Row:
    """Return a thin line across, a column short of each side."""
    return [("text", " "), ("faint", "─" * (cols - 2)), ("text", " ")]


def indent(block: Block, left: int, cols: int) -> Block:
    """Return the block moved right by ``left`` columns, in rows of ``cols``."""
    return [row([("text", " " * left), *each], cols) for each in block]


def tall(block: Block, rows: int, cols: int) -> Block:
    """Return exactly ``rows`` rows: cut at the bottom, or filled with empty ones."""
    return block[:rows] + [blank(cols) for _ in range(rows - len(block))]


def beside(left: Block, right: Block, left_cols: int, right_cols: int) -> Block:
    """Return two blocks next to each other, as tall as the taller one."""
    rows = max(len(left), len(right))
    pairs = zip(tall(left, rows, left_cols), tall(right, rows, right_cols), strict=True)
    return [a + b for a, b in pairs]


def dimmed(block: Block) -> Block:
    """Return the block in the colour of what is no longer fresh; frames and rules stay."""
    return [[(a if a in ("faint", "amber") else "dim", text) for a, text in each] for each in block]


def plain(block: Block) -> list[str]:
    """Return the text alone, for tests and for people."""
    return ["".join(text for _, text in each) for each in block]


def to_ascii(text: str) -> str:
    """Return ``text`` in plain ASCII of the same width, for terminals that know nothing else.

    >>> to_ascii("│ ▁▄▇ · .61 ▒ 币 │")
    '| _.^ . .61 : ?? |'
    """
    text = text.translate(_ASCII)
    if text.isascii():
        return text
    return "".join(c if c.isascii() else "?" * columns(c) for c in text)
