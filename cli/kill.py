"""`genesis kill`: the kill switch; it works when everything else is dead."""

import contextlib
from typing import Annotated

import msgspec
import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import run_file
from genesis.connectors.settings import Settings, Trading

WORD = "kill"
LIFT_PHRASE = "let it trade"

ANSWER_TIMEOUT_S = 5.0
"""How long the account flow is waited for; it may be dead."""


def kill(
    flatten: Annotated[bool, typer.Option("--flatten", help="Also sell at market what is held.")] = False,
    account: Annotated[str | None, typer.Option(help="Which account.")] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Lift the halt of an earlier kill instead.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the word to be typed.")] = False,
    data: options.Data = None,
) -> None:
    """Cancel every open order now, halt the account, and with --flatten sell what is held.

    It talks to the venue itself and needs neither the system nor its broker to run. No gateway sends for
    the account any more until `genesis kill --lift`.

    Examples:

      genesis kill

      genesis kill --flatten --yes

      genesis kill --lift
    """
    settings = _with_addresses(options.configured(data, account=account))
    if lift:
        _lift(settings, yes=yes)
        return
    what = "cancel every open order and sell what is held" if flatten else "cancel every open order"
    if not yes and typer.prompt(f"This will {what} of account {settings.account}. Type {WORD}") != WORD:
        raise CommandError("nothing was done: the word was not typed")
    _act(settings, flatten=flatten)


def _act(settings: Settings, *, flatten: bool) -> None:
    from genesis.connectors.gateway import hosts
    from genesis.connectors.gateway.factory import find_credentials
    from genesis.connectors.gateway.guard import Guard, Outcome
    from genesis.connectors.ledger import open_ledger

    def say(sentence: str) -> None:
        typer.echo(sentence)

    if settings.trading is Trading.PAPER:
        number = open_ledger(settings).halt(settings.account)
        say(
            f"account {settings.account} is halted in the ledger (number {number}); paper trades nowhere else"
        )
        return
    url = settings.venue_url if settings.trading is Trading.SIMULATOR else ""
    places = hosts.endpoints(settings.trading, url, hosts.UNLOCK_PHRASE)  # what lowers risk needs no unlock
    guard = Guard(settings.trading, places, find_credentials(settings), say)
    try:
        outcome: Outcome = guard.act(settings.account, lambda: open_ledger(settings), flatten=flatten)
    finally:
        guard.close()
    if settings.broker and _tell_account(settings):
        say("the account itself is halted, too")
    if not outcome.is_complete:
        raise CommandError("not everything worked: " + "; ".join(outcome.faults))
    say("done. `genesis kill --lift` lets it trade again")


def _tell_account(settings: Settings) -> bool:
    """Say in the account's own log that it is halted; False when there is nobody to hear it."""
    from genesis.connectors.commanding import Commander
    from genesis.connectors.keys import open_keys
    from genesis.operators.account.events import SetMode

    try:
        commander = Commander(settings, open_keys(settings, "guard")["guard"], role="guard")
        commander.ask(SetMode(mode="halted", reason="kill switch"), ANSWER_TIMEOUT_S)
    except Exception:  # noqa: BLE001 - ledger and venue know already, and all else may be dead
        return False
    commander.close()
    return True


def _lift(settings: Settings, *, yes: bool) -> None:
    from genesis.connectors.ledger import open_ledger

    if (
        not yes
        and typer.prompt(f"Type {LIFT_PHRASE!r} to lift the halt of {settings.account}") != LIFT_PHRASE
    ):
        raise CommandError("nothing was done: the words were not typed")
    with open_ledger(settings, create=False) as ledger:
        ledger.lift_halt(settings.account)
    typer.echo(
        "the halt is lifted. A running gateway reconciles and sends again within seconds;"
        " the account itself stays halted until its mode is set to active"
    )


def _with_addresses(settings: Settings) -> Settings:
    """Return the settings with what the run file of a system, even of a dead one, adds to them."""
    update: dict[str, object] = {}
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        run = msgspec.json.decode(run_file.path_in(settings.data).read_bytes(), type=run_file.RunFile)
        update = {
            "venue_url": settings.venue_url or run.venue_url,
            "broker": settings.broker or run.broker,
        }
    credentials = settings.data / "keys" / "venue-credentials.json"
    if settings.trading is Trading.SIMULATOR and not settings.credentials_file and credentials.exists():
        update["credentials_file"] = str(credentials)
    return settings.model_copy(update=update)
