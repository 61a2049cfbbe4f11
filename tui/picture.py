"""Pictures of the real program: each screen of a running system as an SVG.

``python -m genesis.tui.picture --data DIR --out docs/pictures`` opens the dashboard in a
pseudo-terminal, goes through its screens, and draws what the terminal shows.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from urwid import calc_width

from genesis.tui.keys import SCREENS
from genesis.tui.terminal import Session

CELL_WIDTH, CELL_HEIGHT = 8.4, 17.0
FONT_SIZE, BASELINE = 14.0, 13.0
MARGIN = 12.0
INK, PAPER = "#d0d0d0", "#000000"
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"

FUNCTION_KEYS = ("\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~", "\x1b[17~", "\x1b[18~", "\x1b[19~")
"""What a terminal sends for f1, f2, …"""

Cell = tuple[Any, str]


def svg(cells: Sequence[Sequence[Cell]], title: str) -> str:
    """Return a screen as an SVG document: one text element for each run of one look."""
    cols = max((sum(calc_width(c, 0, len(c)) for _, c in row) for row in cells), default=0)
    width, height = cols * CELL_WIDTH + 2 * MARGIN, len(cells) * CELL_HEIGHT + 2 * MARGIN
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" font-family="{FONT}" font-size="{FONT_SIZE:g}">'
    )
    lines = [
        opening,
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
        '<g xml:space="preserve">',
    ]
    for y, row in enumerate(cells):
        lines += _row(row, MARGIN + y * CELL_HEIGHT + BASELINE)
    return "\n".join([*lines, "</g>", "</svg>", ""])


def _row(row: Sequence[Cell], y: float) -> list[str]:
    made: list[str] = []
    column = 0
    for look, cells in groupby(row, key=lambda cell: _look(cell[0])):
        shown = "".join(character for _, character in cells)
        cols = calc_width(shown, 0, len(shown))
        start = len(shown) - len(shown.lstrip(" "))
        words = shown.strip(" ")
        if words:
            x = MARGIN + (column + start) * CELL_WIDTH
            length = calc_width(words, 0, len(words)) * CELL_WIDTH
            made.append(
                f'<text x="{x:.1f}" y="{y:.1f}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
                f"{look}>{escape(words)}</text>"
            )
        column += cols
    return made


def _look(attributes: Any) -> str:
    """Return the SVG attributes for urwid's."""
    if attributes is None:
        return f' fill="{INK}"'
    red, green, blue, *_ = attributes.get_rgb_values()
    colour = INK if red is None else f"#{red:02x}{green:02x}{blue:02x}"
    return f' fill="{colour}"' + (' font-weight="bold"' if attributes.bold else "")


def take(session: Session, key: str, title: str) -> str:
    """Press a key and return a picture of the screen that it opens."""
    session.type(key)
    session.wait(lambda lines: title in lines[0])
    return svg(session.cells(), f"GENESIS, {title}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw every screen of a running system; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m genesis.tui.picture", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".genesis"), help="data folder of a running system")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="where the pictures go")
    parser.add_argument("--cols", type=int, default=120, help="columns of the terminal")
    parser.add_argument("--rows", type=int, default=40, help="rows of the terminal")
    parser.add_argument("--wait", default="Today", help="text to wait for before the first picture")
    parser.add_argument("--keys", default="", help="keys to type before the first picture")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "genesis.cli.main", "tui", "--data", str(asked.data)]
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    environment.pop("NO_COLOR", None)
    with Session(command, (asked.cols, asked.rows), environment) as session:
        lines = session.wait(
            lambda lines: asked.wait in "".join(lines) or "first steps" in lines[0], timeout_s=120.0
        )
        if "first steps" in lines[0]:
            session.type("\x1b")
            session.wait(lambda lines: asked.wait in "".join(lines), timeout_s=120.0)
        session.type(asked.keys)
        for name, key in zip(SCREENS, FUNCTION_KEYS, strict=True):
            title = name if name != SCREENS[0] else "GENESIS"
            (asked.out / f"{name}.svg").write_text(take(session, key, title))
        (asked.out / "help.svg").write_text(take(session, "?", "help"))
        session.type("q")
        return session.finish()


if __name__ == "__main__":
    sys.exit(main())
