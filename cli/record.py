"""`genesis record`: a live feed into files that `genesis replay` plays."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import logs, run_file
from genesis.connectors.feed.recorder import Progress, Recorder
from genesis.connectors.settings import Settings, Venue


def record(
    out: Annotated[Path, typer.Option("--out", help="Folder for the files, one an instrument.")] = Path(
        "recordings"
    ),
    symbols: Annotated[str | None, typer.Option(help="Instruments, as spot:BTCUSDT,usdm:ETHUSDT.")] = None,
    duration: Annotated[
        float | None, typer.Option(min=1.0, metavar="SECONDS", help="How long; until Ctrl-C when not given.")
    ] = None,
    venue: Annotated[Venue, typer.Option(help="Live public Binance data, or the simulator.")] = Venue.BINANCE,
    venue_url: Annotated[
        str | None, typer.Option(help="Address of the simulator; the running system's when not given.")
    ] = None,
    data: options.Data = None,
) -> None:
    """Record raw messages and book snapshots as they come, with their receive times.

    The files are what `genesis replay` and `genesis venue --replay` read.

    Examples:

      genesis record --symbols spot:BTCUSDT,spot:ETHUSDT --duration 3600

      genesis record --venue simulator --venue-url http://127.0.0.1:8777 --out /tmp/copy
    """
    logs.configure("record", "warning")
    configured = options.configured(data, venue=venue, symbols=symbols, venue_url=venue_url)
    recorder = Recorder(_with_running(configured), out)
    asyncio.run(_record(recorder, duration))
    for path in recorder.paths:
        typer.echo(str(path))
    if not recorder.paths:
        raise CommandError("nothing came, so nothing was recorded")


def _with_running(configured: Settings) -> Settings:
    """Return the settings with the address of the running system's simulator, when one is needed."""
    if configured.venue is Venue.BINANCE or configured.venue_url:
        return configured
    run = run_file.read(configured.data)
    if run is None or not run.venue_url:
        raise CommandError(
            "no simulator runs here: say where it is with --venue-url, or start `genesis venue`"
        )
    return configured.model_copy(update={"venue_url": run.venue_url})


async def _record(recorder: Recorder, duration_s: float | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if duration_s is not None:
        loop.call_later(duration_s, stop.set)

    def beat(progress: Progress) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(
                f"\r{progress.messages:,} messages of {progress.files} instruments; Ctrl-C ends it "
            )
            sys.stderr.flush()

    await recorder.run(stop, beat)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
