r"""Page–Hinkley: notices that the mean of a series has moved away from its mean so far, by series.

With the running mean :math:`\bar x_t` of all values since the last alarm,

.. math::
    U_t = \alpha U_{t-1} + (x_t - \bar x_t - \delta), \quad D_t = \alpha D_{t-1} + (x_t - \bar x_t + \delta),

the mean has risen when :math:`U_t - \min_s U_s > \lambda`, and fallen when
:math:`\max_s D_s - D_t > \lambda`. After an alarm everything begins again. No alarm is given before
``values_min`` values. The unit is that of the series: :math:`\delta` and :math:`\lambda` must be
chosen for it, or the series standardised. For a stated false-alarm rate use `cusum`.

A value that is not finite is passed over.

References
----------
Page (1954), "Continuous inspection schemes", Biometrika 41(1/2), 100-115. Hinkley (1971), "Inference
about the change-point from cumulative sum tests", Biometrika 58(3), 509-523. The form with a
forgetting factor is that of the library river (`river.drift.PageHinkley`), which it equals.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, grown, kernel
from genesis.operators.parameters import positive, within

MEAN, UPWARD, DOWNWARD, LEAST, MOST = range(5)
"""Columns of ``PageHinkley.sums``."""


class PageHinkley(NamedTuple):
    """The sums, by slot."""

    sums: Floats  # shape (slots, 5): mean, U, D, least U, most D; in the unit of the series
    counts: Ints  # shape (slots,): values since the last alarm


class PageHinkleyParameters(NamedTuple):
    """Parameters of the test; made by `parameters`."""

    delta: float  # move of the mean that is let pass
    threshold: float  # lambda
    alpha: float  # forgetting factor of the sums
    values_min: int  # no alarm before so many values


def parameters(
    delta: float, threshold: float, alpha: float = 0.9999, values_min: int = 30
) -> PageHinkleyParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When one cannot be.
    """
    step, unit = "page_hinkley", "in the unit of the series"
    within(step, "delta", delta, (0.0, 1e300), f"give the move that is let pass, {unit}")
    positive(step, "threshold", threshold, f"give the sum that alarms, {unit}")
    within(step, "alpha", alpha, (0.0, 1.0), "1 forgets nothing")
    within(step, "values_min", values_min, (1, 2**31), "below 30 values an alarm means little")
    return PageHinkleyParameters(float(delta), float(threshold), float(alpha), int(values_min))


def no_sums(slots: int = 0) -> PageHinkley:
    """Return the state before the first value."""
    return PageHinkley(np.zeros((slots, 5)), np.zeros(slots, np.int64))


def with_slots(state: PageHinkley, slots: int) -> PageHinkley:
    """Return ``state`` with room for at least ``slots`` series."""
    have = state.counts.size
    if slots <= have:
        return state
    room = max(slots, 2 * have, 16)
    return PageHinkley(grown(state.sums, room), grown(state.counts, room))


@kernel
def update(
    state: PageHinkley, slots: Ints, values: Floats, parameters: PageHinkleyParameters
) -> tuple[PageHinkley, Ints]:
    """Return the state after n values, and the alarms, shape (n,): 1 risen, -1 fallen, 0 none.

    Parameters
    ----------
    state
        Used up; has room for every slot.
    slots
        The series of each value, shape ``(n,)``.
    values
        Shape ``(n,)``.
    parameters
        From `parameters`.

    Examples
    --------
    >>> values, how = np.array([0.0, 0.0, 0.0, 5.0, 5.0]), parameters(0.1, 4.0, values_min=1)
    >>> update(no_sums(1), np.zeros(5, np.int64), values, how)[1].tolist()
    [0, 0, 0, 0, 1]
    """
    sums, counts = state
    alarms = np.zeros(slots.size, np.int64)
    for i in range(slots.size):
        slot, value = slots[i], values[i]
        mine = sums[slot]
        if not np.isfinite(value):
            continue
        counts[slot] += 1
        mine[MEAN] += (value - mine[MEAN]) / counts[slot]
        away = value - mine[MEAN]
        mine[UPWARD] = parameters.alpha * mine[UPWARD] + away - parameters.delta
        mine[DOWNWARD] = parameters.alpha * mine[DOWNWARD] + away + parameters.delta
        mine[LEAST] = min(mine[LEAST], mine[UPWARD]) if counts[slot] > 1 else mine[UPWARD]
        mine[MOST] = max(mine[MOST], mine[DOWNWARD]) if counts[slot] > 1 else mine[DOWNWARD]
        if counts[slot] < parameters.values_min:
            continue
        if mine[UPWARD] - mine[LEAST] > parameters.threshold:
            alarms[i] = 1
        elif mine[MOST] - mine[DOWNWARD] > parameters.threshold:
            alarms[i] = -1
        if alarms[i] != 0:
            mine[:], counts[slot] = 0.0, 0
    return state, alarms
