"""The journal screen: when was written, and the day as it went, to write about.

What was written is nobody else's business: no topic of outcomes holds it, so this screen has the hour and
the number of words, and says where its owner finds the rest.
"""

from genesis.operators.account.outcomes import Decision
from genesis.tui import accounting, figures, notices, text
from genesis.tui.text import Block, Row
from genesis.tui.views import panels
from genesis.tui.views.look import Look, joined

MARGIN = 3
LEFT_COLS = 27
TIME_COLS = 10
WORDS = "genesis sql \"select body from account_events where kind = 'write_journal'\""


def screen(look: Look) -> Block:
    """Return the screen ``journal`` in exactly the room given."""
    inner = look.within(look.cols - 2 * MARGIN, look.rows)
    lines = text.wrapped(f"Your words: {WORDS}", inner.cols, 2)
    hint = [text.row([("dim", line)], inner.cols) for line in lines]
    head = [_today(inner), text.blank(inner.cols)]
    room = inner.rows - len(head) - len(hint) - 1
    right = inner.cols - LEFT_COLS
    entries = _entries(inner.within(LEFT_COLS - 2, room))
    day = _day(inner.within(right, room))
    body = text.beside(text.indent(entries, 0, LEFT_COLS), day, LEFT_COLS, right)
    block = [*head, *text.tall(body, room, inner.cols), text.blank(inner.cols), *hint]
    return text.tall(text.indent(block, MARGIN, look.cols), look.rows, look.cols)


def _today(look: Look) -> Row:
    found = accounting.today(look.affairs)
    day_ns = look.affairs.event_ns // 86_400_000_000_000 * 86_400_000_000_000
    fills = [each for each in look.affairs.fills if each.event_ns >= day_ns]
    refused = [each for each in look.affairs.decisions if each.event_ns >= day_ns and not each.accepted]
    parts: list[Row] = [
        [("text", figures.date(look.affairs.event_ns))],
        [panels.gain(found.pnl)],
        [("text", str(len(fills))), ("dim", " trades")],
        [("text", str(len(refused))), ("dim", " declined")],
    ]
    return text.row(joined(parts, look.cols), look.cols)


def _entries(look: Look) -> Block:
    writings = look.affairs.writings[::-1][: max(look.rows - 1, 0)]
    lines = [_entry(each, look.cols) for each in writings]
    return panels.titled("Written", lines or [text.row([("dim", "nothing yet")], look.cols)], look.cols)


def _entry(each: Decision, cols: int) -> Row:
    when = f"{figures.date(each.event_ns)[5:]} {figures.clock(each.event_ns)[:5]}"
    words = f"{each.figures.get('words', 0.0):.0f} words"
    return text.row([("dim", f"{when}  "), ("text", words)], cols)


def _day(look: Look) -> Block:
    """Return what happened, the newest last, each in one line."""
    most = max(look.rows - 1, 0)
    known = look.affairs
    lines = [
        text.row([("dim", text.pad(figures.clock(each.event_ns), TIME_COLS)), _told(each, look)], look.cols)
        for each in notices.events(known)[-most:]
        if most
    ]
    return panels.titled(
        "As it went", lines or [text.row([("dim", "nothing happened yet")], look.cols)], look.cols
    )


def _told(each: notices.Notice, look: Look) -> tuple[str, str]:
    attribute = "amber" if each.kind in (notices.Kind.CAUTION, notices.Kind.PROTECTION) else "text"
    return (attribute, text.cut(each.text, look.cols - TIME_COLS))
