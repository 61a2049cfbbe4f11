"""Market join: one cell of event time over all shards; correlations, pairs and market states out.

Law: a cell is closed when every shard has passed its end, and what it gives depends on the samples
and gaps in it alone. Cells close in order. A cell in which nothing happened is closed when something
has happened after it, or when event time alone has passed it by QUIET_LAG_NS: how far the promises
ran ahead of the last row of a recording says nothing about the market.

The grid of cells, CELL_NS long, begins with the slice in which a second instrument is quoted, the
earliest time at which there is a pair (or, when there is none within GRID_WAIT_NS, with what there
was first), and never moves. Where a grid begins matters: over six minutes of BTC and ETH the
correlation of 1 s returns lies between 0.60 and 0.70 depending on the phase of the grid alone.

The price of an instrument at the end of a cell is the mid of its newest quote. Its return over the
cell is the difference of the logarithms of two such prices, so 0 when nothing was quoted in the
cell. It is missing, and left out of every pair of the instrument, before the second price, while
the quote has an empty side, and while a gap blinds the quotes (`staleness`). Then the correlation
that is published is the newest one computed from clean samples, marked stale in the case of a gap.

An instrument joins with its first tick. It leaves, and is forgotten, LEAVE_NS after its last.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators import correlation_estimates as others
from genesis.operators import ewma_correlation as ewma
from genesis.operators import instruments as instruments_of
from genesis.operators import market_state as weather
from genesis.operators import pairs_fold, staleness
from genesis.operators.arrays import (
    NEVER_NS,
    Bools,
    Floats,
    Ints,
    Rows,
    copied,
    grown,
    in_words,
    kernel,
    together,
)
from genesis.operators.correlation_records import CORRELATION_ESTIMATE
from genesis.operators.records import (
    CORRELATION,
    GAP,
    MARKET_STATE,
    STAT_ARB,
    WATERMARK_FINAL_NS,
    StreamKind,
)
from genesis.operators.roster import CELL_NS, Roster, roster_of
from genesis.operators.sampling import SAMPLE

_GAP_WORDS = in_words(GAP)

LEAVE_NS = 900 * CELL_NS
"""An instrument without a tick for so long leaves."""

GRID_WAIT_NS = 10 * CELL_NS
"""How long after the first tick the grid waits for a second instrument."""

QUIET_LAG_NS = 2 * CELL_NS
"""A cell without ticks is closed when event time has passed its end by so much."""


class Board(NamedTuple):
    """What is known of each instrument, by slot."""

    active: Bools  # whether it has joined and not left
    prices: Floats  # shape (slots, 2): newest bid and ask price
    log_price: Floats  # shape (slots,): at the end of the cell before; NaN while undefined
    newest_ns: Ints  # shape (slots, 2): event time of the newest quote, and of the newest tick
    blind_before: Bools  # whether a gap blinded the quotes at the end of the cell before


class Join(NamedTuple):
    """The state of the join."""

    instruments: instruments_of.Instruments
    board: Board
    quote_gaps: staleness.Blindness
    trade_gaps: staleness.Blindness
    sums: ewma.EwmaSums
    estimates: others.Estimates
    usual: weather.Usual
    machines: weather.Machine  # one per slot, then one per market, by market number
    market_machines: weather.Machine
    pairs: pairs_fold.Pairs
    samples: Rows  # SAMPLE, of cells not yet closed
    gaps: Rows  # GAP, not yet counted
    passed_ns: Ints  # shape (shards,): all slices that end by then have ended
    quiet_ns: Ints  # shape (shards,): the same by event time alone, without the final watermark
    next_ns: int  # start of the next cell; NEVER_NS before the first
    grid_ns: int  # where the grid of cells begins; NEVER_NS before it does
    half_lives_ns: tuple[int, ...]  # ascending; 0 for equal weights
    roster: Roster | None  # made from the rest when it is needed


class Contribution(NamedTuple):
    """What one shard says: samples and gaps of slices that ended, and how far it has come."""

    shard: int
    closed_ns: int
    quiet_ns: int
    samples: Rows
    gaps: Rows


class Joined(NamedTuple):
    """What the closed cells gave, in their order."""

    correlation: Rows
    correlation_estimates: Rows
    market_state: Rows
    stat_arb: Rows
    watermark_ns: int  # no later row is of a sample at or before this


def new_join(
    shards: int,
    half_lives_ns: tuple[int, ...],
    pairs: pairs_fold.PairParameters = pairs_fold.DEFAULT,
) -> Join:
    """Return the state before the first sample."""
    return Join(
        instruments_of.no_instruments(),
        Board(
            np.empty(0, np.bool_),
            np.empty((0, 2)),
            np.empty(0),
            np.empty((0, 2), np.int64),
            np.empty(0, np.bool_),
        ),
        staleness.all_clear(),
        staleness.all_clear(),
        ewma.no_sums(len(half_lives_ns), 0),
        others.no_estimates(),
        weather.no_usual(),
        weather.no_machines(),
        weather.no_machines(),
        pairs_fold.no_pairs(pairs),
        np.empty(0, SAMPLE),
        GAP.empty(),
        np.full(shards, NEVER_NS),
        np.full(shards, NEVER_NS),
        NEVER_NS,
        NEVER_NS,
        half_lives_ns,
        None,
    )


def with_half_lives(join: Join, half_lives_ns: tuple[int, ...]) -> Join:
    """Return the state for other half-lives: those it had keep their sums, new ones begin empty.

    >>> with_half_lives(new_join(1, (5, 9)), (9, 20)).half_lives_ns
    (9, 20)
    """
    if half_lives_ns == join.half_lives_ns:
        return join
    had = {half_life_ns: place for place, half_life_ns in enumerate(join.half_lives_ns)}
    sums = ewma.with_half_lives(join.sums, [had.get(half_life_ns) for half_life_ns in half_lives_ns])
    return join._replace(sums=sums, half_lives_ns=half_lives_ns, roster=None)


def with_pairs(join: Join, parameters: pairs_fold.PairParameters) -> Join:
    """Return the state for other parameters of pairs; with others, all pairs begin anew."""
    if parameters == join.pairs.parameters:
        return join
    return join._replace(pairs=pairs_fold.no_pairs(parameters), roster=None)


def kept(join: Join) -> Join:
    """Return a copy to keep: nothing in it changes later."""
    return copied(join._replace(roster=None))


def fold(join: Join, contributions: list[Contribution]) -> tuple[Join, Joined]:
    """Return the state after what shards said, and what the cells gave that could be closed.

    Parameters
    ----------
    join
        Used up.
    contributions
        In the order in which each shard sent them; the order between shards does not matter.

    Examples
    --------
    >>> samples = np.zeros(2, SAMPLE)
    >>> samples["bid_price"], samples["ask_price"], samples["has_quote"] = 9.0, 11.0, 1
    >>> samples["market"] = [1, 2]
    >>> _, joined = fold(new_join(1, (0,)), [Contribution(0, CELL_NS, 0, samples, GAP.empty())])
    >>> joined.market_state["symbol"].tolist(), joined.watermark_ns == 2 * CELL_NS - 1
    ([b'', b'*', b'', b'*'], True)
    """
    for contribution in contributions:
        join.passed_ns[contribution.shard] = contribution.closed_ns
        join.quiet_ns[contribution.shard] = contribution.quiet_ns
    samples = together([join.samples, *(each.samples for each in contributions)])
    gaps = together([join.gaps, *(each.gaps for each in contributions)])
    closed_ns = int(join.passed_ns.min())
    join = join._replace(samples=samples, gaps=gaps)
    if join.grid_ns == NEVER_NS:
        join = join._replace(grid_ns=_grid(samples[samples["slice_ns"] < closed_ns], closed_ns))
    rows = ([CORRELATION.empty()], [CORRELATION_ESTIMATE.empty()], [MARKET_STATE.empty()], [STAT_ARB.empty()])
    if join.grid_ns != NEVER_NS:
        join = _close_cells(join, closed_ns, rows)
    watermark_ns = NEVER_NS if join.next_ns == NEVER_NS else join.next_ns + CELL_NS - 1
    if closed_ns == WATERMARK_FINAL_NS:
        watermark_ns = closed_ns
    correlation, estimates, states, stat_arb = (together(each) for each in rows)
    return join, Joined(correlation, estimates, states, stat_arb, watermark_ns)


def _grid(samples: Rows, closed_ns: int) -> int:
    """Return where the grid of cells begins, NEVER_NS while that cannot be known."""
    if not samples.size:
        return NEVER_NS
    first_ns = int(samples["slice_ns"].min())
    quotes = samples[(samples["has_quote"] == 1) & (samples["slice_ns"] <= first_ns + GRID_WAIT_NS)]
    names, instrument = np.unique(quotes[["symbol_0", "symbol_1", "market"]], return_inverse=True)
    begun_ns = np.full(names.size, WATERMARK_FINAL_NS)
    np.minimum.at(begun_ns, instrument, quotes["slice_ns"])
    begun_ns.sort()
    if names.size > 1:
        return int(begun_ns[1])
    if closed_ns <= first_ns + GRID_WAIT_NS:
        return NEVER_NS
    return int(begun_ns[0]) if names.size else first_ns


def _cells(join: Join, times_ns: Ints) -> Ints:
    """Return the start of the cell of each time; one that is over counts in the next."""
    cells_ns: Ints = (times_ns - join.grid_ns) // CELL_NS * CELL_NS + join.grid_ns
    return np.maximum(cells_ns, join.next_ns)


def _close_cells(join: Join, closed_ns: int, rows: tuple[list[Rows], ...]) -> Join:
    """Close every cell that is over, up to the last in which something happened; append their rows."""
    samples, gaps = join.samples, join.gaps
    cells_ns, gap_cells_ns = _cells(join, samples["slice_ns"]), _cells(join, gaps["effective_ns"])
    over, gone = cells_ns <= closed_ns - CELL_NS, gap_cells_ns <= closed_ns - CELL_NS
    if closed_ns == WATERMARK_FINAL_NS:
        over[:], gone[:] = True, True
    join = join._replace(samples=samples[~over], gaps=gaps[~gone])
    samples, cells_ns, gaps, gap_cells_ns = samples[over], cells_ns[over], gaps[gone], gap_cells_ns[gone]
    order = np.argsort(cells_ns, kind="stable")  # each shard sent the samples of an instrument in order
    samples, cells_ns = samples[order], cells_ns[order]
    order = np.lexsort([gaps[name] for name in ("revision", "start_ns", "effective_ns")])
    gaps, gap_cells_ns = gaps[order], gap_cells_ns[order]

    def close(cell_ns: int) -> None:
        nonlocal join
        mine = slice(*np.searchsorted(cells_ns, (cell_ns, cell_ns + 1)))
        lost = slice(*np.searchsorted(gap_cells_ns, (cell_ns, cell_ns + 1)))
        join, found = _close_cell(join, cell_ns, samples[mine], gaps[lost])
        for had, new in zip(rows, found, strict=True):
            had.append(new)

    for cell_ns in np.union1d(cells_ns, gap_cells_ns).tolist():
        while join.next_ns < cell_ns and join.board.active.any():
            close(join.next_ns)
        close(cell_ns)
    while join.next_ns + CELL_NS + QUIET_LAG_NS <= join.quiet_ns.min() and join.board.active.any():
        close(join.next_ns)
    return join


def _close_cell(join: Join, cell_ns: int, samples: Rows, gaps: Rows) -> tuple[Join, tuple[Rows, ...]]:
    end_ns = cell_ns + CELL_NS
    join, slots, trade_count, ticked = _seen(join, end_ns, samples, gaps)
    board = join.board
    left = board.active & (end_ns - board.newest_ns[:, 1] >= LEAVE_NS)
    if left.any():
        join = _without(join, np.flatnonzero(left))
    if join.roster is None:
        join = _with_roster(join)
    roster = join.roster
    assert roster is not None
    blind = staleness.blind(join.quote_gaps, cell_ns, board.newest_ns[:, 0])
    bid, ask = board.prices[:, 0], board.prices[:, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        two_sided = (bid > 0.0) & (ask > 0.0) & np.isfinite(bid) & np.isfinite(ask)
        mid = np.where(two_sided, (bid + ask) / 2.0, np.nan)
        log_price = np.where(board.active & ~blind, np.log(mid), np.nan)
        spread_bps = (ask - bid) / mid * 1e4
    log_return = log_price - board.log_price
    join = join._replace(
        sums=ewma.update(join.sums, log_return.reshape(1, -1), _decays(join)),
        estimates=others.step(join.estimates, log_return, slots, samples, blind & board.active, cell_ns),
    )
    found = _correlations(join, roster, blind | board.blind_before, end_ns)
    stale = blind | staleness.blind(join.trade_gaps, cell_ns)
    cell = weather.Cell(log_return, spread_bps, trade_count, ticked, stale | ~board.active)
    halted = board.active & ~two_sided & (board.newest_ns[:, 0] != NEVER_NS)
    join, states = _weather(join, cell, halted, end_ns)
    board = board._replace(log_price=log_price, blind_before=blind)
    number = (cell_ns - join.grid_ns) // CELL_NS
    arbs, stat_arb = pairs_fold.step(join.pairs, log_price, blind, number, end_ns)
    return join._replace(board=board, pairs=arbs, next_ns=end_ns), (*found, states, stat_arb)


def _with_roster(join: Join) -> Join:
    """Return the state with its roster, and the pairs in it followed."""
    active = join.board.active
    roster = roster_of(join.instruments, active, join.half_lives_ns)
    names = roster.pairs[: roster.first.size]
    followed = pairs_fold.followed(join.pairs, (roster.first, roster.second), names, active)
    return join._replace(roster=roster, pairs=followed)


def _decays(join: Join) -> Floats:
    return ewma.decays(join.half_lives_ns, CELL_NS)


def _seen(join: Join, end_ns: int, samples: Rows, gaps: Rows) -> tuple[Join, Ints, Ints, Bools]:
    """Take in the samples and gaps of a cell; return their slots, and by slot its trades and who ticked."""
    table, slots = instruments_of.slots_of(join.instruments, samples)
    table, gap_slots = instruments_of.slots_of(table, gaps.view(_GAP_WORDS))
    join = _with_room(join._replace(instruments=table))
    board = join.board
    for kind, blindness in ((StreamKind.QUOTES, join.quote_gaps), (StreamKind.TRADES, join.trade_gaps)):
        mine = gaps["stream"] == kind
        if mine.any():
            staleness.after_gaps(blindness, gap_slots[mine], gaps[mine])
    board, trade_count, ticked, joined = _take(board, slots, samples)
    if joined:
        join.machines.since_ns[board.active & (join.machines.since_ns == 0)] = end_ns
        join = join._replace(roster=None)
    return join._replace(board=board), slots, trade_count, ticked


@kernel
def _take(board: Board, slots: Ints, samples: Rows) -> tuple[Board, Ints, Bools, bool]:
    """Return the board after samples, in their order, the trades of each slot, and who ticked."""
    active, prices, _, newest_ns, _ = board
    trade_count, ticked = np.zeros(active.size, np.int64), np.zeros(active.size, np.bool_)
    joined = False
    for i in range(slots.size):
        slot, row = slots[i], samples[i]
        joined |= not active[slot]
        active[slot] = ticked[slot] = True
        newest_ns[slot, 1] = max(newest_ns[slot, 1], row.newest_ns)
        if row.has_quote:
            prices[slot, 0], prices[slot, 1] = row.bid_price, row.ask_price
            newest_ns[slot, 0] = row.newest_ns
        else:
            trade_count[slot] += row.trade_count
    return board, trade_count, ticked, joined


def _with_room(join: Join) -> Join:
    """Return the state with room for every instrument."""
    sums = ewma.with_instruments(join.sums, join.instruments.size)
    room, board = sums.cohort.size, join.board
    if room == board.active.size:
        return join
    return join._replace(
        sums=sums,
        estimates=others.with_slots(join.estimates, room),
        board=Board(
            grown(board.active, room),
            grown(board.prices, room, np.nan),
            grown(board.log_price, room, np.nan),
            grown(board.newest_ns, room, NEVER_NS),
            grown(board.blind_before, room),
        ),
        quote_gaps=staleness.with_slots(join.quote_gaps, room),
        trade_gaps=staleness.with_slots(join.trade_gaps, room),
        usual=weather.with_slots(join.usual, room),
        machines=weather.with_machines(join.machines, room),
    )


def _without(join: Join, slots: Ints) -> Join:
    """Return the state in which some instruments have left and are forgotten."""
    board, sums, estimates = join.board, join.sums, join.estimates
    board.active[slots] = False
    board.log_price[slots] = np.nan
    board.prices[slots] = np.nan
    board.newest_ns[slots] = NEVER_NS
    for slot in slots.tolist():
        sums, estimates = ewma.without(sums, slot), others.without(estimates, slot)
    for array in (*join.usual, *join.machines):
        array[slots] = 0
    return join._replace(sums=sums, estimates=estimates, roster=None)


def _correlations(join: Join, roster: Roster, blind: Bools, end_ns: int) -> tuple[Rows, Rows]:
    rows = roster.pairs.copy()
    stale = blind[roster.first] | blind[roster.second]
    if rows.size:
        value, count = ewma.correlation(join.sums, roster.first, roster.second)
        rows["sample_ns"] = end_ns
        rows["correlation"], rows["effective_count"] = value.ravel(), count.ravel()
        rows["stale"] = np.tile(stale, len(join.half_lives_ns))
    pairs = roster.first, roster.second
    return rows, others.rows_of(join.estimates, roster.estimates, pairs, stale, end_ns)


def _weather(join: Join, cell: weather.Cell, halted: Bools, end_ns: int) -> tuple[Join, Rows]:
    """Judge every instrument and every market; return the state and the rows."""
    roster, board = join.roster, join.board
    assert roster is not None
    usual, measures = weather.measure(join.usual, cell, CELL_NS / 1e9)
    warm = board.active & (usual.cells[:, 1] >= weather.WARM_CELLS)
    slots = roster.slots
    groups = [slots[roster.market == index] for index in range(roster.markets.size)]
    for group in groups:
        if group.size > 1 and measures.silent[group].all():
            halted[group] = True
    machines = weather.decide(join.machines, measures, warm, halted, cell.stale, end_ns)
    whole = weather.whole_markets(usual, measures, groups, CELL_NS / 1e9)
    judged = np.array([warm[group].any() for group in groups], np.bool_)
    closed = np.array([halted[group].all() for group in groups], np.bool_)
    blind = np.array([cell.stale[group].all() for group in groups], np.bool_)
    crowd = weather.with_machines(join.market_machines, int(roster.markets.max(initial=-1)) + 1)
    crowd.since_ns[crowd.since_ns == 0] = end_ns
    mine = weather.Machine(*(array[roster.markets] for array in crowd))
    mine = weather.decide(mine, whole, judged, closed, blind, end_ns)
    for array, part in zip(crowd, mine, strict=True):
        array[roster.markets] = part
    quiet_ns = end_ns - board.newest_ns[:, 1]
    rows = roster.states.copy()
    rows["event_ns"] = end_ns
    for name in weather.Measures._fields[:6]:
        rows[name] = np.concatenate([getattr(whole, name), getattr(measures, name)[slots]])
    rows["quiet_ns"] = np.concatenate([[quiet_ns[group].min() for group in groups], quiet_ns[slots]])
    rows["since_ns"] = np.concatenate([mine.since_ns, machines.since_ns[slots]])
    rows["state"] = np.concatenate([mine.state[:, 0], machines.state[slots, 0]])
    rows["previous_state"] = np.concatenate([mine.state[:, 1], machines.state[slots, 1]])
    rows["stale"] = np.concatenate([[cell.stale[group].any() for group in groups], cell.stale[slots]])
    join = join._replace(usual=usual, machines=machines, market_machines=crowd)
    return join, rows[roster.order]
