"""The message line: one calm sentence about the one thing that matters most.

A sentence says what is so, what that means for what is on the screen, and, where there is something
to do, what. Information is grey, caution is amber. It fits the narrowest screen.
"""

from typing import NamedTuple

from genesis.operators.records import StreamKind
from genesis.tui import derived, figures
from genesis.tui.derived import Fresh, Freshness
from genesis.tui.keys import Controls, Mode
from genesis.tui.model import Model, market_name
from genesis.tui.notices import Kind
from genesis.tui.text import clean

COLUMNS_MAX = 74
"""A sentence is at most this long, so that it fits 80 columns with the frame around it."""

FIRST_WORD_S = 3.0
"""How long the start may take before it is said that nothing has come yet."""


class Sentence(NamedTuple):
    """What the message line says."""

    kind: Kind
    text: str


SILENCE = Sentence(Kind.INFORMATION, "")


def sentence(model: Model, controls: Controls, fresh: Freshness, now_ns: int) -> Sentence:
    """Return what the message line says now: the first of these that applies."""
    if controls.mode is Mode.FILTER:
        return Sentence(Kind.INFORMATION, f"show: {controls.wanted}_   enter keeps, esc goes back")
    if controls.note:
        return Sentence(Kind.INFORMATION, clean(controls.note))
    return (
        _of_freshness(fresh)
        or _of_gaps(model)
        or _of_processes(model, now_ns)
        or _of_the_rest(model, controls)
    )


def _of_freshness(fresh: Freshness) -> Sentence | None:
    age, seen = figures.span(fresh.age_s), figures.clock(fresh.seen_ns)
    match fresh.state:
        case Fresh.HELD:
            return Sentence(Kind.INFORMATION, f"held for {age}; what you see is from {seen} · space goes on")
        case Fresh.WAITING:
            return Sentence(Kind.INFORMATION, "waiting for the first prices; this screen fills by itself")
        case Fresh.ENDED:
            return Sentence(
                Kind.INFORMATION, f"the recording has ended; what you see is its last moment, {seen}"
            )
        case Fresh.LOST:
            return Sentence(Kind.CAUTION, f"no word from the broker for {age}; what you see is from {seen}")
        case Fresh.SILENT:
            return Sentence(Kind.CAUTION, f"no word from the feed for {age}; what you see is from {seen}")
        case Fresh.LATE:
            return Sentence(Kind.CAUTION, f"the feed is {age} behind the venue; what you see is from {seen}")
        case Fresh.LIVE:
            return None


def _of_gaps(model: Model) -> Sentence | None:
    number = derived.gaps_open(model)
    if not number > 0:
        return None
    known = derived.open_gaps(model)
    if number == 1 and known.size == 1:
        gap = known[0]
        name = clean(gap["symbol"].decode(errors="replace"))
        what = f"{name} {market_name(int(gap['market']))} {stream_name(int(gap['stream']))}"
        return Sentence(
            Kind.CAUTION, f"rows are missing in {what} since {figures.clock(int(gap['start_ns']))}"
        )
    return Sentence(
        Kind.CAUTION, f"rows are missing in {number:.0f} streams; signals across them are marked ~"
    )


def stream_name(stream: int) -> str:
    """Return the name of a tick stream; a number that is not known stays a number."""
    return StreamKind(stream).name.lower() if stream in set(StreamKind) else str(stream)


def _of_processes(model: Model, now_ns: int) -> Sentence | None:
    for process in derived.processes(model, now_ns):
        if process.well or (process.state == derived.NO_WORD and process.name not in model.health):
            continue
        if process.state == derived.NO_WORD:
            return Sentence(
                Kind.CAUTION, f"no word from {process.name} for {figures.span(process.silence_s)}"
            )
        detail = f": {clean(process.detail)}" if process.detail else "; the others go on"
        return Sentence(Kind.CAUTION, f"{process.name} is {clean(process.state)}{detail}")
    return None


def _of_the_rest(model: Model, controls: Controls) -> Sentence:
    if model.unreadable:
        return Sentence(
            Kind.INFORMATION, f"{model.unreadable} messages could not be read; is this program older?"
        )
    if controls.wanted:
        number = len(derived.shown(model, controls.wanted))
        return Sentence(
            Kind.INFORMATION,
            f"{number} of {len(model.instruments)} match “{controls.wanted}” · esc shows all",
        )
    return SILENCE
