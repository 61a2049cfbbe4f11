r"""Refresh times: prices that tick at different times, brought to common times without inventing any.

*Refresh time* is the earliest time by which every instrument has ticked again since the last one,

.. math:: \tau_1 = \max_i t_i^1, \qquad \tau_{k+1} = \max_i \min \{ t_i : t_i > \tau_k \},

so it follows the slowest instrument. *Previous tick* takes the newest price at the times of a grid.
Both give a matrix of prices whose log returns any covariance takes; an instrument without a price yet
is NaN there. A price that is not usable counts as a tick with the price NaN. Ticks come in order; a
late one counts as simultaneous with the newest. `sampling` does the latter for the flow, slice by
slice over shards; this is for arrays of one place, and takes them in batches.

References
----------
Barndorff-Nielsen, Hansen, Lunde and Shephard (2011), "Multivariate realised kernels: consistent
positive semi-definite estimators of the covariation of equity prices with noise and non-synchronous
trading", Journal of Econometrics 162(2).
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Bools, Floats, Ints, kernel


class RefreshState(NamedTuple):
    """Newest prices, and who has ticked since the last refresh time; for n instruments."""

    price: Floats  # shape (n,): newest price, NaN before the first
    fresh: Bools  # shape (n,): whether it has ticked since
    newest_ns: Ints  # shape (2,): time of the newest tick, and of the newest refresh


class GridState(NamedTuple):
    """Newest prices, and the next time of the grid."""

    price: Floats  # shape (n,): newest price, NaN before the first
    next_ns: int  # the next time of the grid


def no_refresh(instruments: int) -> RefreshState:
    """Return the state before the first tick."""
    return RefreshState(
        np.full(instruments, np.nan), np.zeros(instruments, np.bool_), np.array([NEVER_NS, NEVER_NS])
    )


def no_grid(instruments: int, begin_ns: int) -> GridState:
    """Return the state before the first tick; the grid begins at ``begin_ns``."""
    return GridState(np.full(instruments, np.nan), begin_ns)


@kernel
def refresh_prices(
    state: RefreshState, event_ns: Ints, instrument: Ints, price: Floats
) -> tuple[RefreshState, Ints, Floats]:
    """Return the state after ticks, the refresh times among them, and all prices at each.

    Of ticks at the time of a refresh, those that come after the one that completes it belong to the
    next: a stream cannot know of them.

    Parameters
    ----------
    state
        Used up.
    event_ns, instrument, price
        The ticks in their order, shape ``(ticks,)``; instruments count from 0.

    Returns
    -------
    state, refresh_ns, prices
        Shapes ``(k,)`` and ``(k, n)``.

    Examples
    --------
    >>> ticks = np.array([1, 2, 3, 4]), np.array([0, 0, 1, 1]), np.array([10.0, 11.0, 20.0, 21.0])
    >>> _, times, prices = refresh_prices(no_refresh(2), *ticks)
    >>> times.tolist(), prices.tolist()
    ([3], [[11.0, 20.0]])
    """
    newest, fresh, newest_ns = state
    missing = newest.size
    for i in range(fresh.size):
        missing -= int(fresh[i])
    times = np.empty(event_ns.size, np.int64)
    prices = np.empty((event_ns.size // max(newest.size, 1) + 1, newest.size))
    found = 0
    for k in range(event_ns.size):
        i = instrument[k]
        newest_ns[0] = max(newest_ns[0], event_ns[k])
        newest[i] = price[k] if 0.0 < price[k] < np.inf else np.nan
        missing -= int(not fresh[i])
        fresh[i] = True
        if missing == 0:
            times[found], newest_ns[1] = newest_ns[0], newest_ns[0]
            prices[found] = newest
            found += 1
            fresh[:] = False
            missing = newest.size
    return RefreshState(newest, fresh, newest_ns), times[:found].copy(), prices[:found].copy()


@kernel
def grid_prices(
    state: GridState, ticks: tuple[Ints, Ints, Floats], step_ns: int, until_ns: int
) -> tuple[GridState, Floats]:
    """Return the state after ticks, and all prices at the times of the grid before ``until_ns``.

    Parameters
    ----------
    state
        Used up.
    ticks
        Event times (sorted), instruments and prices, each of shape ``(ticks,)``.
    step_ns
        Step of the grid, above 0.
    until_ns
        All ticks before it are known; of this call's ticks none comes later.

    Returns
    -------
    state, prices
        ``prices`` has a row for each time of the grid from ``state.next_ns`` on: the newest prices of
        ticks at or before it.

    Examples
    --------
    >>> ticks = np.array([1, 2, 3, 4]), np.array([0, 0, 1, 1]), np.array([10.0, 11.0, 20.0, 21.0])
    >>> grid_prices(no_grid(2, 2), ticks, 2, 5)[1].tolist()
    [[11.0, nan], [11.0, 21.0]]
    """
    event_ns, instrument, price = ticks
    newest, next_ns = state
    rows = max(0, (until_ns - next_ns + step_ns - 1) // step_ns)
    prices = np.empty((rows, newest.size))
    row = 0
    for k in range(event_ns.size):
        while row < rows and next_ns < event_ns[k]:
            prices[row] = newest
            row, next_ns = row + 1, next_ns + step_ns
        newest[instrument[k]] = price[k] if 0.0 < price[k] < np.inf else np.nan
    while row < rows:
        prices[row] = newest
        row, next_ns = row + 1, next_ns + step_ns
    return GridState(newest, next_ns), prices
