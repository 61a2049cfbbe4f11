"""Tiers: what an account may do, derived from its ledger by a pure fold; nobody sets a tier.

Law: an account begins as Sniper, whatever it owns. It rises by one tier when its capital reaches the next
tier's floor and every gate of `tier_gates` holds at that moment, and in no other way. It falls by one tier
at once, by the rules of `tier_gates.DEMOTIONS`, by ATTEMPTS_DEMOTE override attempts within
ATTEMPTS_WINDOW_NS, or when its capital is below FLOOR_KEPT of the tier's floor. After each change the time
in the tier begins again. The same facts at the same time change nothing a second time.

How the fold uses it: ``attempted`` at each override attempt; ``standing_after`` with
`tier_facts.facts` at each market record (it costs microseconds), whose changes go to the ledger and to the
trader; ``limits`` for each check of an order; ``progress`` for the screen of gates.
"""

import math
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from genesis.operators.account.money import ONE, ZERO, exact, text
from genesis.operators.account.tier_gates import DEMOTIONS, GATES, Demotion, Facts, Tier
from genesis.operators.account.tier_table import (
    ATTEMPTS_DEMOTE,
    ATTEMPTS_DEMOTE_GUARDED,
    ATTEMPTS_MAX,
    ATTEMPTS_WINDOW_NS,
    DAY_NS,
    FLOOR_KEPT,
    GUARD_FACTOR,
    GUARD_LEAVES,
    HALF,
    HALVED_NS,
    LOSING_DAYS_HALVE,
    POSITION_MIN,
    POSITION_SHARE,
    SLICED_NOTIONAL,
    TIERS,
    TILT_FACTORS,
)

HELD = tuple(rule for rule in DEMOTIONS if rule.hold_ns)
"""Rules that demote once it has been so for a while."""

LOWERING = ("PROMOTED", "GUARD", "LOSING_DAYS", "TILT")
"""What lowers limits or sizes."""

TILT_LEVEL_MAX = max(TILT_FACTORS)

FIRED = -1
"""In place of a time: the rule has demoted, and rests until what it watches was otherwise."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account stands; made by `standing_after` alone."""

    tier: Tier = Tier.SNIPER
    entered_ns: int = -1  # when the tier was entered, or its time began again; -1 before the first facts
    halved_until_ns: int = 0  # limits are halved before this time
    guarded_ns: int = -1  # since when the transition guard watches; -1 when it does not
    attempts_ns: tuple[int, ...] = ()  # override attempts since the last demotion by them, oldest first
    loss_day: int = -1  # UTC day whose loss demoted last
    heavy_from: int = 0  # first UTC day that counts for days in a row
    since_ns: dict[
        str, int
    ] = {}  # when a rule with a hold began to be so, by its code; FIRED once it demoted

    @property
    def guarded(self) -> bool:
        """Whether the transition guard watches."""
        return self.guarded_ns >= 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a standing, for the ledger and for the trader."""

    kind: str  # begun, promoted, demoted, restarted, guard_on or guard_off
    code: str
    sentence: str
    before: Tier
    after: Tier
    event_ns: int
    figures: dict[str, float] = {}


class GateProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the checklist to the next tier."""

    code: str
    sentence: str
    value: float  # NaN when there is not enough to tell
    sign: str  # how the value must stand to the threshold
    threshold: float
    passed: bool


class Limits(NamedTuple):
    """What holds for an account now; money in quote asset."""

    tier: Tier
    daily_loss: Decimal
    drawdown_halt: float
    position_max_notional: Decimal
    position_min_notional: Decimal
    algorithms: frozenset[str]
    sliced_notional: Decimal  # orders above it need `slices_over`
    slices_over: int
    strategies_max: int
    data_points_max: int | None
    size_factor: Decimal  # product of all that lowers position sizes; 1 when nothing does
    reasons: tuple[str, ...]  # codes of LOWERING

    def slices_min(self, notional: Decimal) -> int:
        """Return the fewest slices of an order."""
        return self.slices_over if notional > self.sliced_notional else 1


def name_of(tier: Tier) -> str:
    """Return a tier as records write it.

    >>> name_of(Tier.SNIPER)
    'sniper'
    """
    return tier.name.lower()


