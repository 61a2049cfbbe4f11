r"""Trade-flow imbalance: decayed net over gross aggressor volume, in [-1, 1], of many symbols.

Of the trades of one symbol, with quantity :math:`q_i` (buys positive) and age :math:`a_i`,

.. math:: I = \frac{\sum_i 2^{-a_i/h} q_i}{\sum_i 2^{-a_i/h} |q_i|}, \qquad h = \text{half-life}.

It is 1 when all aggressors bought, -1 when all sold. Numerator and denominator fade alike, so without
trades it stays as it is. Before the first trade, and without volume, it is NaN, never 0.0, which a
reader would take for "balanced".

A late trade counts as simultaneous with the newest of its symbol: time never runs backwards. A
quantity that is not finite is passed over.

References
----------
Cont, Kukanov and Stoikov (2014), "The price impact of order book events", Journal of Financial
Econometrics 12(1), section 4, compare it ("trade imbalance") with the imbalance of orders.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Floats, Ints, grown, kernel
from genesis.operators.parameters import positive


class TradeFlow(NamedTuple):
    """Decayed volumes, by slot."""

    net_qty: Floats  # shape (slots,): base asset, buys positive
    gross_qty: Floats  # shape (slots,): base asset
    newest_ns: Ints  # shape (slots,): event time of the newest trade; NEVER_NS before the first


class TradeFlowParameters(NamedTuple):
    """Parameters of the measure; made by `parameters`."""

    half_life_ns: int


def parameters(half_life_ns: int) -> TradeFlowParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When the half-life is not positive.
    """
    positive("trade_flow_imbalance", "half_life_ns", half_life_ns, "give the half-life in nanoseconds")
    return TradeFlowParameters(int(half_life_ns))


def no_flow(slots: int = 0) -> TradeFlow:
    """Return the state before the first trade."""
    return TradeFlow(np.zeros(slots), np.zeros(slots), np.full(slots, NEVER_NS))


def with_slots(flow: TradeFlow, slots: int) -> TradeFlow:
    """Return ``flow`` with room for at least ``slots`` symbols."""
    have = flow.net_qty.size
    if slots <= have:
        return flow
    room = max(slots, 2 * have, 16)
    return TradeFlow(
        grown(flow.net_qty, room), grown(flow.gross_qty, room), grown(flow.newest_ns, room, NEVER_NS)
    )


@kernel
def imbalance(
    flow: TradeFlow, slots: Ints, event_ns: Ints, signed_qty: Floats, parameters: TradeFlowParameters
) -> tuple[TradeFlow, Floats]:
    """Return the state after n trades, and the imbalance of its symbol after each, shape (n,).

    Parameters
    ----------
    flow
        Used up; has room for every slot.
    slots
        The symbol of each trade, shape ``(n,)``.
    event_ns
        When it happened, shape ``(n,)``.
    signed_qty
        Base asset, bought by the aggressor positive, shape ``(n,)``.
    parameters
        From `parameters`.

    Examples
    --------
    >>> slots, event_ns, signed_qty = np.array([0, 1, 0]), np.array([0, 5, 9]), np.array([2.0, 7.0, -1.0])
    >>> imbalance(no_flow(2), slots, event_ns, signed_qty, TradeFlowParameters(half_life_ns=9))[1].tolist()
    [1.0, 1.0, 0.0]
    """
    net_qty, gross_qty, newest_ns = flow
    path = np.empty(slots.size)
    for i in range(slots.size):
        slot, qty = slots[i], signed_qty[i]
        if np.isfinite(qty):
            elapsed_ns = event_ns[i] - newest_ns[slot]
            if elapsed_ns > 0:
                decay = np.exp2(-elapsed_ns / parameters.half_life_ns)
                net_qty[slot] *= decay
                gross_qty[slot] *= decay
                newest_ns[slot] = event_ns[i]
            net_qty[slot] += qty
            gross_qty[slot] += abs(qty)
        gross = gross_qty[slot]
        path[i] = net_qty[slot] / gross if gross > 0.0 else np.nan
    return flow, path
