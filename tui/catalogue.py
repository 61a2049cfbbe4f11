"""Catalogue: what is said of every refusal, as data: what happened, why it is all right, what comes next.

The account's own sentence has the figures of the moment; these three parts are the same each time, so that a
person learns them as one learns a road sign. Each is at most one line of the narrowest screen.
"""

from collections.abc import Mapping
from typing import NamedTuple

from genesis.tui.notices import Kind

LINE_COLS = 80
"""No part is longer."""


class Message(NamedTuple):
    """One line of the catalogue."""

    kind: Kind
    happened: str
    fine: str
    next: str


_I, _C, _N, _P = Kind.INFORMATION, Kind.CAUTION, Kind.INTERVENTION, Kind.PROTECTION

_UNREAD = "Nothing was sent, and nothing is changed by it."

REFUSALS: Mapping[str, Message] = {
    # the way to the venue
    "LINK_DOWN": Message(_C, "The venue is not reached at the moment.",
        "What you hold stays as it is, and stops are kept.", "Ask again in a moment; feed says how it is."),
    "STALE_MARKET": Message(_C, "The price is not fresh, so no order goes out on it.",
        "Nobody trades well on an old price; what you hold is safe.", "Wait a moment, then ask again."),
    "NOT_TRADING": Message(_I, "The venue does not trade this pair right now.",
        "It does so for everybody, and says when it goes on.", "Choose another pair, or come back later."),
    "ORDER_RATE": Message(_I, "Many orders are at work, and the venue counts them.",
        "A pause keeps the way free for what matters, such as closing.", "A few seconds make room."),
    "TOO_OLD": Message(_I, "The command was on its way for too long.",
        "It is not carried out late, when the market may be another.", "Give it again if you still want it."),
    "DUPLICATE": Message(_I, "The same order was placed a moment ago.",
        "Once is enough: the first one is at work.", "Ask again after two seconds if you meant both."),
    # the tier
    "TIER_ALGORITHM": Message(_I, "This way to trade comes with a later tier.",
        "What this tier has is enough for its sizes.", "tier shows the way there."),
    "TIER_SLICES": Message(_I, "An order of this size is cut into more pieces.",
        "Pieces move the market less and cost you less.", "Use twap, pov or iceberg for it."),
    "TIER_STRATEGIES": Message(_I, "As many strategies are at work as this tier runs.",
        "Those at work go on as they are.", "Let one finish first."),
    # sizes and prices
    "QUANTITY": Message(_I, "The quantity is not one that the venue takes.",
        _UNREAD, "Round it to the step, or say dollars, such as 25u."),
    "PRICE_STEP": Message(_I, "The limit is between two steps of the price.",
        _UNREAD, "Round it to the step."),
    "MIN_NOTIONAL": Message(_I, "The order is worth less than the venue takes.",
        _UNREAD, "A little more goes through, if the limits have room for it."),
    "PRICE_COLLAR": Message(_C, "The limit is far beyond the market.",
        "A slip of a digit costs nothing here.", "Look at it once more."),
    "FUNDS": Message(_I, "It needs more than is free.",
        "What is promised to other orders stays promised.", "A smaller order fits, or cancel another."),
    "PLAN": Message(_I, "The order cannot be cut as it was asked for.",
        _UNREAD, "Another time or number of slices helps."),
    # limits
    "MODE": Message(_C, "The mode lets no such order out.",
        "Selling what you hold is always possible.", "risk shows what ends it; flatten works."),
    "DAILY_LOSS": Message(_P, "Today's budget is used up.",
        "The rest of your capital is out of today's reach.", "It is new at midnight UTC; closing is open."),
    "DRAWDOWN": Message(_P, "The account is far below its peak, and rests.",
        "What you hold stays yours to sell, at your own pace.", "risk shows how far it is; closing is open."),
    "POSITION_CAP": Message(_I, "The position would be larger than its part.",
        "No single pair can hurt you much; that is the point.", "Tab takes what fits."),
    "SAME_DIRECTION": Message(_I, "Too much would move the same way.",
        "What looks like several bets would be one.", "Another pair, or a smaller order, keeps it apart."),
    # tilt
    "TILT_REASON": Message(_N, "A sentence of why is asked for now.",
        "It takes ten seconds, and the order waits for you.", "Add because and your words to the order."),
    "TILT_LOCKOUT": Message(_N, "Trading rests for now, to protect what you built.",
        "Stops stay in place, and closing is always open.", "A walk, then journal: a few lines."),
    "TILT_BREAK": Message(_N, "A pause or a rest is under way already.",
        "It ends by itself, and nothing is lost meanwhile.", "checklist says what is still asked for."),
    "PARAMETER": Message(_I, "This limit cannot have that value.",
        "The one that held goes on.", "limit, profile and help show what there is."),
    # orders and positions
    "UNKNOWN_SYMBOL": Message(_I, "This pair is not among those that are followed.",
        _UNREAD, "overview shows those that are."),
    "UNKNOWN_ORDER": Message(_I, "That order is not at work any more.",
        "It ended, or was cancelled, before this came.", "trade shows those that are."),
    "AMEND": Message(_I, "The order cannot be changed in this way.",
        "It goes on as it was.", "Lower its total, or cancel it and place it anew."),
    "NO_POSITION": Message(_I, "There is nothing held of this pair to guard.",
        "A stop comes with every purchase by itself.", "trade shows what is held."),
    "STOP_PRICE": Message(_I, "A stop-loss lies below the market.",
        "The stop is where it was.", "Choose a lower one; flatten sells at once."),
    # overrides
    "OVERRIDE_WORDS": Message(_C, "An override asks for its words, one by one.",
        "They make sure that it is you who wants it.", "Type them as the account's sentence has them."),
    "OVERRIDE_COOLDOWN": Message(_C, "An override was granted less than a day ago.",
        "A day between two is what makes the first one safe.", "Tomorrow's budget comes by itself."),
    "OVERRIDE_NOTHING": Message(_I, "Today's budget holds nothing back.",
        "You can trade without an override.", "risk shows what is left."),
    # what cannot be read
    "MALFORMED": Message(_I, "The command says something that cannot be carried out.",
        _UNREAD, "help has every command and its form."),
    "SEAL": Message(_C, "The command does not carry the trader's seal.",
        "Nobody without your key commands your account.", "genesis doctor says which key is read."),
    "REPEATED": Message(_I, "This command was carried out already.",
        "It is never carried out twice.", "Give it again as a new one if you want another."),
    **dict.fromkeys(
        ("AMOUNT_TEXT", "AMOUNT_NOT_FINITE"),
        Message(_I, "The amount is no number.", _UNREAD, "Write it with digits, such as 25u or 0.01."),
    ),
    "AMOUNT_NEGATIVE": Message(_I, "The amount is below zero.", _UNREAD, "sell is the other way round."),
    "AMOUNT_ZERO": Message(_I, "The amount is zero.", _UNREAD, "Say how much, such as 25u."),
    "AMOUNT_TOO_FINE": Message(_I, "The amount has more digits than anybody trades.", _UNREAD,
        "Fewer digits after the point are enough."),
    "AMOUNT_TOO_LARGE": Message(_I, "The amount is larger than any account.", _UNREAD,
        "Look at it once more."),
}  # fmt: skip
"""By the code of the decision."""

UNKNOWN = Message(
    _I,
    "It was declined for a reason that this screen does not know yet.",
    "The account's own sentence above says which.",
    "A newer program may know more of it.",
)


def message(code: str) -> Message:
    """Return what is said of a code.

    >>> message("DAILY_LOSS").happened, message("NEWER") == UNKNOWN
    ("Today's budget is used up.", True)
    """
    return REFUSALS.get(code, UNKNOWN)


def page() -> str:
    """Return the catalogue in Markdown."""
    lines = ["| code | class | what happened | why it is all right | what next |", "|---|---|---|---|---|"]
    for code, said in REFUSALS.items():
        row = (f"`{code}`", said.kind.name.lower(), said.happened, said.fine, said.next)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"