@exact
def limits(
    standing: Standing,
    equity: Decimal,
    now_ns: int,
    losing_days: int = 0,
    tilt_level: int = 0,
    day_start: Decimal | None = None,
) -> Limits:
    """Return what holds now.

    Parameters
    ----------
    standing
        Where the account stands.
    equity
        Now; position sizes are of it, counted up to the tier's ceiling.
    now_ns
        The account's clock.
    losing_days
        `performance.losing_days`.
    tilt_level
        0 to 3.
    day_start
        Equity at midnight, of which a daily loss is a share; None takes the equity now.

    Examples
    --------
    >>> held = limits(Standing(), Decimal(600), now_ns=0)
    >>> held.daily_loss, held.position_max_notional, sorted(held.algorithms)
    (Decimal('25'), Decimal('30.00'), ['one'])
    >>> limits(Standing(halved_until_ns=9), Decimal(600), now_ns=8, losing_days=2).position_max_notional
    Decimal('10')
    """
    rights = TIERS[standing.tier]
    promoted = HALF if now_ns < standing.halved_until_ns else ONE
    guard = GUARD_FACTOR if standing.guarded else ONE
    losing = HALF if losing_days >= LOSING_DAYS_HALVE else ONE
    tilt = TILT_FACTORS[min(max(tilt_level, 0), TILT_LEVEL_MAX)]
    of_limits = promoted * guard
    of_sizes = of_limits * losing * tilt
    capital = max(equity, ZERO)
    counted = capital if rights.ceiling is None else min(capital, rights.ceiling)
    full = counted * POSITION_SHARE
    start = max(equity if day_start is None else day_start, ZERO)
    loss = rights.daily_loss if rights.daily_loss is not None else start * (rights.daily_loss_share or ZERO)
    return Limits(
        tier=standing.tier,
        daily_loss=loss * of_limits,
        drawdown_halt=rights.drawdown_halt,
        position_max_notional=min(full, max(full * of_sizes, POSITION_MIN)),
        position_min_notional=POSITION_MIN,
        algorithms=rights.algorithms,
        sliced_notional=SLICED_NOTIONAL,
        slices_over=rights.slices_min,
        strategies_max=rights.strategies_max,
        data_points_max=rights.data_points_max,
        size_factor=of_sizes,
        reasons=() if of_sizes == ONE else _reasons(promoted, guard, losing, tilt),
    )


def _reasons(*factors: Decimal) -> tuple[str, ...]:
    """Return the codes of what lowers, in the order of LOWERING."""
    return tuple(code for code, factor in zip(LOWERING, factors, strict=True) if factor != ONE)


def attempted(standing: Standing, event_ns: int) -> Standing:
    """Return the standing after an override attempt; the fold gives each attempt once."""
    known = (*standing.attempts_ns, event_ns)[-ATTEMPTS_MAX:]
    return msgspec.structs.replace(standing, attempts_ns=known)


def attempts(standing: Standing, now_ns: int) -> int:
    """Return how many override attempts count at a time."""
    return sum(now_ns - ATTEMPTS_WINDOW_NS < each for each in standing.attempts_ns)


@exact
def standing_after(standing: Standing, facts: Facts, now_ns: int) -> tuple[Standing, list[Change]]:
    """Return the standing after the facts of a time, and what changed.

    At most one tier up, and one down for each reason. When nothing changes it is the same object.

    >>> begun, changes = standing_after(Standing(), Facts(equity=Decimal(500)), now_ns=5)
    >>> begun.tier.title, [change.kind for change in changes]
    ('Sniper', ['begun'])
    >>> standing_after(begun, Facts(equity=Decimal(500)), now_ns=5) == (begun, [])
    True
    """
    changes: list[Change] = []
    if standing.entered_ns < 0:
        standing = msgspec.structs.replace(standing, entered_ns=now_ns, heavy_from=facts.day)
        sentence = (
            "The account begins as Sniper. What it may do grows with what it shows; `tier` has the way."
        )
        changes.append(_change("begun", "BEGUN", sentence, (standing, standing), now_ns))
    standing = _held(standing, facts, now_ns)
    moved = _fallen(standing, facts, now_ns) or _risen(standing, facts, now_ns)
    while moved is not None:
        standing = moved[0]
        changes.append(moved[1])
        moved = _fallen(standing, facts, now_ns)
    guard = _guarded(standing, facts, now_ns)
    return (standing, changes) if guard is None else (guard[0], [*changes, guard[1]])


Moved = tuple[Standing, Change]


def _held(standing: Standing, facts: Facts, now_ns: int) -> Standing:
    """Bring up to date since when each rule with a hold is so."""
    since = dict(standing.since_ns)
    for rule in HELD:
        value = rule.measure(facts)
        if rule.bound.holds(value):
            since.setdefault(rule.code, now_ns)
        elif not math.isnan(value) or since.get(rule.code, FIRED) != FIRED:
            since.pop(rule.code, None)
    return standing if since == standing.since_ns else msgspec.structs.replace(standing, since_ns=since)


def _fallen(standing: Standing, facts: Facts, now_ns: int) -> Moved | None:
    """Return the standing one tier down, by the first rule that says so."""
    count = attempts(standing, now_ns)
    if count >= ATTEMPTS_DEMOTE or _guarded_attempts(standing, now_ns) >= ATTEMPTS_DEMOTE_GUARDED:
        after = _down(standing, now_ns, attempts_ns=())
        return _demoted("OVERRIDE_ATTEMPTS", f"{count} attempts to get around a limit in 24 h", after, now_ns)
    for rule in DEMOTIONS:
        if _applies(rule, standing, facts, now_ns):
            if rule.is_loss:
                after = _down(standing, now_ns, loss_day=facts.day, heavy_from=facts.day + 1)
            else:
                after = _down(standing, now_ns, since_ns={**standing.since_ns, rule.code: FIRED})
            figures = {"value": float(rule.measure(facts)), "threshold": rule.bound.value}
            return _demoted(rule.code, rule.sentence, after, now_ns, figures)
    floor = TIERS[standing.tier].floor * FLOOR_KEPT
    if standing.tier > Tier.SNIPER and facts.equity < floor:
        figures = {"value": float(facts.equity), "threshold": float(floor)}
        return _demoted("CAPITAL", f"capital below ${text(floor)}", _down(standing, now_ns), now_ns, figures)
    return None


