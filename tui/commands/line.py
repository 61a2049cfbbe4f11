"""The command line as a pure fold of keys.

A command is typed, looked at, and sent: enter shows what it would lead to, enter again sends it, esc lets go.
The fold carries nothing out: what is to be done stands in ``errand`` (for a thread) or ``shown`` (for the
screen), and what came of it is among the answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from genesis.operators.account.events import Command, PlaceOrder
from genesis.tui.commands.completion import candidates
from genesis.tui.commands.errand import Answer, Errand, What
from genesis.tui.commands.grammar import BY_NAME, COMMAND_MAX, Kind, Mistake, Said, read, write
from genesis.tui.commands.meaning import Ask, Known, Meant, Show, fitting, meant

HISTORY_MAX = 200
"""Commands remembered, the newest."""

BEGINS = frozenset(":$")
"""Signs that begin a command, beside letters and digits; the colon itself is not kept."""


class Stage(Enum):
    """How far a command is."""

    TYPING = "typing"
    LOOKED_AT = "looked at; enter sends"


@dataclass(frozen=True, slots=True)
class Line:
    """The state of the line.

    Attributes
    ----------
    text, cursor
        What is typed, and the place of the cursor in it.
    open
        True when keys go to the line although it is empty.
    stage
        How far the command is.
    history, back, draft
        Commands before, how far back in them the line is (0: not at all), and what was typed before that.
    offered
        Candidates that tab goes round in, the one that stands there first.
    number
        Number of the newest question; its answer has the same.
    errand
        The newest errand; None before the first.
    sent, says
        Number of the command that was sent last (0: none, or it is read), and what it said.
    shown
        What the screen should show or do now; None after any other key.
    """

    text: str = ""
    cursor: int = 0
    open: bool = False
    stage: Stage = Stage.TYPING
    history: tuple[str, ...] = ()
    back: int = 0
    draft: str = ""
    offered: tuple[str, ...] = ()
    number: int = 0
    errand: Errand | None = None
    sent: int = 0
    says: str = ""
    shown: Show | None = None

    @property
    def active(self) -> bool:
        """True when keys go to the line."""
        return self.open or bool(self.text)


class Around(NamedTuple):
    """What a key at the line is answered by: what commands are understood by, and the answers so far."""

    known: Known
    answers: Mapping[int, Answer]


Action = Callable[[Line, Around], Line]


def understood(text: str, known: Known) -> Meant:
    """Return what a text asks for."""
    said = read(text)
    return said if isinstance(said, Mistake) else meant(said, known)


def begin(line: Line, key: str, around: Around) -> Line:
    """Return the line after the first key of a command."""
    if key == ":":
        return replace(line, open=True, shown=None, sent=0)
    return _typed(replace(line, open=False, sent=0), key, around)


def insert(line: Line, key: str, around: Around) -> Line:
    """Return the line after a character."""
    return _typed(line, key, around)


def _typed(line: Line, key: str, around: Around) -> Line:
    if len(key) != 1 or not key.isprintable() or len(line.text) >= COMMAND_MAX:
        return line
    text = line.text[: line.cursor] + key + line.text[line.cursor :]
    return _edited(line, text, line.cursor + 1, around)


def _edited(line: Line, text: str, cursor: int, around: Around) -> Line:
    """Return the line with another text; an order that can be understood is looked at at once."""
    line = replace(
        line, text=text, cursor=cursor, open=line.open and bool(text), stage=Stage.TYPING, offered=(),
        shown=None,
    )  # fmt: skip
    found = understood(text, around.known)
    if isinstance(found, Ask) and isinstance(found.command, PlaceOrder):
        return _asked(line, found.command)
    return line


def _asked(line: Line, command: Command) -> Line:
    if line.errand is not None and line.errand == Errand(line.number, What.GLANCE, command):
        return line
    number = line.number + 1
    return replace(line, number=number, errand=Errand(number, What.GLANCE, command))


def _enter(line: Line, around: Around) -> Line:
    if not line.text.strip():
        return Line(history=line.history, number=line.number, errand=line.errand)
    found = understood(line.text, around.known)
    if isinstance(found, Show):
        return replace(_done(line), shown=found)
    if isinstance(found, Mistake):
        return line
    is_other = line.errand is None or line.errand.command != found.command
    if line.stage is Stage.TYPING or is_other:  # what is sent is what was looked at
        return replace(_asked(line, found.command), stage=Stage.LOOKED_AT, says=found.says)
    answer = around.answers.get(line.number)
    if isinstance(found.command, PlaceOrder):
        if answer is None:
            return line
        if answer.preview is not None and not answer.preview.accepted:
            again = replace(line, number=line.number + 1)
            return replace(again, errand=Errand(again.number, What.GLANCE, found.command))
    number = line.number + 1
    sent = replace(_done(line), number=number, sent=number, says=found.says)
    return replace(sent, errand=Errand(number, What.SEND, found.command))


def _done(line: Line) -> Line:
    """Return the line empty again, with what stood there in its history."""
    return Line(history=remembered(line.history, line.text), number=line.number, errand=line.errand)


def remembered(history: tuple[str, ...], text: str) -> tuple[str, ...]:
    """Return the history with one command more: without what is private in it, and none twice in a row.

    >>> remembered(("b25u",), "buy 25u eth because it fell"), remembered((), "journal a hard day")
    (('b25u', 'buy 25u eth'), ())
    """
    said = read(text)
    if isinstance(said, Mistake):
        return history
    private = {slot.name for slot in BY_NAME[said.verb].slots if slot.kind is Kind.WORDS}
    if private & set(said.values):
        kept = {name: value for name, value in said.values.items() if name not in private}
        text = write(Said(said.verb, kept)) if kept else ""
    text = " ".join(text.split())
    if not text or history[-1:] == (text,):
        return history
    return (*history, text)[-HISTORY_MAX:]


def _esc(line: Line, _around: Around) -> Line:
    if line.stage is Stage.LOOKED_AT:
        return replace(line, stage=Stage.TYPING, shown=None)
    return Line(history=line.history, number=line.number, errand=line.errand)


def _backspace(line: Line, around: Around) -> Line:
    if not line.cursor:
        return line
    text = line.text[: line.cursor - 1] + line.text[line.cursor :]
    return _edited(line, text, line.cursor - 1, around)


def _delete(line: Line, around: Around) -> Line:
    return _edited(line, line.text[: line.cursor] + line.text[line.cursor + 1 :], line.cursor, around)


def _empty(line: Line, around: Around) -> Line:
    return _edited(line, line.text[line.cursor :], 0, around)


def _word_back(line: Line, around: Around) -> Line:
    head = line.text[: line.cursor].rstrip()
    kept = head[: head.rfind(" ") + 1]
    return _edited(line, kept + line.text[line.cursor :], len(kept), around)


def _to_end(line: Line, around: Around) -> Line:
    return _edited(line, line.text[: line.cursor], line.cursor, around)


def _move(step: int) -> Action:
    return lambda line, _around: replace(line, cursor=min(max(line.cursor + step, 0), len(line.text)))


def _history(step: int) -> Action:
    def action(line: Line, around: Around) -> Line:
        back = min(max(line.back + step, 0), len(line.history))
        if back == line.back:
            return line
        draft = line.draft if line.back else line.text
        text = line.history[-back] if back else draft
        return replace(_edited(line, text, len(text), around), back=back, draft=draft)

    return action


def _tab(step: int) -> Action:
    def action(line: Line, around: Around) -> Line:
        if line.offered:
            turned = line.offered[step:] + line.offered[:step]
        else:
            found = fits(line, around) or candidates(line.text[: line.cursor], around.known)
            turned = tuple(found) if step > 0 else tuple(found[step:] + found[:step])
        if not turned:
            return line
        made = _edited(line, turned[0], len(turned[0]), around)
        return replace(made, offered=turned if len(turned) > 1 else ())

    return action


def fits(line: Line, around: Around) -> list[str]:
    """Return the order that would be taken in place of one that would be declined, if there is one."""
    said, answer = read(line.text), around.answers.get(line.number)
    preview = answer.preview if answer is not None else None
    if isinstance(said, Mistake) or preview is None or preview.accepted or preview.fits in ("", "0"):
        return []
    if line.errand is None or line.errand.number != line.number:
        return []
    found = understood(line.text, around.known)
    made = fitting(said, preview.fits)
    is_asked = isinstance(found, Ask) and found.command == line.errand.command
    return [made] if made and is_asked else []


FAR = 10_000


class LineKey(NamedTuple):
    """One key of the line: its names, how it is shown, what it does."""

    names: tuple[str, ...]
    shown: str
    does: str
    action: Action


TABLE = (
    LineKey(("enter",), "enter", "look at it, then send", _enter),
    LineKey(("esc",), "esc", "let go of it", _esc),
    LineKey(("tab",), "tab", "complete, or what fits", _tab(1)),
    LineKey(("shift tab",), "shift tab", "the completion before", _tab(-1)),
    LineKey(("up", "ctrl p"), "↑", "the command before", _history(1)),
    LineKey(("down", "ctrl n"), "↓", "the command after", _history(-1)),
    LineKey(("left", "ctrl b"), "←", "a letter left", _move(-1)),
    LineKey(("right", "ctrl f"), "→", "a letter right", _move(1)),
    LineKey(("home", "ctrl a"), "ctrl a", "to its beginning", _move(-FAR)),
    LineKey(("end", "ctrl e"), "ctrl e", "to its end", _move(FAR)),
    LineKey(("backspace", "ctrl h"), "backspace", "take a letter back", _backspace),
    LineKey(("delete", "ctrl d"), "delete", "take the next letter", _delete),
    LineKey(("ctrl w",), "ctrl w", "take a word back", _word_back),
    LineKey(("ctrl u",), "ctrl u", "begin anew", _empty),
    LineKey(("ctrl k",), "ctrl k", "take all that follows", _to_end),
)
"""Keys of the line while something is typed."""
