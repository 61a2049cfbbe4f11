"""What each algorithm does with a market, one scene each."""

from typing import Any

import numpy as np
import pytest

from genesis.operators.slicing import decisions
from genesis.operators.slicing.orders import (
    PPM,
    Algorithm,
    DecisionKind,
    EventKind,
    Market,
    Parent,
    Reason,
    Routing,
    State,
    child_event,
    command_event,
    market_event,
)
from genesis.operators.slicing.params import Adaptivity, Params
from genesis.operators.slicing.plans import plan

SECOND_NS = 10**9
MIDDLE = 1_000_000
PLENTY = 10**9
"""Volume of others that never binds."""

MARKET = Market(MIDDLE - 1, MIDDLE + 1, 100 * MIDDLE, recent_lots=10**9)
EVEN: dict[str, Any] = {"size_variation_ppm": 0, "time_variation_ppm": 0}


class Scene:
    """An order, and a venue of which every answer is ours."""

    def __init__(self, params: Params, lots: int = 12_000, side: int = 1, market: Market = MARKET) -> None:
        self.state: State = plan(Parent("scene", side, lots, 0), market, params)
        self.sent: list[tuple[int, int]] = []  # second, lots

    def tell(self, rows: np.ndarray) -> np.ndarray:
        self.state, out = decisions.next(self.state, rows)
        return out

    def quote(self, second: float, *, away: int = 0, half: int = 1, traded: int = PLENTY) -> np.ndarray:
        bid, ask = (MIDDLE + away - half, 20_000), (MIDDLE + away + half, 20_000)
        return self.tell(market_event(int(second * SECOND_NS), bid, ask, traded))

    def quote_and_fill(self, second: float, *, traded: int = PLENTY, away: int = 0, half: int = 1) -> int:
        """Fill what is sent, at once; return its lots."""
        out = self.quote(second, traded=traded, away=away, half=half)
        if not (out.size and out[0]["kind"] == DecisionKind.SEND):
            return 0
        self.tell(child_event(EventKind.FILL, self.now_ns, self.child, int(out[0]["lots"])))
        self.sent.append((int(second), int(out[0]["lots"])))
        return int(out[0]["lots"])

    def get(self, name: str) -> int:
        return int(self.state.order[0][name])

    @property
    def now_ns(self) -> int:
        return self.get("now_ns")

    @property
    def child(self) -> int:
        return self.get("child")


def test_twap_sends_equal_slices_at_equal_times() -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, **EVEN))
    for second in range(60):
        scene.quote_and_fill(second)
    assert scene.sent == [(0, 3_000), (15, 3_000), (30, 3_000), (45, 3_000)]
    assert scene.get("reason") == Reason.FILLED


def test_what_a_child_leaves_unfilled_is_part_of_the_next() -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, **EVEN))
    assert scene.quote(0)[0]["lots"] == 3_000
    scene.tell(child_event(EventKind.FILL, 0, 1, 1_000))
    scene.tell(child_event(EventKind.CLOSED, 0, 1))
    assert scene.quote(1)[0]["lots"] == 2_000
    scene.tell(child_event(EventKind.CLOSED, SECOND_NS, 2))
    assert scene.quote(15)[0]["lots"] == 5_000


@pytest.mark.parametrize("side", [1, -1])
def test_pov_sends_its_share_of_what_others_traded_since(side: int) -> None:
    """ρ / (1 - ρ) of the volume since the child before: with ρ = 5 %, a nineteenth."""
    params = Params(Algorithm.POV, 60 * SECOND_NS, slices=12, rate_ppm=50_000, **EVEN)
    scene = Scene(params, side=side)
    assert scene.quote_and_fill(0, traded=0) == 0
    assert scene.quote_and_fill(5, traded=19_000) == 1_000
    assert scene.quote_and_fill(7, traded=3_800) == 0
    assert scene.quote_and_fill(10, traded=3_800) == 400
    assert scene.quote_and_fill(15, traded=10**12) == 2_000, "two usual slices, whatever was traded"
    assert scene.quote_and_fill(20, traded=0) + scene.quote_and_fill(25, traded=0) == 102, (
        "nor is the rest made up for later"
    )


