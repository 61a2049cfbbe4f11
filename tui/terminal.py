"""A program in a pseudo-terminal, and what a person would see there: for pictures and for tests.

The bytes that the program writes go through a terminal emulator; keys and new sizes go the other way.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import urwid
from urwid import vterm

READ_BYTES = 65_536
FRAME_PAUSE_S = 0.03
"""A program that has written nothing for this long has finished its frame."""

SELECT_UTF8 = b"\x1b%G"


class ScreenTimeout(TimeoutError):
    """What was waited for did not appear; the message has what was on the screen instead."""


class _Host:
    """What the emulator expects around itself."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self.term_modes = vterm.TermModes()
        self._answer = answer

    def respond(self, text: str) -> None:
        """Send an answer to the program, as a terminal does when it is asked what it is."""
        self._answer(text.encode())

    def beep(self) -> None:
        """Stay silent."""

    def leds(self, which: str) -> None:
        """Have no lamps."""

    def set_title(self, title: str) -> None:
        """Have no title."""


class Session:
    """A program in a pseudo-terminal of its own.

    Parameters
    ----------
    command
        The program and its arguments.
    size
        Columns and rows.
    environment
        Its whole environment; ``TERM`` says what the terminal can.
    """

    def __init__(self, command: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]) -> None:
        urwid.set_encoding("utf-8")
        self._master, self._slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.settings_before = termios.tcgetattr(self._slave)
        self.written = bytearray()
        self._looked = 0
        self._screen = vterm.TermCanvas(*size, cast("vterm.Terminal", _Host(self._send)))
        self._screen.addstr(SELECT_UTF8)
        self._set_size(*size)
        self.process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads in the child
        )

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _send(self, data: bytes) -> None:
        os.write(self._master, data)

    def _set_size(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, keys: str) -> None:
        """Type keys, escape sequences included."""
        self._send(keys.encode())

    def resize(self, cols: int, rows: int) -> None:
        """Give the terminal another size; the program is told by SIGWINCH."""
        self._look()
        self._screen.resize(cols, rows)
        self._set_size(cols, rows)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGWINCH)

    def read(self, timeout_s: float) -> bool:
        """Take in what the program wrote, waiting up to ``timeout_s``; return whether there was any."""
        came = self.receive(timeout_s)
        self._look()
        return came

    def receive(self, timeout_s: float) -> bool:
        """Take it in as ``read`` does, and leave it to later to work out what it looks like.

        The emulator takes longer for a frame than the program takes to draw it; who measures the program
        must not wait for it.
        """
        written = select.poll()  # select() itself takes no descriptor beyond 1,023
        written.register(self._master, select.POLLIN)
        if not written.poll(1_000 * timeout_s):
            return False
        try:
            data = os.read(self._master, READ_BYTES)
        except OSError:
            return False
        self.written += data
        return bool(data)

    def _look(self) -> None:
        """Work out what all that was written looks like."""
        data = bytes(self.written[self._looked :])
        self._looked += len(data)
        if data:
            self._screen.addstr(data)

    def lines(self) -> list[str]:
        """Return the text on the screen."""
        self._look()
        return ["".join(_character(cell) for cell in row) for row in self._screen.content()]

    def cells(self) -> list[list[tuple[Any, str]]]:
        """Return the screen as rows of (urwid's attributes or None, character)."""
        self._look()
        return [[(cell[0], _character(cell)) for cell in row] for row in self._screen.content()]

    def wait(self, wanted: str | Callable[[list[str]], bool], timeout_s: float = 20.0) -> list[str]:
        """Return the screen as soon as it shows ``wanted``: a text, or what a function is true of.

        Raises
        ------
        ScreenTimeout
            When it does not appear in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            lines = self.lines()
            if wanted(lines) if callable(wanted) else any(wanted in line for line in lines):
                return self.settled(deadline_s)
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                said = wanted if isinstance(wanted, str) else "what was waited for"
                raise ScreenTimeout(f"{said!r} did not appear; on the screen was:\n" + "\n".join(lines))
            self.read(min(left_s, 0.5))

    def settled(self, deadline_s: float) -> list[str]:
        """Return the screen once the program pauses, so that no frame is seen half drawn."""
        while self.read(FRAME_PAUSE_S) and time.monotonic() < deadline_s:
            pass
        return self.lines()

    def finish(self, timeout_s: float = 10.0) -> int:
        """Wait for the program to end, reading all it writes; return its exit status."""
        deadline_s = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < deadline_s:
            self.read(0.1)
        while self.read(0.0):
            pass
        return self.process.wait(max(deadline_s - time.monotonic(), 0.1))

    @property
    def settings(self) -> list[Any]:
        """How the terminal is set now; compare with ``settings_before``."""
        return termios.tcgetattr(self._slave)

    def close(self) -> None:
        """End the program if it still runs, and give the terminal back."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self._master, self._slave):
            os.close(descriptor)


def _character(cell: tuple[Any, Any, bytes]) -> str:
    return cell[2].decode(errors="replace")
