"""Notices: what the account has to say to its trader, in four classes.

Information is grey, caution has an amber accent, an intervention is amber and pulses slowly, protection has
a border and stays until it is acknowledged. The class says what is asked of a person, and not how far from
himself he is: that is the tilt level, which the frame shows.
"""

from enum import StrEnum
from typing import NamedTuple

from genesis.operators.account.outcomes import Decision, Fill
from genesis.tui import accounting, affairs, figures
from genesis.tui.affairs import Affairs
from genesis.tui.text import clean

PULSE_NS = 2_000_000_000
"""Half the period of an intervention's pulse: slow enough to be breath and not alarm."""

HOLDS_NS = 24 * 3_600 * 1_000_000_000
"""How long a change of tier asks to be acknowledged, account's clock."""

NEW_NS = 60_000_000_000
"""From this age on the time of an event is said with it."""

DOWN_WORDS = (" again: ", " begins again: ")
"""By what a decision on the tier says, it went down; `operators.account.tiers` writes so."""

Moment = tuple[int, str]
"""Time and id of a decision; what was acknowledged is all up to one."""


class Kind(StrEnum):
    """The class of a notice; the values are attributes of the palette."""

    INFORMATION = "dim"
    CAUTION = "amber"
    INTERVENTION = "strong"
    PROTECTION = "border"


class Notice(NamedTuple):
    """One thing that is said."""

    kind: Kind
    text: str
    event_ns: int = 0


def moment_of(decision: Decision) -> Moment:
    """Return when a decision was made, and its id."""
    return decision.event_ns, decision.id


def kind_of(decision: Decision) -> Kind:
    """Return the class of a decision."""
    if not decision.accepted:
        return Kind.CAUTION
    if decision.subject == affairs.TIER_SUBJECT and any(words in decision.sentence for words in DOWN_WORDS):
        return Kind.PROTECTION
    if decision.subject == "mode" and {"drawdown_max", "daily_loss_max"} & set(decision.figures):
        return Kind.PROTECTION
    return Kind.INFORMATION


def protection(known: Affairs, acknowledged: Moment) -> Decision | None:
    """Return what protects, is still so, and was not acknowledged yet; the newest when there are several."""
    for decision in reversed((*known.tier_steps, *known.decisions)):
        if kind_of(decision) is not Kind.PROTECTION or moment_of(decision) <= acknowledged:
            continue
        if decision.subject == "mode" and (known.status is None or known.status.mode == "active"):
            continue
        if known.event_ns - decision.event_ns < HOLDS_NS:
            return decision
    return None


def weather(known: Affairs) -> Notice | None:
    """Return the line that goes with the tilt level: an offer, a request, or how rest goes on."""
    match accounting.level_of(known):
        case 0:
            return None
        case 1:
            return Notice(Kind.INTERVENTION, f"{_signs(known)}. A short break is a good trade; all is open")
        case 2:
            words = "Sizes are halved; an order asks for a sentence: why this, why now"
            return Notice(Kind.INTERVENTION, words)
        case _:
            return Notice(
                Kind.INTERVENTION, "A walk first, then the journal: a few lines about the last hour"
            )


def _signs(known: Affairs) -> str:
    number = len(known.mood.signs) if known.mood is not None else 0
    if not number:
        return "Some things are not as usual"
    words = _NUMBERS.get(number, str(number))
    return "One thing is not as usual" if number == 1 else f"{words} things are not as usual"


_NUMBERS = {2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}


def events(known: Affairs) -> list[Notice]:
    """Return what happened, oldest first: trades, and all decisions but those that trades tell of."""
    told = (each for each in known.decisions if each.subject not in _QUIET or not each.accepted)
    found = [_of_decision(each) for each in told] + [_of_fill(each) for each in known.fills]
    return sorted(found, key=lambda each: each.event_ns)


def said(known: Affairs, most: int) -> list[Notice]:
    """Return the newest things that happened, the newest last; the weather, if there is one, at the end."""
    if most <= 0:
        return []
    now = weather(known)
    room = most if now is None else most - 1
    found = events(known)[-room:] if room else []
    dated = [each if _is_new(each, known) else each._replace(text=_dated(each)) for each in found]
    return dated if now is None else [*dated, now]


_QUIET = frozenset({"place_order", "venue_link"})
"""Subjects of which only a refusal is news: what they lead to is told by itself."""


def _is_new(notice: Notice, known: Affairs) -> bool:
    return not notice.event_ns or known.event_ns - notice.event_ns < NEW_NS


def _dated(notice: Notice) -> str:
    return f"{figures.clock(notice.event_ns)}  {notice.text}"


def _of_decision(decision: Decision) -> Notice:
    return Notice(kind_of(decision), clean(decision.sentence), decision.event_ns)


def _of_fill(fill: Fill) -> Notice:
    base = fill.symbol
    for quote in ("USDT", "USDC", "FDUSD"):
        base = base.removesuffix(quote) or base
    did = "Bought" if fill.side == "buy" else "Sold"
    qty, price = figures.quantity(accounting.number(fill.qty)), figures.price(accounting.number(fill.price))
    words = f"{did} {qty} {clean(base)} at {price}"
    if fill.shortfall_bps == fill.shortfall_bps:
        side = "above" if _is_dearer(fill) else "below"
        words += f", {figures.bps(abs(fill.shortfall_bps))} bps {side} arrival"
    return Notice(Kind.INFORMATION, words, fill.event_ns)


def _is_dearer(fill: Fill) -> bool:
    return (fill.shortfall_bps >= 0.0) == (fill.side == "buy")


def pulse(kind: Kind, now_ns: int) -> str:
    """Return the colour of a notice's words now; only that of an intervention changes, slowly.

    What protects has its colour on the border alone.

    >>> pulse(Kind.CAUTION, 0), pulse(Kind.INTERVENTION, 0), pulse(Kind.INTERVENTION, PULSE_NS)
    ('amber', 'amber', 'dim')
    """
    if kind is Kind.PROTECTION:
        return "text"
    if kind is Kind.INTERVENTION:
        return "amber" if now_ns // PULSE_NS % 2 == 0 else "dim"
    return str(kind)
