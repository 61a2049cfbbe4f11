r"""Average true range: Wilder's smoothed range of bars, in quote asset, by series.

The true range of a bar counts the gap from the close before it:

.. math:: TR_t = \max(H_t, C_{t-1}) - \min(L_t, C_{t-1}), \qquad TR_1 = H_1 - L_1,

.. math:: ATR_n = \frac1n \sum_{t=1}^{n} TR_t, \qquad ATR_t = ATR_{t-1} + \frac{TR_t - ATR_{t-1}}{n},
   \quad t > n.

It is NaN until n bars have been seen (Wilder takes n = 14). A bar with a value that is not finite is
passed over. Bars come in the order in which they closed; an amendment is no new bar and does not come.

References
----------
Wilder (1978), "New Concepts in Technical Trading Systems", Trend Research.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, grown, kernel
from genesis.operators.parameters import within


class TrueRange(NamedTuple):
    """What is known of each series, by slot."""

    average: Floats  # shape (slots,): mean true range so far, then Wilder's; quote asset
    close: Floats  # shape (slots,): of the newest bar; NaN before the first
    bars: Ints  # shape (slots,): bars seen


class RangeParameters(NamedTuple):
    """Parameters of the measure; made by `parameters`."""

    bars: int  # n


def parameters(bars: int) -> RangeParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When fewer than one bar is to be averaged.
    """
    within("average_true_range", "bars", bars, (1, 10_000), "Wilder's own choice is 14")
    return RangeParameters(int(bars))


def no_range(slots: int = 0) -> TrueRange:
    """Return the state before the first bar."""
    return TrueRange(np.zeros(slots), np.full(slots, np.nan), np.zeros(slots, np.int64))


def with_slots(state: TrueRange, slots: int) -> TrueRange:
    """Return ``state`` with room for at least ``slots`` series."""
    have = state.bars.size
    if slots <= have:
        return state
    room = max(slots, 2 * have, 16)
    return TrueRange(grown(state.average, room), grown(state.close, room, np.nan), grown(state.bars, room))


@kernel
def average_true_range(
    state: TrueRange, slots: Ints, bars: Floats, parameters: RangeParameters
) -> tuple[TrueRange, Floats]:
    """Return the state after n bars, and the average true range of its series after each, shape (n,).

    Parameters
    ----------
    state
        Used up; has room for every slot.
    slots
        The series of each bar, shape ``(n,)``.
    bars
        Columns high, low and close, quote asset, shape ``(n, 3)``.
    parameters
        From `parameters`.

    Examples
    --------
    >>> bars = np.array([[11.0, 9.0, 10.0], [13.0, 12.0, 12.0], [12.0, 11.0, 11.0]])
    >>> average_true_range(no_range(1), np.zeros(3, np.int64), bars, RangeParameters(2))[1].tolist()
    [nan, 2.5, 1.75]
    """
    average, close, seen = state
    path = np.full(slots.size, np.nan)
    for i in range(slots.size):
        slot, high, low, last = slots[i], bars[i, 0], bars[i, 1], bars[i, 2]
        if np.isfinite(high) and np.isfinite(low) and np.isfinite(last):
            if seen[slot] > 0:
                high, low = max(high, close[slot]), min(low, close[slot])
            seen[slot] += 1
            average[slot] += (high - low - average[slot]) / min(seen[slot], parameters.bars)
            close[slot] = last
        if seen[slot] >= parameters.bars:
            path[i] = average[slot]
    return state, path
