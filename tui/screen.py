"""The terminal: a raw screen that never waits for it, and a page of rows drawn on it.

A thread writes to the terminal. While it is still busy with one frame no other is drawn, so that a
slow line shows fewer frames and never old ones, and keys are read all the while.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import urwid
from urwid.display import raw

from genesis.tui import palette, text
from genesis.tui.palette import Colours, Theme
from genesis.tui.text import Block

DRAIN_S = 2.0
"""Longest wait, on leaving, for the terminal to take the last frame."""

ESCAPE_S = 0.02
"""How long after an escape the rest of a key is waited for: a terminal sends a key in one piece. urwid's own
choice, an eighth of a second, is what esc would take to show."""


class Writer:
    """A thread that writes bytes to a file descriptor, in order.

    Parameters
    ----------
    descriptor
        Where to write.
    done
        Called, from the thread, each time that everything has been written.
    """

    def __init__(self, descriptor: int, done: Callable[[], None]) -> None:
        self._descriptor, self._done = descriptor, done
        self._changed = threading.Condition()
        self._pending = b""
        self._writing = False
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """True while something is not written yet."""
        with self._changed:
            return self._writing or bool(self._pending)

    def put(self, data: bytes) -> None:
        """Write ``data`` after all that was put before."""
        with self._changed:
            self._pending += data
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything is written; return False when time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._writing and not self._pending, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                data, self._pending = self._pending, b""
                self._writing = True
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                data = b""  # the terminal is gone; the program learns it from its input
            with self._changed:
                self._writing = False
                self._changed.notify_all()
            self._done()


class PatientScreen(raw.Screen):
    """urwid's raw screen with a writer between itself and the terminal."""

    def __init__(self, done: Callable[[], None]) -> None:
        super().__init__(sys.stdin, sys.stdout, bracketed_paste_mode=False, focus_reporting=False)
        self._parts: list[str] = []
        self._writer = Writer(sys.stdout.fileno(), done)
        self.postponed = False

    def write(self, data: str) -> None:
        """Keep ``data`` for the next flush."""
        self._parts.append(data)

    def flush(self) -> None:
        """Hand what was kept to the writer."""
        data, self._parts = "".join(self._parts), []
        self._writer.put(data.encode("utf-8", "replace"))

    def draw_screen(self, size: tuple[int, int], canvas: urwid.Canvas) -> None:
        """Draw, unless the terminal is still busy: then ``postponed`` says that it is to be done."""
        self.postponed = self._writer.busy
        if not self.postponed:
            super().draw_screen(size, canvas)

    def recolour(self, theme: Theme) -> None:
        """Draw everything anew in the colours of a theme."""
        self.register_palette(palette.entries(theme))
        self.clear()

    def drain(self) -> bool:
        """Wait, not for ever, until the terminal has taken everything."""
        return self._writer.drain(DRAIN_S)


def screen_for(colours: Colours, done: Callable[[], None], theme: Theme = palette.DEFAULT) -> PatientScreen:
    """Return a screen with a theme for a number of colours: 256, 16 or 1."""
    screen = PatientScreen(done)
    screen.set_terminal_properties(colors=colours)
    screen.set_input_timeouts(complete_wait=ESCAPE_S)
    screen.register_palette(palette.entries(theme))
    return screen


class Page(urwid.Widget):
    """The whole screen as one widget: it asks for rows and hands keys on; it decides nothing.

    Parameters
    ----------
    see
        Returns the rows for (columns, rows).
    press
        Takes a key; returns False when it means nothing to the page.
    ascii_only
        True to draw in plain ASCII.
    """

    _sizing = frozenset([urwid.BOX])
    _selectable = True

    def __init__(
        self, see: Callable[[tuple[int, int]], Block], press: Callable[[str], bool], ascii_only: bool = False
    ) -> None:
        super().__init__()
        self._see, self._press, self._ascii = see, press, ascii_only

    def render(self, size: Any, focus: bool = False) -> urwid.TextCanvas:  # noqa: ARG002
        """Return the rows as a canvas."""
        return canvas_of(self._see(size), size[0], self._ascii)

    def keypress(self, size: Any, key: str) -> str | None:  # noqa: ARG002
        """Hand a key on."""
        return None if self._press(key) else key

    def changed(self) -> None:
        """Have the page drawn again."""
        self._invalidate()


def canvas_of(block: Block, cols: int, ascii_only: bool) -> urwid.TextCanvas:
    """Return rows that are known to be ``cols`` wide as urwid's canvas."""
    lines: list[bytes] = []
    attributes: list[list[tuple[Any, int]]] = []
    for row in block:
        parts = [(name, (text.to_ascii(piece) if ascii_only else piece).encode()) for name, piece in row]
        lines.append(b"".join(part for _, part in parts))
        attributes.append([(name, len(part)) for name, part in parts])
    return urwid.TextCanvas(lines, attributes, maxcol=cols, check_width=False)
