"""`genesis venue`: the simulated exchange alone, for any Binance client."""

import asyncio
import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import logs, metrics, probes, settings
from genesis.connectors.venue.fault_kinds import COMMON, KINDS, FaultError, parse_fault
from genesis.connectors.venue.main import serve
from genesis.connectors.venue.player import State
from genesis.connectors.venue.server import DEFAULT_PORT, VenueOptions, VenueServer
from genesis.connectors.venue.trading.accounts import AccountsError
from genesis.connectors.venue.trading.desk import TradingOptions
from genesis.connectors.venue.trading.journal import JournalError
from genesis.operators.synthetic_market import SyntheticParameters

PROGRESS_S = 1.0
"""Time between two looks at the play."""

Accounts = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Accounts that may trade; made, with one account, when it is not there."
    ),
]
Kept = Annotated[
    Path | None,
    typer.Option("--state", metavar="FILE", help="Keep orders and balances for the next start."),
]
Latency = Annotated[float, typer.Option(min=0.0, metavar="MS", help="From an order's arrival to its effect.")]
Jitter = Annotated[float, typer.Option(min=0.0, metavar="MS", help="At most so much more latency.")]


def venue(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]…", help="More recordings for --replay.")
    ] = None,
    replay: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE…", help="Play recordings instead; usdm=FILE to say the market."),
    ] = None,
    synthetic: Annotated[int, typer.Option(metavar="N", help="Symbols of the synthetic market.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic market.")] = 1,
    rate: Annotated[float, typer.Option(help="Messages a second of the synthetic market.")] = 1_000.0,
    start: Annotated[
        str, typer.Option(help="When the synthetic market starts: now, or as 2024-08-08T23:54:14.")
    ] = "now",
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long the synthetic market lasts.")
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(help="1, N times as fast, or max.  [default: max for recordings, else 1]"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on, 0 for a free one.")
    ] = DEFAULT_PORT,
    wait_for: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STREAM", help="Do not start before this stream has a listener, as spot/btcusdt@trade."
        ),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start at once, listeners or not.")] = False,
    accounts: Accounts = None,
    state: Kept = None,
    latency: Latency = 2.0,
    jitter: Jitter = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:TARGET:NAME=VALUE,…", help="Fault to inject; `--fault help` lists all."),
    ] = None,
) -> None:
    """Be a Binance-compatible venue on this machine: market data, order books, and faults on demand.

    It plays recordings or makes up a market of correlated symbols. Recordings start when all their
    streams have a listener and go as fast as the slowest of them, with nothing dropped.

    Spot is at /api/v3, /stream and, for trading with the keys of --accounts, /ws-api/v3; USD-M futures are
    at /fapi/v1 and /usdm/stream, COIN-M at /dapi/v1 and /coinm/stream; status and control at
    /genesis/status, /genesis/accounts and /genesis/faults.

    Examples:

      genesis venue

      genesis venue --synthetic 5 --seed 7 --rate 5000 --port 9000

      genesis venue --replay btcusdt.txt.gz ethusdt.txt.gz --speed 10

      genesis venue --fault gap:BTCUSDT@depth:after=1000,count=5 --fault 429:depth:count=3,retry_after_s=2

      curl -d '{"spec": "disconnect:*:how=1001"}' http://127.0.0.1:8777/genesis/faults
    """
    if fault and "help" in fault:
        typer.echo(fault_help())
        return
    configured = settings.read()
    logs.configure("venue", configured.log_level)
    timed = float(options.speed(speed).replace("max", "inf")) if speed else None
    waited = () if no_wait else tuple(wait_for) if wait_for else None
    try:
        chosen = VenueOptions(
            host=host,
            port=port,
            replay=(*(replay or []), *(more or [])),
            synthetic=SyntheticParameters(synthetic, seed, rate, _start_ns(start)),
            duration_s=math.inf if duration is None else duration,
            speed=timed,
            wait_for=waited,
            faults=tuple(map(parse_fault, fault or ())),
            trading=TradingOptions(accounts, latency, jitter, seed, state),
        )
    except FaultError as error:
        raise CommandError(f"{error}. `genesis venue --fault help` lists all") from None
    except ValueError as error:
        raise CommandError(str(error)) from None
    probes.serve(configured, "venue")
    try:
        status = asyncio.run(_run(chosen))
    except (FaultError, AccountsError, JournalError) as error:
        raise CommandError(str(error)) from None
    raise typer.Exit(status)


def fault_help() -> str:
    """Return all faults, with parameters and an example each."""
    lines = ["A fault is KIND[:TARGET[:NAME=VALUE,...]]; the target * is everything.", ""]
    for kind in KINDS.values():
        lines += [f"{kind.name}: {kind.doc}", f"    acts on {kind.scope.value}"]
        lines += [
            f"    {name} ({parameter.default}): {parameter.doc}"
            for name, parameter in kind.parameters.items()
        ]
        lines += [f"    --fault '{kind.example}'", ""]
    lines.append("all of them:")
    lines += [f"    {name} ({parameter.default}): {parameter.doc}" for name, parameter in COMMON.items()]
    return "\n".join(lines)


def _start_ns(text: str) -> int:
    """Return a start time in ns since the epoch, whole seconds."""
    try:
        moment = datetime.now(UTC) if text == "now" else datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--start takes now or a time as 2024-08-08T23:54:14, was {text!r}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000


async def _run(chosen: VenueOptions) -> int:
    """Run the venue until it is stopped; return the exit status."""
    watching: list[asyncio.Task[None]] = []
    servers: list[VenueServer] = []

    def ready(base_url: str, server: VenueServer) -> None:
        servers.append(server)
        probes.started()
        typer.echo(f"{server.source.description} at {base_url} (Ctrl-C stops it)", err=True)
        if not sys.stdout.isatty():
            typer.echo(json.dumps({"ready": {"venue_url": base_url}}))
            sys.stdout.flush()
        watching.append(asyncio.create_task(_watch(server)))

    try:
        await serve(chosen, ready)
    finally:
        for task in watching:
            task.cancel()
    return 1 if any(server.player.error for server in servers) else 0


async def _watch(server: VenueServer) -> None:
    """Say on standard error what the play is doing: when it changes, and on a terminal every second."""
    said = None
    while True:
        state = server.player.state
        probes.STATE.beat()
        metrics.VENUE_MESSAGES.set(server.player.position)
        metrics.VENUE_CONNECTIONS.set(len(server.hub.connections))
        if state != said:
            typer.echo(_sentence(server), err=True)
            said = state
        elif sys.stderr.isatty() and state == State.PLAYING:
            sys.stderr.write(f"\r{_progress(server)}\x1b[K\r")
            sys.stderr.flush()
        await asyncio.sleep(PROGRESS_S)


def _sentence(server: VenueServer) -> str:
    state = server.player.state
    if state == State.WAITING:
        streams = server.hub.uncovered()
        more = f" and {len(streams) - 3} more" if len(streams) > 3 else ""
        return f"waiting for a client to listen to {', '.join(streams[:3])}{more}"
    if state == State.FAILED:
        return f"the source ended early: {server.player.error}"
    return f"{state.value}: {_progress(server)}"


def _progress(server: VenueServer) -> str:
    fraction = server.source.fraction()
    share = "" if fraction is None else f" ({fraction:.0%})"
    connections = len(server.hub.connections)
    return f"{server.player.position:,} messages{share}, {connections} connections"
