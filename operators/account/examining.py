"""Examining: what a stress replay told, and whether a crash counts as survived.

The examiner tells figures; the account judges. A crash is survived when the equity fell by less than where
the tier halts, in a replay of the account as it is now, with enough at risk to mean something. A later
replay that is not survived takes an earlier one back, so the tier's gate sees the newest of each crash.
"""

from decimal import Decimal

from genesis.operators.account import figures, performance
from genesis.operators.account.desk import Desk
from genesis.operators.account.events import StressReplay
from genesis.operators.account.money import ZERO, AmountError, amount, positive, share

CRASHES = ("flash_crash", "cascade", "closed_venue")
"""Names of the crashes that are replayed; `strategies.crashes` has their course."""

FRESH_NS = 15 * 60 * 10**9
"""A replay of a state older than this says too little about the account now."""

EQUITY_APART = 0.05
"""The equity that was replayed may differ from the account's by this share."""

AT_RISK_MIN = 0.02
"""Less of the equity at risk when the crash begins tries nothing; a position after a promotion has 2.5 %."""


def take(desk: Desk, replay: StressReplay) -> None:
    """Judge a stress replay; the decision holds its figures and its digest."""
    try:
        before = positive(replay.equity_before, "equity_before")
        lowest = amount(replay.equity_lowest, "equity_lowest")
        at_risk = amount(replay.at_risk, "at_risk")
    except AmountError as error:
        desk.decide("stress_replay", error.code, f"{error.sentence[:1].upper()}{error.sentence[1:]}.")
        return
    account, most = desk.account, figures.limits_of(desk.account).drawdown_halt
    told = {
        "fall": share(max(before - lowest, ZERO), before),
        "fall_max": most,
        "at_risk": share(at_risk, before),
        "equity_before": float(before),
        "equity_lowest": float(lowest),
        "age_s": (account.now_ns - replay.state_ns) / 1e9,
    }
    refusal = _refusal(desk, replay, before, told)
    if refusal is not None:
        desk.decide("stress_replay", *refusal, told)
        return
    survived = told["fall"] < most
    performance.note_crash(account.performance, replay.crash, survived=survived)
    name = replay.crash.replace("_", " ")
    if survived:
        words = f"The account came through the {name}: a loss of {told['fall']:.1%}, below {most:.0%}."
    else:
        words = (
            f"In the {name} the account would have lost {told['fall']:.1%}; below {most:.0%} counts. "
            "Nothing was lost. Stops on all that is held, or less of it, help."
        )
    desk.decide("stress_replay", "OK", f"{words} Digest {replay.digest}.", told)


def _refusal(
    desk: Desk, replay: StressReplay, before: Decimal, told: dict[str, float]
) -> tuple[str, str] | None:
    """Return why a replay does not count, as code and sentence; None when it does."""
    account = desk.account
    if replay.crash not in CRASHES:
        return "UNKNOWN_CRASH", f"{replay.crash!r} is none of the crashes: {', '.join(CRASHES)}."
    if not 0 <= account.now_ns - replay.state_ns <= FRESH_NS:
        return "TOO_OLD", "The replay is of another time than now. `genesis stress-test` makes a new one."
    equity = account.performance.equity
    if not abs(share(before - equity, equity)) <= EQUITY_APART:
        return "OTHER_STATE", "The replay is of an account that is worth something else. Make a new one."
    if not told["at_risk"] >= AT_RISK_MIN:
        return "NOTHING_AT_RISK", "Too little was held to try anything. Replay it when something is held."
    return None
