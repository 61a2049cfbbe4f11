"""Orders decide as their slow twin does, keep every limit whatever happens, and replay to the byte."""

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.arrays import copied
from genesis.operators.slicing import decisions
from genesis.operators.slicing.orders import (
    DECISION,
    PPM,
    Algorithm,
    DecisionKind,
    EventKind,
    Market,
    Parent,
    Reason,
    Status,
)
from genesis.operators.slicing.params import Params
from genesis.operators.slicing.plans import plan
from tests.operators.slicing import naive_order, scripts
from tests.operators.slicing.scripts import MIDDLE, Life, life_of

Given = tuple[Parent, Market, Params]


def decided(life: Life) -> np.ndarray:
    return np.concatenate(life.answers) if life.answers else np.zeros(0, DECISION)


@given(scripts.orders(), scripts.steps)
def test_it_decides_as_the_twin_does(order: Given, script: list[scripts.Step]) -> None:
    life = life_of(order, script)
    assert decided(life).tolist() == naive_order.decided(plan(*order), life.told)


@given(scripts.orders(), st.integers(0, 10**6))
def test_it_decides_as_the_twin_does_for_long(order: Given, seed: int) -> None:
    life = life_of(order, scripts.random_script(seed, 150))
    assert decided(life).tolist() == naive_order.decided(plan(*order), life.told)


@given(scripts.orders(), scripts.kind_steps)
def test_it_decides_as_the_twin_does_while_all_goes_well(order: Given, script: list[scripts.Step]) -> None:
    life = life_of(order, script)
    assert decided(life).tolist() == naive_order.decided(plan(*order), life.told)


@given(scripts.orders(), scripts.steps, st.integers(0, 60))
def test_events_may_be_cut_anywhere_and_the_state_kept(
    order: Given, script: list[scripts.Step], cut: int
) -> None:
    life = life_of(order, script)
    told = life.told.copy()
    state, first = decisions.next(plan(*order), life.told[:cut])
    state = pickle.loads(pickle.dumps(copied(state)))
    state, second = decisions.next(state, life.told[cut:])
    assert np.concatenate([first, second]).tobytes() == decided(life).tobytes()
    assert state.order.tobytes() == life.state.order.tobytes()
    assert state.schedule.tobytes() == life.state.schedule.tobytes()
    assert life.told.tobytes() == told.tobytes()


@given(scripts.orders(), scripts.steps)
def test_every_child_keeps_every_limit(order: Given, script: list[scripts.Step]) -> None:
    """Size, minimum notional, slippage, the parent's price; sent on a quote, one at a time, while working."""
    parent, market, params = order
    life = life_of(order, script)
    for event, answer, (status, filled, is_open) in zip(life.told, life.answers, life.before, strict=True):
        assert answer.size <= 1
        for child in answer[answer["kind"] == DecisionKind.SEND]:
            assert event["kind"] == EventKind.MARKET
            assert (status, is_open) == (Status.WORKING, 0)
            lots, bid = int(child["lots"]), int(event["bid_ticks"])
            left = parent.lots - filled - lots
            assert lots * bid >= market.notional_min
            assert left == 0 or left * bid >= market.notional_min
            worst = MIDDLE * (PPM + parent.side * params.slippage_max_ppm) / PPM
            assert parent.side * (int(child["limit_ticks"]) - worst) <= 0
            assert not parent.limit_ticks or parent.side * (child["limit_ticks"] - parent.limit_ticks) <= 0


@given(scripts.orders(), scripts.steps | scripts.kind_steps)
def test_it_never_takes_more_than_its_share_of_the_volume(order: Given, script: list[scripts.Step]) -> None:
    """At any time, ours is at most the share of all that was traded since the beginning, and just before."""
    _, market, params = order
    rate = params.rate_ppm if params.algorithm is Algorithm.POV else params.participation_max_ppm
    others = 0 if params.algorithm is Algorithm.POV else market.recent_lots
    if rate == PPM:
        return
    life = life_of(order, script)
    for event, answer, (_, filled, _) in zip(life.told, life.answers, life.before, strict=True):
        if event["kind"] == EventKind.MARKET and event["lots"] > 0:
            others += min(int(event["lots"]), 2**40)
        for child in answer[answer["kind"] == DecisionKind.SEND]:
            ours = filled + int(child["lots"])
            assert ours * PPM <= rate * (ours + others)


@given(scripts.orders(), scripts.steps | scripts.kind_steps)
def test_no_child_is_a_burst(order: Given, script: list[scripts.Step]) -> None:
    """However much volume came, or time passed, a child is at most two slices and one minimum."""
    parent, market, params = order
    slots = plan(*order).schedule.shape[0]
    largest = int(np.diff(plan(*order).schedule[:, 1], prepend=0).max())
    for event, answer in zip((life := life_of(order, script)).told, life.answers, strict=True):
        for child in answer[answer["kind"] == DecisionKind.SEND]:
            minimum = -(-market.notional_min * 101 // 100 // int(event["bid_ticks"])) + 1
            assert child["lots"] <= 2 * largest + minimum
            if params.algorithm is Algorithm.POV and params.rate_ppm < PPM:
                assert child["lots"] <= 2 * -(-parent.lots // slots) + minimum


@given(scripts.orders(), scripts.kind_steps)
def test_slices_sum_exactly_to_the_parent(order: Given, script: list[scripts.Step]) -> None:
    life = life_of(order, script)
    filled = int(life.told["lots"][life.told["kind"] == EventKind.FILL].sum())
    ends = decided(life)[decided(life)["kind"] == DecisionKind.END]
    assert filled == life.state.order["filled_lots"][0] <= order[0].lots
    assert ends.size <= 1
    for end in ends:
        assert end["lots"] == order[0].lots - filled
        assert (end["reason"] == Reason.FILLED) == (end["lots"] == 0)


@given(scripts.orders(), scripts.steps)
def test_the_end_is_the_end(order: Given, script: list[scripts.Step]) -> None:
    """After END, and after CANCEL unless a child must close first, nothing is sent."""
    life = life_of(order, script)
    ended = cancelled = False
    for event, answer in zip(life.told, life.answers, strict=True):
        cancelled = cancelled or event["kind"] == EventKind.CANCEL
        assert not (ended and answer.size)
        assert not (cancelled and (answer["kind"] == DecisionKind.SEND).any())
        ended = ended or bool((answer["kind"] == DecisionKind.END).any())


@given(scripts.orders(), scripts.kind_steps)
def test_a_filled_order_had_all_its_slices(order: Given, script: list[scripts.Step]) -> None:
    life = life_of(order, script)
    if life.state.order["reason"][0] == Reason.FILLED:
        assert life.state.order["filled_children"][0] >= order[2].slices_min


@given(scripts.orders(), scripts.kind_steps)
def test_the_same_id_gives_the_same_slices(order: Given, script: list[scripts.Step]) -> None:
    assert decided(life_of(order, script)).tobytes() == decided(life_of(order, script)).tobytes()
