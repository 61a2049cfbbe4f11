"""Routing: whether to slice at all, by the cost that each way is expected to have.

A small order in a deep book pays half the spread and nothing else; slicing cannot save that, it only
adds time in which the price moves. One order is sent whole when that is expected to cost no more than
slices do, once a unit of risk is charged at ``risk_aversion``. A parent that must be cut (``slices_min``
above 1, the rule of a tier) is cut, whatever it costs. A book too thin for the whole, or unknown, speaks
for slices.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats
from genesis.operators.market_impact import Day, Preview, preview
from genesis.operators.slicing.orders import Algorithm
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
