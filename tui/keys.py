"""Keys: one table that says which key does what, from which the help screen and the page are made.

``press`` is a pure fold as well: what is looked at, after a key. It never waits for data and never
touches the screen.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from genesis.tui import derived, notices
from genesis.tui.commands import line as lines
from genesis.tui.commands.line import Around, Line
from genesis.tui.commands.meaning import Show
from genesis.tui.known import known_of
from genesis.tui.model import Instrument, Model

PAGE = 10
"""Instruments that page up and page down move by."""

FILTER_MAX = 40
"""Longest filter in characters."""


class Mode(Enum):
    """What the keyboard is used for."""

    LOOK = "looking"
    FILTER = "typing a filter"
    LINE = "typing a command"
    HELP = "reading help"
    WHY = "reading why something was declined"
    CHECKLIST = "reading the checklist"
    WELCOME = "taking the first steps"


@dataclass(frozen=True, slots=True)
class Controls:
    """What the reader chose to look at.

    Attributes
    ----------
    screen
        Place of the screen in ``SCREENS``.
    mode
        What the keyboard is used for.
    selected
        The instrument under the cursor; None for the first one.
    wanted, before
        The filter, and what it was before the present typing.
    half_life_ns, market
        The correlations to show; None for the first there is.
    acknowledged
        Up to which decision everything that protects was acknowledged.
    held
        True while the display stands still.
    note
        An answer to the last key, for the message line.
    leaving
        True when the program should end.
    line
        The command line.
    watching
        True when this dashboard only looks: nothing can be commanded from it.
    theme
        The colours that were asked for; empty for those it began with.
    step
        How far the first steps have been taken, or which page of help is open.
    """

    screen: int = 0
    mode: Mode = Mode.LOOK
    selected: Instrument | None = None
    wanted: str = ""
    before: str = ""
    half_life_ns: int | None = None
    market: int | None = None
    acknowledged: notices.Moment = (0, "")
    held: bool = False
    note: str = ""
    leaving: bool = False
    line: Line = field(default_factory=Line)
    watching: bool = False
    theme: str = ""
    step: int = 0


ACCOUNT_SCREENS = ("trading", "risk", "results", "tier", "journal")
"""The screens of the account, in the order of their keys."""

MARKET_SCREENS = ("overview", "correlation", "feed")
"""The screens of the market; they have digits as well."""

SCREENS = (*ACCOUNT_SCREENS, *MARKET_SCREENS)
"""All screens, in the order of their function keys."""

Action = Callable[[Controls, Model], Controls]


class Key(NamedTuple):
    """One line of the table: the keys as urwid names them, how they are shown, and what they do."""

    names: tuple[str, ...]
    shown: str
    group: str
    does: str
    action: Action
    mode: Mode = Mode.LOOK
    of_market: bool = False  # on the screens of the account it has another meaning, or none


def place_of(controls: Controls, model: Model, places: list[int]) -> int:
    """Return where in ``places`` the cursor is: on what was selected, or else at the top; 0 if empty."""
    if controls.selected in model.instruments:
        place = model.instruments.index(controls.selected)
        if place in places:
            return places.index(place)
    return 0


def _move(steps: int) -> Action:
    def action(controls: Controls, model: Model) -> Controls:
        places = derived.shown(model, controls.wanted)
        if not places:
            return controls
        at = min(max(place_of(controls, model, places) + steps, 0), len(places) - 1)
        return replace(controls, selected=model.instruments[places[at]])

    return action


def _half_life(step: int) -> Action:
    def action(controls: Controls, model: Model) -> Controls:
        known = derived.half_lives(model)
        if not known:
            return replace(controls, note="no correlation has been heard yet")
        at = known.index(controls.half_life_ns) if controls.half_life_ns in known else 0
        return replace(controls, half_life_ns=known[min(max(at + step, 0), len(known) - 1)])

    return action


def _market(controls: Controls, model: Model) -> Controls:
    known = derived.correlated_markets(model)
    at = known.index(controls.market) if controls.market in known else 0
    return replace(controls, market=known[(at + 1) % len(known)])


def _screen(step: int) -> Action:
    return lambda controls, _model: replace(controls, screen=(controls.screen + step) % len(SCREENS))


def _go(screen: int) -> Action:
    return lambda controls, _model: replace(controls, screen=screen)


def _mode(mode: Mode) -> Action:
    return lambda controls, _model: replace(controls, mode=mode, before=controls.wanted)


def _help(page: int) -> Action:
    return lambda controls, _model: replace(controls, mode=Mode.HELP, step=page)


def _turn(controls: Controls, _model: Model) -> Controls:
    return replace(controls, step=controls.step + 1)


def _hold(controls: Controls, _model: Model) -> Controls:
    return replace(controls, held=not controls.held)


def _show_all(controls: Controls, _model: Model) -> Controls:
    return replace(controls, wanted="", line=replace(controls.line, sent=0))


def _leave(controls: Controls, _model: Model) -> Controls:
    return replace(controls, leaving=True)


def _keep(controls: Controls, _model: Model) -> Controls:
    return replace(controls, mode=Mode.LOOK)


def _drop(controls: Controls, _model: Model) -> Controls:
    return replace(controls, mode=Mode.LOOK, wanted=controls.before)


def _erase(controls: Controls, _model: Model) -> Controls:
    return replace(controls, wanted=controls.wanted[:-1])


def _empty(controls: Controls, _model: Model) -> Controls:
    return replace(controls, wanted="")


def _acknowledge(controls: Controls, model: Model) -> Controls:
    found = notices.protection(model.affairs, controls.acknowledged)
    return controls if found is None else replace(controls, acknowledged=notices.moment_of(found))


def _line_key(key: lines.LineKey) -> Key:
    """Return the line of a key of the command line."""

    def action(controls: Controls, model: Model) -> Controls:
        return _after(controls, key.action(controls.line, around(controls, model)), model)

    return Key(key.names, key.shown, "Command line", key.does, action, Mode.LINE)


def around(controls: Controls, model: Model) -> Around:
    """Return what a key at the command line is answered by."""
    return Around(known_of(model, controls.selected, controls.line.history), model.answers)


def _after(controls: Controls, line: Line, model: Model) -> Controls:
    """Return what is looked at once the command line is another."""
    mode = Mode.LINE if line.active else Mode.LOOK
    controls = replace(controls, line=line, mode=mode)
    return controls if line.shown is None else _shown(controls, line.shown, model)


def _shown(controls: Controls, show: Show, model: Model) -> Controls:
    """Carry out what a command asks of the screen alone."""
    name = _SCREEN_OF.get(show.what, show.what)
    if name in SCREENS:
        return replace(controls, screen=SCREENS.index(name))
    match show.what:
        case "help":
            return _help(1)(controls, model)
        case "why":
            return replace(controls, mode=Mode.WHY)
        case "checklist":
            return replace(controls, mode=Mode.CHECKLIST)
        case "welcome":
            return replace(controls, mode=Mode.WELCOME, step=0, screen=0)
        case "theme":
            return replace(controls, theme=show.value, note=f"the colours are those of {show.value} now")
        case "quit":
            return replace(controls, leaving=True)
    return controls


_SCREEN_OF = {"trade": "trading"}


def _open(controls: Controls, model: Model) -> Controls:
    """Open the command line."""
    return _begin(controls, ":", model)


def _begin(controls: Controls, key: str, model: Model) -> Controls:
    """Begin a command."""
    if controls.watching:
        return replace(controls, note="this dashboard only watches; genesis tui without --watch trades")
    return _after(controls, lines.begin(controls.line, key, around(controls, model)), model)


def _recall(controls: Controls, model: Model) -> Controls:
    """Take up the command before."""
    if controls.watching or SCREENS[controls.screen] not in ACCOUNT_SCREENS:
        return controls
    line = controls.line
    for key in lines.TABLE:
        if "up" in key.names:
            line = key.action(replace(line, sent=0), around(controls, model))
    return _after(controls, line, model)


def _step(controls: Controls, _model: Model) -> Controls:
    """Take the next of the first steps; the last one leads to the command line."""
    step = controls.step + 1
    if step >= STEPS:
        return replace(controls, mode=Mode.LOOK, step=STEPS)
    return replace(controls, step=step)


def _skip(controls: Controls, _model: Model) -> Controls:
    return replace(controls, mode=Mode.LOOK, step=STEPS)


STEPS = 3
"""First steps: the three panels, the tier, the first trade."""


def _screen_key(place: int, name: str) -> Key:
    """Return the line of a screen: its function key, and the digit of a market screen."""
    digit = place - len(ACCOUNT_SCREENS) + 1
    names = (f"f{place + 1}", str(digit)) if digit > 0 else (f"f{place + 1}",)
    return Key(names, " ".join(names), "Screens", name, _go(place))


FAR = 1_000_000

REDRAW = "ctrl l"
"""The key that urwid itself answers, by drawing everything anew."""

TABLE = (
    *(_screen_key(i, name) for i, name in enumerate(SCREENS)),
    Key(("tab",), "tab", "Screens", "next screen", _screen(1)),
    Key(("shift tab",), "shift tab", "Screens", "previous screen", _screen(-1)),
    Key(("down", "j"), "j ↓", "Symbols", "next symbol", _move(1), of_market=True),
    Key(("up", "k"), "k ↑", "Symbols", "previous symbol", _move(-1), of_market=True),
    Key(("page down",), "page down", "Symbols", f"{PAGE} symbols down", _move(PAGE)),
    Key(("page up",), "page up", "Symbols", f"{PAGE} symbols up", _move(-PAGE)),
    Key(("home", "g"), "g home", "Symbols", "first symbol", _move(-FAR), of_market=True),
    Key(("end", "G"), "G end", "Symbols", "last symbol", _move(FAR), of_market=True),
    Key(("/",), "/", "Symbols", "show what matches", _mode(Mode.FILTER)),
    Key(("esc",), "esc", "Symbols", "show all again", _show_all),
    Key(("left", "h"), "h ←", "Correlation", "shorter half-life", _half_life(-1), of_market=True),
    Key(("right", "l"), "l →", "Correlation", "longer half-life", _half_life(1), of_market=True),
    Key(("m",), "m", "Correlation", "next market", _market, of_market=True),
    Key(("enter",), "enter", "Display", "acknowledge", _acknowledge),
    Key((":",), ":", "Display", "begin a command", _open),
    Key((" ",), "space", "Display", "hold, or let go on", _hold),
    Key(("?",), "?", "Display", "this help", _help(0)),
    Key((REDRAW,), "ctrl l", "Display", "draw the screen anew", _keep),
    Key(("q",), "q", "Display", "leave", _leave),
    Key(("enter",), "enter", "Filter", "keep the filter", _keep, Mode.FILTER),
    Key(("esc",), "esc", "Filter", "back to the one before", _drop, Mode.FILTER),
    Key(("backspace",), "backspace", "Filter", "take a letter back", _erase, Mode.FILTER),
    Key(("ctrl u",), "ctrl u", "Filter", "begin anew", _empty, Mode.FILTER),
    Key(("down",), "↓", "Filter", "next symbol", _move(1), Mode.FILTER),
    Key(("up",), "↑", "Filter", "previous symbol", _move(-1), Mode.FILTER),
    *(_line_key(key) for key in lines.TABLE),
    Key(("tab", " ", "page down", "right"), "tab", "Help", "the next page", _turn, Mode.HELP),
    Key(("esc", "?", "enter"), "esc", "Help", "close help", _keep, Mode.HELP),
    Key(("q",), "q", "Help", "leave", _leave, Mode.HELP),
    Key(("esc", "enter", " "), "esc", "Why", "close it", _keep, Mode.WHY),
    Key(("q",), "q", "Why", "leave", _leave, Mode.WHY),
    Key(("esc", "enter", " "), "esc", "Checklist", "close it", _keep, Mode.CHECKLIST),
    Key(("q",), "q", "Checklist", "leave", _leave, Mode.CHECKLIST),
    Key(("enter", " "), "enter", "First steps", "the next step", _step, Mode.WELCOME),
    Key(("esc",), "esc", "First steps", "leave them for now", _skip, Mode.WELCOME),
    Key(("q",), "q", "First steps", "leave", _leave, Mode.WELCOME),
)
"""All keys."""

FUNCTION_KEYS = frozenset(f"f{i + 1}" for i in range(len(SCREENS)))

_BY_NAME = {(key.mode, name): key for key in TABLE for name in key.names}


def press(controls: Controls, key: str, model: Model) -> Controls:
    """Return what is looked at after a key, given what there is to look at."""
    controls = replace(controls, note="")
    found = _BY_NAME.get((controls.mode, key))
    here = SCREENS[controls.screen]
    if found is not None and not (found.of_market and here in ACCOUNT_SCREENS):
        return found.action(controls, model)
    match controls.mode:
        case Mode.FILTER if len(key) == 1 and key.isprintable() and len(controls.wanted) < FILTER_MAX:
            return replace(controls, wanted=controls.wanted + key)
        case Mode.LINE if len(key) == 1:
            return _after(controls, lines.insert(controls.line, key, around(controls, model)), model)
        case Mode.LINE if (Mode.LOOK, key) in _BY_NAME and key in FUNCTION_KEYS:
            return _BY_NAME[Mode.LOOK, key].action(controls, model)
        case Mode.LOOK if key == "up":
            return _recall(controls, model)
        case Mode.LOOK if len(key) == 1 and (key.isalnum() or key in lines.BEGINS):
            return _begin(controls, key, model)
        case Mode.LOOK if len(key) == 1:
            return replace(controls, note=f"{key} has no meaning here; ? shows the keys")
    return controls


def by_group(keys: Iterable[Key] = TABLE) -> dict[str, list[Key]]:
    """Return the keys under the headings of the help screen."""
    groups: dict[str, list[Key]] = {}
    for key in keys:
        groups.setdefault(key.group, []).append(key)
    return groups


def page() -> str:
    """Return the table of keys in Markdown, as it stands in ``docs/dashboard.md``.

    >>> page().splitlines()[0]
    '| key | does |'
    """
    lines = ["| key | does |", "|---|---|"]
    for group, keys in by_group().items():
        lines.append(f"| **{group}** | |")
        lines += [f"| `{key.shown}` | {key.does} |" for key in keys]
    return "\n".join(lines) + "\n"
