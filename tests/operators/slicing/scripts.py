"""Random lives of an order: a small venue answers its children, and everything that happens is kept."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from genesis.operators.slicing import decisions
from genesis.operators.slicing.orders import (
    PPM,
    Algorithm,
    DecisionKind,
    EventKind,
    Market,
    Parent,
    State,
    child_event,
    command_event,
    events,
    market_event,
)
from genesis.operators.slicing.params import Adaptivity, Params
from genesis.operators.slicing.plans import plan

SECOND_NS = 10**9
START_NS = 1_700_000_000 * SECOND_NS
MIDDLE = 1_000_000
"""Mid price in ticks."""

NOTHING, FILL, PART, CLOSE, REJECT, PAUSE, RESUME, CANCEL, NO_QUOTE, STRAY, NASTY = range(11)

step = st.tuples(
    st.sampled_from([0, 1, 100, 400, 2_000, 7_000, -50]),  # ms
    st.integers(-300, 300),  # where the mid is, ticks from the first; 5,000 is the slippage limit
    st.sampled_from([1, 1, 1, 2, 40]),  # half the spread, ticks
    st.sampled_from([0, 0, 50, 3_000, 40_000, 2_000_000]),  # traded by others, lots
    st.sampled_from([NOTHING] * 3 + [FILL] * 6 + [PART] * 3 + [CLOSE] * 3 + list(range(REJECT, NASTY + 1))),
    st.integers(1, 999),  # share of a partial fill, thousandths
)
Step = tuple[int, int, int, int, int, int]
steps = st.lists(step, max_size=50)
kind_steps = st.lists(
    st.tuples(
        st.sampled_from([100, 400, 2_000]),
        st.integers(-100, 100),
        st.just(1),
        st.sampled_from([3_000, 40_000, 2_000_000]),
        st.sampled_from([NOTHING, FILL, FILL, PART, CLOSE]),
        st.integers(1, 999),
    ),
    min_size=15,
    max_size=80,
)
"""A venue that never says no, and a trader who does not interfere."""


@st.composite
def orders(draw: st.DrawFn) -> tuple[Parent, Market, Params]:
    """Return what an order is planned from, large enough for its slices."""
    algorithm = draw(st.sampled_from(list(Algorithm)))
    side = draw(st.sampled_from([1, -1]))
    slices_min = 1 if algorithm is Algorithm.ONE else draw(st.sampled_from([1, 1, 3]))
    lots = draw(st.integers(1_000 * slices_min, 40_000))
    recent = draw(st.sampled_from([0, 20_000, 10**7]))
    market = Market(MIDDLE - 1, MIDDLE + 1, 900 * MIDDLE, recent, 0, draw(st.sampled_from([0, 400_000])))
    limit = draw(st.sampled_from([0, 0, MIDDLE + 50 * side]))
    params = Params(
        algorithm,
        horizon_ns=draw(st.sampled_from([SECOND_NS, 20 * SECOND_NS, 60 * SECOND_NS])),
        slices=draw(st.integers(slices_min, 12)),
        slices_min=slices_min,
        size_variation_ppm=draw(st.sampled_from([0, 200_000, 500_000])),
        time_variation_ppm=draw(st.sampled_from([0, 200_000])),
        participation_max_ppm=draw(st.sampled_from([100_000, 500_000, PPM])),
        patience_ns=draw(st.sampled_from([0, 0, SECOND_NS])),
        cross_spread_ticks=2,
        cross_depth_ppm=draw(st.sampled_from([0, PPM])),
        adaptivity=draw(st.sampled_from([None, Adaptivity()])),
        volume_shares=draw(st.sampled_from([(), (1.0, 3.0, 2.0)])),
        volume_prior_ppm=draw(st.sampled_from([0, 200_000])),
        half_life_ns=20 * SECOND_NS,
        grace_ns=draw(st.sampled_from([0, 5 * SECOND_NS])),
    )
    return Parent(f"order-{draw(st.integers(0, 9))}", side, lots, START_NS, limit), market, params


def random_script(seed: int, length: int) -> list[Step]:
    """Return a long script, where hypothesis prefers short ones."""
    rng = np.random.default_rng(seed)
    actions = [NOTHING, FILL, FILL, FILL, PART, PART, CLOSE, REJECT, NO_QUOTE, NASTY]
    rare = [PAUSE, RESUME, RESUME, CANCEL, STRAY]
    columns = (
        rng.choice([1, 100, 400, 2_000], length),
        rng.integers(-300, 300, length) * (1 + 19 * (rng.random(length) < 0.01)),
        rng.choice([1, 1, 1, 2, 40], length),
        rng.choice([0, 50, 3_000, 40_000, 2_000_000], length),
        np.where(rng.random(length) < 0.05, rng.choice(rare, length), rng.choice(actions, length)),
        rng.integers(1, 999, length),
    )
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]  # type: ignore[misc]


class Life(NamedTuple):
    """What happened to an order."""

    state: State
    told: np.ndarray  # rows of EVENT
    answers: list[np.ndarray]  # rows of DECISION, one array for each event
    before: list[tuple[int, int, int]]  # status, filled lots, open lots as each event came


def live(state: State, script: list[Step]) -> Life:
    """Tell an order the market of each step, then let the venue or the trader act."""
    told, answers, before, open_child, now_ns = [], [], [], (0, 0), START_NS

    def tell(rows: np.ndarray) -> None:
        nonlocal state, open_child
        one = state.order[0]
        before.append((int(one["status"]), int(one["filled_lots"]), int(one["open_lots"])))
        state, out = decisions.next(state, rows)
        told.append(rows)
        answers.append(out.copy())
        for row in out[out["kind"] == DecisionKind.SEND]:
            open_child = (int(row["child"]), int(row["lots"]))

    for late_ms, away, half, volume, action, share in script:
        now_ns += late_ms * 1_000_000
        bid, ask = MIDDLE + away - half, MIDDLE + away + half
        if action == NO_QUOTE:
            tell(market_event(now_ns, (0, 0), (ask, 5), volume))
        elif action == NASTY:
            tell(market_event(now_ns, (ask, -5), (bid - 1, 2**62), -volume))
            tell(events([(99, now_ns, 2**62, -(2**62), 0, 0, 2**62, 2**62)]))
            tell(market_event(now_ns, (1, 1), (2**41, 1), 2**62))
        else:
            tell(market_event(now_ns, (bid, 20_000), (ask, 20_000), volume))
        child, lots = open_child
        if action in (FILL, PART) and lots:
            filled = lots if action == FILL else max(lots * share // 1_000, 1)
            open_child = (child, lots - filled)
            tell(child_event(EventKind.FILL, now_ns, child, filled))
        elif action in (CLOSE, REJECT) and lots:
            open_child = (child, 0)
            tell(child_event(EventKind.CLOSED if action == CLOSE else EventKind.REJECTED, now_ns, child))
        elif action in (PAUSE, RESUME, CANCEL):
            kind = {PAUSE: EventKind.PAUSE, RESUME: EventKind.RESUME, CANCEL: EventKind.CANCEL}[action]
            tell(command_event(kind, now_ns))
        elif action == STRAY:
            tell(child_event(EventKind.CLOSED, now_ns, child + 1))
    return Life(state, np.concatenate(told) if told else events([])[:0], answers, before)


def life_of(order: tuple[Parent, Market, Params], script: list[Step]) -> Life:
    """Plan an order and live it."""
    return live(plan(*order), script)