def test_iceberg_tips_vary_in_size_and_come_after_a_varied_delay() -> None:
    params = Params(Algorithm.ICEBERG, 600 * SECOND_NS, slices=20, size_variation_ppm=200_000)
    scene = Scene(params, lots=20_000)
    times = [tenth / 10 for tenth in range(3_000) if scene.quote_and_fill(tenth / 10)]
    sizes = [lots for _, lots in scene.sent]
    assert sum(sizes) == 20_000
    assert all(800 <= lots <= 1_200 for lots in sizes[:-1])
    assert len(set(sizes)) > 10
    waits = np.diff(times)
    assert (waits >= 1.0).all()
    assert (waits <= 5.1).all()
    assert np.ptp(waits) > 2.0
    assert scene.get("child_routing") == Routing.REST


def test_an_iceberg_follows_a_market_that_leaves_it_behind() -> None:
    scene = Scene(Params(Algorithm.ICEBERG, 600 * SECOND_NS, slices=20))
    assert scene.quote(0)[0]["limit_ticks"] == MIDDLE - 1
    assert scene.quote(0.5, away=3).size == 0
    assert scene.quote(1.5, away=3)[0]["kind"] == DecisionKind.CANCEL
    scene.tell(child_event(EventKind.CLOSED, scene.now_ns, 1))
    assert scene.quote(7, away=3)[0]["limit_ticks"] == MIDDLE + 2


def test_shortfall_trades_early_and_vwap_by_its_curve() -> None:
    early = Params(Algorithm.SHORTFALL, 60 * SECOND_NS, slices=4, half_life_ns=20 * SECOND_NS, **EVEN)
    sizes = np.diff(plan(Parent("a", 1, 12_000, 0), MARKET, early).schedule[:, 1], prepend=0)
    assert (np.diff(sizes) < 0).all()
    curve = Params(Algorithm.VWAP, 60 * SECOND_NS, slices=4, volume_shares=(1.0, 2.0), **EVEN)
    sizes = np.diff(plan(Parent("a", 1, 12_000, 0), MARKET, curve).schedule[:, 1], prepend=0)
    assert sizes.tolist() == [2_000, 2_000, 4_000, 4_000]


@pytest.mark.parametrize(("seen", "expected"), [(25_000, 6_000), (100_000, 7_500), (0, 3_750)])
def test_vwap_follows_the_volume_of_the_day(seen: int, expected: int) -> None:
    """After a slice of 25,000 expected of 100,000, and a weight of 25,000 of what was learned."""
    market = MARKET._replace(volume_lots=100_000)
    params = Params(Algorithm.VWAP, 60 * SECOND_NS, slices=4, volume_prior_ppm=250_000, **EVEN)
    scene = Scene(params, market=market)
    assert scene.quote_and_fill(0, traded=0) == 3_000
    scene.quote_and_fill(15, traded=seen)
    level = (25_000 + seen) / 50_000
    due = int(12_000 * (seen + level * 25_000) / (seen + level * 75_000))
    assert sum(lots for _, lots in scene.sent) == max(due, 3_000)
    assert abs(due - expected) < 1_000


def test_urgency_comes_with_a_better_price_and_a_lag_and_goes_with_a_wide_spread() -> None:
    def sent(first: float, second: float, **quote: int) -> int:
        scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, adaptivity=Adaptivity(), **EVEN))
        assert scene.quote_and_fill(first) in (0, 3_000)
        return scene.quote_and_fill(second, **quote)

    assert sent(0, 8) == 0
    assert sent(0, 8, away=-500) == 3_000, "cheaper by 5 bps: a slice ahead"
    assert sent(0, 2, away=-500, half=3) == 0, "cheaper, but the spread is wide"
    assert sent(0, 16) == 3_000
    assert sent(0, 16, away=500) == 0, "dearer by 5 bps: a slice late"
    assert sent(0, 31, away=500) == 6_000, "a whole slice behind, so no later still"


def test_a_passive_child_rests_and_then_crosses() -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, patience_ns=3 * SECOND_NS, **EVEN))
    first = scene.quote(0)[0]
    assert (first["routing"], first["limit_ticks"]) == (Routing.REST, MIDDLE - 1)
    assert scene.quote(2).size == 0
    assert scene.quote(3)[0]["kind"] == DecisionKind.CANCEL
    assert scene.quote(3.1).size == 0
    scene.tell(child_event(EventKind.CLOSED, scene.now_ns, 1))
    assert scene.quote(4)[0]["routing"] == Routing.CROSS
    scene.tell(child_event(EventKind.FILL, scene.now_ns, 2, 3_000))
    assert scene.quote(15)[0]["routing"] == Routing.REST


