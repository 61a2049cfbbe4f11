"""Correlation estimates: rolling window and Hayashi-Yoshida of every pair, beside the EWMA.

Once a cell, of the instruments that the join follows. The rolling window takes the returns of the
last WINDOW_CELLS cells. Hayashi-Yoshida takes the newest mid of each slice (`sampling`) at its own
event time, not the grid's; thinned like that because on recordings every single quote loses most of
the correlation to the lag with which one price follows another (`hayashi_yoshida`). A quote counts no
earlier than its slice, nor than the cell in which it is taken.

A gap closes an instrument for Hayashi-Yoshida: its quotes within do not count, and the return across
is dropped; for the rolling window the returns are missing.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators import hayashi_yoshida as hy
from genesis.operators import rolling_correlation as rolling
from genesis.operators.arrays import Bools, Floats, Ints, Rows
from genesis.operators.correlation_records import CORRELATION_ESTIMATE, Estimator
from genesis.operators.sampling import SLICE_NS

WINDOW_CELLS = 300
"""Length of the rolling window, cells."""

HALF_LIFE_NS = 300_000_000_000
"""Half-life of Hayashi-Yoshida's products, ns."""

_HALF_LIVES_NS = np.array([float(HALF_LIFE_NS)])


class Estimates(NamedTuple):
    """The state of both, by slot."""

    window: rolling.Window
    overlap: hy.Overlap


def no_estimates() -> Estimates:
    """Return the state before the first cell."""
    return Estimates(rolling.empty_window(WINDOW_CELLS, 0), hy.no_overlap(1, 0))


def with_slots(estimates: Estimates, slots: int) -> Estimates:
    """Return the state with room for at least ``slots`` instruments."""
    return Estimates(
        rolling.with_instruments(estimates.window, slots), hy.with_instruments(estimates.overlap, slots)
    )


def without(estimates: Estimates, slot: int) -> Estimates:
    """Return the state (used up) in which an instrument has left and is forgotten."""
    return Estimates(rolling.without(estimates.window, slot), hy.without(estimates.overlap, slot))


def blank_rows(names: Rows, cell_ns: int) -> Rows:
    """Return the rows of a cell without time and value, given those of the EWMA for one half-life.

    >>> from genesis.operators.records import CORRELATION
    >>> blank_rows(CORRELATION.empty(3), 10**9)["estimator"].tolist()
    [1, 1, 1, 2, 2, 2]
    """
    rows = CORRELATION_ESTIMATE.empty(2 * names.size)
    pairs = names.size
    for name in ("symbol_a", "symbol_b", "market_a", "market_b"):
        rows[name] = np.tile(names[name], 2)
    rows["estimator"] = np.repeat([Estimator.ROLLING, Estimator.HAYASHI_YOSHIDA], pairs)
    rows["interval_ns"] = np.repeat([cell_ns, SLICE_NS], pairs)
    rows["window_ns"] = np.repeat([WINDOW_CELLS * cell_ns, 0], pairs)
    rows["half_life_ns"] = np.repeat([0, HALF_LIFE_NS], pairs)
    return rows


def step(
    estimates: Estimates, log_return: Floats, slots: Ints, samples: Rows, blind: Bools, cell_ns: int
) -> Estimates:
    """Return the state after a cell.

    Parameters
    ----------
    estimates
        Used up; room for every slot.
    log_return
        Of the cell, by slot; what is not finite is missing.
    slots, samples
        The samples of the cell (SAMPLE), those of quotes and those of trades, and their slots.
    blind
        Whether a gap lies over the quotes, by slot.
    cell_ns
        Start of the cell.
    """
    quotes = samples["has_quote"] == 1
    who, rows = slots[quotes], samples[quotes]
    time_ns = np.maximum(np.maximum(rows["newest_ns"], rows["slice_ns"]), cell_ns)
    bid, ask = rows["bid_price"], rows["ask_price"]
    price = np.where((bid > 0.0) & (ask > 0.0) & ~blind[who], (bid + ask) / 2.0, np.nan)
    shut = np.flatnonzero(blind)
    time_ns = np.concatenate([np.full(shut.size, cell_ns), time_ns])
    who, price = np.concatenate([shut, who]), np.concatenate([np.full(shut.size, np.nan), price])
    order = np.argsort(time_ns, kind="stable")
    overlap = hy.update(estimates.overlap, time_ns[order], who[order], price[order], _HALF_LIVES_NS)
    window = rolling.update(estimates.window, log_return.reshape(1, -1))
    return Estimates(window, hy.flush(overlap, _HALF_LIVES_NS))


def rows_of(estimates: Estimates, blank: Rows, pairs: tuple[Ints, Ints], stale: Bools, end_ns: int) -> Rows:
    """Return what is published at the end of a cell; ``stale`` by pair."""
    rows = blank.copy()
    if rows.size:
        value, count = rolling.correlation(estimates.window, *pairs)
        values, counts = hy.correlation(estimates.overlap, *pairs)
        rows["sample_ns"] = end_ns
        rows["correlation"] = np.concatenate([value, values[0]])
        rows["effective_count"] = np.concatenate([count, counts[0]])
        rows["stale"] = np.tile(stale, 2)
    return rows
