"""Routing: whether to slice at all, by the cost that each way is expected to have.

A small order in a deep book pays half the spread and nothing else; slicing cannot save that, it only
adds time in which the price moves. One order is sent whole when that is expected to cost no more than
slices do, once a unit of risk is charged at ``risk_aversion``. A parent that must be cut (``slices_min``
above 1, the rule of a tier) is cut, whatever it costs. A book too thin for the whole, or unknown, speaks
for slices. `plan_preview` and `fillable_share` say before an order is confirmed what its plan will cost,
and how much of it the participation limit lets through.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats
from genesis.operators.market_impact import Day, ImpactParameters, Preview, impact_bps, preview
from genesis.operators.slicing.orders import PPM, Algorithm, State
from genesis.operators.slicing.params import Params

RISK_AVERSION = 0.1
"""What one bps of standard deviation is worth, in bps of cost."""


class Conditions(NamedTuple):
    """What trading costs now."""

    spread_bps: float  # ask minus bid
    fee_bps: float
    whole_bps: float  # impact of the whole order at once, beyond half the spread; NaN unknown or too thin
    slice_bps: float  # impact of one slice
    day: Day
    recovery_s: float = 1.0


class Choice(NamedTuple):
    """How to send an order, and what both ways are expected to cost."""

    algorithm: Algorithm
    whole: Preview
    sliced: Preview


def choose(params: Params, conditions: Conditions, risk_aversion: float = RISK_AVERSION) -> Choice:
    """Return ``Algorithm.ONE`` where one market order is best, else the algorithm asked for.

    Examples
    --------
    >>> params = Params(Algorithm.TWAP, 60 * 10**9, slices=10)
    >>> deep = Conditions(0.02, 10.0, whole_bps=0.0, slice_bps=0.0, day=Day(300.0, 1e9))
    >>> choose(params, deep).algorithm.name
    'ONE'
    >>> choose(params, deep._replace(whole_bps=5.0, slice_bps=0.5)).algorithm.name
    'TWAP'
    """
    slots = params.slices
    one: Floats = np.ones(1)
    at_s = np.arange(slots, dtype=np.float64) * (params.horizon_ns / 1e9 / slots)
    fixed = (conditions.spread_bps, conditions.fee_bps, (conditions.day, conditions.recovery_s))
    whole = preview(np.zeros(1), one, conditions.whole_bps * one, *fixed)
    sliced = preview(at_s, np.full(slots, 1.0 / slots), np.full(slots, conditions.slice_bps), *fixed)
    must_cut = params.slices_min > 1
    is_cheaper = whole.cost_bps <= sliced.cost_bps + risk_aversion * sliced.risk_bps
    return Choice(Algorithm.ONE if is_cheaper and not must_cut else params.algorithm, whole, sliced)


def plan_preview(state: State, conditions: Conditions, how: ImpactParameters) -> Preview:
    """Return what a plan is expected to cost, each slice by the square-root law.

    Parameters
    ----------
    state
        A planned order; left as it is.
    conditions
        The day's volume in lots; the impacts of the whole and of one slice are not used.
    how
        The law's constants; they replace the conditions' recovery time.

    Examples
    --------
    >>> from genesis.operators.market_impact import parameters
    >>> from genesis.operators.slicing.orders import Market, Parent
    >>> from genesis.operators.slicing.plans import plan
    >>> params = Params(Algorithm.TWAP, 60 * 10**9, slices=4, size_variation_ppm=0, time_variation_ppm=0)
    >>> state = plan(Parent("a", 1, 10_000, 0), Market(999_999, 1_000_001, 10**8), params)
    >>> found = plan_preview(state, Conditions(0.02, 10.0, 0.0, 0.0, Day(300.0, 1e9)), parameters())
    >>> [round(each, 2) for each in found]
    [0.01, 0.62, 10.0, 10.63, 3.7]
    """
    qty = np.diff(state.schedule[:, 1], prepend=0).astype(np.float64)
    at_s = state.schedule[:, 0] / 1e9
    child_bps = impact_bps(qty, conditions.day, how)
    fixed = (conditions.spread_bps, conditions.fee_bps, (conditions.day, how.recovery_s))
    return preview(at_s, qty, child_bps, *fixed)


def fillable_share(state: State, volume_lots: float) -> float:
    """Return how much of a planned order its participation limit lets through, in [0, 1].

    Parameters
    ----------
    state
        A planned order; left as it is.
    volume_lots
        What others are expected to trade in its horizon.

    Examples
    --------
    >>> from genesis.operators.slicing.orders import Market, Parent
    >>> from genesis.operators.slicing.plans import plan
    >>> market, params = Market(999_999, 1_000_001, 10**8), Params(Algorithm.TWAP, 10**9)
    >>> state = plan(Parent("a", 1, 10_000, 0), market, params)
    >>> round(fillable_share(state, volume_lots=45_000), 6)
    0.5
    """
    one = state.order[0]
    rate = int(one["rate_ppm"])
    if rate == PPM:
        return 1.0
    return float(
        min(
            (int(one["credit"]) / (PPM - rate) + volume_lots * rate / (PPM - rate)) / int(one["total_lots"]),
            1.0,
        )
    )
