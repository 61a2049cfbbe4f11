r"""Robust baseline: median, MAD and quantiles of a stream, with decay, in constant memory, by series.

A value counts :math:`2^{-a/h}`, a being its age and h the half-life, in whatever unit the caller
measures age (events, or nanoseconds). The q-quantile is the least value x such that the values up to x
have at least the share q of all weight; the median is the one of q = 1/2, and

.. math:: MAD = \mathrm{median}\, |x - \mathrm{median}\, x|, \qquad \text{scale} = 1.4826 \cdot MAD,

which is the standard deviation when values are normal, and stays what it is while fewer than half of
them are wild.

*Algorithm*: a decayed histogram over bins whose width grows with the value (as in DDSketch): x > 0 is in
the bin :math:`i = \lceil \log_\gamma (x / \text{least}) \rceil`, :math:`\gamma = (1 + e) / (1 - e)`, and
stands for its middle; negative values likewise. *Error*, with ``accuracy`` e: a quantile is within
:math:`e |x|` of the true one, the MAD within :math:`e (2 |\mathrm{median}| + MAD)`; no assumption is
made on the values, but that they lie in [least, most] in absolute value. Smaller ones are taken for 0,
greater ones for the greatest. Memory: e = 0.02 over six decades takes 693 numbers a series.

Median and MAD are NaN before the first value; a standardised value also while the MAD is 0 or the
effective number of values (Kish's :math:`(\sum w)^2 / \sum w^2`) is below the minimum. A value that is
not finite is passed over. A late one weighs what its age says.

References
----------
Masson, Rim and Lee (2019), "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", PVLDB 12(12), 2195-2205.
"""

import math
from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, grown, kernel
from genesis.operators.parameters import positive, within

MAD_TO_SCALE = 1.4826022185056018
"""Standard deviation over MAD of a normal variable: one over the normal's upper quartile."""

DOUBLINGS_MAX = 500.0
"""Weights are made small again when they have doubled so often."""


class Baseline(NamedTuple):
    """The histograms, by slot. A new value weighs 2 ** ((at - origin) / half-life)."""

    weight: Floats  # shape (slots, 2 m + 1): of each bin, by ascending value; bin m stands for 0
    totals: Floats  # shape (slots, 2): sum of weights, and of their squares
    origin: Ints  # shape (slots,): where a value weighs 1


class BaselineParameters(NamedTuple):
    """Parameters of the baseline; made by `parameters`."""

    half_life: float  # inf forgets nothing
    accuracy: float  # e
    least: float  # absolute value below which a value is taken for 0
    bins: int  # m, of each sign
    count_min: float  # effective number of values below which nothing is standardised


