"""The dashboard: the loop that folds what comes, draws what changed, and answers keys.

Drawing happens at most ten times a second for data, and at once for a key. Input never waits for
data, data never waits for input, and neither waits for the terminal.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import urwid

from genesis.connectors.settings import Settings
from genesis.tui import behaviour, bookkeeping, keys, memory, palette, views
from genesis.tui import model as models
from genesis.tui.affairs import NOTHING, Affairs
from genesis.tui.batch import Batch
from genesis.tui.commands.errand import Answer, What
from genesis.tui.commands.line import Line
from genesis.tui.errands import Carrier, Errands, Fail, Leave, Nobody
from genesis.tui.model import Model
from genesis.tui.palette import Colours, ThemeName
from genesis.tui.screen import Page, screen_for
from genesis.tui.source import Consumer, Place, Sighting, Source, consumer_at, look_around
from genesis.tui.text import Block

DRAW_EVERY_S = 0.1
"""Shortest time between two drawings of data."""

AGE_EVERY_S = 1.0
"""How often ages are drawn anew when nothing else changes."""

SWITCH_S = 0.001
"""Longest time that another thread keeps a key waiting for the interpreter; Python's own choice is 5 ms."""

LEAVE = b"q"
NEWS = b"n"

EXIT_OK, EXIT_NOTHING_RUNS, EXIT_NO_TERMINAL = 0, 1, 2


class Appearance(NamedTuple):
    """How to draw: 256, 16 or 1 colours, plain ASCII or not, None for what the terminal can; the theme."""

    colours: Colours | None = None
    ascii_only: bool | None = None
    theme: ThemeName = "default"


class Whose(NamedTuple):
    """The account that is shown: what reads the ledger's word on it, and what carries commands out.

    ``watching``: nothing can be commanded. ``folder`` is where the dashboard remembers commands; None
    for nowhere.
    """

    account_id: str = "main"
    books: Callable[[], Affairs] = lambda: NOTHING
    carrier: Callable[[Leave, Fail], Carrier] = lambda leave, _fail: Nobody(leave)
    watching: bool = False
    folder: Path | None = None


class Dashboard:
    """One dashboard on one terminal."""

    def __init__(
        self,
        look: Callable[[], Sighting],
        connect: Callable[[Place], Consumer],
        appearance: Appearance,
        whose: Whose,
    ) -> None:
        environment = palette.environment()
        colours = appearance.colours or palette.colours_of(environment)
        ascii_only = (
            not palette.unicode_of(environment) if appearance.ascii_only is None else appearance.ascii_only
        )
        urwid.set_encoding("utf-8")
        self._model = Model()
        self._memory = memory.Memory(whose.folder)
        line = Line(history=self._memory.history())
        first = not whose.watching and self._memory.is_first()
        self._controls = keys.Controls(
            line=line, watching=whose.watching, mode=keys.Mode.WELCOME if first else keys.Mode.LOOK
        )
        self._held: tuple[Model, int] | None = None
        self._shown = views.Drawn([], views.Scene(0, 0, 0))
        self._size = (0, 0)
        self._drawn_s = -DRAW_EVERY_S
        self._alarm: object = None
        self._failure: BaseException | None = None
        self._page = Page(self._see, self._press, ascii_only)
        self._screen = screen_for(colours, self._ring, palette.THEMES[appearance.theme])
        self._loop = urwid.MainLoop(self._page, screen=self._screen, handle_mouse=False)
        self._bell = self._loop.watch_pipe(self._answer)
        os.set_blocking(self._bell, False)
        self._source = Source(look, connect, self._ring, whose.account_id, whose.books)
        self._hands, self._begun = behaviour.opened(time.monotonic_ns(), time.time_ns())
        self._carrier = whose.carrier(self._leave, self._source.fail)

    def run(self) -> None:
        """Show the dashboard until the reader leaves, or the process is asked to end."""
        with _signals(self._on_signal):
            self._source.start()
            self._carrier.start()
            self._tell(self._begun)
            self._age()
            try:
                self._loop.run()
            finally:
                self._tell(behaviour.left(self._hands, time.monotonic_ns()))
                self._carrier.stop()
                self._source.stop()
                self._screen.drain()
        failure = self._failure or self._source.failure
        if failure is not None:
            raise failure

    def _leave(self, answer: Answer) -> None:
        """Take the answer to an errand, from any thread."""
        self._source.leave(Batch(answers={answer.number: answer}))

    def _ring(self, what: bytes = NEWS) -> None:
        """Wake the loop, from any thread; a full pipe means that it is awake."""
        with suppress(BlockingIOError):
            os.write(self._bell, what)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._ring(LEAVE)

    def _answer(self, rung: bytes) -> bool:
        """Answer the bell, in the loop's thread."""
        if LEAVE in rung or self._source.failure is not None:
            raise urwid.ExitMainLoop
        if self._screen.postponed:
            self._page.changed()
        self._refresh()
        return True

    def _age(self, *_: object) -> None:
        """Draw what changes by time alone, look at a command that stands there anew, and again in a while."""
        line = self._controls.line
        if line.active and line.errand is not None and line.errand.what is What.GLANCE:
            self._carrier.put(line.errand)
        self._hands, seen = behaviour.passed(self._hands, time.monotonic_ns(), time.time_ns())
        self._tell(seen)
        self._refresh()
        self._loop.set_alarm_in(AGE_EVERY_S, self._age)

    def _late(self, *_: object) -> None:
        self._alarm = None
        self._refresh()

    def _refresh(self) -> None:
        """Fold what has come and draw it, now or when the next drawing is due."""
        left_s = self._drawn_s + DRAW_EVERY_S - time.monotonic()
        if left_s > 0.0:
            if self._alarm is None:
                self._alarm = self._loop.set_alarm_in(left_s, self._late)
            return
        self._drawn_s = time.monotonic()
        try:
            batch = self._source.take()
            if batch is not None:
                self._model = models.apply(self._model, batch)
            self._redraw()
        except Exception as error:
            # urwid would log an alarm's exception and go on with a screen that stands still.
            self._failure = error
            raise urwid.ExitMainLoop from error

    def _redraw(self, moment_ns: int | None = None) -> None:
        """Draw the rows of a moment, now if none is said, if they are not the ones that are shown."""
        if self._size == (0, 0):
            return
        before, self._shown = self._shown, self._draw(self._size, moment_ns)
        if self._shown.block != before.block:
            self._page.changed()

    def _draw(self, size: tuple[int, int], moment_ns: int | None = None) -> views.Drawn:
        model, held_ns = self._held or (self._model, None)
        scene = views.Scene(*size, moment_ns or time.monotonic_ns(), held_ns)
        return views.drawn(model, self._controls, scene, self._shown)

    def _see(self, size: tuple[int, int]) -> Block:
        if size != self._size:
            self._size = size
            self._shown = self._draw(size)
        return self._shown.block

    def _press(self, key: str) -> bool:
        model, before = self._held[0] if self._held else self._model, self._controls
        self._controls = keys.press(before, key, model)
        self._hands, seen = behaviour.pressed(self._hands, key, before, self._controls, time.monotonic_ns())
        self._tell(seen)
        self._carry_out(before)
        if self._controls.leaving:
            raise urwid.ExitMainLoop
        if self._controls.held != (self._held is not None):
            self._held = (self._model, time.monotonic_ns()) if self._controls.held else None
        typed = self._controls.line is not before.line  # then ages may wait for the next second
        self._redraw(self._shown.scene.now_ns if typed else None)
        return key != keys.REDRAW

    def _tell(self, seen: list[behaviour.Seen]) -> None:
        """Tell the account what was seen of the hands at the keys; who only watches is not watched."""
        if not self._controls.watching:
            self._carrier.tell(seen)

    def _carry_out(self, before: keys.Controls) -> None:
        """Do what the newest key asked of the world: errands, colours, what is remembered."""
        now = self._controls
        errand = now.line.errand
        if errand is not None and errand is not before.line.errand:
            self._carrier.put(errand)
        if now.line.history is not before.line.history:
            self._memory.keep(now.line.history)
        if before.mode is keys.Mode.WELCOME and now.mode is not keys.Mode.WELCOME:
            self._memory.welcomed()
        if now.theme != before.theme:
            self._screen.recolour(next(palette.THEMES[name] for name in palette.THEMES if name == now.theme))


@contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have the signals that ask a process to end handled, for the length of a block."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def _standard_error_aside(folder: Path) -> Iterator[None]:
    """Keep what libraries write to standard error off the screen: it goes to the log folder."""
    if not os.isatty(2):
        yield
        return
    target = folder / "logs" / "dashboard.log" if (folder / "logs").is_dir() else Path(os.devnull)
    kept = os.dup(2)
    with target.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _ready_for_keys() -> Iterator[None]:
    """Have a key wait neither long for another thread's Python nor for the collection of all that stays.

    A look at an order beforehand takes many milliseconds of Python in a thread of its own, and a full
    collection some 30 ms. Both are as before after the block.
    """
    before_s = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
        gc.unfreeze()


def refusal() -> str:
    """Return why there can be no dashboard on this terminal, or nothing."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "the dashboard needs a terminal; `genesis sql` answers without one"
    found = palette.environment()
    if not palette.can_place_text(found):
        term = found.get("TERM", "")
        return (
            f"this terminal (TERM={term!r}) cannot place text; set TERM to what it is, such as xterm-256color"
        )
    return ""


def show(
    look: Callable[[], Sighting],
    connect: Callable[[Place], Consumer],
    folder: Path,
    appearance: Appearance,
    whose: Whose = Whose(),  # noqa: B008
) -> int:
    """Show a dashboard on this terminal until it is left; return the exit status."""
    why = refusal()
    if why:
        sys.stderr.write(f"{why}\n")
        return EXIT_NO_TERMINAL
    with _standard_error_aside(folder), _ready_for_keys():
        Dashboard(look, connect, appearance, whose).run()
    return EXIT_OK


def run(settings: Settings, appearance: Appearance = Appearance(), watching: bool = False) -> int:  # noqa: B008
    """Show the dashboard of a system; return the exit status. ``watching``: it takes no commands.

    0 when it was left, 1 when nothing runs in the data folder, 2 without a terminal to draw on.
    """
    if not settings.broker and look_around(settings).run is None:
        sys.stderr.write(
            f"nothing is running in {settings.data}; `genesis up --data {settings.data}` starts it, "
            "or name the folder of a running system with --data\n"
        )
        return EXIT_NOTHING_RUNS
    folder = settings.data / "dashboard"
    client = "" if watching else memory.Memory(folder).client()
    whose = Whose(
        account_id=settings.account,
        books=bookkeeping.reader(settings),
        carrier=lambda leave, fail: Errands(settings, lambda: look_around(settings), leave, fail, client),
        watching=watching,
        folder=folder,
    )
    return show(lambda: look_around(settings), consumer_at, settings.data, appearance, whose)
