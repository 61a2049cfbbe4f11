"""Facts: days become what the tiers ask, within their windows; an account rises on the very nanosecond."""

import itertools
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import performance as days_of
from genesis.operators.account.performance import DAY_NS, Performance, observe
from genesis.operators.account.tier_facts import Held, Summary, facts, summarised, uncorrelated
from genesis.operators.account.tier_gates import Facts, Tier
from genesis.operators.account.tiers import Change, Standing, progress, standing_after

BEGIN_NS = 20_000 * DAY_NS + 10 * DAY_NS // 24  # ten in the morning
UNKNOWN = Held()


def known(performance: Performance, standing: Standing, held: Held = UNKNOWN) -> Facts:
    return facts(performance, standing, summarised(performance, standing), held)


def run(returns: list[float], *, begin: Decimal = Decimal(1_000), first_day: int = 0) -> Performance:
    """Return an account that began with some equity and then made these returns, one a day."""
    performance, equity = Performance(), begin
    observe(performance, first_day * DAY_NS, equity)
    for day, each in enumerate(returns, first_day):
        equity += equity * Decimal(str(each))
        observe(performance, day * DAY_NS + 1, equity)
    return performance


def closed(performance: Performance) -> Performance:
    """Return the account a day later, nothing having happened."""
    observe(performance, performance.now_ns + DAY_NS, performance.equity)
    return performance


def test_an_account_without_days_knows_next_to_nothing() -> None:
    found = known(Performance(), Standing())
    assert found.days_in_tier == 0.0
    assert [
        name for name, value in found._asdict().items() if isinstance(value, float) and math.isnan(value)
    ] == [
        "profitable_days",
        "fast_executions",
        "sliced_orders",
        "sharpe",
        "strategy_share_max",
        "moving_together",
    ]


def test_profitable_days_are_of_the_last_twenty_with_a_result() -> None:
    gains, losses, idle = [0.01] * 12, [-0.01] * 8, [0.0]
    for returns, share in (
        ((gains + losses)[:19], math.nan),
        (gains + losses, 0.6),
        (losses + gains + [0.01], 0.65),
        (gains + idle * 30 + losses, 0.6),
        ([0.01] * 40, 1.0),
    ):
        found = known(closed(run(returns)), Standing(entered_ns=0)).profitable_days
        assert found == pytest.approx(share, nan_ok=True)


def test_a_day_with_a_trade_and_no_result_is_not_profitable() -> None:
    performance = run([0.01] * 19)
    observe(performance, 19 * DAY_NS, performance.equity)
    days_of.note_fill(performance, "BTCUSDT", "", Decimal(0), Decimal(0))
    assert known(closed(performance), Standing(entered_ns=0)).profitable_days == 0.95


@pytest.mark.parametrize(("note", "name", "window"), [
    (days_of.note_violation, "violations", 14),
    (days_of.note_override, "overrides", 30),
    (lambda performance: days_of.note_parent(performance, Decimal(1), 1, 77.0), "impact_worst_bps", 30),
    (lambda performance: days_of.note_uncorrelated(performance, 5), "uncorrelated_pairs", 30),
    (lambda performance: days_of.note_execution(performance, 1.0), "fast_executions", 30),
])  # fmt: skip
def test_what_happened_leaves_its_window_after_its_days(note, name: str, window: int) -> None:
    performance = run([0.0])
    unknown = getattr(known(performance, Standing(entered_ns=0)), name)
    note(performance)
    for day in range(40):
        observe(performance, day * DAY_NS + 5, Decimal(1_000))
        found = getattr(known(performance, Standing(entered_ns=0)), name)
        if day <= window:
            assert found > 0
        else:
            assert found == pytest.approx(unknown, nan_ok=True)


def test_the_drawdown_of_the_month_forgets_the_months_before() -> None:
    performance = run([0.0, -0.12, *[0.001] * 40])
    for later, deepest in ((1, 0.12), (29, 0.12), (40, 0.0)):
        found = known(run([0.0, -0.12, *[0.001] * later]), Standing(entered_ns=0))
        assert found.drawdown_month == pytest.approx(deepest)
    assert days_of.drawdown(performance) > 0.08
    fallen = run([0.0] * 5 + [-0.2])
    assert known(fallen, Standing(entered_ns=0)).drawdown_month == pytest.approx(0.2)


