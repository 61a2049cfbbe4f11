"""`genesis replay`: recordings through the very same feed, topics, flows and store, to the end."""

import contextlib
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from genesis.cli import accounting, options
from genesis.cli.errors import CommandError
from genesis.cli.supervisor import Supervisor
from genesis.cli.up import played, start_parts

LOOK_EVERY_S = 0.2
"""How often the progress bar asks the simulator where it is."""


class Progressing(NamedTuple):
    """How far the simulator is."""

    sent: int
    total: int
    error: str


Show = Callable[[Progressing, str], None]


def replay(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Recordings, as `genesis record` writes them.")
    ],
    speed: Annotated[str, typer.Option(help="A number, or max.")] = "max",
    symbols: Annotated[str | None, typer.Option(help="Only these instruments, as spot:BTCUSDT.")] = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Run recordings through feed, topics, flows and store to the end, and print a summary.

    The exit status is 0 only when every row of the recordings is accounted for: stored, or in the
    dead letters with a reason. Rows that the store already has are not stored twice.

    Examples:

      genesis replay btcusdt.txt.gz ethusdt.txt.gz

      genesis replay session.txt.gz --speed 10 --data /tmp/study

      genesis replay session.txt.gz --json | jq .throughput_messages_per_s
    """
    configured = options.configured(data, symbols=symbols)
    recordings = [file.resolve() for file in options.recordings(files)]
    source = played(recordings, options.speed(speed))
    console = Console(stderr=True)
    with Supervisor(
        configured, lambda sentence: console.print(f"[dim]{sentence}[/dim]", highlight=False)
    ) as system:
        accounting.forget(system.data)
        console.print(
            "Starting broker, store and flows; the first time this takes a minute.", highlight=False
        )
        start_parts(system, source, trade=False)
        started_s = time.monotonic()
        with _bar(console) as show:
            ending = Ending(system, show)
            system.run(until=ending)
        if system.stop_asked:
            raise CommandError("stopped before the end; run it again and it goes on from what is stored")
        summary = accounting.take(system, recordings, time.monotonic() - started_s, ending.damage)
    typer.echo(json.dumps(msgspec.to_builtins(summary), indent=2) if as_json else accounting.as_text(summary))
    for sentence in summary.faults:
        typer.echo(f"genesis: {sentence}", err=True)
    if summary.faults:
        raise typer.Exit(1)


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Show]:
    """Yield a function that shows how far the replay is; it draws on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} messages"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("replay", total=None)

        def show(state: Progressing, doing: str) -> None:
            progress.update(task, completed=state.sent, total=state.total or None, description=doing)

        yield show


class Ending:
    """Says whether all has been played and stored; draws the progress on the way, now and then.

    ``damage`` is what the simulator said of a recording that could not be read to its end.
    """

    def __init__(self, system: Supervisor, show: Show) -> None:
        self._system, self._show = system, show
        self._looked_s = -LOOK_EVERY_S
        self.damage = ""

    def __call__(self) -> bool:
        """Return True at the end."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return False
        self._looked_s = now_s
        played_out = "feed" in self._system.finished
        state = progress_of(self._system)
        self.damage = state.error or self.damage
        self._show(state, "storing" if played_out else "replay")
        return played_out and accounting.complete(self._system.data)


def progress_of(system: Supervisor) -> Progressing:
    """Ask the simulator how far it is; while it restarts, nothing is known."""
    try:
        with urllib.request.urlopen(f"{system.settings.venue_url}/genesis/status", timeout=2) as answer:
            status = json.load(answer)
    except (OSError, ValueError):
        return Progressing(0, 0, "")
    return Progressing(
        int(status.get("sent_total", 0)), int(status.get("total", 0) or 0), status.get("error") or ""
    )
