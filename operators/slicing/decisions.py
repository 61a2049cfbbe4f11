r"""Decisions: what an order does on each event; at most one decision an event, at most one child open.

A child is sent on a MARKET event only, so it always sees a fresh two-sided quote; without one nothing is
sent. What a child leaves unfilled returns to the order, and is part of what is due next.

*What is due.* A schedule says how many lots are due at each of its times; time spent in a pause does not
count, and urgency moves the clock. VWAP's schedule follows volume: with :math:`V` traded so far,
:math:`E` expected so far, :math:`e` expected in the slice that begins and :math:`R` after it, the level
of volume is :math:`\ell = (P + V) / (P + E)`, :math:`P` being the weight of what was learned, and due is
:math:`Q (V + \ell e) / (V + \ell (e + R))`, once a slice. POV is due what its credit allows,
once an interval. An iceberg is due a tip of varied size, a varied delay after the tip before it.

*Participation.* Each lot that others trade gives :math:`\rho / (1 - \rho)` lots of credit, a child takes
its lots from the credit, and what it leaves unfilled goes back. Credit is held to two slices and one
minimum, and a pause gives none: so nothing ever catches up in one burst, and our share of the volume
since the beginning never exceeds :math:`\rho` by more than the credit at the beginning, which is for
the volume of the interval before it.

*Minimum.* A child below the venue's minimum is not sent, nor one that would leave a remainder below it.

An event from before the newest counts as simultaneous with it. Prices and quantities below 0 or above
the limits of `orders` are no quote and no volume. After the end fills still count, but nothing is sent.
"""

import numpy as np

from genesis.operators.arrays import Ints, Rows, kernel
from genesis.operators.slicing.orders import (
    DECISION,
    LOTS_MAX,
    PPM,
    TICKS_MAX,
    Algorithm,
    DecisionKind,
    EventKind,
    Reason,
    Record,
    Routing,
    State,
    Status,
)

REJECTS_MAX = 5
"""So many children refused in a row end an order."""

ONE, TWAP, VWAP, SHORTFALL, POV, ICEBERG = (int(each) for each in Algorithm)
MARKET, FILL, CLOSED, REJECTED, PAUSE, RESUME, CANCEL = (int(each) for each in EventKind)
SEND, CANCEL_CHILD, END = (int(each) for each in DecisionKind)
CROSS, REST = (int(each) for each in Routing)
WORKING, PAUSED, ENDING, ENDED = (int(each) for each in Status)
FILLED = int(Reason.FILLED)
CANCELLED = int(Reason.CANCELLED)
SLIPPAGE = int(Reason.SLIPPAGE)
EXPIRED = int(Reason.EXPIRED)
REMAINDER = int(Reason.REMAINDER)
REFUSED = int(Reason.REJECTED)


@kernel
def chance_ppm(seed: int, number: int) -> int:
    """Return the ``number``-th draw of a seed, even on [-1,000,000, 1,000,000].

    A counter-based generator: no state, and the same on every machine (SplitMix64, in integers).

    >>> [int(chance_ppm(7, number)) for number in range(3)]
    [549498, -645339, -601128]
    """
    word = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(number + 1)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    return int((word >> np.uint64(11)) % np.uint64(2 * PPM + 1)) - PPM


@kernel
def chances_ppm(seed: int, first: int, count: int) -> Ints:
    """Return the draws ``first`` to ``first + count - 1`` of a seed, shape ``(count,)``.

    >>> chances_ppm(7, 1, 2).tolist()
    [-645339, -601128]
    """
    draws = np.empty(count, np.int64)
    for i in range(count):
        draws[i] = chance_ppm(seed, first + i)
    return draws


@kernel
def share_of(value: int, ppm: int) -> int:
    """Return ``ppm`` of a value, rounded towards minus infinity, without overflow.

    >>> int(share_of(10**15, 200_000)), int(share_of(10, -250_000))
    (200000000000000, -3)
    """
    return value // PPM * ppm + value % PPM * ppm // PPM


