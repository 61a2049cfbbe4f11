"""A made-up account: the records that its topics and its ledger would hold, the same each time.

The moment is the end of `tests.tui.rehearsal` after 80 seconds, so that marks and quotes belong together.
"""

from decimal import Decimal

import msgspec

from genesis.operators.account.outcomes import AccountStatus, Decision, Fill, ParentOrder, PositionStatus
from genesis.operators.account.performance import Past
from genesis.operators.account.tier_gates import GATES, Facts, Tier
from genesis.operators.account.tier_table import TIERS
from genesis.operators.account.tiers import Standing, progress
from genesis.tui import affairs
from genesis.tui.affairs import Affairs, Books, Mood
from tests.tui.rehearsal import START_NS

NOW_NS = START_NS + 80 * 10**9
DAY = NOW_NS // (86_400 * 10**9)
MINUTE_NS = 60 * 10**9

EQUITY = {Tier.SNIPER: 514.0, Tier.HUNTER: 3_250.0, Tier.STRATEGIST: 18_400.0, Tier.ARCHITECT: 72_000.0}
HELD = {
    # symbol: share of the cap, gain of the mark on the cost, whether a stop stands
    "BTCUSDT": (0.98, 0.0085, True),
    "ETHUSDT": (0.72, 0.0121, True),
    "ADAUSDT": (0.66, -0.0214, True),
    "SOLUSDT": (0.41, 0.0032, False),
}
MARKS = {"BTCUSDT": 61_773.29, "ETHUSDT": 2_654.62, "ADAUSDT": 0.34127, "SOLUSDT": 145.511}
RESULTS = (0.8, 1.6, -0.6, 0.4, 2.2, -1.1, 0.0, 0.9, 0.3, -0.4, 1.2, 0.7, -0.2, 1.9, 0.0, 0.5, -0.9, 1.4)
"""Of the days before, the newest last, per cent of the equity; 0 for a day without a trade."""


def names(tier: Tier) -> list[str]:
    return list(HELD)[: 1 if tier is Tier.SNIPER else 4]


def status(tier: Tier, **changes: object) -> AccountStatus:
    equity = EQUITY[tier]
    rights = TIERS[tier]
    loss = float(rights.daily_loss) if rights.daily_loss is not None else equity * 0.02
    told = AccountStatus(
        id=f"status-{tier}",
        event_ns=NOW_NS,
        account_id="main",
        tier=tier.name.lower(),
        mode="active",
        tilt_level=0,
        equity=f"{equity:.2f}",
        cash=f"{equity * 0.82:.2f}",
        realised_day=f"{equity * 0.0092:.2f}",
        pnl_day=equity * 0.0129,
        drawdown=0.021,
        daily_budget=loss * 0.742,
        override_attempts=0,
        figures={
            "daily_loss_max": loss,
            "drawdown_max": rights.drawdown_halt,
            "position_max_notional": min(equity, float(rights.ceiling or 10**9)) * 0.05,
            "size_factor": 1.0,
            "working": 0.0,
            "losing_days": 0.0,
        },
    )
    return msgspec.structs.replace(told, **changes)


def position(tier: Tier, symbol: str) -> PositionStatus:
    part, gained, stops = HELD[symbol]
    mark = MARKS[symbol]
    cost = mark / (1.0 + gained)
    qty = EQUITY[tier] * 0.05 * part / mark
    return PositionStatus(
        id=f"position-{symbol}",
        event_ns=NOW_NS,
        account_id="main",
        symbol=symbol,
        qty=f"{qty:.8f}",
        average_cost=f"{cost:.8f}",
        realised="1.25",
        mark_price=f"{mark:.8f}",
        unrealised=f"{qty * (mark - cost):.8f}",
        stop_price=f"{cost * 0.98:.8f}" if stops else "",
        stop_rests=stops,
    )


def parent(tier: Tier, **changes: object) -> ParentOrder:
    qty = EQUITY[tier] * 0.046 / MARKS["SOLUSDT"]
    told = ParentOrder(
        id="parent-sol-5",
        event_ns=NOW_NS - 47 * 10**9,
        account_id="main",
        parent_id="parent-sol",
        symbol="SOLUSDT",
        side="buy",
        algorithm="twap",
        status="working",
        reason="",
        qty=f"{qty:.3f}",
        filled_qty=f"{qty * 0.625:.3f}",
        average_price="145.12",
        children=5,
        strategy="",
        figures={"arrival_price": 145.05, "fees": 0.1, "shortfall_bps": 4.8},
    )
    return msgspec.structs.replace(told, **changes)


def fill(number: int, symbol: str, side: str, ago_s: float, realised: float = 0.0) -> Fill:
    return Fill(
        id=f"main/{symbol}/{number}",
        event_ns=NOW_NS - round(ago_s * 10**9),
        account_id="main",
        client_order_id=f"g-{number}",
        parent_id="parent-sol",
        symbol=symbol,
        side=side,
        trade_id=number,
        qty=f"{25.0 / MARKS[symbol]:.5f}",
        price=f"{MARKS[symbol] * (1 - 1e-4 * number):.4f}",
        commission="0.01",
        commission_asset="USDT",
        realised=f"{realised:.2f}",
        is_maker=False,
        arrival_price=MARKS[symbol],
        shortfall_bps=0.8 + number % 5,
    )


