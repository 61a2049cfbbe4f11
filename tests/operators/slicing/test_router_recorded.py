"""On the recorded books the router sends small orders whole, and cuts those that would walk the book."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import slicing
from benchmarks.slicing_replay import INSTRUMENTS, load
from benchmarks.slicing_runs import CAPPED, METHODS, case, market_at, starts
from genesis.operators.slicing import routing
from genesis.operators.slicing.orders import Parent
from genesis.operators.slicing.plans import plan


@pytest.mark.parametrize("instrument", INSTRUMENTS[:2], ids=lambda each: each.name)
def test_the_router_knows_where_slicing_pays(recordings: Path, instrument) -> None:
    """It sends $2,000 whole, where TWAP saves nothing, and cuts $1,000,000, where it does, by every model."""
    tape = load(instrument)
    assert slicing.share_whole(tape, 2_000) > 0.95
    assert slicing.share_whole(tape, 1_000_000) < 0.1
    for notional, pays in ((2_000, False), (1_000_000, True)):
        one, twap = (case(tape, notional, METHODS[name]) for name in (slicing.ONE, "TWAP"))
        for model in ("recorded", "depletion"):
            saved = (one.total(model) - twap.total(model)).mean(axis=1)
            assert (slicing.interval(saved)[0] > 0.1) == pays


def test_every_dollar_of_the_study_is_accounted_for(recordings: Path) -> None:
    """The parts of each order's cost sum to the whole; what was not filled is in the opportunity."""
    costs = case(load(INSTRUMENTS[0]), 50_000, METHODS["iceberg"])
    parts = costs.parts
    assert parts.shape[0] >= 100
    assert abs(parts[:, :, :5].sum(axis=2) - parts[:, :, 5]).max() < 1e-9
    assert (parts[:, :, 4][costs.done == 1.0] == 0.0).all()
    assert ((costs.maker >= 0.0) & (costs.maker <= costs.done + 1e-12) & (costs.done <= 1.0)).all()


def test_what_the_participation_limit_lets_through_is_known_before(recordings: Path) -> None:
    """By the volume of the half minute before, to a factor that the volume of a minute varies by."""
    tape = load(INSTRUMENTS[1])
    done = case(tape, 1_000_000, CAPPED).done.mean()
    expected = []
    for start in starts(tape):
        market = market_at(tape, start)
        state = plan(Parent("a", 1, tape.lots_for(1_000_000, start), 0), market, CAPPED)
        expected.append(routing.fillable_share(state, market.volume_lots))
    assert 0.5 < np.mean(expected) / done < 2.0
