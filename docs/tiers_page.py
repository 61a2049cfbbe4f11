"""The page docs/tiers.md: the tier table, the gates, the demotions and their diagram, from the code."""

from decimal import Decimal

from genesis.operators.account import tier_facts, tier_table
from genesis.operators.account.performance import DAYS_MAX
from genesis.operators.account.performance_figures import DAYS_A_YEAR
from genesis.operators.account.tier_gates import DEMOTIONS, GATES, MOVING_POSITIONS_MIN, Tier
from genesis.operators.account.tier_table import TIERS, Rights

HOURS_HALVED = tier_table.HALVED_NS // tier_table.HOUR_NS


def page() -> str:
    """Return the text of the page."""
    return f"{_head()}{_table()}{_diagram()}{_gates()}{_demotions()}{_limits()}{_measures()}"


def _head() -> str:
    return """# Tiers

What an account may do grows with what it has shown. A tier is worked out from the account's ledger by a
pure fold (`operators/account/tiers.py`); no setting, message or command sets it. Everything on this page is
generated from the tables that the fold reads. Why it is so: [decision 0007](decisions/0007-tiers.md).
"""


def _table() -> str:
    rows = {
        "capital": _capital,
        "algorithms": lambda each: ", ".join(f"`{name}`" for name in sorted(each.algorithms)),
        f"slices of orders over {_money(tier_table.SLICED_NOTIONAL)}": lambda each: (
            f"{each.slices_min} or more" if each.slices_min > 1 else "one piece"
        ),
        "daily loss limit": _daily_loss,
        "drawdown halt": lambda each: f"{each.drawdown_halt:.0%}",
        "largest position": _position,
        "strategies at once": lambda each: str(each.strategies_max),
        "figures on the main screen": lambda each: (
            f"at most {each.data_points_max}" if each.data_points_max else "all"
        ),
        "transition guard": lambda each: f"from {_money(each.guard_from)}" if each.guard_from else "none",
    }
    lines = ["\n## The table\n\n", "| |", *(f" {tier.title} |" for tier in TIERS), "\n|---|"]
    lines += ["---|" for _ in TIERS]
    for name, cell in rows.items():
        lines += [f"\n| {name} |", *(f" {cell(each)} |" for each in TIERS.values())]
    return "".join(lines) + "\n"


def _money(value: Decimal) -> str:
    return f"${value:,.0f}"


def _capital(each: Rights) -> str:
    return f"{_money(each.floor)} to {_money(each.ceiling)}" if each.ceiling else f"from {_money(each.floor)}"


def _daily_loss(each: Rights) -> str:
    if each.daily_loss is not None:
        return _money(each.daily_loss)
    return f"{float(each.daily_loss_share or 0):.0%} of the equity at midnight"


def _position(each: Rights) -> str:
    most = f", at most {_money(each.ceiling * tier_table.POSITION_SHARE)}" if each.ceiling else ""
    return f"{float(tier_table.POSITION_SHARE):.0%} of the capital{most}"


def _diagram() -> str:
    lines = ["\n```mermaid\nstateDiagram-v2\n", f"    [*] --> {Tier.SNIPER.title}\n"]
    down = ", ".join(["OVERRIDE_ATTEMPTS", *(rule.code for rule in DEMOTIONS)])
    for tier in list(TIERS)[:-1]:
        above = Tier(tier + 1)
        name, next_name, floor = tier.title, above.title, TIERS[above].floor
        asked = f"capital {_money(floor)} and all {len(GATES[tier])} gates of {name}"
        kept = _money(floor * tier_table.FLOOR_KEPT)
        lines.append(f"    {name} --> {next_name}: {asked}\n")
        lines.append(f"    {next_name} --> {name}: {down}, or capital below {kept}\n")
    sniper = Tier.SNIPER.title
    lines.append(f"    {sniper} --> {sniper}: {down} (its time begins again)\n```\n")
    return "".join(lines)


