"""`genesis up`: the whole system on this machine, with one command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from genesis.cli import options, strategy, trading
from genesis.cli.errors import CommandError
from genesis.cli.supervisor import Supervisor
from genesis.connectors import strategist
from genesis.connectors.broker import free_port
from genesis.connectors.settings import Settings, Venue


def up(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]…", help="More recordings for --replay.")
    ] = None,
    replay: Annotated[
        list[Path] | None, typer.Option("--replay", metavar="FILE…", help="Play recordings instead.")
    ] = None,
    venue: Annotated[
        Venue, typer.Option(help="Where data comes from: simulator, or live public Binance data.")
    ] = (Venue.SIMULATOR),
    speed: Annotated[str, typer.Option(help="Speed of a recording: a number, or max.")] = "1",
    symbols: Annotated[str | None, typer.Option(help="Instruments, as spot:BTCUSDT,usdm:ETHUSDT.")] = None,
    synthetic: Annotated[int, typer.Option(min=1, max=200, help="Symbols of the synthetic market.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market.")] = 1,
    rate: Annotated[float, typer.Option(min=1, help="Messages a second of the synthetic market.")] = 1_000,
    strategies: Annotated[
        list[str] | None,
        typer.Option("--strategy", metavar="NAME", help="A strategy to run; see `genesis strategy`."),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Without a dashboard.")] = False,
    data: options.Data = None,
) -> None:
    """Start broker, store, simulator, feed, flows and dashboard; stop them all with q or Ctrl-C.

    Without options it runs a synthetic market of 20 correlated symbols and needs no network.

    Examples:

      genesis up

      genesis up --headless --data /tmp/try

      genesis up --replay btc.txt.gz eth.txt.gz --speed 10

      genesis up --venue binance --symbols spot:BTCUSDT,spot:ETHUSDT

      genesis up --strategy pairs
    """
    configured = options.configured(data, venue=venue, symbols=symbols)
    files = options.recordings([*(replay or []), *(more or [])])
    source = played(files, options.speed(speed)) if files else synthesised(synthetic, seed, rate)
    screen = not headless and sys.stdout.isatty() and sys.stdin.isatty()
    say = (lambda _sentence: None) if screen else (lambda sentence: typer.echo(sentence, err=True))
    if strategies and not trading.trades(configured):
        raise CommandError(
            "a strategy needs an account that trades, and with live data none does by itself. "
            "GENESIS_TRADING=paper gives one that is matched here"
        )
    watch = trading.strategy_watch()
    with Supervisor(configured, say) as system:
        for name in strategies or []:
            if name not in strategist.read_wanted(system.data).strategies:  # else with its parameters
                strategy.want(system.data, name, {})
        typer.echo("Starting broker, store, flows and feed; the first time this takes a minute.", err=True)
        start_parts(system, source, trade=trading.trades(configured))
        if screen:
            system.start("dashboard", finite=True, foreground=True)
            system.run(until=lambda: "dashboard" in system.finished, look=watch)
        else:
            typer.echo(addresses(system), err=True)
            system.run(until=lambda: False, look=watch)
        typer.echo("Stopping.", err=True)


def played(files: list[Path], speed: str) -> list[str]:
    """Return the simulator's options for recordings."""
    return [*(part for file in files for part in ("--replay", str(file))), "--speed", speed]


def synthesised(symbols: int, seed: int, rate_hz: float) -> list[str]:
    """Return the simulator's options for a synthetic market."""
    return ["--synthetic", str(symbols), "--seed", str(seed), "--rate", str(rate_hz), "--speed", "1"]


def start_parts(system: Supervisor, source: list[str], *, trade: bool) -> None:
    """Start everything but the dashboard, each part when what it needs is there."""
    system.start_broker()
    system.start("store")
    system.start("market")
    accounts = trading.prepare(system) if trade else []
    if system.settings.venue is Venue.SIMULATOR:
        system.start("venue", *source, *accounts, "--port", str(free_port()))
    if trade:
        trading.start(system)
    system.start("feed", finite=True)


def addresses(system: Supervisor) -> str:
    """Return a few lines that say how to reach the running system."""
    run: Settings = system.settings
    return (
        f"Running on {run.data} (Ctrl-C stops it)\n"
        f"  look      genesis tui --data {run.data}\n"
        f"  trade     genesis order place buy btc --notional 20 --data {run.data}\n"
        f"  ask       genesis sql --data {run.data} 'SELECT symbol, count() FROM trades GROUP BY symbol'\n"
        f"  ClickHouse HTTP, read-only: http://127.0.0.1:{run.store_port}\n"
        f"  Kafka: {run.broker}"
    )