@kernel
def _varied(value: int, variation_ppm: int, seed: int, number: int) -> int:
    """Return a value varied by its share of chance."""
    return value + share_of(value, variation_ppm * chance_ppm(seed, number) // PPM)


@kernel
def _least_lots(order: Rows, bid_ticks: int) -> int:
    """Return the smallest child that the venue takes."""
    return int(min(max(-(-order[0].notional_min // bid_ticks), 1), LOTS_MAX))


@kernel
def _earn(order: Rows, lots: int, least: int) -> None:
    """Turn the volume of others into credit."""
    one = order[0]
    if one.rate_ppm < PPM:
        most = (2 * one.slice_lots + least) * (PPM - one.rate_ppm)
        one.credit = min(one.credit + min(lots, LOTS_MAX) * one.rate_ppm, max(most, one.credit))


@kernel
def _urgency_ppm(order: Rows, event: Record, lag_lots: int) -> int:
    """Return how urgent it is, in [-PPM, PPM]."""
    one, urgency = order[0], 0
    if one.favourable_full_ppm > 0:
        gain_2 = one.side * (one.arrival_2_ticks - event.bid_ticks - event.ask_ticks)
        gain_ppm = min(max(gain_2 * PPM // one.arrival_2_ticks, -100 * PPM), 100 * PPM)
        urgency += min(max(gain_ppm * PPM // one.favourable_full_ppm, -PPM), PPM)
    if one.widening_full_ppm > 0:
        wider = max(event.ask_ticks - event.bid_ticks - one.usual_spread_ticks, 0)
        wider_ppm = min(wider * PPM // one.usual_spread_ticks, 100 * PPM)
        urgency -= min(wider_ppm * PPM // one.widening_full_ppm, PPM)
    urgency = min(max(urgency, -PPM), PPM)
    if urgency < 0 and lag_lots > 0:
        urgency = min(urgency + min(lag_lots * PPM // one.slice_lots, PPM), 0)
    return int(urgency)


@kernel
def _slots_due(schedule: Ints, elapsed_ns: int) -> int:
    """Return how many slots of the schedule are due, by bisection."""
    low, high = 0, schedule.shape[0]
    while low < high:
        middle = (low + high) // 2
        if schedule[middle, 0] <= elapsed_ns:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _due_after(order: Rows, schedule: Ints, slots: int) -> int:
    """Return the lots that are due once so many slots have begun."""
    one = order[0]
    if slots == 0:
        return 0
    if slots == schedule.shape[0] or one.algorithm != VWAP or one.volume_prior_ppm == 0:
        return int(schedule[slots - 1, 1])
    before = schedule[slots - 2, 2] if slots > 1 else 0
    after, whole = schedule[slots - 1, 2], schedule[-1, 2]
    if whole <= 0:
        return int(schedule[slots - 1, 1])
    prior = float(whole) * one.volume_prior_ppm / PPM
    level = (prior + one.volume_lots) / (prior + before)
    reached = one.volume_lots + level * (after - before)
    share = reached / (one.volume_lots + level * (whole - before))
    return min(int(one.total_lots * share), int(one.total_lots))


@kernel
def _scheduled_lots(order: Rows, schedule: Ints, event: Record, elapsed_ns: int) -> int:
    """Return the lots due by the schedule that are not filled yet."""
    one, now = order[0], elapsed_ns
    if one.lead_max_ns > 0:
        lag = _due_after(order, schedule, max(_slots_due(schedule, now) - 1, 0)) - one.filled_lots
        lead_ns = share_of(one.lead_max_ns, _urgency_ppm(order, event, lag))
        is_late = elapsed_ns >= one.horizon_ns - one.interval_ns
        now += max(lead_ns, 0) if is_late else lead_ns
    return int(_due_after(order, schedule, _slots_due(schedule, max(now, 0))) - one.filled_lots)


@kernel
def _child_lots(order: Rows, wanted: int, least: int) -> int:
    """Return the size of the next child, 0 for none: what is wanted, within all limits."""
    one = order[0]
    remaining = one.total_lots - one.filled_lots
    allowed = min(one.child_lots_max + least, remaining)
    if one.rate_ppm < PPM:
        allowed = min(allowed, one.credit // (PPM - one.rate_ppm))
    owed = one.slices_min - one.filled_children - 1
    if owed > 0:
        allowed = min(allowed, remaining - owed * least)
    lots = min(wanted, allowed, one.child_lots_max)
    if 0 < remaining - lots < least:
        lots = remaining if remaining <= allowed else remaining - least
    return lots if lots >= least else 0


@kernel
def _rests(order: Rows, event: Record, lots: int) -> bool:
    """Say whether a child waits in the book rather than crosses."""
    one = order[0]
    if one.algorithm == ICEBERG:
        return True
    if one.patience_ns == 0 or one.impatient == 1:
        return False
    there = event.ask_lots if one.side > 0 else event.bid_lots
    cheap = event.ask_ticks - event.bid_ticks <= one.cross_spread_ticks
    return not (cheap and lots <= share_of(min(max(there, 0), LOTS_MAX), one.cross_depth_ppm))


@kernel
def _end(order: Rows, reason: int, out: Record) -> int:
    """End the order, or have its open child cancelled first; return the number of decisions."""
    one = order[0]
    if one.status != ENDING or reason == FILLED:
        one.reason = reason
    one.status = ENDING
    if one.open_lots > 0:
        return _cancel_child(order, out)
    one.status = ENDED
    out.kind, out.event_ns, out.child = END, one.now_ns, one.child
    out.lots, out.reason = max(one.total_lots - one.filled_lots, 0), one.reason
    return 1


@kernel
def _cancel_child(order: Rows, out: Record) -> int:
    """Write the cancelling of the open child unless it was asked for; return how many decisions."""
    one = order[0]
    if one.cancel_sent == 1:
        return 0
    one.cancel_sent = 1
    out.kind, out.event_ns, out.child = CANCEL_CHILD, one.now_ns, one.child
    return 1


@kernel
def _send(order: Rows, event: Record, lots: int, out: Record) -> int:
    """Send a child, unless the parent's limit forbids its price."""
    one = order[0]
    best, other = (event.ask_ticks, event.bid_ticks) if one.side > 0 else (event.bid_ticks, event.ask_ticks)
    worst = one.collar_ticks
    if one.limit_ticks > 0:
        worst = min(worst, one.limit_ticks) if one.side > 0 else max(worst, one.limit_ticks)
    rests = _rests(order, event, lots)
    if not rests and one.side * (best - worst) > 0:
        return 0
    price = worst
    if rests:
        price = min(other, worst) if one.side > 0 else max(other, worst)
    one.child += 1
    one.open_lots, one.child_filled_lots, one.cancel_sent = lots, 0, 0
    one.child_ticks, one.child_routing, one.sent_ns = price, REST if rests else CROSS, one.now_ns
    if one.rate_ppm < PPM:
        one.credit -= lots * (PPM - one.rate_ppm)
    out.kind, out.event_ns, out.child = SEND, one.now_ns, one.child
    out.lots, out.limit_ticks, out.routing = lots, price, one.child_routing
    return 1


@kernel
def _watch_child(order: Rows, event: Record, out: Record) -> int:
    """Cancel a resting child that has waited long enough, or that the market has left behind."""
    one = order[0]
    if one.child_routing != REST:
        return 0
    age_ns = one.now_ns - one.sent_ns
    if one.algorithm == ICEBERG:
        own = event.bid_ticks if one.side > 0 else event.ask_ticks
        if one.side * (own - one.child_ticks) > 0 and age_ns >= one.delay_min_ns:
            return _cancel_child(order, out)
        return 0
    if age_ns >= one.patience_ns and one.cancel_sent == 0:
        one.impatient = 1
        return _cancel_child(order, out)
    return 0


@kernel
def _wanted(order: Rows, schedule: Ints, event: Record, elapsed_ns: int) -> int:
    """Return the lots that are wanted now, 0 while it is too early."""
    one = order[0]
    if elapsed_ns < one.next_ns:
        return 0
    if one.algorithm == POV or one.algorithm == ICEBERG:
        if one.algorithm == POV:
            return int(one.child_lots_max)
        return max(_varied(one.slice_lots, one.size_variation_ppm, one.seed, 2 * one.child), 1)
    return _scheduled_lots(order, schedule, event, elapsed_ns)


@kernel
def _next_ns(order: Rows, schedule: Ints, elapsed_ns: int) -> int:
    """Return when the next child may go, now that one went."""
    one = order[0]
    if one.algorithm == POV:
        return int(elapsed_ns + _varied(one.interval_ns, one.time_variation_ppm, one.seed, 2 * one.child))
    begun = _slots_due(schedule, elapsed_ns)
    if one.algorithm == VWAP and one.volume_prior_ppm > 0 and begun < schedule.shape[0]:
        return int(schedule[begun, 0])
    return 0


@kernel
def _on_market(order: Rows, schedule: Ints, event: Record, out: Record) -> int:
    """Take a quote; return how many decisions were written, 0 or 1."""
    one = order[0]
    if one.status == ENDED or one.status == PAUSED:
        return 0
    quoted = 0 < event.bid_ticks <= event.ask_ticks <= TICKS_MAX
    least = _least_lots(order, event.bid_ticks) if quoted else 1
    if event.lots > 0:
        one.volume_lots = min(one.volume_lots + min(event.lots, LOTS_MAX), LOTS_MAX)
        _earn(order, event.lots, least)
    if one.status == ENDING:
        return 0
    elapsed_ns = one.now_ns - one.start_ns - one.shift_ns
    if elapsed_ns >= one.horizon_ns + one.grace_ns:
        return _end(order, EXPIRED, out)
    if not quoted:
        return 0
    if one.filled_lots >= one.total_lots:
        return _end(order, FILLED, out)
    if one.side * ((event.ask_ticks if one.side > 0 else event.bid_ticks) - one.collar_ticks) > 0:
        return _end(order, SLIPPAGE, out)
    if one.open_lots > 0:
        return _watch_child(order, event, out)
    if one.total_lots - one.filled_lots < least:
        return _end(order, REMAINDER, out)
    if elapsed_ns < 0:
        return 0
    lots = _child_lots(order, _wanted(order, schedule, event, elapsed_ns), least)
    sent = _send(order, event, lots, out) if lots > 0 else 0
    if sent == 1:
        one.next_ns = _next_ns(order, schedule, elapsed_ns)
    return sent


@kernel
def _on_child(order: Rows, event: Record, out: Record) -> int:
    """Take a fill, or the end of a child. Fills count whatever the status; what is not open is no child."""
    one = order[0]
    current = event.child == one.child and one.open_lots > 0
    if event.kind == FILL:
        lots = min(max(event.lots, 0), LOTS_MAX)
        one.filled_lots += lots
        one.rejects = 0
        if current:
            if one.child_filled_lots == 0 and lots > 0:
                one.filled_children += 1
            one.child_filled_lots += lots
            one.open_lots = max(one.open_lots - lots, 0)
        if not current or one.open_lots > 0:
            return 0
    elif not current:
        return 0
    if one.rate_ppm < PPM:
        one.credit += one.open_lots * (PPM - one.rate_ppm)
    one.impatient = 1 if one.impatient == 1 and one.child_routing == REST and one.open_lots > 0 else 0
    one.rejects = one.rejects + 1 if event.kind == REJECTED else 0
    one.open_lots = 0
    if one.algorithm == ICEBERG:
        middle, reach = (one.delay_min_ns + one.delay_max_ns) // 2, (one.delay_max_ns - one.delay_min_ns) // 2
        wait_ns = middle + share_of(reach, chance_ppm(one.seed, 2 * one.child + 1))
        one.next_ns = one.now_ns - one.start_ns - one.shift_ns + wait_ns
    if one.status == ENDED:
        return 0
    if one.filled_lots >= one.total_lots:
        return _end(order, FILLED, out)
    if one.status == ENDING:
        return _end(order, one.reason, out)
    return _end(order, REFUSED, out) if one.rejects >= REJECTS_MAX else 0


@kernel
def _on_command(order: Rows, kind: int, out: Record) -> int:
    """Take a command; return how many decisions were written, 0 or 1."""
    one = order[0]
    if kind == CANCEL and one.status <= PAUSED:
        return _end(order, CANCELLED, out)
    if kind == PAUSE and one.status == WORKING:
        one.status, one.paused_ns = PAUSED, one.now_ns
        return _cancel_child(order, out) if one.open_lots > 0 else 0
    if kind == RESUME and one.status == PAUSED:
        one.status = WORKING
        one.shift_ns += max(one.now_ns - max(one.paused_ns, one.start_ns), 0)
    return 0


@kernel
def decide(order: Rows, schedule: Ints, events: Rows, out: Rows) -> int:
    """Take events, change the order in place, write its decisions and return how many.

    Parameters
    ----------
    order, schedule
        As in `orders.State`; the order is changed.
    events
        Rows of EVENT, shape ``(n,)``.
    out
        Rows of DECISION, zeros, shape ``(n,)``.
    """
    count, one = 0, order[0]
    for i in range(events.size):
        event = events[i]
        kind = event.kind
        one.now_ns = max(one.now_ns, event.event_ns)
        if kind == MARKET:
            count += _on_market(order, schedule, event, out[count])
        elif FILL <= kind <= REJECTED:
            count += _on_child(order, event, out[count])
        else:
            count += _on_command(order, kind, out[count])
    return count


def next(state: State, events: Rows) -> tuple[State, Rows]:  # noqa: A001 - the contract's own word
    """Return the order after the events, and its decisions, rows of DECISION in the order of events.

    Parameters
    ----------
    state
        Used up; from `plans.plan` or from the call before.
    events
        Rows of EVENT, shape ``(n,)``; how they are cut into batches does not matter.

    Examples
    --------
    >>> from genesis.operators.slicing.orders import Market, Parent, market_event
    >>> from genesis.operators.slicing.params import Params
    >>> from genesis.operators.slicing.plans import plan
    >>> params = Params(Algorithm.TWAP, 60 * 10**9, slices=3, size_variation_ppm=0, time_variation_ppm=0)
    >>> market = Market(9_999, 10_001, 50_000, recent_lots=9_000)
    >>> state = plan(Parent("a", 1, 900, start_ns=0), market, params)
    >>> state, decisions = next(state, market_event(0, (9_999, 50), (10_001, 50)))
    >>> decisions[["kind", "child", "lots", "limit_ticks"]].tolist()
    [(1, 1, 300, 10050)]
    """
    out = np.zeros(events.size, DECISION)
    return state, out[: decide(state.order, state.schedule, events, out)]
