"""`genesis record`: write what the venue sends, in the format that `genesis replay` reads."""

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import logs, run_file
from genesis.connectors.feed.binance import BinanceAdapter
from genesis.connectors.feed.websocket import new_session
from genesis.connectors.recording import Recorder
from genesis.connectors.settings import Settings, Venue

SHOW_EVERY_S = 0.25


def record(
    out: Annotated[
        Path, typer.Option(metavar="PATH", help="Folder; for one instrument also a file, such as btc.txt.gz.")
    ] = Path("recordings"),
    symbols: Annotated[
        str | None, typer.Option(help="Instruments, as spot:BTCUSDT,usdm:ETHUSDT.  [default: a liquid few]")
    ] = None,
    duration: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="Stop after so long; 0 records until Ctrl-C.")
    ] = 0.0,
    venue: Annotated[Venue, typer.Option(help="Live public Binance data, or the simulator.")] = Venue.BINANCE,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Simulator's address.  [default: that of the running system]"),
    ] = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Record trades, best quotes, depth and snapshots until Ctrl-C, one file an instrument.

    What it writes is what came over the socket, message for message, with the time of its arrival.

    Examples:

      genesis record --symbols spot:BTCUSDT --out btc.txt.gz --duration 60

      genesis record --symbols spot:BTCUSDT,usdm:BTCUSDT --out recordings

      genesis record --venue simulator --url http://127.0.0.1:8777 --out recordings
    """
    configured = options.configured(data, symbols=symbols, venue=Venue.SIMULATOR if url else venue)
    if configured.venue is Venue.SIMULATOR:
        address = url or configured.venue_url or _running_simulator(configured)
        configured = configured.model_copy(update={"venue_url": address})
    logs.configure("record", "error" if configured.log_level == "info" else configured.log_level)
    started_s = time.monotonic()
    console = Console(stderr=True)
    recorder = asyncio.run(_record(configured, out, duration, console))
    summary = {
        "files": [str(reel.writer.path) for reel in recorder.reels if reel.writer.lines],
        "messages": recorder.messages_total,
        "bytes": recorder.bytes_total,
        "seconds": round(time.monotonic() - started_s, 3),
    }
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
    else:
        for reel in (each for each in recorder.reels if each.writer.lines):
            typer.echo(f"{reel.writer.path}  {reel.writer.lines:,} messages")
    if not recorder.messages_total:
        raise CommandError("no message came. `genesis doctor` looks at network and venue")


def _running_simulator(configured: Settings) -> str:
    """Return the address of the simulator of the system that runs on this data folder."""
    run = run_file.read(configured.data)
    if run is None or not run.venue_url:
        raise CommandError(
            "no simulator runs on this data folder. Name one with --url, or start `genesis up`"
        )
    return run.venue_url


async def _record(configured: Settings, out: Path, duration_s: float, console: Console) -> Recorder:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    adapter = BinanceAdapter(configured)
    async with new_session(adapter.hosts, adapter.headers) as session:
        recorder = Recorder(configured, adapter, session, out)
        preparing = asyncio.create_task(recorder.prepare())
        stop = asyncio.create_task(stopping.wait())
        try:
            with console.status(f"Asking {adapter.name} what it offers (Ctrl-C stops)"):
                await asyncio.wait({preparing, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not preparing.done():
                raise CommandError("stopped before the venue had answered")
            preparing.result()
        finally:
            preparing.cancel()
            stop.cancel()
        if duration_s:
            loop.call_later(duration_s, stopping.set)
        showing = asyncio.create_task(_show(recorder, console))
        try:
            await recorder.run(stopping)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    return recorder


async def _show(recorder: Recorder, console: Console) -> None:
    """Show how much has been recorded; on a terminal only."""
    if not console.is_terminal:
        return
    started_s = time.monotonic()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            seconds = time.monotonic() - started_s
            text = (
                f"{recorder.messages_total:,} messages of {len(recorder.reels)} instruments, "
                f"{recorder.bytes_total / 1e6:,.1f} MB, {seconds:,.0f} s (Ctrl-C stops)"
            )
            live.update(text, refresh=True)
            await asyncio.sleep(SHOW_EVERY_S)
