"""Composure: what the account does about its trader's tilt, and the commands by which he answers.

The watch says how far he is from his usual self, `tilt.interventions` what follows; here it is carried out:
purchases at work are called off when a rest begins, each step is decided and audited, and it is told how
the trader stands whenever that changed.
"""

from genesis.operators.account.desk import Desk, Refused
from genesis.operators.account.events import (
    AcceptBreak,
    AccountEvent,
    AnswerChecklist,
    ForgetBehaviour,
    SetParameter,
    TellLifeEvent,
)
from genesis.operators.account.outcomes import FORGOTTEN, BehaviourRecord, TiltStatus
from genesis.operators.account.state import BUY, Account
from genesis.operators.tilt import interventions, parameters, watch
from genesis.operators.tilt.interventions import Phase

LEVELS = (
    "You are your usual self. All of your limits hold as they are.",
    "Some habits are off today; nothing is held back. A short break is on offer: `accept`.",
    "Several habits are off; sizes are halved, and an order takes a sentence of reasoning.",
    "Trading rests for a while. What you hold stays yours to sell; `tilt` shows the way back.",
)
"""What is said at each level."""

PHASES = {
    Phase.FREE: "Everything is as usual again. Your limits hold as they are.",
    Phase.PAUSING: "A break of 5 minutes begins. Positions are watched and can be sold all the while.",
    Phase.RESTING: LEVELS[3],
    Phase.RETURNING: "Trading goes on with a quarter of the size. Calm trades with a profit make it whole.",
}
"""What is said when a phase begins."""


def level_of(account: Account) -> int:
    """Return the tilt level as it is told, 0 to 3."""
    return interventions.shown_level(account.tilt.rest, account.tilt.level)


def limit_level_of(account: Account) -> int:
    """Return the tilt level whose size factor holds."""
    return interventions.limit_level(account.tilt.rest, account.tilt.level)


def follow(desk: Desk) -> None:
    """Carry out what follows from the level and the time."""
    account, tilt = desk.account, desk.account.tilt
    for name in parameters.come_due(tilt.chosen, account.now_ns):
        value = parameters.value_of(tilt.chosen, name)
        desk.decide("set_parameter", "OK", f"Your {name} is {value} from now on, as you asked an hour ago.")
    step = interventions.after(tilt.rest, tilt.level, account.now_ns)
    if step is not None:
        _carry_out(desk, step)
    tell(desk)


def _carry_out(desk: Desk, step: interventions.Step) -> None:
    account, tilt = desk.account, desk.account.tilt
    figures = {"tilt_score": tilt.score, "signs": float(len(tilt.names)), "debt": float(tilt.rest.debt)}
    if step.after is Phase.RESTING:
        figures["rest_s"] = interventions.REST_NS[tilt.rest.step] / 1e9
        for working in [each for each in account.working.values() if each.side == BUY]:
            desk.call_off(working)
    elif step.before is not Phase.RETURNING:
        tilt.watch = watch.rested(tilt.watch)
        tilt.level, tilt.score, tilt.names, tilt.signs = 0, 0.0, [], []
    desk.decide("tilt", "OK", PHASES[step.after], figures)


def tell(desk: Desk) -> None:
    """Tell how the trader stands when that is not what was told last."""
    account, tilt = desk.account, desk.account.tilt
    rest, level = tilt.rest, level_of(desk.account)
    left = interventions.missing(rest, account.now_ns)
    told = f"{level} {tilt.calibrated} {rest.phase} {rest.debt} {tilt.names} {left}"
    if told == tilt.told or (not tilt.told and not tilt.watch):
        return
    tilt.told = told
    desk.tell(
        "tilt",
        TiltStatus(
            id=desk.next_id(),
            event_ns=account.now_ns,
            account_id=account.account_id,
            level=level,
            score=tilt.score,
            calibrated=tilt.calibrated,
            phase=rest.phase.value,
            until_ns=0 if interventions.is_open(rest) else rest.until_ns,
            missing=left,
            debt=rest.debt,
            names=tilt.names,
            signs=tilt.signs,
            sentence=LEVELS[level] if rest.phase is Phase.FREE else PHASES[rest.phase],
        ),
    )


def accept_break(desk: Desk, event: AccountEvent, _command: AcceptBreak) -> None:
    """Begin the break that is offered."""
    if not interventions.accept(desk.account.tilt.rest, desk.account.now_ns):
        raise Refused("TILT_BREAK", "You are resting already. `tilt` shows what is left of it.")
    for working in [each for each in desk.account.working.values() if each.side == BUY]:
        desk.call_off(working)
    desk.decide(event.kind, "OK", PHASES[Phase.PAUSING])


def answer_checklist(desk: Desk, event: AccountEvent, command: AnswerChecklist) -> None:
    """Take the answers of the checklist."""
    points = len(interventions.CHECKLIST)
    if len(command.agreed) != points:
        raise Refused("MALFORMED", f"The checklist has {points} points; each is answered, in its order.")
    complete = interventions.answer(desk.account.tilt.rest, command.agreed)
    what = "Thank you; the checklist is complete." if complete else "Thank you. What is open can wait."
    figures = {"agreed": float(sum(command.agreed)), "points": float(points)}
    desk.decide(event.kind, "OK", what, figures)


def set_parameter(desk: Desk, event: AccountEvent, command: SetParameter) -> None:
    """Take a wish for a parameter: tighter at once, looser in an hour."""
    account = desk.account
    wrong = parameters.problem(command.name, command.value)
    if wrong:
        raise Refused("PARAMETER", wrong)
    from_ns = parameters.choose(account.tilt.chosen, command.name, command.value, account.now_ns)
    when = "from now on" if from_ns == account.now_ns else "in an hour, since it loosens"
    desk.decide(event.kind, "OK", f"Your {command.name} is {command.value} {when}.")


def tell_life_event(desk: Desk, event: AccountEvent, command: TellLifeEvent) -> None:
    """Watch with more care for some days."""
    if not 1 <= command.days <= parameters.LIFE_EVENT_DAYS_MAX:
        raise Refused("PARAMETER", f"Days go from 1 to {parameters.LIFE_EVENT_DAYS_MAX}.")
    chosen = desk.account.tilt.chosen
    until_ns = desk.account.now_ns + command.days * parameters.DAY_NS
    chosen.life_event_until_ns = max(chosen.life_event_until_ns, until_ns)
    days = f"{command.days} day{'s' * (command.days > 1)}"
    desk.decide(event.kind, "OK", f"Noted. For {days} your habits are watched with more care.")


def forget_behaviour(desk: Desk, event: AccountEvent, command: ForgetBehaviour) -> None:
    """Have what was seen before a time deleted; what is usual stays, so that forgetting ends no rest."""
    account = desk.account
    before_ns = min(command.before_ns, account.now_ns)
    record = BehaviourRecord(
        id=desk.next_id(),
        event_ns=account.now_ns,
        account_id=account.account_id,
        what=FORGOTTEN,
        value=before_ns / 1e9,
        other=0.0,
        symbol="",
        client="",
        session="",
    )
    desk.tell("behaviour", record)
    desk.decide(
        event.kind,
        "OK",
        "What was seen of you leaves the store within seconds. What is usual of you stays, as medians alone.",
    )
