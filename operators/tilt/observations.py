"""Observations: what is seen of a trader, as rows; all that tilt is computed from.

The account fold makes them, in the order of its log: from commands and their decisions, from executions,
from the market, and from what the dashboard says of the hands at its keys. Time is the account's clock.
Nothing here holds what was typed: of keys there are counts and intervals alone.
"""

from enum import IntEnum
from typing import Any

import numpy as np

SYMBOL_NONE = 0
"""In place of a symbol's number where there is none."""


class ObservationKind(IntEnum):
    """What was seen; ``value`` and ``other`` are as said, NaN where unknown, 0 where unused."""

    CLOCK = 0
    """Time passed. value: P&L of the day as a share of the equity; other: drawdown as a share."""
    ORDER = 1
    """An order that raises risk was accepted. value: notional as a share of the equity; other: mean
    correlation with what is held, NaN without."""
    REFUSED = 2
    """An order was refused. value: notional as a share of the equity, NaN when unknown."""
    CANCELLED = 3
    """The trader cancelled an order. value: its age in seconds; other: its notional share."""
    AMENDED = 4
    """The trader amended an order. value: how often that order has been amended."""
    BOUGHT = 5
    """A purchase filled. value: notional share; other: unrealised return of the position it adds to,
    as a fraction, NaN when it opens one."""
    SOLD = 6
    """A position was lowered. value: realised P&L as a share of the equity; other: seconds held."""
    STOPPED = 7
    """A stop-loss sold a position. value: realised P&L as a share of the equity."""
    STOP_MOVED = 8
    """A stop-loss was moved. value: change of its distance as a fraction of the price, wider positive;
    other: unrealised return of the position."""
    MODE_ASKED = 9
    """The trader changed the mode. value: 0 active, 1 reducing, 2 halted."""
    OVERRIDE_ASKED = 10
    """An override was asked for, granted or not."""
    PARAMETER = 11
    """A parameter was asked to change."""
    JOURNAL = 12
    """The journal was written in. value: words."""
    CHECKLIST = 13
    """A checklist was completed. value: points agreed to; other: points."""
    ACCEPTED = 14
    """The trader accepted an intervention, such as a break. value: level it was offered at."""
    KEYS = 15
    """Keys were typed in the command line. value: median interval in milliseconds; other: how many."""
    CORRECTIONS = 16
    """Keys were taken back. value: how many; other: of how many keys."""
    EDITED = 17
    """The size of a command was changed before it was sent. value: how often."""
    PREVIEWED = 18
    """A preview was shown. value: seconds that it was looked at; other: 1 when it was sent, 0 when
    abandoned."""
    DECIDED = 19
    """A command was sent. value: seconds from its first key."""
    SCREEN = 20
    """Another screen was chosen. value: its number."""
    CHART = 21
    """A chart or a price was looked up. value: how often."""
    STARED = 22
    """The screen was looked at without a key. value: seconds so far."""
    CONNECTED = 23
    """A dashboard was opened. other: 1 when it is another client than the last."""
    LEFT = 24
    """A dashboard was left. value: seconds that it was open."""
    CLOCK_JUMPED = 25
    """A dashboard's clock was changed. value: seconds, forward positive."""
    STATE = 26
    """The market's state changed. value: `records.MarketState` of the whole market."""
    MARKED = 27
    """A position's unrealised return changed by a step. value: return as a fraction; other: share of the
    equity."""


OBSERVATION = np.dtype(
    [("event_ns", "<i8"), ("kind", "<i4"), ("symbol", "<i4"), ("value", "<f8"), ("other", "<f8")]
)
"""One observation. ``symbol`` is the account's number of the symbol from 1, or SYMBOL_NONE."""


def observation(
    event_ns: int, kind: ObservationKind, value: float = 0.0, other: float = 0.0, symbol: int = SYMBOL_NONE
) -> Any:
    """Return one observation as an array of one row.

    >>> observation(5, ObservationKind.JOURNAL, 120.0)["value"].tolist()
    [120.0]
    """
    return np.array([(event_ns, int(kind), symbol, value, other)], OBSERVATION)
