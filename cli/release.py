"""`genesis release`: lead a new version of the market flow beside the old one, and back."""

import json
from pathlib import Path
from typing import Annotated

import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors.release import copying
from genesis.connectors.release.conducting import Conductor
from genesis.connectors.release.control import opened
from genesis.connectors.settings import Settings
from genesis.operators.release import Policy, Release, other

STATUS_S = 3.0
"""How long the colours are waited for; they report about once a second."""

app = typer.Typer(
    help="Try a new version of the market flow beside the old one, give it the signals, take them back.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Because = Annotated[str, typer.Option("--reason", help="Why, in a sentence; it is kept with the step.")]


def _settings(data: Path | None) -> Settings:
    settings = options.configured(data)
    if not settings.broker:
        raise CommandError(
            "GENESIS_BROKER is empty: a release needs the broker that both colours use, as kafka:9092"
        )
    return settings


def _said(release: Release) -> dict[str, object]:
    return {
        "phase": release.phase,
        "active": release.active,
        "shadow": other(release.active),
        "epoch": release.epoch,
        "reason": release.reason,
    }


def _print(release: Release, *, as_json: bool, **more: object) -> None:
    if as_json:
        typer.echo(json.dumps(_said(release) | more))
        return
    sentences = {
        "settled": f"{release.active} has the signals, and no release is under way.",
        "shadow": f"{release.active} has the signals; {other(release.active)} computes beside it.",
        "watch": f"{release.active} has the signals and is watched; {other(release.active)} is kept warm.",
    }
    typer.echo(f"{sentences[release.phase]} Epoch {release.epoch}.")


def _stepped(data: Path | None, step: str, reason: str) -> Release:
    settings = _settings(data)
    control = opened(settings)
    conductor = Conductor(settings, control, Policy(), typer.echo)
    try:
        return conductor.step(step, reason)
    finally:
        conductor.close()
        control.close()


@app.command()
def start(
    reason: Because = "",
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Begin a release: the colour without the signals is the candidate.

    Start its market flow with GENESIS_COLOUR before or after; it changes nothing until `promote`.

    Example: genesis release start --reason "version 0.2"
    """
    _print(_stepped(data, "start", reason), as_json=as_json)


@app.command()
def status(data: options.Data = None, as_json: options.AsJson = False) -> None:
    """Show which colour has the signals, and how both are.

    Example: genesis release status --json
    """
    settings = _settings(data)
    control = opened(settings)
    conductor = Conductor(settings, control, Policy(), typer.echo)
    figures = conductor.figures(STATUS_S)
    _print(control.now, as_json=as_json, figures=figures)
    if not as_json:
        for colour, found in figures.items():
            typer.echo(_line(colour, found))
        if not figures:
            typer.echo("No colour reports: start a market flow with GENESIS_COLOUR=blue.")
    conductor.close()
    control.close()


def _line(colour: str, figures: dict[str, float]) -> str:
    def of(name: str) -> float:
        return figures.get(name, 0.0)

    wrong = ", ".join(
        f"{value:.0f} in {name.removeprefix('parity_wrong_rows_')}"
        for name, value in figures.items()
        if name.startswith("parity_wrong_rows_")
    )
    return (
        f"  {colour:5}  {of('lag_messages'):.0f} messages behind, p99 {of('tick_to_signal_p99_ms'):.0f} ms, "
        f"rows equal {of('parity_equal_rows'):.0f}, not equal {of('parity_wrong_rows'):.0f}"
        + (f" ({wrong})" if wrong else "")
        + (", still catching up" if of("parity_unaligned_partitions") else "")
    )


@app.command()
def promote(
    wait: Annotated[float, typer.Option(help="Longest time for the gate to open, seconds.")] = 600.0,
    watch: Annotated[float, typer.Option(help="How long the new one is watched, seconds.")] = 600.0,
    reports: Annotated[
        int, typer.Option(min=2, max=100, help="Reports, about one a second, that are judged.")
    ] = 10,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Give the candidate the signals when the gate is open, watch it, and go back by itself on a breach.

    The gate: lag, refused messages, tick to signal, and every row equal to the other's. The exit status
    is 0 only when the new version kept the signals. Interrupted, it goes on when it is run again.

    Example: genesis release promote --watch 600
    """
    settings = _settings(data)
    control = opened(settings)
    policy = Policy(reports=reports)
    conductor = Conductor(settings, control, policy, lambda said: typer.echo(said, err=as_json))
    try:
        outcome = conductor.promote(wait, watch)
    finally:
        conductor.close()
        control.close()
    _print(outcome.release, as_json=as_json, promoted=outcome.promoted, reasons=outcome.reasons)
    if not outcome.promoted:
        if not as_json:
            typer.echo(f"Not promoted: {'; '.join(outcome.reasons)}.")
        raise typer.Exit(1)


@app.command()
def rollback(
    reason: Because = "by hand",
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """End a release: the old version keeps the signals, or has them again at once.

    Example: genesis release rollback --reason "spreads look wrong"
    """
    _print(_stepped(data, "rollback", reason), as_json=as_json)


@app.command()
def copy(
    source: Annotated[Path, typer.Argument(help="Data folder of the market flow that runs.")],
    target: Annotated[Path, typer.Argument(help="Data folder of the candidate.")],
) -> None:
    """Copy the newest snapshot of one colour for the other, while the first runs.

    Example: genesis release copy /var/lib/genesis/blue /var/lib/genesis/green
    """
    typer.echo(f"{copying.copy(source, target)} bytes of snapshots are in {target}.")