def test_sharpe_needs_thirty_closed_days_and_is_that_of_numpy() -> None:
    returns = np.random.default_rng(7).normal(0.004, 0.01, 45).round(6).tolist()
    for count in (10, 29, 30, 45):
        found = known(closed(run(returns[:count])), Standing(entered_ns=0)).sharpe
        last = np.array(returns[:count][-30:])
        expected = last.mean() / last.std(ddof=1) * np.sqrt(365) if count >= 30 else math.nan
        assert found == pytest.approx(expected, rel=1e-9, nan_ok=True)
    idle = run(returns[:40])
    observe(idle, 42 * DAY_NS, idle.equity)  # two days without a record
    assert math.isnan(known(idle, Standing(entered_ns=0)).sharpe)


def test_what_is_in_the_tier_begins_with_the_day_it_was_entered() -> None:
    performance = Performance()
    for day in range(10):
        observe(performance, day * DAY_NS, Decimal(1_000))
        days_of.note_fill(performance, f"A{day}", f"s{day}", Decimal(1), Decimal(0))
        days_of.note_parent(performance, Decimal(300), 3 if day % 2 else 1, 0.0)
    for entered, count in ((0, 10), (6, 4), (9, 1)):
        found = known(performance, Standing(entered_ns=entered * DAY_NS + 5))
        assert (found.profitable_pairs, found.profitable_strategies) == (count, count)
        assert found.strategy_share_max == pytest.approx(1 / count)
    assert known(performance, Standing(entered_ns=7 * DAY_NS)).sliced_orders == pytest.approx(2 / 3)


def test_the_tier_is_summed_up_for_longer_than_its_days_are_kept() -> None:
    performance, standing = Performance(), Standing(entered_ns=5 * DAY_NS)
    for day in range(100):
        observe(performance, day * DAY_NS, Decimal(1_000))
        if day in {4, 5, 60, 99}:
            days_of.note_fill(performance, f"A{day}", f"s{day}", Decimal(1), Decimal(0))
            days_of.note_parent(performance, Decimal(300), day, 0.0)
        found = known(performance, standing)
    assert (found.profitable_pairs, found.profitable_strategies, found.sliced_orders) == (3, 3, 1.0)
    entered = Standing(entered_ns=99 * DAY_NS)
    assert known(performance, entered).profitable_pairs == 1
    for day in range(100, 150):
        observe(performance, day * DAY_NS, Decimal(1_000))
        assert known(performance, entered).profitable_pairs == 1


def test_the_trader_is_no_strategy_but_has_a_share() -> None:
    performance = run([0.0])
    for name, realised in (("", 60), ("pairs", 30), ("breakout", 30), ("carry", -20)):
        days_of.note_fill(performance, "BTCUSDT", name, Decimal(realised), Decimal(0))
    found = known(performance, Standing(entered_ns=0))
    assert (found.profitable_strategies, found.strategy_share_max) == (2, 0.6)
    days_of.note_fill(performance, "BTCUSDT", "", Decimal(-200), Decimal(0))
    assert math.isnan(known(performance, Standing(entered_ns=0)).strategy_share_max)


def test_heavy_days_are_counted_in_a_row_from_where_they_count_with_today() -> None:
    for returns, heavy_from, count in (
        ([0.0, -0.06, -0.06, -0.06], 0, 3),
        ([0.0, -0.06, -0.06, -0.06], 2, 2),
        ([0.0, -0.06, -0.06, -0.06], 4, 0),
        ([-0.06, -0.06, -0.05], 0, 0),
        ([-0.06, -0.04, -0.06], 0, 1),
        ([-0.06, -0.06, 0.01], 0, 0),
    ):
        found = known(run(returns), Standing(entered_ns=0, heavy_from=heavy_from))
        assert found.heavy_days == count


def test_todays_loss_is_a_share_of_midnight() -> None:
    assert known(run([0.5, -0.2]), Standing(entered_ns=0)).loss_day == 0.2
    assert known(run([0.5, 0.2]), Standing(entered_ns=0)).loss_day == 0.0


