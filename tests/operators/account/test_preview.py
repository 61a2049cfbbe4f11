"""A preview says what the fold then decides, changes nothing, and names the largest size that fits."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import signing, state
from genesis.operators.account.events import PlaceOrder, Role, SetMode, VenueLink
from genesis.operators.account.fold import fold
from genesis.operators.account.outcomes import Decision
from genesis.operators.account.preview import VOID, preview
from genesis.operators.account.tier_gates import Tier
from tests.operators.account.lab import KEYS, PRICES, ROLE_KEYS, Lab, of


def buy(notional: str, **more: object) -> PlaceOrder:
    return PlaceOrder(symbol="BTCUSDT", side="buy", notional=notional, **more)


@settings(max_examples=60, deadline=None)
@given(st.decimals("0.01", "2000", places=2), st.sampled_from(["one", "twap"]), st.sampled_from(list(Tier)))
def test_preview_is_what_the_fold_decides(notional: Decimal, algorithm: str, tier: Tier) -> None:
    lab = Lab(tier)
    event = lab.event(Role.TRADER, buy(f"{notional:f}", algorithm=algorithm, duration_s=60))
    snapshot = state.encoded(lab.account)
    found = preview(snapshot, ROLE_KEYS, event)
    assert state.encoded(lab.account) == snapshot
    (decision,) = of(lab.take(event), "decisions", Decision)
    assert (found.accepted, found.code, found.sentence) == (
        decision.accepted,
        decision.code,
        decision.sentence,
    )


@settings(max_examples=20, deadline=None)
@given(st.decimals("51", "5000", places=2))
def test_what_fits_is_taken_and_one_lot_more_is_not(notional: Decimal) -> None:
    lab = Lab()
    snapshot = state.encoded(lab.account)
    found = preview(snapshot, ROLE_KEYS, lab.event(Role.TRADER, buy(f"{notional:f}")))
    assert not found.accepted
    lot, ask = lab.account.rules["BTCUSDT"].lot, Decimal(PRICES["BTCUSDT"][1])
    qty = (Decimal(found.fits) / ask / lot).to_integral_value() * lot
    for more, taken in ((Decimal(0), True), (lot, False)):
        order = PlaceOrder(symbol="BTCUSDT", side="buy", qty=f"{qty + more:f}")
        event = lab.event(Role.TRADER, order)
        outcomes = fold(state.decoded(snapshot), KEYS, [event])
        assert of(outcomes, "decisions", Decision)[0].accepted is taken


@pytest.mark.parametrize(("body", "code"), [(VenueLink(connected=False), "LINK_DOWN"), (None, "MODE")])
def test_where_no_size_helps_nothing_fits(body: VenueLink | None, code: str) -> None:
    lab = Lab()
    if body is not None:
        lab.put(Role.GATEWAY, body)
    else:
        lab.ask(SetMode(mode="halted"))
    found = preview(state.encoded(lab.account), ROLE_KEYS, lab.event(Role.TRADER, buy("20")))
    assert (found.code, found.fits) == (code, "0")


def test_cost_and_limits_of_an_accepted_order_are_in_money_and_bps() -> None:
    lab = Lab()
    found = preview(state.encoded(lab.account), ROLE_KEYS, lab.event(Role.TRADER, buy("20")))
    assert found.accepted
    assert found.slices == 1
    worth = Decimal(found.qty) * Decimal("100.02")
    assert found.notional == f"{worth:.2f}"
    assert found.cost == f"{Decimal(found.qty) * Decimal('0.01') + worth / 1000:.4f}"
    assert found.cost_bps == pytest.approx(11.0, abs=0.01)
    position = found.limits["position"]
    assert position.before == 0.0
    assert position.after == pytest.approx(20.0, rel=0.02)
    assert found.limits["share_of_capital"].most == pytest.approx(0.05)


def test_questions_without_the_right_seal_and_repeats_are_declined() -> None:
    lab = Lab()
    event = lab.event(Role.TRADER, buy("20"))
    snapshot = state.encoded(lab.account)
    forged = msgspec.structs.replace(event, seal="0" * 64)
    assert preview(snapshot, ROLE_KEYS, forged).code == "SEAL"
    void = signing.sealed(VOID, "trader", "main", "x", 10**6, buy("20"))
    assert preview(snapshot, ROLE_KEYS, void).code == "SEAL"
    other = signing.sealed(ROLE_KEYS[Role.TRADER], "trader", "other", "x", 10**6, buy("20"))
    assert preview(snapshot, ROLE_KEYS, other).code == "SEAL"
    lab.take(event)
    assert preview(state.encoded(lab.account), ROLE_KEYS, event).code == "REPEATED"
