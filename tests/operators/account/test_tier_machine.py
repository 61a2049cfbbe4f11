"""No sequence of facts, attempts and time lifts an account past a gate, or moves it twice for one thing."""

from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from genesis.operators.account.performance import DAY_NS
from genesis.operators.account.tier_gates import Facts
from genesis.operators.account.tier_table import HALVED_NS, HOUR_NS, TIERS
from genesis.operators.account.tiers import Standing, attempted, limits, progress, standing_after
from tests.operators.account.tier_cases import CHANGES, EVERYTHING, NOW_NS, moves, standing


class Accounts(RuleBasedStateMachine):
    """A standing under any facts, any attempts, and any passing of time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = NOW_NS
        self.standing, _ = standing_after(Standing(), Facts(equity=Decimal(500), day=100), self.now_ns)

    @rule(wait_ns=st.sampled_from([1, HOUR_NS, DAY_NS, 31 * DAY_NS, 61 * DAY_NS]))
    def wait(self, wait_ns: int) -> None:
        self.now_ns += wait_ns

    @rule(count=st.integers(1, 6))
    def attempt(self, count: int) -> None:
        for _ in range(count):
            self.standing = attempted(self.standing, self.now_ns)

    @rule(changed=st.lists(st.sampled_from(CHANGES), max_size=3))
    def hear(self, changed: list[dict[str, float]]) -> None:
        before, facts = self.standing, EVERYTHING
        in_tier = (self.now_ns - before.entered_ns) / DAY_NS
        for each in ({"day": self.now_ns // DAY_NS, "days_in_tier": in_tier}, *changed):
            facts = facts._replace(**each)
        after, changes = standing_after(before, facts, self.now_ns)
        if after.tier > before.tier:
            assert after.tier == before.tier + 1
            assert all(line.passed for line in progress(before, facts))
            assert facts.equity >= TIERS[after.tier].floor
            assert after.halved_until_ns == self.now_ns + HALVED_NS
        if after.tier < before.tier or after.entered_ns != before.entered_ns:
            assert moves(changes)
        steps = [change.after - change.before for change in changes]
        assert before.tier + sum(steps) == after.tier
        assert steps.count(1) <= 1
        assert all(change.sentence.endswith(".") and "!" not in change.sentence for change in changes)
        assert standing_after(after, facts, self.now_ns) == (after, [])
        self.standing = msgspec.msgpack.decode(msgspec.msgpack.encode(after), type=Standing)
        assert self.standing == after

    @invariant()
    def limits_are_within_the_tier(self) -> None:
        for equity in map(Decimal, (0, 150, 1_900, 75_000)):
            held = limits(self.standing, equity, self.now_ns, 2, 3)
            full = limits(standing(self.standing.tier), equity, self.now_ns)
            assert held.position_max_notional <= full.position_max_notional <= equity * Decimal("0.05")
            assert held.daily_loss <= full.daily_loss
            assert held.algorithms == TIERS[self.standing.tier].algorithms


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
