"""`genesis healthcheck`: whether what runs in this container is ready, as an exit status."""

import typer

from genesis.cli.errors import CommandError
from genesis.cli.status import readiness
from genesis.connectors import run_file, settings

LAST_STARTED = "feed"
"""The part that a whole system starts last."""


def healthcheck() -> None:
    """Ask the part that runs here, or each part of `genesis up`, whether it is ready.

    The exit status is 0 when all are; else 1, with the reasons. For the health checks of containers:
    it reads the same GENESIS_* variables as the part.

    Example: GENESIS_METRICS_PORT=9100 genesis healthcheck
    """
    configured = settings.read()
    if not configured.metrics_port:
        raise CommandError(
            "GENESIS_METRICS_PORT is 0, so nobody can be asked: set it to a port, for the part and for this"
        )
    run = run_file.read(configured.data)
    ports = {"the part": configured.metrics_port}
    if run is not None:
        if LAST_STARTED not in run.states:
            raise CommandError(f"the system is still starting: {LAST_STARTED} is to come")
        ports = {name: port for name, port in run.metrics.items() if run.states[name] != "finished"}
    host = "127.0.0.1" if configured.metrics_host == "0.0.0.0" else configured.metrics_host
    said = {name: readiness(f"http://{host}:{port}") for name, port in ports.items()}
    waiting = {name: answer["reasons"] for name, answer in said.items() if not answer["ready"]}
    for name, reasons in waiting.items():
        typer.echo(f"{name} is not ready: {'; '.join(reasons)}")
    if waiting:
        raise typer.Exit(1)
    typer.echo("ready")
