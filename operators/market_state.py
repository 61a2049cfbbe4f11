r"""Market state: DEAD, NORMAL, VOLATILE, PANIC or MAINTENANCE, of one instrument and of a market.

Every measure is a ratio to what is usual for the same instrument, so one set of thresholds serves a
quiet and a wild one. Once a cell (1 s):

- *volatility*: decayed mean of absolute log returns, half-life FAST_CELLS, in which one return counts
  at most JUMP times the usual one (a single jump is no storm), times :math:`\sqrt{\pi/2}`, which
  makes it the standard deviation of normal returns; its ratio to the usual one. *Spread*: the newest
  one; its ratio. *Trade rate*: decayed mean, half-life RATE_CELLS; its ratio.
- *usual*: a mean with half-life USUAL_CELLS (plain mean before that many cells) in which a cell
  counts at most CLIP times the present mean: a burst cannot make itself usual.
- *silence*: cells in a row without a tick. With ``p`` the usual share of cells with a tick,
  ``(1 - p) ** silence`` is how likely that is; below SILENCE_PROBABILITY the instrument is silent.

The state machine (thresholds ``…_ENTER`` and ``…_LEAVE``, dwell in cells ``DWELL_…``):

- MAINTENANCE when there is no two-sided quote, or all instruments of the market are silent;
- DEAD when it is silent, or hardly trades and hardly moves;
- PANIC when volatility is extreme and spread or trade rate say so too;
- VOLATILE when volatility is high; NORMAL otherwise; UNKNOWN in the first WARM_CELLS cells.

The measures must pull away from a state in one direction for its dwell before another is taken, and
the threshold to leave a state is lower than the one to enter it. While a gap lies over the
instrument nothing is learned and the state is held: our own blindness is not the market's. For a
market (symbol ``*``) the same machine judges the medians over its instruments. Undefined measures
are NaN; a comparison with NaN is never true.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Floats, Ints, grown, kernel
from genesis.operators.records import MarketState

FAST_CELLS = 3.0
"""Half-life of the short-run volatility, in cells."""

JUMP = 8.0
"""One return counts at most this many times the usual absolute return."""

RATE_CELLS = 4.0
"""Half-life of the short-run trade rate, in cells."""

USUAL_CELLS = 1800.0
"""Half-life of what is usual, in cells."""

CLIP = 4.0
"""A cell counts at most this many times the usual value."""

WARM_CELLS = 60
"""Cells before a state is judged."""

SILENCE_PROBABILITY = 1e-4
"""Below this probability silence is no coincidence."""

SILENT_CELLS_MIN = 3
"""Least silence that is judged, in cells."""

ACTIVITY_MAX = 0.99
"""Highest share of cells with a tick that is assumed."""

VOLATILE_ENTER, VOLATILE_LEAVE = 2.5, 1.5
PANIC_ENTER, PANIC_LEAVE = 4.0, 2.5
PANIC_COMPANY = 3.0
"""Ratio of spread or trade rate that must go with the volatility of a panic."""

DEAD_RATE, DEAD_VOLATILITY = 0.05, 0.2
"""Below both ratios an instrument is dead although it still quotes."""

DWELL_UP, DWELL_DOWN, DWELL_SLEEP = 2, 30, 1
"""Cells for which a wilder, a calmer, and a DEAD or MAINTENANCE candidate must hold."""

WILDER, CALMER, ASLEEP = 1, 2, 3
"""Directions in which the measures may pull; 0 is none."""

NORMAL_RATIO = np.sqrt(np.pi / 2.0)
"""Standard deviation over mean absolute value of a normal variable."""

UNKNOWN, DEAD, NORMAL, VOLATILE, PANIC, MAINTENANCE = (int(state) for state in MarketState)


class Usual(NamedTuple):
    """What each instrument usually does, by slot."""

    fast: Floats  # shape (n, 2): short-run mean absolute log return, short-run trades a cell
    usual: Floats  # shape (n, 4): absolute log return, spread in bps, trades a cell, share of ticked cells
    cells: Ints  # shape (n, 3): cells with a return, cells in all, cells of silence in a row


class Machine(NamedTuple):
    """The state machines, one per instrument or market."""

    state: Ints  # shape (n, 4): state, previous, direction (wilder, calmer, …), cells it has lasted
    since_ns: Ints  # shape (n,): end of the cell in which the state was taken


class Cell(NamedTuple):
    """What the instruments showed in one cell, each of shape (n,)."""

    log_return: Floats  # NaN when missing
    spread_bps: Floats  # of the newest quote; NaN without a two-sided one
    trade_count: Ints
    ticked: Bools  # whether there was a tick in the cell
    stale: Bools  # whether a gap lies over it


class Measures(NamedTuple):
    """The evidence, each of shape (n,)."""

    volatility_bps: Floats
    volatility_ratio: Floats
    spread_bps: Floats
    spread_ratio: Floats
    trade_rate_hz: Floats
    trade_rate_ratio: Floats
    silent: Bools


def no_usual() -> Usual:
    """Return the state before the first cell."""
    return Usual(np.zeros((0, 2)), np.zeros((0, 4)), np.zeros((0, 3), np.int64))


def no_machines() -> Machine:
    """Return no state machines."""
    return Machine(np.zeros((0, 4), np.int64), np.zeros(0, np.int64))


def with_slots(usual: Usual, slots: int) -> Usual:
    """Return ``usual`` with room for at least ``slots`` instruments."""
    return usual if slots <= usual.fast.shape[0] else Usual(*(grown(array, slots) for array in usual))


def with_machines(machines: Machine, count: int) -> Machine:
    """Return ``machines`` with at least ``count`` of them; new ones are in the state UNKNOWN."""
    have = machines.since_ns.size
    return machines if count <= have else Machine(*(grown(array, count) for array in machines))


@kernel
def _learned(usual: float, value: float, cells: int) -> float:
    """Return the usual value after one more cell, the ``cells``-th."""
    share = max(1.0 - 0.5 ** (1.0 / USUAL_CELLS), 1.0 / cells)
    if cells > WARM_CELLS:
        value = min(value, CLIP * usual)
    return float(usual + share * (value - usual))


@kernel
def measure(usual: Usual, cell: Cell, cell_s: float) -> tuple[Usual, Measures]:
    """Return what is usual after one more cell, and the measures at its end.

    Parameters
    ----------
    usual
        Used up; room for n instruments.
    cell
        What they showed.
    cell_s
        Length of the cell in seconds.

    Examples
    --------
    >>> one, yes = np.ones(1), np.ones(1, np.bool_)
    >>> cell = Cell(1e-4 * one, 2.0 * one, np.ones(1, np.int64), yes, ~yes)
    >>> _, measures = measure(with_slots(no_usual(), 1), cell, 1.0)
    >>> measures.volatility_bps.round(6).tolist(), measures.spread_ratio.tolist()
    ([1.253314], [1.0])
    """
    fast, learned, cells = usual
    n = cell.log_return.size
    out = np.full((6, n), np.nan)
    silent = np.zeros(n, np.bool_)
    for i in range(n):
        if not cell.stale[i]:
            size = abs(cell.log_return[i])
            cells[i, 1] += 1
            cells[i, 2] = 0 if cell.ticked[i] else cells[i, 2] + 1
            if np.isfinite(size):
                cells[i, 0] += 1
                if cells[i, 0] > WARM_CELLS and learned[i, 0] > 0.0:
                    size = min(size, JUMP * learned[i, 0])
                share = max(1.0 - 0.5 ** (1.0 / FAST_CELLS), 1.0 / cells[i, 0])
                fast[i, 0] += share * (size - fast[i, 0])
                learned[i, 0] = _learned(learned[i, 0], fast[i, 0], cells[i, 0])
            if np.isfinite(cell.spread_bps[i]):
                first = learned[i, 1] == 0.0
                spread = _learned(learned[i, 1], cell.spread_bps[i], cells[i, 1])
                learned[i, 1] = cell.spread_bps[i] if first else spread
            share = max(1.0 - 0.5 ** (1.0 / RATE_CELLS), 1.0 / cells[i, 1])
            fast[i, 1] += share * (cell.trade_count[i] - fast[i, 1])
            learned[i, 2] = _learned(learned[i, 2], fast[i, 1], cells[i, 1])
            learned[i, 3] = _learned(learned[i, 3], 1.0 if cell.ticked[i] else 0.0, cells[i, 1])
        if cells[i, 0] > 0:
            out[0, i] = NORMAL_RATIO * fast[i, 0] / np.sqrt(cell_s) * 1e4
        if learned[i, 0] > 0.0:
            out[1, i] = fast[i, 0] / learned[i, 0]
        out[2, i] = cell.spread_bps[i]
        if learned[i, 1] > 0.0:
            out[3, i] = cell.spread_bps[i] / learned[i, 1]
        if cells[i, 1] > 0:
            out[4, i] = fast[i, 1] / cell_s
        if learned[i, 2] > 0.0:
            out[5, i] = fast[i, 1] / learned[i, 2]
        quiet = (1.0 - min(learned[i, 3], ACTIVITY_MAX)) ** cells[i, 2]
        silent[i] = cells[i, 2] >= SILENT_CELLS_MIN and quiet < SILENCE_PROBABILITY
    return usual, Measures(out[0], out[1], out[2], out[3], out[4], out[5], silent)


@kernel
def _candidate(state: int, volatility: float, company: float, idle: bool) -> int:
    """Return the state that the measures speak for, given the present one."""
    panic = PANIC_LEAVE if state == PANIC else PANIC_ENTER
    volatile = VOLATILE_LEAVE if state in (PANIC, VOLATILE) else VOLATILE_ENTER
    if volatility >= panic and (company >= PANIC_COMPANY or state == PANIC):
        return PANIC
    if volatility >= volatile:
        return VOLATILE
    return DEAD if idle else NORMAL


@kernel
def decide(
    machine: Machine, measures: Measures, warm: Bools, halted: Bools, held: Bools, now_ns: int
) -> Machine:
    """Return the state machines after one cell.

    Parameters
    ----------
    machine
        Used up; room for n.
    measures
        The evidence, each of shape ``(n,)``.
    warm
        Whether enough has been seen to judge.
    halted
        Whether there is no two-sided quote, or the whole market is silent.
    held
        Whether a gap forbids a judgement.
    now_ns
        End of the cell.
    """
    state, since_ns = machine
    for i in range(warm.size):
        if held[i] or not warm[i]:
            state[i, 3] = 0
            continue
        now = state[i, 0]
        spread, rate = measures.spread_ratio[i], measures.trade_rate_ratio[i]
        company = max(spread if np.isfinite(spread) else 0.0, rate if np.isfinite(rate) else 0.0)
        volatility = measures.volatility_ratio[i]
        idle = measures.silent[i] or (rate < DEAD_RATE and volatility < DEAD_VOLATILITY)
        wanted = _candidate(now, volatility, company, idle)
        if halted[i]:
            wanted = MAINTENANCE
        elif measures.silent[i]:
            wanted = DEAD
        asleep = wanted in (DEAD, MAINTENANCE) and (halted[i] or measures.silent[i])
        calmer = (wanted <= NORMAL and now in (VOLATILE, PANIC)) or (wanted == VOLATILE and now == PANIC)
        direction = 0 if wanted == now else ASLEEP if asleep else CALMER if calmer else WILDER
        if direction != state[i, 2]:
            state[i, 2], state[i, 3] = direction, 0
        state[i, 3] += 1
        dwell = DWELL_DOWN if direction == CALMER or (wanted == DEAD and not asleep) else DWELL_UP
        if asleep or now == UNKNOWN:
            dwell = DWELL_SLEEP
        if wanted != now and state[i, 3] >= dwell:
            state[i, 1], state[i, 0], since_ns[i] = now, wanted, now_ns
    return machine


class Cells(NamedTuple):
    """What the instruments showed in T cells one after the other, each of shape (T, n)."""

    log_return: Floats
    spread_bps: Floats
    trade_count: Ints
    ticked: Bools
    stale: Bools


@kernel
def states(
    usual: Usual, machine: Machine, cells: Cells, times_ns: tuple[int, int]
) -> tuple[Usual, Machine, Ints, Floats]:
    """Return the states of n instruments after each of T cells, for recordings: no cell is halted.

    Parameters
    ----------
    usual, machine
        Used up; room for n.
    cells
        What they showed.
    times_ns
        Start of the first cell, and length of a cell.

    Returns
    -------
    usual, machine, path, evidence
        ``path`` are the states, shape ``(T, n)``; ``evidence`` the ratios of volatility, spread and
        trade rate to the usual, shape ``(T, n, 3)``.

    Examples
    --------
    >>> rng, one = np.random.default_rng(1), np.ones((300, 1))
    >>> returns = rng.normal(0.0, 1e-4, (300, 1)) * np.where(np.arange(300) < 200, 1.0, 12.0)[:, None]
    >>> cells = Cells(returns, one, one.astype(np.int64), one > 0.0, one < 0.0)
    >>> path = states(with_slots(no_usual(), 1), with_machines(no_machines(), 1), cells, (0, 10**9))[2]
    >>> [MarketState(path[cell, 0]).name for cell in (10, 199, 205)]
    ['UNKNOWN', 'NORMAL', 'VOLATILE']
    """
    length, n = cells.log_return.shape
    path, evidence = np.empty((length, n), np.int64), np.empty((length, n, 3))
    halted, held, cell_ns = np.zeros(n, np.bool_), np.zeros(n, np.bool_), times_ns[1]
    for t in range(length):
        cell = Cell(
            cells.log_return[t], cells.spread_bps[t], cells.trade_count[t], cells.ticked[t], cells.stale[t]
        )
        usual, measures = measure(usual, cell, cell_ns / 1e9)
        held[:] = cells.stale[t]
        warm = usual.cells[:, 1] >= WARM_CELLS
        now_ns = times_ns[0] + (t + 1) * cell_ns
        machine = decide(machine, measures, warm, halted, held, now_ns)
        path[t] = machine.state[:, 0]
        evidence[t, :, 0], evidence[t, :, 1] = measures.volatility_ratio, measures.spread_ratio
        evidence[t, :, 2] = measures.trade_rate_ratio
    return usual, machine, path, evidence


def whole_markets(usual: Usual, measures: Measures, groups: list[Ints], cell_s: float) -> Measures:
    """Return the measures of whole markets, each from the instruments (slots) in its group.

    Medians over the instruments, but the sum of trade rates and its ratio to the usual sum. Silent
    is a market of which all instruments are.

    >>> measures = Measures(*(np.array([1.0, 2.0, 9.0]) for _ in range(6)), np.ones(3, np.bool_))
    >>> usual = with_slots(no_usual(), 3)
    >>> whole_markets(usual, measures, [np.arange(3)], 1.0).spread_bps.tolist()
    [2.0]
    """
    found = [[_median(values[group]) for group in groups] for values in measures[:4]]
    rate = [float(usual.fast[group, 1].sum()) for group in groups]
    often = [float(usual.usual[group, 2].sum()) for group in groups]
    ratio = [now / then if then > 0.0 else np.nan for now, then in zip(rate, often, strict=True)]
    silent = np.array([bool(measures.silent[group].all()) for group in groups], np.bool_)
    columns = [*found, [each / cell_s for each in rate], ratio]
    arrays = [np.array(column, np.float64) for column in columns]
    return Measures(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], silent)


def _median(values: Floats) -> float:
    defined = np.sort(values)  # undefined ones last
    size = int(np.isfinite(defined).sum())
    return float(defined[(size - 1) // 2] + defined[size // 2]) / 2.0 if size else np.nan