def _guarded_attempts(standing: Standing, now_ns: int) -> int:
    """Return how many attempts were made under the eyes of the transition guard."""
    if not standing.guarded:
        return 0
    since_ns = max(standing.guarded_ns, now_ns - ATTEMPTS_WINDOW_NS)
    return sum(each > since_ns for each in standing.attempts_ns)


def _applies(rule: Demotion, standing: Standing, facts: Facts, now_ns: int) -> bool:
    if not rule.bound.holds(rule.measure(facts)):
        return False
    if rule.is_loss:
        return facts.day > standing.loss_day
    since = standing.since_ns.get(rule.code, now_ns)
    return since != FIRED and now_ns - since >= rule.hold_ns


def _down(standing: Standing, now_ns: int, **changed: Any) -> tuple[Standing, Standing]:
    tier = Tier(max(standing.tier - 1, Tier.SNIPER))
    return standing, msgspec.structs.replace(standing, tier=tier, entered_ns=now_ns, **changed)


def _demoted(
    code: str,
    why: str,
    move: tuple[Standing, Standing],
    now_ns: int,
    figures: dict[str, float] | None = None,
) -> Moved:
    before, after = move
    title = after.tier.title
    if before.tier == after.tier:
        kind, sentence = "restarted", f"The time as {title} begins again: {why}."
    else:
        kind, sentence = "demoted", f"The account is {title} again: {why}."
    sentence += " What it holds stays, and closing is always open; `tier` shows the way up."
    return after, _change(kind, code, sentence, move, now_ns, figures)


def _risen(standing: Standing, facts: Facts, now_ns: int) -> Moved | None:
    """Return the standing one tier up, when the capital is there and every gate holds."""
    if standing.tier == Tier.ARCHITECT or facts.equity < TIERS[Tier(standing.tier + 1)].floor:
        return None
    in_tier = (now_ns - standing.entered_ns) / DAY_NS  # the facts may be those of the tier before
    if in_tier < facts.days_in_tier:
        facts = facts._replace(days_in_tier=in_tier)
    if not all(gate.bound.holds(gate.measure(facts)) for gate in GATES[standing.tier]):
        return None
    after = msgspec.structs.replace(
        standing, tier=Tier(standing.tier + 1), entered_ns=now_ns, halved_until_ns=now_ns + HALVED_NS
    )
    sentence = (
        f"The account is {after.tier.title} now: every gate was passed. For 48 hours its limits are halved, "
        "to settle in; `tier` shows what is new."
    )
    figures = {line.code.lower(): line.value for line in progress(standing, facts)}
    return after, _change("promoted", "GATES_PASSED", sentence, (standing, after), now_ns, figures)


def _guarded(standing: Standing, facts: Facts, now_ns: int) -> Moved | None:
    """Return the standing with the transition guard come or gone."""
    begins = TIERS[standing.tier].guard_from
    if begins is None:
        watches = False
    elif standing.guarded:
        watches = facts.equity >= GUARD_LEAVES
    else:
        watches = facts.equity >= begins
    if watches == standing.guarded:
        return None
    after = msgspec.structs.replace(standing, guarded_ns=now_ns if watches else -1)
    if watches:
        sentence = (
            "The next tier is near, and care pays most here: the daily loss limit and the position cap are "
            "a fifth lower until you are there."
        )
    else:
        sentence = "The transition guard rests; limits are those of the tier again."
    kind = "guard_on" if watches else "guard_off"
    return after, _change(kind, "GUARD", sentence, (standing, after), now_ns, {"equity": float(facts.equity)})


def _change(
    kind: str,
    code: str,
    sentence: str,
    move: tuple[Standing, Standing],
    event_ns: int,
    figures: dict[str, float] | None = None,
) -> Change:
    return Change(
        kind=kind,
        code=code,
        sentence=sentence,
        before=move[0].tier,
        after=move[1].tier,
        event_ns=event_ns,
        figures=figures or {},
    )


def progress(standing: Standing, facts: Facts) -> list[GateProgress]:
    """Return what the next tier asks for, one line each, capital first; nothing for the highest tier."""
    if standing.tier == Tier.ARCHITECT:
        return []
    after = TIERS[Tier(standing.tier + 1)]
    capital = GateProgress(
        code="CAPITAL",
        sentence=f"capital of ${text(after.floor)}",
        value=float(facts.equity),
        sign=">=",
        threshold=float(after.floor),
        passed=facts.equity >= after.floor,
    )
    lines = [capital]
    for gate in GATES[standing.tier]:
        value = float(gate.measure(facts))
        lines.append(
            GateProgress(
                code=gate.code,
                sentence=gate.sentence,
                value=value,
                sign=gate.bound.sign,
                threshold=gate.bound.value,
                passed=gate.bound.holds(value),
            )
        )
    return lines
