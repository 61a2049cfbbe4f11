"""`genesis tui`: the dashboard of a running system."""

import typer

from genesis.cli import options


def tui(data: options.Data = None) -> None:
    """Attach a dashboard to a running system."""
    from genesis.tui.app import run

    raise typer.Exit(run(options.configured(data)))
