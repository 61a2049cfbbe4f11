"""Standings: once a minute, which pairs of a market fit an account of each tier, over all shards.

Each shard names its pairs at the end of a minute, with their usual spread and their volume of a day.
The depth of the minute, a mean over its books, is added when the promises of the books have passed it
too. When all shards have named theirs, the pairs of each market are ranked (`tradability`). A minute in
which no shard has a pair has no rows.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators import tradability
from genesis.operators.arrays import NEVER_NS, Ints, Rows, together
from genesis.operators.instruments import by_name
from genesis.operators.measure_records import TRADABILITY
from genesis.operators.records import (
    DEPTH_DISTANCES_BPS,
    SYMBOL_BYTES,
)
from genesis.operators.volume_profile import volume_class

MINUTE_NS = 60_000_000_000

MINUTES_MAX = 60
"""So many minutes wait for the promises of the books; older ones go on without depth."""

CANDIDATE = np.dtype(
    [
        ("event_ns", "<i8"),  # end of the minute
        ("slot", "<i8"),
        ("spread_bps", "<f8"),
        ("depth_notional", "<f8"),
        ("day_notional", "<f8"),
        ("symbol", f"S{SYMBOL_BYTES}"),
        ("market", "<i8"),
    ]
)
"""A pair at the end of a minute."""

DEPTH = np.dtype([("event_ns", "<i8"), ("slot", "<i8"), ("notional", "<f8"), ("books", "<f8")])
"""Sum of depth over the books of one instrument in one minute, and their number."""

_NEAR = DEPTH_DISTANCES_BPS.index(tradability.DISTANCE_BPS)


class Waiting(NamedTuple):
    """What one shard knows and has not told."""

    depths: Rows  # DEPTH, by (event_ns, slot)
    candidates: Rows  # CANDIDATE


class Told(NamedTuple):
    """What one shard tells: its pairs, and the end of the newest minute it has named all pairs of."""

    shard: int
    minute_ns: int
    candidates: Rows


class Standings(NamedTuple):
    """The state of the ranking."""

    told_ns: Ints  # shape (shards,)
    candidates: Rows  # CANDIDATE, of minutes that not all shards have told


def nothing_waits() -> Waiting:
    """Return the state of a shard before the first minute."""
    return Waiting(np.zeros(0, DEPTH), np.zeros(0, CANDIDATE))


def no_standings(shards: int) -> Standings:
    """Return the state of the ranking before the first minute."""
    return Standings(np.full(shards, NEVER_NS), np.zeros(0, CANDIDATE))


def with_books(waiting: Waiting, slots: Ints, effective_ns: Ints, liquidity: Rows) -> Waiting:
    """Return the state after books.

    Parameters
    ----------
    waiting
        Used up.
    slots, effective_ns
        Instrument of each book and when it counts, shape ``(n,)``.
    liquidity
        Rows of LIQUIDITY of the books, shape ``(n,)``.

    Examples
    --------
    >>> from genesis.operators.records import LIQUIDITY
    >>> liquidity = LIQUIDITY.empty(2)
    >>> liquidity["bid_depth_notional"], liquidity["ask_depth_notional"] = 7.0, [[9.0] * 3, [5.0] * 3]
    >>> with_books(nothing_waits(), np.array([4, 4]), np.array([1, 2]), liquidity).depths.tolist()
    [(60000000000, 4, 12.0, 2.0)]
    """
    thinner = np.minimum(liquidity["bid_depth_notional"][:, _NEAR], liquidity["ask_depth_notional"][:, _NEAR])
    known = np.isfinite(thinner)
    new = np.zeros(int(known.sum()), DEPTH)
    new["event_ns"] = effective_ns[known] // MINUTE_NS * MINUTE_NS + MINUTE_NS
    new["slot"], new["notional"], new["books"] = slots[known], thinner[known], 1.0
    both = together([waiting.depths, new])  # sums go on in the order of the books, whoever cuts them
    order = np.lexsort([both["slot"], both["event_ns"]])
    ends_ns, who = both["event_ns"][order], both["slot"][order]
    first = (np.diff(ends_ns, prepend=NEVER_NS) != 0) | (np.diff(who, prepend=-1) != 0)
    places = np.empty(both.size, np.int64)
    places[order] = np.cumsum(first) - 1
    depths = np.zeros(int(first.sum()), DEPTH)
    depths["event_ns"], depths["slot"] = ends_ns[first], who[first]
    for name in ("notional", "books"):
        np.add.at(depths[name], places, both[name])
    return waiting._replace(depths=depths)


def tell(waiting: Waiting, candidates: Rows, ticks_ns: int, books_ns: int) -> tuple[Waiting, Rows, int]:
    """Return the state, the pairs whose minutes have ended, and the end of the newest such minute.

    Parameters
    ----------
    waiting
        Used up.
    candidates
        Pairs of minutes that ended, CANDIDATE without depth, later than all before.
    ticks_ns, books_ns
        All trades and quotes, and all books, that count before these have come.
    """
    candidates = together([waiting.candidates, candidates])
    newest_ns = int(candidates["event_ns"].max(initial=NEVER_NS))
    minute_ns = min(ticks_ns, max(books_ns, newest_ns - MINUTES_MAX * MINUTE_NS))
    going = candidates["event_ns"] <= minute_ns
    told, depths = candidates[going], waiting.depths
    told["depth_notional"] = np.nan
    if told.size and depths.size:
        keys = depths[["event_ns", "slot"]]
        wanted = told[["event_ns", "slot"]].astype(keys.dtype)
        place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        found = keys[place] == wanted
        told["depth_notional"][found] = (depths["notional"] / depths["books"])[place[found]]
    told["slot"] = 0  # known to this shard alone
    over = depths["event_ns"] <= minute_ns
    return Waiting(depths[~over], candidates[~going]), told, minute_ns


def fold(standings: Standings, told: list[Told]) -> tuple[Standings, Rows, int]:
    """Return the state after what shards told, the rows of minutes all have told, and their watermark.

    Parameters
    ----------
    standings
        Used up.
    told
        In the order in which each shard sent them; the order between shards does not matter.

    Examples
    --------
    >>> pairs = np.zeros(2, CANDIDATE)
    >>> pairs["event_ns"], pairs["symbol"], pairs["spread_bps"] = MINUTE_NS, [b"AAA", b"BBB"], [3.0, 1.0]
    >>> pairs["depth_notional"], pairs["day_notional"] = 1e6, 1e9
    >>> _, rows, _ = fold(no_standings(1), [Told(0, MINUTE_NS, pairs)])
    >>> rows[["symbol", "tier", "rank"]].tolist()[:3]
    [(b'AAA', 1, 2), (b'AAA', 2, 2), (b'AAA', 3, 2)]
    """
    for each in told:
        standings.told_ns[each.shard] = each.minute_ns
    candidates = together([standings.candidates, *(each.candidates for each in told)])
    passed_ns = int(standings.told_ns.min())
    going = candidates["event_ns"] <= passed_ns
    ready = candidates[going]
    ready = ready[by_name(ready, "event_ns")]
    rows = [TRADABILITY.empty()]
    bounds = np.flatnonzero(np.diff(ready["event_ns"], prepend=-1) | np.diff(ready["market"], prepend=-1))
    rows += [_ranked(pairs) for pairs in np.split(ready, bounds[1:]) if pairs.size]
    return Standings(standings.told_ns, candidates[~going]), together(rows), passed_ns


def _ranked(pairs: Rows) -> Rows:
    """Return the rows of one minute and market, by (symbol, tier); pairs come by symbol."""
    tiers = []
    for tier, order_notional in tradability.ORDER_NOTIONAL.items():
        rows = TRADABILITY.empty(pairs.size)
        for name in ("event_ns", "spread_bps", "depth_notional", "day_notional", "symbol", "market"):
            rows[name] = pairs[name]
        measured = (np.ascontiguousarray(pairs[name]) for name in tradability.Pairs._fields)
        cost_bps, unfit = tradability.cost_and_reasons(tradability.Pairs(*measured), order_notional)
        rows["cost_bps"], rows["unfit"], rows["tier"] = cost_bps, unfit, tier
        rows["rank"] = tradability.ranks(cost_bps, unfit)
        rows["volume_class"] = volume_class(pairs["day_notional"])
        tiers.append(rows)
    return np.stack(tiers, axis=1).ravel()
