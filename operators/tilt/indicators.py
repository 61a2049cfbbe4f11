"""Indicators: what is looked at in a trader's actions; the table behind the watch, its page and the screen.

Three kinds. A *habit* is a positive value (seconds, a share of the equity) whose logarithm is held against
the person's own last values. A *tendency* is yes or no at each occasion, held against how often it is yes
for this person. A *bound* is plain: it is passed or not, for everybody.

Each side of an indicator speaks for haste (quicker, larger, again and again), for paralysis (slower,
staring, leaving things undone), or for both. A level counts the signs of one lean, since a person who is
quick with the keys and slow to order is more likely neither.
"""

from enum import IntEnum, IntFlag
from typing import NamedTuple


class Kind(IntEnum):
    """How an indicator finds its evidence."""

    HABIT = 0
    TENDENCY = 1
    BOUND = 2


class Lean(IntFlag):
    """What a sign speaks for."""

    NONE = 0
    HASTE = 1
    PARALYSIS = 2
    BOTH = 3


class Indicator(NamedTuple):
    """One indicator."""

    name: str
    title: str
    kind: Kind
    more: Lean  # what more than usual speaks for; NONE when it is not looked at
    less: Lean
    what: str
    sentence: str  # with {value} and {usual}


_H, _T, _B = Kind.HABIT, Kind.TENDENCY, Kind.BOUND
_NO, _HASTE, _SLOW, _BOTH = Lean.NONE, Lean.HASTE, Lean.PARALYSIS, Lean.BOTH

INDICATORS: tuple[Indicator, ...] = (
    Indicator("decision_latency", "Decisions", _H, _SLOW, _HASTE,
        "seconds from a command's first key to its sending",
        "Orders are decided in {value:.3g} s; usual is {usual:.3g} s."),
    Indicator("trade_frequency", "Pace", _H, _SLOW, _HASTE,
        "seconds between two orders, declined ones as well",
        "Orders are {value:.3g} s apart; usual is {usual:.3g} s."),
    Indicator("order_size", "Size", _H, _HASTE, _NO,
        "worth of an order, taken or declined, as a share of the equity",
        "An order takes {value:.2%} of the equity; usual is {usual:.2%}."),
    Indicator("size_after_loss", "Size after a loss", _H, _HASTE, _NO,
        "the same, within half an hour of a loss",
        "After a loss an order takes {value:.2%} of the equity; usual is {usual:.2%}."),
    Indicator("size_after_gain", "Size after a gain", _H, _HASTE, _NO,
        "the same, within half an hour of a large gain",
        "After a large gain an order takes {value:.2%} of the equity; usual is {usual:.2%}."),
    Indicator("reentry", "Re-entry", _H, _NO, _HASTE,
        "seconds from a loss to the next order, declined ones as well",
        "An order comes {value:.3g} s after a loss; usual is {usual:.3g} s."),
    Indicator("typing_speed", "Typing", _H, _BOTH, _BOTH,
        "median milliseconds between keys of a command",
        "Keys are {value:.3g} ms apart; usual is {usual:.3g} ms."),
    Indicator("preview_look", "Looking", _H, _NO, _HASTE,
        "seconds that a preview is looked at before it is sent",
        "A preview is looked at for {value:.3g} s; usual is {usual:.3g} s."),
    Indicator("size_hover", "Hovering", _H, _BOTH, _NO,
        "changes of a size before it is sent, plus one",
        "A size is changed {value:.3g} times before it is sent; usual is {usual:.3g}."),
    Indicator("typing_accuracy", "Corrections", _T, _BOTH, _NO,
        "keys taken back, of all keys",
        "{value:.0%} of the keys are taken back; usual is {usual:.0%}."),
    Indicator("previews_left", "Previews left", _T, _SLOW, _NO,
        "previews that are left without sending",
        "{value:.0%} of the previews are left; usual is {usual:.0%}."),
    Indicator("quick_cancels", "Quick cancels", _T, _BOTH, _NO,
        "orders cancelled within 5 s, of those cancelled",
        "{value:.0%} of the cancels come within 5 s; usual is {usual:.0%}."),
    Indicator("refused_orders", "Declined", _T, _HASTE, _NO,
        "orders that the rules declined, of all asked for",
        "{value:.0%} of the orders are declined; usual is {usual:.0%}."),
    Indicator("adding_to_losers", "Adding to losers", _T, _HASTE, _NO,
        "purchases that add to a position with a loss",
        "{value:.0%} of the purchases add to a position below its cost; usual is {usual:.0%}."),
    Indicator("stop_widening", "Wider stops", _T, _BOTH, _NO,
        "stops moved away from the price, of those moved",
        "{value:.0%} of the moved stops are wider; usual is {usual:.0%}."),
    Indicator("unusual_hours", "Hours", _T, _BOTH, _NO,
        "orders at an hour with less than 1 % of this person's orders",
        "{value:.0%} of the orders come at hours that are not yours; usual is {usual:.0%}."),
    Indicator("panic_hedging", "Hedging", _T, _BOTH, _NO,
        "purchases of what moves with what is held at a loss (0.7)",
        "{value:.0%} of the purchases move with what is held at a loss; usual is {usual:.0%}."),
    Indicator("same_pair_revenge", "Same pair again", _T, _HASTE, _NO,
        "orders in the pair of a loss within 60 s of it",
        "{value:.0%} of the losses are followed by the same pair within a minute; usual is {usual:.0%}."),
    Indicator("reaction", "Reaction", _T, _HASTE, _NO,
        "losses that are followed by an order within 2 s",
        "{value:.0%} of the losses are followed by an order within 2 s; usual is {usual:.0%}."),
    Indicator("bargaining", "Bargaining", _B, _BOTH, _NO,
        "more than 5 amendments of one order",
        "One order was amended {value:.0f} times; up to {usual:.0f} is common."),
    Indicator("chart_checks", "Chart checks", _B, _BOTH, _NO,
        "more than 20 looks at a chart or price in a minute",
        "Charts were looked at {value:.0f} times in a minute; up to {usual:.0f} is common."),
    Indicator("stare", "Staring", _B, _SLOW, _NO,
        "a screen looked at for over 30 minutes without a key",
        "The screen was looked at for {value:.0f} s without a key; up to {usual:.0f} s is common."),
    Indicator("reconnects", "Leaving and coming", _B, _HASTE, _NO,
        "a dashboard opened 3 times within 10 minutes",
        "The dashboard was opened {value:.0f} times in 10 minutes; up to {usual:.0f} is common."),
    Indicator("thrashing", "Parameters", _B, _HASTE, _NO,
        "more than 3 changes of parameters within 4 hours",
        "Parameters were changed {value:.0f} times; up to {usual:.0f} is common."),
    Indicator("clock_changed", "Clock", _B, _BOTH, _NO,
        "a dashboard's clock changed by more than a minute",
        "A dashboard's clock was moved by {value:.0f} s; up to {usual:.0f} s is common."),
    Indicator("empty_activity", "Empty activity", _B, _BOTH, _NO,
        "60 commands or looks in an hour without one order",
        "{value:.0f} commands in an hour led to no order; up to {usual:.0f} is common."),
)  # fmt: skip
"""The table; the watch counts in its order."""

HABITS = sum(each.kind is Kind.HABIT for each in INDICATORS)
TENDENCIES = sum(each.kind is Kind.TENDENCY for each in INDICATORS)
COUNT = len(INDICATORS)
NUMBER = {each.name: number for number, each in enumerate(INDICATORS)}
