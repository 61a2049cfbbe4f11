"""The command line's place: at the bottom of every screen of the account, always as tall.

It has a prompt, and below it room for what a command would do, what it would cost, what the rules make of
it, and what it may be completed to.
"""

from genesis.tui import text
from genesis.tui.text import Block
from genesis.tui.views.look import Look

PROMPT = "› "

HINT = "orders are given in another terminal: genesis order --help"

ROWS, ROWS_MORE, MORE_ROWS = 5, 6, 36
"""Its rows: in a window of fewer than MORE_ROWS rows, and in a higher one."""


def rows_of(rows: int) -> int:
    """Return how many rows it takes in a window of ``rows``."""
    return ROWS_MORE if rows >= MORE_ROWS else ROWS


def command_block(_look: Look, cols: int) -> Block:
    """Return the command line: a prompt, and what can be done without one."""
    return [
        text.row([("strong", PROMPT)], cols),
        text.row([("dim", f"  {HINT}")], cols),
    ]
