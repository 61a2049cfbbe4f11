"""`genesis stress-test`: three crashes on a copy of the account, told to the account's tier gate."""

import typer

from genesis.cli import books, options
from genesis.cli.errors import CommandError
from genesis.cli.order import attached
from genesis.connectors import strategist
from genesis.connectors.commanding import Commander, NoDecisionError
from genesis.connectors.keys import AUDIT, open_keys
from genesis.connectors.ledger import open_ledger
from genesis.connectors.settings import Settings
from genesis.operators.account.events import Role, StressReplay
from genesis.operators.account.examining import CRASHES
from genesis.operators.account.money import share, text
from genesis.operators.account.outcomes import Decision
from genesis.operators.strategies import catalog
from genesis.operators.strategies.strategy import Strategy
from genesis.operators.strategies.stress import NothingToReplay, Replay, replayed

ANSWER_S = 30.0
"""Longest time for the account to judge a replay."""

REFUSED = 3
"""Exit status when a replay was not counted."""


def stress_test(
    account: books.Account = None,
    data: options.Data = None,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only show; tell the account nothing."),
    as_json: options.AsJson = False,
) -> None:
    """Replay three crashes on a copy of the account, with its positions, stops and strategies.

    Nothing is traded. A flash crash, a cascade of hours, and a venue that opens again far lower: each from
    today's prices, with the book filled as far as the account's own rules allow. The account judges the
    figures: a crash counts as survived when the equity falls by less than where the tier halts.

    Examples:

      genesis stress-test

      genesis stress-test --dry-run --json | jq '.replays[] | [.crash, .fall]'
    """
    settings = options.configured(data, account=account)
    running = None if dry_run else attached(data).model_copy(update={"account": settings.account})
    snapshot = _snapshot(settings)
    strategies = _strategies(settings)
    try:
        found = [replayed(snapshot, crash, strategies) for crash in CRASHES]
    except NothingToReplay as error:
        raise CommandError(str(error)) from None
    decisions = {} if running is None else _told(running, found)
    _show(settings, found, decisions, as_json=as_json)
    if any(not each.accepted for each in decisions.values()):
        raise typer.Exit(REFUSED)


def _snapshot(settings: Settings) -> bytes:
    key = open_keys(settings, AUDIT)[AUDIT]  # the state is read only with its seal checked
    with open_ledger(settings, audit_key=key, create=False) as ledger:
        saved = ledger.load(settings.account)
    if saved is None:
        raise CommandError(f"the ledger has no state of account {settings.account!r} yet")
    return saved.snapshot


def _strategies(settings: Settings) -> tuple[Strategy, ...]:
    """Return the strategies that are wanted, made anew."""
    wanted = strategist.read_wanted(settings.data).strategies
    try:
        return tuple(catalog.made(name, parameters) for name, parameters in sorted(wanted.items()))
    except catalog.StrategyError as error:
        raise CommandError(str(error)) from None


def _told(settings: Settings, found: list[Replay]) -> dict[str, Decision]:
    """Tell the account; return what it decided on each crash."""
    key = open_keys(settings, Role.EXAMINER)[Role.EXAMINER]
    commander = Commander(settings, key, role=Role.EXAMINER)
    try:
        return {each.crash: commander.ask(_body(each), ANSWER_S) for each in found}
    except NoDecisionError as error:
        raise CommandError(str(error)) from None
    finally:
        commander.close()


def _body(found: Replay) -> StressReplay:
    return StressReplay(
        crash=found.crash,
        state_ns=found.state_ns,
        head=found.head,
        equity_before=f"{found.equity_before:.8f}",
        at_risk=f"{found.at_risk:.8f}",
        equity_lowest=f"{max(found.equity_lowest, 0):.8f}",
        strategies=found.strategies,
        digest=found.digest,
    )


def _show(settings: Settings, found: list[Replay], decisions: dict[str, Decision], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "crash": each.crash,
                "fall": share(each.equity_before - each.equity_lowest, each.equity_before),
                "equity_before": text(each.equity_before),
                "at_risk": text(each.at_risk),
                "equity_lowest": text(each.equity_lowest),
                "equity_after": text(each.equity_after),
                "fills": each.fills,
                "strategies": list(each.strategies),
                "head": each.head,
                "digest": each.digest,
                "decision": decisions.get(each.crash),
            }
            for each in found
        ]
        books.print_json({"account": settings.account, "replays": rows})
        return
    shown = books.table("crash", ">equity", ">at risk", ">lowest", ">fall", ">after", ">fills", "digest")
    for each in found:
        fall = share(each.equity_before - each.equity_lowest, each.equity_before)
        shown.add_row(
            each.crash.replace("_", " "),
            f"{each.equity_before:.2f}",
            f"{each.at_risk:.2f}",
            f"{each.equity_lowest:.2f}",
            f"{fall:.2%}",
            f"{each.equity_after:.2f}",
            str(each.fills),
            each.digest,
        )
    books.console().print(shown)
    for decision in decisions.values():
        typer.echo(decision.sentence.partition(" Digest ")[0])
    if not decisions:
        typer.echo("Only shown: the account was told nothing.")
