"""The page behind `why`: the newest thing that was declined, what it means, and the figures behind it."""

from collections.abc import Mapping
from typing import NamedTuple

from genesis.operators.account.outcomes import Decision
from genesis.tui import catalogue, figures, text
from genesis.tui.text import Block
from genesis.tui.views.look import Look

MARGIN = 3
LABEL_COLS = 22
SENTENCE_ROWS = 3


class Declined(NamedTuple):
    """What was declined: its code, the account's sentence, the figures, and of what it is."""

    code: str
    sentence: str
    figures: Mapping[str, float]
    of: str


def newest(look: Look) -> Declined | None:
    """Return what was declined last: an order that was looked at, or else the newest decision."""
    previews = [each.preview for _, each in sorted(look.model.answers.items())]
    seen = next((each for each in reversed(previews) if each is not None and not each.accepted), None)
    found = next((each for each in reversed(look.affairs.decisions) if not each.accepted), None)
    if seen is not None and (found is None or found.event_ns <= seen.event_ns):
        return Declined(seen.code, seen.sentence, {}, "looked at, and not sent")
    return None if found is None else _of_decision(found)


def _of_decision(found: Decision) -> Declined:
    of = f"{found.subject.replace('_', ' ')}, {figures.date(found.event_ns)} {figures.clock(found.event_ns)}"
    return Declined(found.code, found.sentence, found.figures, of)


def screen(look: Look) -> Block:
    """Return the page in exactly the room given."""
    cols = look.cols - 2 * MARGIN
    found = newest(look)
    if found is None:
        block: Block = [text.row([("text", "Nothing was declined yet.")], cols)]
    else:
        message = catalogue.message(found.code)
        sentence = text.wrapped(text.clean(found.sentence), cols, SENTENCE_ROWS)
        block = [text.row([("strong", each)], cols) for each in sentence]
        block.append(text.blank(cols))
        for label, words in (
            ("What happened", message.happened),
            ("Why it is all right", message.fine),
            ("What next", message.next),
        ):
            for i, piece in enumerate(text.wrapped(words, cols - LABEL_COLS, 2)):
                before = text.pad(label if i == 0 else "", LABEL_COLS)
                block.append(text.row([("dim", before), ("text", piece)], cols))
        block.append(text.blank(cols))
        block += [_figure(name, value, cols) for name, value in found.figures.items()]
        block += [text.blank(cols)] * bool(found.figures)
        block.append(text.row([("dim", text.clean(f"{found.code}  {found.of}"))], cols))
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)


def _figure(name: str, value: float, cols: int) -> text.Row:
    label = text.clean(name.replace("_", " "))
    return text.row([("dim", text.pad(label, LABEL_COLS)), ("text", f"{value:,.8g}")], cols)
