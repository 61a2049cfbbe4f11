"""Plans: from a parent order to its slices: sizes that sum exactly, times within the horizon.

Sizes follow the algorithm's curve, each varied by chance; then every slice is held between the venue's
minimum and the parent's ``slices_min``-th part, and what that takes or gives is shared among the rest.
Whole lots are dealt by carried remainder, so the sum is the parent's, to the lot. Where the parent is
too small for the slices wanted, fewer are made; where it is too small for ``slices_min``, it is refused.
"""

import math
from hashlib import blake2b

import numpy as np

from genesis.operators.arrays import Floats, Ints
from genesis.operators.slicing import almgren_chriss
from genesis.operators.slicing.decisions import chances_ppm
from genesis.operators.slicing.orders import (
    LOTS_MAX,
    ORDER,
    PPM,
    PRODUCT_MAX,
    TICKS_MAX,
    Algorithm,
    Market,
    Parent,
    State,
    row,
)
from genesis.operators.slicing.params import Params

DAY_NS = 86_400 * 10**9

STREAM_SIZE, STREAM_TIME = 1 << 32, 2 << 32
"""Where the draws for sizes and times of a schedule begin; children draw from 0 up."""


def seed_of(parent_id: str) -> int:
    """Return the seed of an order, from its id alone, in [0, 2**63).

    >>> seed_of("a") == seed_of("a") != seed_of("b")
    True
    """
    return int.from_bytes(blake2b(parent_id.encode(), digest_size=8).digest(), "big") >> 1


