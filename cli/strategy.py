"""`genesis strategy`: start, swap and stop strategies on a running system; nothing else stops for it."""

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import run_file, strategist
from genesis.connectors.strategist import Told, Wanted
from genesis.operators.strategies import catalog

ANSWER_S = 30.0
"""Longest time for a running system to take over what is wanted."""

app = typer.Typer(
    help="Run strategies on the running system: on the simulator, on paper, or live, by the same code.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(help=f"One of {', '.join(sorted(catalog.STRATEGIES))}.")]


def want(data: Path, name: str, parameters: dict[str, str]) -> None:
    """Note that a strategy is wanted.

    Raises
    ------
    CommandError
        When there is none of that name, or a parameter is wrong.
    """
    try:
        catalog.made(name, parameters)
    except catalog.StrategyError as error:
        raise CommandError(str(error)) from None
    before = strategist.read_wanted(data).strategies
    strategist.want(data, Wanted({**before, name: parameters}))


@app.command()
def start(
    name: Name,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the strategy; once for each."),
    ] = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Start a strategy, or swap it for one with other parameters, without stopping anything else.

    It first reads what the log still has, then asks for orders; the account decides on each as always.

    Examples:

      genesis strategy start pairs

      genesis strategy start pairs --set notional=10 --set enter=2.5
    """
    settings, parameters = options.configured(data), options.parameters(given or [])
    want(settings.data, name, parameters)
    if run_file.read(settings.data) is None:
        typer.echo(f"{name} starts with the next `genesis up` on {settings.data}.")
        return
    deadline_s = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline_s:
        told = strategist.read_told(settings.data).get(name)
        if told is not None and told.parameters == parameters:
            _show({name: told}, as_json=as_json)
            return
        time.sleep(0.05)
    raise CommandError(
        f"{name} is noted, and the running system has not taken it over yet. See `genesis strategy list`, "
        f"and the log of strategist in {settings.data}/logs"
    )


@app.command()
def stop(
    name: Annotated[str, typer.Argument(help="Which one; all of them without a name.")] = "",
    data: options.Data = None,
) -> None:
    """Stop a strategy, or all. What it holds stays, with its stop-loss; orders at work go on.

    Examples:

      genesis strategy stop pairs

      genesis strategy stop
    """
    settings = options.configured(data)
    left: dict[str, dict[str, str]] = {}
    if name:
        left = dict(strategist.read_wanted(settings.data).strategies)
        if left.pop(name, None) is None:
            raise CommandError(f"{name!r} does not run. `genesis strategy list` shows what does")
    strategist.want(settings.data, Wanted(left))
    typer.echo(f"{name} stops now." if name else "All strategies stop now.")


@app.command("list")
def show(data: options.Data = None, as_json: options.AsJson = False) -> None:
    """Show which strategies are wanted, and how they are.

    Example: genesis strategy list --json
    """
    settings = options.configured(data)
    wanted = strategist.read_wanted(settings.data).strategies
    told = strategist.read_told(settings.data) if run_file.read(settings.data) is not None else {}
    found = {
        name: told[name]
        if name in told and told[name].parameters == parameters
        else Told(name=name, parameters=parameters, state="waiting")
        for name, parameters in wanted.items()
    }
    _show(found, as_json=as_json)


def _show(told: dict[str, Told], *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(list(told.values())), indent=2).decode())
        return
    if not told:
        typer.echo("No strategy runs. `genesis strategy start pairs` starts one.")
    for each in told.values():
        values = " ".join(f"{name}={value}" for name, value in sorted(each.parameters.items()))
        typer.echo(f"{each.name}  {each.state}  {values}".rstrip())
        typer.echo(
            f"  {each.detail}" if each.detail else f"  {each.records:,} records, {each.intents} intents"
        )
