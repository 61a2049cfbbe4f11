r"""Epps curve: correlation as a function of the sampling step, in [-1, 1].

The finer prices are sampled, the less they seem to move together: ticks are asynchronous, one price
follows another with a lag, and prices are rounded. The curve shows from which step on a correlation
can be believed. For each step :math:`\Delta`, of the log returns over :math:`\Delta` of the previous
ticks on a grid,

.. math:: \rho(\Delta) = \operatorname{corr}(\Delta \log p_i, \Delta \log p_j).

The grid begins when both have a price, or later; only whole steps count. NaN with fewer than two
returns or without variance. Feed it mid or micro-prices. With few returns much depends on where the
grid begins: on six recorded minutes of BTC and ETH the 68 returns of 5 s give 0.67 to 0.80.

References
----------
Epps (1979), "Comovements in stock prices in the very short run", JASA 74(366).
"""

from typing import NamedTuple

import numpy as np

from genesis.operators import ewma_correlation as ewma
from genesis.operators.arrays import Floats, Ints
from genesis.operators.refresh_time import grid_prices, no_grid


class EppsCurve(NamedTuple):
    """Correlation of a pair by sampling step."""

    step_ns: Ints  # shape (steps,)
    correlation: Floats  # shape (steps,)
    returns: Ints  # shape (steps,): returns there are of each step


def epps_curve(
    first: tuple[Ints, Floats], second: tuple[Ints, Floats], steps_ns: Ints, begin_ns: int | None = None
) -> EppsCurve:
    """Return the correlation of two prices for each sampling step.

    Parameters
    ----------
    first, second
        Event times, sorted, and prices of either instrument.
    steps_ns
        Steps, each above 0.
    begin_ns
        Where the grids begin, not before both have a price; by default there.

    Raises
    ------
    ValueError
        When a step is not positive.

    Examples
    --------
    >>> time_ns = np.arange(9)
    >>> price = np.exp(np.array([0.0, 1.0, 0.0, 2.0, 1.0, 0.0, 1.0, 3.0, 2.0]))
    >>> epps_curve((time_ns, price), (time_ns, price**2), np.array([1, 2])).correlation.round(9).tolist()
    [1.0, 1.0]
    """
    if (steps_ns <= 0).any():
        raise ValueError(f"epps_curve: every step must be positive, the least was {steps_ns.min()} ns")
    correlations, counts = np.full(steps_ns.size, np.nan), np.zeros(steps_ns.size, np.int64)
    if not (first[0].size and second[0].size):
        return EppsCurve(steps_ns, correlations, counts)
    time_ns = np.concatenate([first[0], second[0]])
    order = np.argsort(time_ns, kind="stable")
    who = np.repeat(np.arange(2), [first[0].size, second[0].size])[order]
    ticks = (time_ns[order], who, np.concatenate([first[1], second[1]])[order])
    both_ns, end_ns = int(max(first[0][0], second[0][0])), int(min(first[0][-1], second[0][-1]))
    begin_ns = both_ns if begin_ns is None else max(begin_ns, both_ns)
    pair = np.array([0]), np.array([1])
    for k, step_ns in enumerate(steps_ns.tolist()):
        _, prices = grid_prices(no_grid(2, begin_ns), ticks, step_ns, end_ns + 1)
        returns = np.diff(np.log(prices), axis=0)
        if returns.shape[0]:
            value, count = ewma.correlation(ewma.update(ewma.no_sums(1, 2), returns, np.ones(1)), *pair)
            correlations[k], counts[k] = value[0, 0], int(count[0, 0])
    return EppsCurve(steps_ns, correlations, counts)
