"""The accountant never lets more through than the venue allows, and the breaker breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.connectors.gateway.limits import (
    MARGIN,
    BreakerState,
    CircuitBreaker,
    Cost,
    Limit,
    RateAccountant,
    parse_counts,
    parse_limits,
)

WEIGHT = Limit("REQUEST_WEIGHT", 60, 100)
ORDERS = Limit("ORDERS", 10, 10)

REQUESTS = st.lists(
    st.tuples(st.floats(0.0, 5.0), st.integers(1, 40), st.integers(0, 1), st.booleans()), max_size=200
)


@given(REQUESTS)
def test_no_interval_holds_more_than_the_limit_and_only_cancels_touch_the_margin(
    requests: list[tuple[float, int, int, bool]],
) -> None:
    accountant, now_s = RateAccountant((WEIGHT, ORDERS)), 0.0
    spent: list[tuple[float, Cost]] = []
    for pause_s, weight, orders, is_cancel in requests:
        now_s += pause_s
        cost = Cost(weight, 0 if is_cancel else orders, is_cancel)
        if accountant.wait_s(cost, now_s) > 0.0:
            continue
        began_s = accountant._windows[0].began_s
        others = sum(c.weight for at_s, c in spent if at_s >= began_s)
        accountant.spend(cost, now_s)
        spent.append((now_s, cost))
        assert others + weight <= WEIGHT.most * (1.0 if is_cancel else 1.0 - MARGIN)


@given(st.integers(1, 40), st.booleans())
def test_what_has_to_wait_may_go_after_the_time_named(weight: int, is_cancel: bool) -> None:
    accountant = RateAccountant((WEIGHT,))
    accountant.heard({("REQUEST_WEIGHT", 60): 100}, 5.0)
    wait_s = accountant.wait_s(Cost(weight, is_cancel=is_cancel), 20.0)
    assert wait_s == 45.0
    assert accountant.wait_s(Cost(weight, is_cancel=is_cancel), 20.0 + wait_s) == 0.0


def test_the_count_of_the_venue_wins_when_it_is_more() -> None:
    accountant = RateAccountant((WEIGHT,))
    accountant.heard({("REQUEST_WEIGHT", 60): 79}, 0.0)
    assert accountant.wait_s(Cost(1), 0.0) == 0.0
    assert accountant.wait_s(Cost(2), 0.0) > 0.0
    assert accountant.wait_s(Cost(2, is_cancel=True), 0.0) == 0.0
    accountant.heard({("REQUEST_WEIGHT", 60): 3}, 0.0)
    assert accountant.wait_s(Cost(2), 0.0) > 0.0


def test_a_throttle_stops_cancels_too_and_a_ban_is_told() -> None:
    accountant = RateAccountant((WEIGHT,))
    accountant.throttled(7.0, 0.0, banned=True)
    assert accountant.wait_s(Cost(is_cancel=True), 3.0) == 4.0
    assert accountant.is_banned
    assert accountant.wait_s(Cost(), 7.0) == 0.0
    assert not accountant.is_banned


def test_limits_are_read_from_what_the_venue_tells() -> None:
    told = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 50, "count": 9},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 70, "count": 1},
        {"rateLimitType": "NEW", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 1},
    ]
    assert parse_limits(told) == (Limit("REQUEST_WEIGHT", 60, 50), Limit("ORDERS", 86_400, 70))
    assert parse_counts(told) == {("REQUEST_WEIGHT", 60): 9, ("ORDERS", 86_400): 1}
    accountant = RateAccountant()
    accountant.spend(Cost(40), 0.0)
    accountant.learn(parse_limits(told))
    assert accountant.wait_s(Cost(1), 0.0) > 0.0


@given(st.lists(st.tuples(st.floats(0.0, 40.0), st.booleans()), max_size=60))
def test_an_open_breaker_lets_one_probe_through_at_a_time(steps: list[tuple[float, bool]]) -> None:
    breaker, now_s = CircuitBreaker(3, 30.0, 2.0, 16.0), 0.0
    for pause_s, works in steps:
        now_s += pause_s
        before = breaker.state
        if breaker.wait_s(now_s) > 0.0:
            assert before is not BreakerState.CLOSED
            continue
        if before is not BreakerState.CLOSED:
            assert breaker.state is BreakerState.HALF_OPEN
            assert breaker.wait_s(now_s) > 0.0
        breaker.succeeded() if works else breaker.failed(now_s)
        if works:
            assert breaker.state is BreakerState.CLOSED


def test_the_breaker_opens_after_failures_within_its_window_alone() -> None:
    breaker = CircuitBreaker(3, 30.0)
    for now_s in (0.0, 20.0, 40.0):
        breaker.failed(now_s)
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(45.0)
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(ValueError, match="at least one failure"):
        CircuitBreaker(0)