def parameters(
    half_life: float,
    accuracy: float = 0.02,
    least: float = 1e-3,
    most: float = 1e3,
    count_min: float = 30.0,
) -> BaselineParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When one cannot be.

    Examples
    --------
    >>> 2 * parameters(half_life=1_000.0).bins + 1
    693
    """
    step = "robust_baseline"
    if half_life != math.inf:
        positive(step, "half_life", half_life, "give it in the unit in which age is measured")
    within(step, "accuracy", accuracy, (1e-4, 0.5), "a finer one takes more memory")
    positive(step, "least", least, "give the absolute value below which a value is nothing")
    within(step, "most", most, (2.0 * least, 1e300), "give the greatest absolute value that matters")
    within(step, "count_min", count_min, (1.0, 1e12), "below 30 values a baseline says little")
    bins = math.ceil(math.log(most / least) / math.log((1.0 + accuracy) / (1.0 - accuracy)))
    return BaselineParameters(float(half_life), float(accuracy), float(least), bins, float(count_min))


def no_baseline(slots: int, parameters: BaselineParameters) -> Baseline:
    """Return the state before the first value."""
    return Baseline(
        np.zeros((slots, 2 * parameters.bins + 1)), np.zeros((slots, 2)), np.zeros(slots, np.int64)
    )


def with_slots(baseline: Baseline, slots: int) -> Baseline:
    """Return ``baseline`` with room for at least ``slots`` series."""
    have = baseline.origin.size
    if slots <= have:
        return baseline
    room = max(slots, 2 * have, 4)
    return Baseline(*(grown(array, room) for array in baseline))


@kernel
def update(
    baseline: Baseline, slots: Ints, at: Ints, values: Floats, parameters: BaselineParameters
) -> Baseline:
    """Return the state after n values.

    Parameters
    ----------
    baseline
        Used up; has room for every slot, made for the same parameters.
    slots
        The series of each value, shape ``(n,)``.
    at
        When it was, in the unit of the half-life: a count or a time, shape ``(n,)``.
    values
        Shape ``(n,)``.
    parameters
        From `parameters`.

    Examples
    --------
    >>> how, values = parameters(half_life=1e9), np.array([10.0, 12.0, 11.0, 900.0, 10.5])
    >>> state = update(no_baseline(1, how), np.zeros(5, np.int64), np.arange(5), values, how)
    >>> [round(float(each[0]), 1) for each in location_and_scale(state, np.array([0]), how)]
    [10.9, 1.2, 5.0]
    """
    weight, totals, origin = baseline
    bins, least = parameters.bins, parameters.least
    log_gamma = np.log((1.0 + parameters.accuracy) / (1.0 - parameters.accuracy))
    for i in range(slots.size):
        slot, size = slots[i], abs(values[i])
        if not np.isfinite(size):
            continue
        if totals[slot, 0] == 0.0:
            origin[slot] = at[i]
        doublings = (at[i] - origin[slot]) / parameters.half_life
        if doublings > DOUBLINGS_MAX:
            fall = np.exp2(-doublings)
            weight[slot] *= fall
            totals[slot, 0] *= fall
            totals[slot, 1] *= fall * fall
            origin[slot], doublings = at[i], 0.0
        place = 0
        if size >= least:
            place = min(max(int(np.ceil(np.log(size / least) / log_gamma)), 1), bins)
        mine = np.exp2(doublings)
        weight[slot, bins + place if values[i] >= 0.0 else bins - place] += mine
        totals[slot, 0] += mine
        totals[slot, 1] += mine * mine
    return baseline


@kernel
def _middle(place: int, bins: int, accuracy: float, least: float) -> float:
    """Return the value that a bin stands for."""
    if place == bins:
        return 0.0
    gamma = (1.0 + accuracy) / (1.0 - accuracy)
    size = least * gamma ** abs(place - bins) * 2.0 / (1.0 + gamma)
    return float(size if place > bins else -size)


@kernel
def _quantile_bin(weight: Floats, share: float) -> int:
    """Return the first bin up to which lies at least the share of all weight; -1 without weight."""
    total = weight.sum()
    if not total > 0.0:
        return -1
    reached, last = 0.0, -1
    for place in range(weight.size):
        if weight[place] > 0.0:
            reached, last = reached + weight[place], place
            if reached >= share * total:
                break
    return last


@kernel
def quantiles(baseline: Baseline, slots: Ints, shares: Floats, parameters: BaselineParameters) -> Floats:
    """Return quantiles of series, shape ``(n, q)``; NaN before the first value.

    Parameters
    ----------
    baseline
        Left as it is.
    slots
        The series, shape ``(n,)``.
    shares
        Each in [0, 1], shape ``(q,)``.
    parameters
        From `parameters`.
    """
    found = np.full((slots.size, shares.size), np.nan)
    for i in range(slots.size):
        for k in range(shares.size):
            place = _quantile_bin(baseline.weight[slots[i]], shares[k])
            if place >= 0:
                found[i, k] = _middle(place, parameters.bins, parameters.accuracy, parameters.least)
    return found


@kernel
def _deviation(weight: Floats, place: int, parameters: BaselineParameters) -> float:
    """Return the MAD: walk outward from the median's bin until half of the weight is met."""
    bins, accuracy, least = parameters.bins, parameters.accuracy, parameters.least
    center = _middle(place, bins, accuracy, least)
    half, reached, distance = 0.5 * weight.sum(), weight[place], 0.0
    low, high = place - 1, place + 1
    while reached < half and (low >= 0 or high < weight.size):
        below = center - _middle(low, bins, accuracy, least) if low >= 0 else np.inf
        above = _middle(high, bins, accuracy, least) - center if high < weight.size else np.inf
        nearer = low if below <= above else high
        if weight[nearer] > 0.0:
            reached += weight[nearer]
            distance = min(below, above)
        if nearer == low:
            low -= 1
        else:
            high += 1
    return distance


@kernel
def location_and_scale(
    baseline: Baseline, slots: Ints, parameters: BaselineParameters
) -> tuple[Floats, Floats, Floats]:
    """Return median, scale (1.4826 MAD) and effective number of values of series, each shape (n,).

    Parameters
    ----------
    baseline
        Left as it is.
    slots
        The series, shape ``(n,)``.
    parameters
        From `parameters`.
    """
    n = slots.size
    location, scale, count = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
    for i in range(n):
        weight, totals = baseline.weight[slots[i]], baseline.totals[slots[i]]
        place = _quantile_bin(weight, 0.5)
        if place >= 0:
            location[i] = _middle(place, parameters.bins, parameters.accuracy, parameters.least)
            scale[i] = MAD_TO_SCALE * _deviation(weight, place, parameters)
            count[i] = totals[0] * totals[0] / totals[1]
    return location, scale, count


@kernel
def standardized(baseline: Baseline, slots: Ints, values: Floats, parameters: BaselineParameters) -> Floats:
    """Return values in scales from the median of their series, shape (n,), NaN where undefined.

    Parameters
    ----------
    baseline
        Left as it is: judge a value before it is learned.
    slots
        The series of each value, shape ``(n,)``.
    values
        Shape ``(n,)``.
    parameters
        From `parameters`.
    """
    found = np.full(slots.size, np.nan)
    location, scale, count = location_and_scale(baseline, slots, parameters)
    for i in range(slots.size):
        if scale[i] > 0.0 and count[i] >= parameters.count_min:
            found[i] = (values[i] - location[i]) / scale[i]
    return found
