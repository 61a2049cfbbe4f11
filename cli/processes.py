"""`genesis run NAME`: one part of the system in this process, as the supervisor and containers start it."""

import typer

from genesis.connectors import logs, settings

app = typer.Typer(
    help="Run one part of the system in this process, configured by GENESIS_* variables alone.",
    no_args_is_help=True,
)


@app.command()
def feed() -> None:
    """Read the venue's streams into the tick topics.

    Example: GENESIS_VENUE_URL=http://127.0.0.1:9000 GENESIS_BROKER=127.0.0.1:9092 genesis run feed
    """
    configured = settings.read()
    logs.configure("feed", configured.log_level)
    from genesis.connectors.feed.main import run

    raise typer.Exit(run(configured))


@app.command()
def market() -> None:
    """Compute signals from the tick topics: bars, liquidity, correlation, market state.

    Example: GENESIS_BROKER=127.0.0.1:9092 GENESIS_WORKERS=2 genesis run market
    """
    configured = settings.read()
    logs.configure("market", configured.log_level)
    from genesis.flows.market import main

    raise typer.Exit(main(configured))


@app.command()
def store() -> None:
    """Write every topic to ClickHouse; without GENESIS_STORE_URL open the embedded store and serve it.

    Example: GENESIS_BROKER=127.0.0.1:9092 GENESIS_STORE_URL=http://clickhouse:8123 genesis run store
    """
    configured = settings.read()
    logs.configure("store", configured.log_level)
    from genesis.flows.archive import main

    raise typer.Exit(main(configured))


@app.command()
def gateway() -> None:
    """Send child orders to the venue and publish what becomes of them.

    Example: GENESIS_VENUE_URL=http://127.0.0.1:9000 GENESIS_BROKER=127.0.0.1:9092 genesis run gateway
    """
    configured = settings.read()
    logs.configure("gateway", configured.log_level)
    from genesis.connectors.gateway.main import run

    raise typer.Exit(run(configured))


@app.command()
def dashboard() -> None:
    """Show the dashboard of a running system on this terminal.

    Example: GENESIS_DATA=.genesis genesis run dashboard
    """
    configured = settings.read()
    logs.configure("dashboard", configured.log_level)
    from genesis.tui.app import run

    raise typer.Exit(run(configured))


@app.command()
def account() -> None:
    """Decide on orders: fold the account's log into the ledger, and send what is decided.

    Example: GENESIS_BROKER=127.0.0.1:9092 GENESIS_DATA=/var/lib/genesis genesis run account
    """
    configured = settings.read()
    logs.configure("account", configured.log_level)
    from genesis.flows.account import main

    raise typer.Exit(main(configured))


@app.command()
def strategist() -> None:
    """Run the strategies that DATA/strategies.json wants; see `genesis strategy`.

    Example: GENESIS_BROKER=127.0.0.1:9092 GENESIS_DATA=/var/lib/genesis genesis run strategist
    """
    configured = settings.read()
    logs.configure("strategist", configured.log_level)
    from genesis.connectors.strategist import main

    raise typer.Exit(main(configured))


@app.command()
def ticker() -> None:
    """Append the market to the accounts' log, ten times a second of event time.

    Example: GENESIS_BROKER=127.0.0.1:9092 genesis run ticker
    """
    configured = settings.read()
    logs.configure("ticker", configured.log_level)
    from genesis.connectors.ticker import main

    raise typer.Exit(main(configured))
