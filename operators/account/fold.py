"""Fold: the account's log in, everything that it leads to out; one writer, one order, no clock.

Law: what comes out depends on the events and their order alone: not on how they were cut into batches, nor
on when the state was kept and taken up again. A repeated event changes nothing. An event with a wrong seal
changes nothing but the count of attempts.
"""

from collections.abc import Iterable

import msgspec

from genesis.operators.account import (
    commands,
    composure,
    examining,
    figures,
    guarding,
    market,
    reports,
    signing,
    tilting,
)
from genesis.operators.account.desk import Desk, FoldKeys, Outcome
from genesis.operators.account.events import (
    AccountEvent,
    Behaviour,
    Command,
    Execution,
    Listings,
    MarketRecord,
    PermitRefused,
    StressReplay,
    VenueBalances,
    VenueLink,
    decode,
)
from genesis.operators.account.money import exact
from genesis.operators.account.state import IDS_MAX, Account

SHOWN = 80
"""Characters of a bad message that a sentence shows."""


@exact
def fold(account: Account, keys: FoldKeys, events: Iterable[AccountEvent]) -> list[Outcome]:
    """Return what events lead to; ``account`` is brought up to them.

    Examples
    --------
    >>> from genesis.operators.account.events import WriteJournal
    >>> keys = FoldKeys({"trader": b"k" * 32}, b"p" * 32, b"a" * 32)
    >>> event = signing.sealed(b"k" * 32, "trader", "main", "e1", 5, WriteJournal(text="A calm day."))
    >>> account = Account("main")
    >>> [outcome.topic for outcome in fold(account, keys, [event, event])]
    ['decisions', 'audit', 'behaviour', 'tilt']
    >>> account.head_number
    1
    """
    desk = Desk(account, keys)
    for event in events:
        if event.account_id == account.account_id:
            desk.begin(event)
            _take(desk, event)
    return desk.outcomes


def _take(desk: Desk, event: AccountEvent) -> None:
    wrong = signing.refusal(desk.keys.roles, event)
    if wrong:
        figures.attempted(desk.account)
        desk.decide("forged_event", "SEAL", f"A message was put aside: {wrong}. Nothing was changed by it.")
        return
    try:
        body = decode(event.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        desk.decide(event.kind[:SHOWN], "MALFORMED", f"The message cannot be read: {str(error)[:SHOWN]}.")
        return
    if isinstance(body, MarketRecord):
        market.take(desk, event, body)
    elif isinstance(body, Listings):
        market.take_listings(desk, body)
    elif isinstance(body, Execution):
        was = tilting.before(desk, body)
        reports.on_execution(desk, body)
        tilting.after(desk, event, body, was)
    elif _is_new(desk, event):
        _carry_out(desk, event, body)
    guarding.follow(desk)


def _carry_out(
    desk: Desk,
    event: AccountEvent,
    body: Command | VenueBalances | PermitRefused | VenueLink | Behaviour | StressReplay,
) -> None:
    if isinstance(body, VenueBalances):
        reports.on_balances(desk, body)
    elif isinstance(body, VenueLink):
        reports.on_link(desk, body)
    elif isinstance(body, PermitRefused):
        reports.on_permit_refused(desk, body)
    elif isinstance(body, StressReplay):
        examining.take(desk, body)
    else:
        was = tilting.before(desk, body)
        if not isinstance(body, Behaviour):
            commands.carry_out(desk, event, body)
        tilting.after(desk, event, body, was)
        composure.follow(desk)


def _is_new(desk: Desk, event: AccountEvent) -> bool:
    """Say whether an event is met for the first time, and remember it; each role has a clock of its own."""
    account = desk.account
    name = f"{event.role}:{event.id}"
    if name in account.seen:
        return False
    if event.event_ns <= account.seen_floor_ns.get(event.role, -1):
        desk.decide(event.kind, "TOO_OLD", "The command is older than those still remembered. Ask again.")
        return False
    account.seen[name] = event.event_ns
    while len(account.seen) > IDS_MAX:
        oldest = next(iter(account.seen))
        role, at_ns = oldest.partition(":")[0], account.seen.pop(oldest)
        account.seen_floor_ns[role] = max(account.seen_floor_ns.get(role, 0), at_ns)
    return True
