"""Parameters: tighter at once, looser in an hour, and a wish that cannot be had says so."""

from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.tilt import parameters
from genesis.operators.tilt.parameters import DELAY_NS, Chosen

SHARES = st.integers(1, 50).map(lambda n: f"0.{n:03d}")


@given(st.lists(st.tuples(SHARES, st.integers(0, 2 * DELAY_NS)), max_size=20))
def test_no_value_loosens_within_an_hour_of_its_wish(wishes: list[tuple[str, int]]) -> None:
    chosen, now_ns = Chosen(), 0
    for value, later_ns in wishes:
        now_ns += later_ns
        parameters.come_due(chosen, now_ns)
        before = parameters.number_of(chosen, "position_share")
        from_ns = parameters.choose(chosen, "position_share", value, now_ns)
        parameters.come_due(chosen, now_ns)
        assert parameters.number_of(chosen, "position_share") <= before
        assert from_ns in (now_ns, now_ns + DELAY_NS)


def test_what_waited_an_hour_holds() -> None:
    chosen = Chosen()
    parameters.choose(chosen, "profile", "stressed", 0)
    assert parameters.sensitivity(chosen, 0) == 1.5
    parameters.choose(chosen, "profile", "alert", 0)
    assert parameters.come_due(chosen, DELAY_NS - 1) == []
    assert parameters.come_due(chosen, DELAY_NS) == ["profile"]
    assert parameters.sensitivity(chosen, 0) == 0.9


def test_a_wish_that_cannot_be_had_says_why() -> None:
    for name, value in (
        ("colour", "1"),
        ("profile", "angry"),
        ("position_share", "nan"),
        ("position_share", "much"),
        ("position_share", "0.06"),
        ("daily_loss_share", "0"),
    ):
        assert parameters.problem(name, value).endswith(".")
    assert not parameters.problem("daily_loss_share", "0.5")