def plan(parent: Parent, market: Market, params: Params) -> State:
    """Return the order as it stands before its first event.

    Raises
    ------
    ValueError
        When parent or market are out of range, there is no two-sided quote, or the parent is too small.

    Examples
    --------
    >>> params = Params(Algorithm.TWAP, 60 * 10**9, slices=4, time_variation_ppm=0)
    >>> state = plan(Parent("a", 1, 1_001, start_ns=0), Market(99, 101, notional_min=990), params)
    >>> np.diff(state.schedule[:, 1], prepend=0).sum(), (state.schedule[:, 0] // 10**9).tolist()
    (np.int64(1001), [0, 15, 30, 45])
    >>> plan(Parent("a", 1, 25, start_ns=0), Market(99, 101, notional_min=990), Params(Algorithm.TWAP,
    ...     60 * 10**9, slices_min=3))
    Traceback (most recent call last):
    ...
    ValueError: slicing: order 'a' must be cut into at least 3 slices of at least 11 lots, was 25 lots; \
trade more or ask for fewer slices
    """
    _check(parent, market)
    notional_min = market.notional_min + market.notional_min * params.notional_margin_ppm // PPM
    least = max(-(-notional_min // market.bid_ticks), 1)
    slots = 1 if params.algorithm is Algorithm.ONE else min(params.slices, parent.lots // least)
    if slots < max(params.slices_min, 1):
        raise ValueError(
            f"slicing: order {parent.parent_id!r} must be cut into at least {params.slices_min} slices of at "
            f"least {least} lots, was {parent.lots} lots; trade more or ask for fewer slices"
        )
    seed = seed_of(parent.parent_id)
    if slots == 1:
        sizes = np.array([parent.lots])
    else:
        sizes = slices(parent.lots, _weights(params, slots, seed), least, params.slices_min)
    order = _order(parent, market, params)
    order["seed"], order["notional_min"] = seed, notional_min
    order["interval_ns"] = params.horizon_ns // slots
    order["slice_lots"] = -(-parent.lots // slots)
    largest = max(sizes.tolist())
    order["child_lots_max"] = max(largest, min(2 * largest, parent.lots // params.slices_min))
    if params.adaptivity is not None and params.algorithm in SCHEDULED:
        order["lead_max_ns"] = int(params.adaptivity.lead_slots * params.horizon_ns) // slots
        order["favourable_full_ppm"] = params.adaptivity.favourable_full_ppm
        order["widening_full_ppm"] = params.adaptivity.widening_full_ppm
    if params.algorithm is not Algorithm.POV:
        most = (2 * order["slice_lots"] + least) * (PPM - order["rate_ppm"])
        order["credit"] = min(min(market.recent_lots, LOTS_MAX) * order["rate_ppm"], most)
    return State(row(ORDER, order.values()), _schedule(params, market, sizes, seed))


TINY = 1e-290
"""Weights whose sum is below count as equal."""

SCHEDULED = (Algorithm.TWAP, Algorithm.VWAP, Algorithm.SHORTFALL)
"""The algorithms that follow a schedule."""


def slices(lots: int, weights: Floats, least: int, slices_min: int = 1) -> Ints:
    """Return one size for each weight: whole lots that sum to ``lots``, each at least ``least``.

    None is above ``lots / slices_min``, rounded up. Between those bounds sizes are proportional to the
    weights; what the bounds take or give is shared among the rest. ``least`` times the number of weights
    may be at most ``lots``.

    >>> slices(100, np.array([1.0, 1.0, 1.0]), least=10).tolist()
    [33, 33, 34]
    >>> slices(100, np.array([90.0, 9.0, 1.0]), least=10).tolist()
    [80, 10, 10]
    >>> slices(100, np.array([90.0, 9.0, 1.0]), least=10, slices_min=2).tolist()
    [50, 40, 10]
    """
    if weights.size == 1:
        return np.array([lots])
    most = -(-lots // slices_min)
    exact = np.zeros(weights.size)
    free = np.ones(weights.size, np.bool_)
    left = float(lots)
    while free.any():
        share = left * (weights / weights[free].sum()) if weights[free].sum() > TINY else left / free.sum()
        exact = np.where(free, share, exact)
        low, high = free & (exact < least), free & (exact > most)
        if not (low.any() or high.any()):
            break
        lack, excess = (least - exact[low]).sum(), (exact[high] - most).sum()
        bound, value = (low, least) if lack >= excess else (high, most)
        exact[bound] = value
        free &= ~bound
        left = lots - exact[~free].sum()
    return _dealt(lots, exact, least, most)


def _dealt(lots: int, exact: Floats, least: int, most: int) -> Ints:
    """Return whole lots near ``exact``, by carried remainder, within the bounds and with the exact sum."""
    ends = np.floor(np.cumsum(exact) + 1e-9 * max(lots, 1) / max(exact.size, 1)).astype(np.int64)
    ends[-1] = lots
    sizes = np.clip(np.diff(ends, prepend=0), least, most)
    off = lots - int(sizes.sum())
    for i in np.argsort(sizes, kind="stable")[:: 1 if off > 0 else -1]:
        room = most - sizes[i] if off > 0 else least - sizes[i]
        step = min(off, room) if off > 0 else max(off, room)
        sizes[i] += step
        off -= int(step)
    return sizes


def _weights(params: Params, slots: int, seed: int) -> Floats:
    """Return the curve of the algorithm in equal parts of the horizon, varied by chance."""
    if params.algorithm is Algorithm.SHORTFALL:
        weights = almgren_chriss.trades(slots, params.horizon_ns / params.half_life_ns)
    elif params.algorithm is Algorithm.VWAP and params.volume_shares:
        weights = resampled(np.array(params.volume_shares), slots)
    else:
        weights = np.full(slots, 1.0 / slots)
    if params.algorithm not in SCHEDULED:
        return weights
    draws = chances_ppm(seed, STREAM_SIZE, slots)
    return np.asarray(weights * (1.0 + draws * params.size_variation_ppm / PPM**2))


def horizon_shares(curve: Floats, start_ns: int, horizon_ns: int, parts: int) -> Floats:
    """Return a day's curve, cut to an order's horizon: the share of each of its equal parts.

    Parameters
    ----------
    curve
        Share of each equal bin of the day in UTC, shape ``(bins,)``, as of `volume_profile.curve`.
    start_ns, horizon_ns
        When the order begins, and for how long.
    parts
        How many parts; for `Params.volume_shares`.

    Examples
    --------
    >>> hour = 3_600 * 10**9
    >>> day = np.array([1.0, 1.0, 1.0, 3.0])
    >>> horizon_shares(day, 12 * hour, 12 * hour, 2).round(9).tolist()
    [0.25, 0.75]
    >>> horizon_shares(day, 23 * hour, 2 * hour, 2).round(9).tolist()
    [0.75, 0.25]
    """
    total = np.concatenate([[0.0], np.cumsum(curve)])
    at = (start_ns % DAY_NS + horizon_ns * np.arange(parts + 1) / parts) / DAY_NS
    reached = np.floor(at) * total[-1] + np.interp(at % 1.0, np.arange(total.size) / curve.size, total)
    shares = np.diff(reached)
    return np.asarray(shares / shares.sum())


def resampled(shares: Floats, slots: int) -> Floats:
    """Return a curve of volume in another number of equal parts; within a part it is even.

    >>> resampled(np.array([1.0, 3.0]), 4).tolist()
    [0.125, 0.125, 0.375, 0.375]
    """
    total = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
    at = np.interp(np.arange(slots + 1) / slots, np.arange(total.size) / shares.size, total)
    return np.diff(at)


def _schedule(params: Params, market: Market, sizes: Ints, seed: int) -> Ints:
    """Return the schedule: when, how many lots by then, and the volume expected by its end."""
    if params.algorithm is Algorithm.ONE:
        return np.array([[0, sizes[0], 0]])
    slots = sizes.size
    interval_ns = params.horizon_ns // slots
    draws = chances_ppm(seed, STREAM_TIME, slots) * params.time_variation_ppm // PPM
    due_ns = np.arange(slots) * interval_ns + interval_ns // PPM * draws
    schedule = np.zeros((slots, 3), np.int64)
    schedule[:, 0] = np.maximum.accumulate(np.clip(due_ns, 0, None))
    schedule[:, 1] = np.cumsum(sizes)
    if params.algorithm is Algorithm.VWAP and market.volume_lots > 0:
        shares = resampled(np.array(params.volume_shares or (1.0,)), slots)
        schedule[:, 2] = (market.volume_lots * np.cumsum(shares)).astype(np.int64)
    return schedule


BLANK = dict.fromkeys(ORDER.names or (), 0)
"""Fields of an order of which nothing is known."""


def _order(parent: Parent, market: Market, params: Params) -> dict[str, int]:
    """Return the fields of the order, with all that follows from its inputs one by one."""
    arrival_2 = market.bid_ticks + market.ask_ticks
    product = arrival_2 * (PPM + parent.side * params.slippage_max_ppm)
    return BLANK | {
        "algorithm": params.algorithm,
        "side": parent.side,
        "total_lots": parent.lots,
        "start_ns": parent.start_ns,
        "now_ns": parent.start_ns,
        "horizon_ns": params.horizon_ns,
        "grace_ns": params.grace_ns,
        "slices_min": params.slices_min,
        "arrival_2_ticks": arrival_2,
        "collar_ticks": product // (2 * PPM) if parent.side > 0 else -(-product // (2 * PPM)),
        "limit_ticks": parent.limit_ticks,
        "rate_ppm": params.rate_ppm if params.algorithm is Algorithm.POV else params.participation_max_ppm,
        "size_variation_ppm": params.size_variation_ppm,
        "time_variation_ppm": params.time_variation_ppm,
        "delay_min_ns": params.delay_min_ns,
        "delay_max_ns": params.delay_max_ns,
        "patience_ns": params.patience_ns,
        "cross_spread_ticks": params.cross_spread_ticks,
        "cross_depth_ppm": params.cross_depth_ppm,
        "usual_spread_ticks": max(market.usual_spread_ticks or market.ask_ticks - market.bid_ticks, 1),
        "volume_prior_ppm": params.volume_prior_ppm,
    }


def _check(parent: Parent, market: Market) -> None:
    """Refuse what is out of range."""
    name = parent.parent_id
    if parent.side not in (1, -1):
        raise ValueError(f"slicing: order {name!r}: side must be 1 or -1, was {parent.side}; say buy or sell")
    if not 0 < parent.lots <= LOTS_MAX:
        raise ValueError(
            f"slicing: order {name!r}: lots must be in [1, {LOTS_MAX}], was {parent.lots}; trade whole lots"
        )
    if not 0 < market.bid_ticks <= market.ask_ticks <= TICKS_MAX:
        raise ValueError(
            f"slicing: order {name!r}: the market must have a bid at most its ask, in [1, {TICKS_MAX}] "
            f"ticks, was {market.bid_ticks} to {market.ask_ticks}; wait for a two-sided quote"
        )
    if parent.lots * market.ask_ticks > PRODUCT_MAX:
        raise ValueError(
            f"slicing: order {name!r}: lots times ticks must be at most {PRODUCT_MAX}, was "
            f"{parent.lots * market.ask_ticks}; take larger steps"
        )
    if not 0 <= parent.limit_ticks <= TICKS_MAX or not 0 <= parent.start_ns < math.inf:
        raise ValueError(
            f"slicing: order {name!r}: limit_ticks and start_ns must not be negative, were "
            f"{parent.limit_ticks} and {parent.start_ns}; 0 is no limit"
        )
    for field in ("notional_min", "recent_lots", "usual_spread_ticks", "volume_lots"):
        value = getattr(market, field)
        if not 0 <= value <= PRODUCT_MAX:
            raise ValueError(
                f"slicing: order {name!r}: {field} must be in [0, {PRODUCT_MAX}], was {value}; "
                "look at the market record"
            )