def test_uncorrelated_pairs_are_known_to_be() -> None:
    names = ["A", "B", "C", "D"]
    low = {f"{one}|{other}": 0.1 for one, other in itertools.combinations(names, 2)}
    assert uncorrelated(names, low) == 4
    assert uncorrelated(names, low | {"A|B": 0.7}) == 3
    assert uncorrelated(names, low | {"C|D": -0.7}) == 3
    assert uncorrelated(names, low | {"C|D": math.nan}) == 3
    assert uncorrelated(names, {}) == 1
    assert uncorrelated([], {}) == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([-0.07, -0.01, 0.0, 0.02]), st.integers(0, 5), st.integers(1, 3)),
        max_size=50,
    ),
    st.integers(0, 30),
)
def test_a_kept_summary_gives_what_a_new_one_does(script, entered: int) -> None:
    performance, equity, kept, day = Performance(), Decimal(1_000), None, 0
    standing = Standing(entered_ns=entered * DAY_NS, heavy_from=entered)
    observe(performance, 0, equity)
    for change, notes, wait in script:
        equity += equity * Decimal(str(change))
        observe(performance, day * DAY_NS + 5, equity)
        for each in range(notes):
            days_of.note_fill(performance, f"A{each}", f"s{each % 2}", Decimal(each - 2), Decimal(0))
            days_of.note_parent(performance, Decimal(100 * each), each, each * 20.0)
            days_of.note_execution(performance, each * 40.0)
            kept = summarised(performance, standing, kept)
            assert repr(facts(performance, standing, kept, UNKNOWN)) == repr(known(performance, standing))
        day += wait
    kept = summarised(performance, standing, kept)
    assert kept is summarised(performance, standing, kept)
    assert kept is not summarised(performance, Standing(entered_ns=kept.entered_day * DAY_NS + DAY_NS), kept)


class Life:
    """An account that is run as the fold runs it: observed, summed up, and put in its tier."""

    def __init__(self) -> None:
        self.performance = Performance()
        self.standing = Standing()
        self.summary: Summary | None = None
        self.changes: list[Change] = []

    def at(self, now_ns: int, equity: Decimal) -> None:
        observe(self.performance, now_ns, equity)
        self.summary = summarised(self.performance, self.standing, self.summary)
        found = facts(self.performance, self.standing, self.summary, UNKNOWN)
        self.standing, changes = standing_after(self.standing, found, now_ns)
        self.changes += changes

    def trade(self, day: int) -> None:
        pair = f"A{day % 3}USDT"
        days_of.note_fill(self.performance, pair, "", Decimal("1.5"), Decimal("0.1"))
        days_of.note_execution(self.performance, 20.0)


def test_a_sniper_rises_after_thirty_days_to_the_nanosecond() -> None:
    life, equity = Life(), Decimal(1_990)
    for day in range(30):
        life.at(BEGIN_NS + day * DAY_NS, equity)
        life.trade(day)
        equity += 1
        life.at(BEGIN_NS + day * DAY_NS + 5, equity)
    assert life.standing.tier == Tier.SNIPER
    life.at(BEGIN_NS + 30 * DAY_NS - 1, equity)
    assert life.standing.tier == Tier.SNIPER
    lines = progress(life.standing, known(life.performance, life.standing))
    assert [line.code for line in lines if not line.passed] == ["DAYS_IN_TIER"]
    life.at(BEGIN_NS + 30 * DAY_NS, equity)
    assert life.standing.tier == Tier.HUNTER
    assert [change.kind for change in life.changes] == ["begun", "guard_on", "promoted", "guard_off"]
    before = life.standing
    life.at(BEGIN_NS + 30 * DAY_NS, equity)
    assert (life.standing, len(life.changes)) == (before, 4)


def test_three_heavy_days_demote_and_a_fourth_does_not_again() -> None:
    life, equity = Life(), Decimal(10_000)
    life.standing = Standing(tier=Tier.ARCHITECT, entered_ns=BEGIN_NS)
    equity = Decimal(100_000)
    life.at(BEGIN_NS, equity)
    for day in range(1, 7):
        equity *= Decimal("0.94")
        life.at(BEGIN_NS + day * DAY_NS, equity)
    assert [(change.code, (change.event_ns - BEGIN_NS) // DAY_NS) for change in life.changes] == [
        ("HEAVY_DAYS", 3),
        ("HEAVY_DAYS", 6),
    ]
    assert life.standing.tier == Tier.HUNTER


def test_a_deposit_lifts_the_capital_and_earns_nothing() -> None:
    life = Life()
    life.at(BEGIN_NS, Decimal(500))
    days_of.transfer(life.performance, Decimal(99_500))
    life.at(BEGIN_NS + 1, Decimal(100_000))
    found = known(life.performance, life.standing)
    assert (found.equity, found.loss_day, life.standing.tier) == (100_000, 0.0, Tier.SNIPER)
    assert days_of.pnl_day(life.performance) == 0
