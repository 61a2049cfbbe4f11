"""Simulated traders: the same seed gives the same day, and what they do goes through the account's fold."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from genesis.operators.account.events import Behaviour, Body, Role
from genesis.operators.account.tier_gates import Tier
from genesis.operators.personas import floor, gaming, habits, hands, market, moods
from genesis.operators.personas.moods import Persona
from genesis.operators.personas.trader import Trader
from genesis.operators.tilt import interventions
from genesis.operators.tilt.interventions import Phase
from genesis.operators.tilt.observations import ObservationKind

SEEN = {kind.name.lower() for kind in ObservationKind}


def trader(persona: Persona, seed: int) -> Trader:
    return Trader(persona, seed, market.SYMBOLS)


def days(persona: Persona, seed: int, count: int = 1, drift: float = 0.0) -> list[floor.DayRecord]:
    place = floor.Floor(trader(persona, seed), seed)
    return [place.run(persona, drift) for _ in range(count)]


@pytest.mark.parametrize("persona", list(Persona))
def test_every_persona_trades_through_the_fold_and_the_same_seed_gives_the_same_days(
    persona: Persona,
) -> None:
    first, second = days(persona, 21), days(persona, 21)
    assert msgspec.json.encode(first) == msgspec.json.encode(second)
    assert any(each.accepted for day in first for each in day.attempts)
    assert any(day.results for day in first)
    assert msgspec.json.encode(days(persona, 22)) != msgspec.json.encode(first)


def test_days_from_a_copy_are_those_of_the_original_and_a_branch_is_another() -> None:
    place = floor.career(trader(Persona.CALM, 5), 5, 2)
    one, same, other = (place.branched(branch) for branch in (1, 1, 2))
    records = [each.run(Persona.REVENGE, branch=branch) for each, branch in ((one, 1), (same, 1), (other, 2))]
    encoded = [msgspec.json.encode(record) for record in records]
    assert encoded[0] == encoded[1] != encoded[2]
    assert place.trader.days == 2  # the past is as it was


def test_an_episode_is_only_that_of_the_prone_and_begins_with_a_loss() -> None:
    calm = [day for seed in (3, 6, 8) for day in days(Persona.CALM, seed, drift=-1.0)]
    assert all(day.episode_s is None for day in calm)
    angry = [day for seed in (5, 6, 9) for day in days(Persona.REVENGE, seed, drift=-1.0)]
    begun = [day for day in angry if day.episode_s is not None]
    assert begun
    for day in begun:
        assert any(at_s == day.episode_s and share < 0 for at_s, share in day.results)


def test_crumbs_of_sales_demote_nobody() -> None:
    place = floor.career(trader(Persona.CALM, 7), 7, 2)
    crumbs = [each for each in place.account.portfolio.positions.values() if each.qty]
    assert len(crumbs) >= 3  # commissions leave them
    assert place.account.standing.tier is Tier.STRATEGIST


def test_what_he_does_reaches_the_watch_of_his_account() -> None:
    place = floor.Floor(trader(Persona.REVENGE, 9), 9)
    seen: list[str] = []
    put = place._put

    def watched(role: Role, body: Body, now_s: float) -> None:
        if isinstance(body, Behaviour):
            seen.extend(each.what for each in body.acts)
        put(role, body, now_s)

    place._put = watched  # type: ignore[method-assign]
    day = place.run(Persona.REVENGE, drift=-1.0)
    assert seen.count("connected") == seen.count("left") == 1
    assert seen.count("decided") >= sum(each.accepted for each in day.attempts) > 0
    assert place.account.tilt.watch
    assert place.account.tilt.client == "desk-1"


def test_a_rest_ends_on_the_next_morning_and_he_trades_again() -> None:
    place = floor.career(trader(Persona.CALM, 5), 5, 1)
    interventions.after(place.account.tilt.rest, 3, place.account.now_ns)
    record = place.run(Persona.CALM)
    assert place.account.tilt.rest.phase is not Phase.RESTING
    assert any(each.accepted for each in record.attempts)


def test_an_angry_person_may_ask_again_and_a_calm_one_seldom_is_refused() -> None:
    calm = [each for seed in (3, 6, 8) for day in days(Persona.CALM, seed, 2) for each in day.attempts]
    assert sum(each.accepted for each in calm) >= 0.9 * len(calm)


@settings(max_examples=40, deadline=None)
@given(some.integers(0, 2**31), some.sampled_from(list(Persona)))
def test_people_differ_within_bounds(seed: int, persona: Persona) -> None:
    rng = np.random.default_rng(seed)
    one = habits.drawn(rng, 4)
    assert sum(one.symbols) == pytest.approx(1.0)
    assert 0 < one.size_share < 0.05
    assert one.think_s > 0 < one.key_ms
    mood = moods.mood_of(persona, moods.Leaning.drawn(rng), rng, 3)
    for at_s in range(0, 40_000, 4_000):
        mood.passes(float(at_s))
        mood.hears(moods.Result(float(at_s), float(rng.normal(-0.5, 1.0))))
        temper = mood.temper(float(at_s))
        writing = hands.wrote(one, temper, rng)
        assert temper.gap > 0 < temper.size
        assert {each.what for each in writing.gestures} <= SEEN
        assert {each.what for each in gaming.decoys(one, rng)} <= SEEN
        assert {each.what for each in hands.looked(one, temper, rng, "BTCUSDT")} <= SEEN


def test_a_market_goes_on_from_its_seed_alone() -> None:
    one, other = market.Market(3), market.Market(3)
    for at_s in range(1_000, 9_000, 250):
        one.until(float(at_s))
        other.until(float(at_s))
    assert one.prices == other.prices
    assert one.record(5).marks != market.Market(3).record(5).marks
