"""`genesis healthcheck`: whether what runs in this container is ready, as an exit status."""

import typer

from genesis.cli.errors import CommandError
from genesis.cli.status import readiness
from genesis.connectors import run_file, settings


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
    ports = run.metrics if run is not None else {"the part": configured.metrics_port}
    host = "127.0.0.1" if configured.metrics_host == "0.0.0.0" else configured.metrics_host
    said = {name: readiness(f"http://{host}:{port}") for name, port in ports.items()}
    waiting = {name: answer["reasons"] for name, answer in said.items() if not answer["ready"]}
    for name, reasons in waiting.items():
        typer.echo(f"{name} is not ready: {'; '.join(reasons)}")
    if waiting:
        raise typer.Exit(1)
    typer.echo("ready")