def decision(number: int, subject: str, sentence: str, ago_s: float, **changes: object) -> Decision:
    told = Decision(
        id=f"decision-{number}",
        event_ns=NOW_NS - round(ago_s * 10**9),
        account_id="main",
        cause=f"cause-{number}",
        subject=subject,
        accepted=True,
        code="OK",
        sentence=sentence,
        figures={},
    )
    return msgspec.structs.replace(told, **changes)


def fills() -> list[Fill]:
    """Return 40 trades of the last twelve hours, and one of this minute."""
    symbols = list(MARKS)
    found = []
    for i in range(40):
        side = "sell" if i % 2 else "buy"
        realised = (((i * 7) % 11) - 4) * 0.31 if side == "sell" else 0.0
        found.append(fill(100 + i, symbols[i // 2 % 4], side, 43_000 - i * 1_060.0, realised))
    return [*found, fill(200, "BTCUSDT", "buy", 12.0)]


def decisions(tier: Tier) -> list[Decision]:
    sentence = "The account begins as Sniper. What it may do grows with what it shows; `tier` has the way."
    found = [decision(1, "tier", sentence, 40 * 86_400)]
    for before in range(tier):
        up = Tier(before + 1).title
        words = f"The account is {up} now: every gate was passed. For 48 hours its limits are halved, "
        found.append(
            decision(
                2 + before, "tier", words + "to settle in; `tier` shows what is new.", (9 - before) * 86_400
            )
        )
    found += [
        decision(10, "write_journal", "Written into the journal.", 30 * 3_600, figures={"words": 84.0}),
        decision(11, "write_journal", "Written into the journal.", 5 * 3_600, figures={"words": 212.0}),
        decision(
            12,
            "place_order",
            "SOLUSDT moves with ETHUSDT (at 0.72); 64% of the exposure would go the same way, and 60% is the "
            "most. Another pair, or a smaller order, keeps it apart.",
            3_900,
            accepted=False,
            code="SAME_DIRECTION",
        ),
        decision(
            13, "stop_loss", "ADAUSDT reached its stop at 0.3323; the position is being sold, as planned.", 90
        ),
    ]
    return found


def books(tier: Tier, **changes: object) -> Books:
    equity = EQUITY[tier]
    facts = Facts(
        equity=Decimal(str(equity)),
        day=DAY,
        days_in_tier=21.4,
        profitable_days=0.65,
        fast_executions=0.97,
        drawdown_month=0.041,
        profitable_pairs=2,
        sliced_orders=1.0,
        uncorrelated_pairs=4,
        impact_worst_bps=12.0,
        sharpe=1.31,
        profitable_strategies=2,
        strategy_share_max=0.38,
    )
    days = [
        Past(
            DAY - len(RESULTS) + i, Decimal(str(equity)), Decimal(str(round(equity * r / 100, 2))), r / 100, 6
        )
        if r
        else Past(DAY - len(RESULTS) + i, Decimal(str(equity)), Decimal(0), 0.0, 0)
        for i, r in enumerate(RESULTS)
    ]
    made = Books(
        event_ns=NOW_NS,
        tier=tier,
        entered_ns=NOW_NS - round(21.4 * 86_400 * 10**9),
        halved_until_ns=0,
        guarded=False,
        gates=tuple(progress(Standing(tier=tier), facts)),
        days=tuple(days),
        today=Past(DAY, Decimal(str(equity)), Decimal(str(round(equity * 0.0129, 2))), 0.0129, 7),
        pairs={
            "BTCUSDT": Decimal(str(round(equity * 0.021, 2))),
            "ETHUSDT": Decimal(str(round(equity * 0.013, 2))),
            "SOLUSDT": Decimal(str(round(equity * -0.004, 2))),
            "ADAUSDT": Decimal(str(round(equity * -0.009, 2))),
        },
        strategies={"": Decimal("31.20"), "pairs": Decimal("18.75"), "breakout": Decimal("-4.10")},
        pairs_days=19,
        correlations={},
    )
    return made._replace(**changes)  # type: ignore[arg-type]


def account(tier: Tier) -> Affairs:
    """Return all that is known of an account of a tier."""
    assert GATES[Tier.ARCHITECT] == ()
    records: list[object] = [*decisions(tier), *fills(), status(tier), books(tier)]
    records += [position(tier, name) for name in names(tier)]
    if tier is not Tier.SNIPER:
        records.append(parent(tier))
    return affairs.of_records(records)


def mood(level: int, **changes: object) -> Mood:
    signs = (
        "Orders are three times as often as your usual.",
        "Size doubled after two losses.",
        "Back into BTCUSDT 41 seconds after a stop.",
        "Four corrections in one command.",
        "Typing is 45 % off its usual pace.",
        "The stop was widened twice.",
    )
    told = Mood(event_ns=NOW_NS, level=level, signs=signs[: 2 * level], until_ns=0)
    return msgspec.structs.replace(told, **changes)