def _gates() -> str:
    lines = [
        """
## Promotion

To the next tier lead its capital and, at the same moment, every gate. A figure for which there is not
enough data passes nothing.
"""
    ]
    for tier, gates in GATES.items():
        if not gates:
            continue
        above = Tier(tier + 1)
        floor = TIERS[above].floor
        lines.append(
            f"\n### {tier.title} to {above.title}\n\n| gate | asks for | passes at |\n|---|---|---|\n"
        )
        lines.append(f"| `CAPITAL` | capital of {_money(floor)} | >= {floor} |\n")
        lines += [
            f"| `{gate.code}` | {gate.sentence} | {gate.bound.sign} {gate.bound.value:g} |\n"
            for gate in gates
        ]
    return "".join(lines)


def _demotions() -> str:
    kept, most = tier_table.FLOOR_KEPT, tier_table.ATTEMPTS_DEMOTE
    guarded = tier_table.ATTEMPTS_DEMOTE_GUARDED
    attempts = f"{most} override attempts in 24 h, or {guarded} under the transition guard"
    rules = "".join(
        f"| `{rule.code}` | {rule.sentence} | {rule.bound.sign} {rule.bound.value:g} |\n"
        for rule in DEMOTIONS
    )
    return f"""
## Demotion

One tier down for each reason, at once. A Sniper stays Sniper, and his time in the tier begins again.

| rule | demotes for | at |
|---|---|---|
| `OVERRIDE_ATTEMPTS` | {attempts} | >= {most} |
{rules}| `CAPITAL` | capital below {kept:.0%} of the tier's floor | < {kept} of it |

One day's loss demotes once, by whichever rule. Attempts that have demoted count no more. Positions that
move together demote once, until they did not; fewer than {MOVING_POSITIONS_MIN} always seem to.
"""


def _limits() -> str:
    tilt = ", ".join(f"level {level}: × {factor}" for level, factor in tier_table.TILT_FACTORS.items())
    half, guard, least = tier_table.HALF, tier_table.GUARD_FACTOR, _money(tier_table.POSITION_MIN)
    begins, leaves = _money(TIERS[Tier.SNIPER].guard_from or Decimal(0)), _money(tier_table.GUARD_LEAVES)
    watched = f"as Sniper from {begins}, until promoted or below {leaves}"
    losing = f"{tier_table.LOSING_DAYS_HALVE} losing days in a row, until a day does not lose"
    return f"""
## What lowers the limits for a while

| code | when | daily loss limit | largest position |
|---|---|---|---|
| `PROMOTED` | {HOURS_HALVED} h after a promotion | × {half} | × {half} |
| `GUARD` | {watched} | × {guard} | × {guard} |
| `LOSING_DAYS` | {losing} | | × {half} |
| `TILT` | by tilt level | | {tilt} |

They multiply. The largest position is never made smaller than {least} by them, which is also the smallest
that is opened; {tier_table.POSITION_SHARE:.0%} of the capital is the most in any case. The drawdown halt is
not lowered: it is counted from a peak that was before the promotion.
"""


def _measures() -> str:
    most = tier_facts.UNCORRELATED_MAX
    return f"""
## How it is measured

- *Capital* is the equity: cash and positions at their marks. Deposits count as capital, never as profit:
  returns and drawdown are those of a share in the account (`performance`).
- *A day* is one of UTC by the account's clock. *The last n days* are today and the n days before. *In the
  tier* is since the day in which it was entered, however long ago. The calendar has {DAYS_MAX} days.
- *Profitable days*: of the newest {tier_facts.PROFITABLE_OF_DAYS} closed days with a trade or a result; with
  fewer there is no answer.
- *Violation*: an order that asked for more than the position cap, though it was refused.
- *Sliced*: parent orders that ended with a fill, by the value that was asked for.
- *Uncorrelated*: held at one time with every correlation between -{most} and {most}; an unknown one does
  not count.
- *Impact*: shortfall of a parent order against its arrival price, fees apart.
- *Sharpe*: daily returns of the last {tier_facts.SHARPE_DAYS} closed days, on all of which the account ran,
  times the root of {DAYS_A_YEAR}; no interest is subtracted.
- *Share of a strategy*: of all that was realised in the tier, the trader's own orders included as one more;
  only named strategies count as strategies with a gain.
- *Stress replay*: a crash survived in a backtest, recorded in the ledger, counted once by its name.
"""
