r"""Order-flow imbalance: what orders at the best prices push, by symbol; net in base asset, ratio in [-1, 1].

From one quote to the next (best bid :math:`P^b` with quantity :math:`q^b`, best ask :math:`P^a`,
:math:`q^a`) the two sides contribute

.. math::
    e^b = 1_{P^b_n \ge P^b_{n-1}} q^b_n - 1_{P^b_n \le P^b_{n-1}} q^b_{n-1}, \qquad
    e^a = 1_{P^a_n \ge P^a_{n-1}} q^a_{n-1} - 1_{P^a_n \le P^a_{n-1}} q^a_n,

and their sum :math:`e_n` is the order flow of Cont, Kukanov and Stoikov: what limit orders,
cancellations and trades added to the demand less what they added to the supply. Its sum over a time
moves the price, nearly in proportion. The imbalance is the ratio of decayed sums

.. math:: I = \frac{\sum 2^{-a/h} (e^b + e^a)}{\sum 2^{-a/h} (|e^b| + |e^a|)} \in [-1, 1],

with age a and half-life h. Without two comparable quotes the flow is NaN; before the first flow, and
while nothing moved, the imbalance is.

A quote older than the newest of its symbol is passed over (NaN flow, imbalance as it was). After a
quote that is not two-sided, or that stands for a gap (NaN prices), the next has nothing to be compared
with: no flow reaches across what was not seen.

References
----------
Cont, Kukanov and Stoikov (2014), "The price impact of order book events", Journal of Financial
Econometrics 12(1), 47-88.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Floats, Ints, grown, kernel
from genesis.operators.parameters import positive


class OrderFlow(NamedTuple):
    """The newest quote and the decayed flow, by slot."""

    quote: Floats  # shape (slots, 4): bid and ask price, bid and ask quantity; NaN when there is none
    flow_qty: Floats  # shape (slots, 2): net and gross, base asset
    newest_ns: Ints  # shape (slots,): event time of the newest quote; NEVER_NS before the first


class OrderFlowParameters(NamedTuple):
    """Parameters of the measure; made by `parameters`."""

    half_life_ns: int


def parameters(half_life_ns: int) -> OrderFlowParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When the half-life is not positive.
    """
    positive("order_flow_imbalance", "half_life_ns", half_life_ns, "give the half-life in nanoseconds")
    return OrderFlowParameters(int(half_life_ns))


def no_flow(slots: int = 0) -> OrderFlow:
    """Return the state before the first quote."""
    return OrderFlow(np.full((slots, 4), np.nan), np.zeros((slots, 2)), np.full(slots, NEVER_NS))


def with_slots(flow: OrderFlow, slots: int) -> OrderFlow:
    """Return ``flow`` with room for at least ``slots`` symbols."""
    have = flow.newest_ns.size
    if slots <= have:
        return flow
    room = max(slots, 2 * have, 16)
    return OrderFlow(
        grown(flow.quote, room, np.nan), grown(flow.flow_qty, room), grown(flow.newest_ns, room, NEVER_NS)
    )


@kernel
def _two_sided(quote: Floats) -> bool:
    """Return whether a quote can be compared; one with a crossed book cannot."""
    bid, ask, bid_qty, ask_qty = quote[0], quote[1], quote[2], quote[3]
    return bool(0.0 < bid <= ask and ask < np.inf and 0.0 <= bid_qty < np.inf and 0.0 <= ask_qty < np.inf)


@kernel
def imbalance(
    flow: OrderFlow, slots: Ints, event_ns: Ints, quotes: Floats, parameters: OrderFlowParameters
) -> tuple[OrderFlow, Floats, Floats]:
    """Return the state after n quotes, and after each its flow and the imbalance of its symbol.

    Parameters
    ----------
    flow
        Used up; has room for every slot.
    slots
        The symbol of each quote, shape ``(n,)``.
    event_ns
        When it was made, shape ``(n,)``.
    quotes
        Shape ``(n, 4)``: bid price, ask price (quote asset), bid and ask quantity (base asset).
    parameters
        From `parameters`.

    Returns
    -------
    flow, order_flow_qty, imbalance
        Both arrays of shape ``(n,)``.

    Examples
    --------
    >>> quotes = np.array([[9.0, 10.0, 5.0, 5.0], [9.0, 10.0, 7.0, 5.0], [9.0, 10.0, 7.0, 9.0]])
    >>> how = OrderFlowParameters(half_life_ns=1)
    >>> _, flow_qty, ratio = imbalance(no_flow(1), np.zeros(3, np.int64), np.arange(3), quotes, how)
    >>> flow_qty.tolist(), ratio.tolist()
    ([nan, 2.0, -4.0], [nan, 1.0, -0.6])
    """
    newest, sums, newest_ns = flow
    flow_qty, path = np.full(slots.size, np.nan), np.empty(slots.size)
    for i in range(slots.size):
        slot = slots[i]
        elapsed_ns = event_ns[i] - newest_ns[slot]
        if elapsed_ns >= 0:
            old, new = newest[slot], quotes[i]
            if _two_sided(new):
                if old[0] > 0.0:
                    bid = (new[2] if new[0] >= old[0] else 0.0) - (old[2] if new[0] <= old[0] else 0.0)
                    ask = (old[3] if new[1] >= old[1] else 0.0) - (new[3] if new[1] <= old[1] else 0.0)
                    decay = np.exp2(-elapsed_ns / parameters.half_life_ns)
                    flow_qty[i] = bid + ask
                    sums[slot, 0] = decay * sums[slot, 0] + (bid + ask)
                    sums[slot, 1] = decay * sums[slot, 1] + (abs(bid) + abs(ask))
                newest[slot] = new
            else:
                decay = np.exp2(-elapsed_ns / parameters.half_life_ns)
                sums[slot, 0] *= decay
                sums[slot, 1] *= decay
                newest[slot] = np.nan
            newest_ns[slot] = event_ns[i]
        path[i] = sums[slot, 0] / sums[slot, 1] if sums[slot, 1] > 0.0 else np.nan
    return flow, flow_qty, path