def test_a_child_crosses_at_once_where_that_is_cheap() -> None:
    how = {"patience_ns": 3 * SECOND_NS, "cross_spread_ticks": 2, "cross_depth_ppm": PPM // 4}
    for half, lots, expected in (
        (1, 12_000, Routing.CROSS),
        (2, 12_000, Routing.REST),
        (1, 80_000, Routing.REST),
    ):
        scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, **how, **EVEN), lots=lots)
        assert scene.quote(0, half=half)[0]["routing"] == expected


def test_a_pause_sends_nothing_and_stops_the_clock() -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, **EVEN))
    scene.quote_and_fill(0)
    scene.tell(command_event(EventKind.PAUSE, 5 * SECOND_NS))
    assert sum(scene.quote(second).size for second in range(5, 1_000)) == 0
    scene.tell(command_event(EventKind.RESUME, 1_000 * SECOND_NS))
    for second in range(1_000, 1_060):
        scene.quote_and_fill(second)
    assert scene.sent[1:] == [(1_010, 3_000), (1_025, 3_000), (1_040, 3_000)]


def test_a_pause_and_a_cancel_withdraw_the_open_child() -> None:
    for kind in (EventKind.PAUSE, EventKind.CANCEL):
        scene = Scene(Params(Algorithm.ICEBERG, 60 * SECOND_NS))
        scene.quote(0)
        assert scene.tell(command_event(kind, 1))["kind"].tolist() == [DecisionKind.CANCEL]
        ended = scene.tell(child_event(EventKind.CLOSED, 2, 1))
        assert ended["kind"].tolist() == ([DecisionKind.END] if kind == EventKind.CANCEL else [])


@pytest.mark.parametrize("side", [1, -1])
def test_it_aborts_half_a_percent_away(side: int) -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, **EVEN), side=side)
    assert scene.quote(0.0, away=4_999 * side)[0]["kind"] == DecisionKind.SEND
    ends = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, **EVEN), side=side).quote(
        0.0, away=5_000 * side
    )
    assert ends[["kind", "lots", "reason"]].tolist() == [(DecisionKind.END, 12_000, Reason.SLIPPAGE)]
    assert scene.get("collar_ticks") == MIDDLE + 5_000 * side


def test_it_gives_up_when_the_venue_refuses_five_children_in_a_row() -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4))
    for number in range(1, 6):
        assert scene.quote(10 + number)[0]["child"] == number
        ends = scene.tell(child_event(EventKind.REJECTED, scene.now_ns, number))
    assert ends[["kind", "reason"]].tolist() == [(DecisionKind.END, Reason.REJECTED)]


def test_what_is_left_below_the_minimum_ends_the_order_and_is_named() -> None:
    scene = Scene(Params(Algorithm.ONE, 60 * SECOND_NS, participation_max_ppm=PPM))
    assert scene.quote(0)[0]["lots"] == 12_000
    scene.tell(child_event(EventKind.FILL, 0, 1, 11_950))
    scene.tell(child_event(EventKind.CLOSED, 0, 1))
    assert scene.quote(1)[["kind", "lots", "reason"]].tolist() == [(DecisionKind.END, 50, Reason.REMAINDER)]


def test_time_runs_out_but_not_during_the_grace() -> None:
    for grace_s, expected in ((0, Reason.EXPIRED), (10, Reason.FILLED)):
        scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4, grace_ns=grace_s * SECOND_NS, **EVEN))
        for second in (0, 20, 40, 61, 62, 63):
            scene.quote_and_fill(second)
        assert scene.get("reason") == expected


def test_without_a_quote_it_waits() -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4))
    assert scene.tell(market_event(SECOND_NS, (0, 0), (MIDDLE, 1))).size == 0
    assert scene.tell(market_event(SECOND_NS, (MIDDLE + 1, 1), (MIDDLE, 1))).size == 0
    assert scene.quote(15).size == 1


def test_a_fill_after_the_end_counts() -> None:
    scene = Scene(Params(Algorithm.TWAP, 60 * SECOND_NS, slices=4))
    lots = int(scene.quote(15)[0]["lots"])
    scene.tell(command_event(EventKind.CANCEL, scene.now_ns))
    scene.tell(child_event(EventKind.CLOSED, scene.now_ns, 1))
    assert scene.tell(child_event(EventKind.FILL, scene.now_ns, 1, lots)).size == 0
    assert scene.get("filled_lots") == lots
