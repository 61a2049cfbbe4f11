"""`genesis run PART`: one part of the system in this process, as the supervisor and containers start it."""

import typer

from genesis.connectors import logs, settings
from genesis.connectors.settings import Settings, SettingsError

HELP = """Run one part of the system in this process, for containers; `genesis up` runs them all.

GENESIS_* variables alone configure it; docs/settings.md lists them. A secret may be in a file: \
GENESIS_LEDGER_URL_FILE=/run/secrets/ledger_url.

Once it serves it prints a line with the word ready; with GENESIS_METRICS_PORT it answers /livez, \
/readyz and /metrics. SIGTERM and Ctrl-C end it with status 0 after it has kept what it holds.

Example: GENESIS_BROKER=kafka:9092 GENESIS_METRICS_PORT=9100 genesis run market
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _configured(part: str) -> Settings:
    """Return the settings of this process, which logs under the name of its part from now on."""
    configured = settings.read()
    logs.configure(part, configured.log_level)
    if not configured.broker and part != "dashboard":
        raise SettingsError(
            f"GENESIS_BROKER is empty, and {part} needs a broker: set it to Kafka's address, as kafka:9092, "
            "or have `genesis up` run everything"
        )
    return configured


@app.command()
def feed() -> None:
    """Read the venue's streams into the tick topics.

    Example: GENESIS_VENUE=binance GENESIS_SYMBOLS=spot:BTCUSDT GENESIS_BROKER=kafka:9092 genesis run feed
    """
    configured = _configured("feed")
    from genesis.connectors.feed.main import run

    raise typer.Exit(run(configured))


@app.command()
def market() -> None:
    """Compute signals from the tick topics: bars, liquidity, correlation, market state.

    Example: GENESIS_BROKER=kafka:9092 GENESIS_WORKERS=2 genesis run market
    """
    configured = _configured("market")
    from genesis.flows.market import main

    raise typer.Exit(main(configured))


@app.command()
def store() -> None:
    """Write every topic to ClickHouse; without GENESIS_STORE_URL open the embedded store and serve it.

    Example: GENESIS_BROKER=kafka:9092 GENESIS_STORE_URL=http://clickhouse:8123 genesis run store
    """
    configured = _configured("store")
    from genesis.flows.archive import main

    raise typer.Exit(main(configured))


@app.command()
def gateway() -> None:
    """Send child orders to the venue and publish what becomes of them.

    Example: GENESIS_TRADING=paper GENESIS_BROKER=kafka:9092 GENESIS_KEYS=/run/keys genesis run gateway
    """
    configured = _configured("gateway")
    from genesis.connectors.gateway.main import run

    raise typer.Exit(run(configured))


@app.command()
def dashboard() -> None:
    """Show the dashboard of a running system on this terminal.

    Example: GENESIS_DATA=.genesis genesis run dashboard
    """
    configured = _configured("dashboard")
    from genesis.tui.app import run

    raise typer.Exit(run(configured))


@app.command()
def account() -> None:
    """Decide on orders: fold the account's log into the ledger, and send what is decided.

    Example: GENESIS_BROKER=kafka:9092 GENESIS_DATA=/var/lib/genesis genesis run account
    """
    configured = _configured("account")
    from genesis.flows.account import main

    raise typer.Exit(main(configured))


@app.command()
def strategist() -> None:
    """Run the strategies that DATA/strategies.json wants; see `genesis strategy`.

    Example: GENESIS_BROKER=kafka:9092 GENESIS_DATA=/var/lib/genesis genesis run strategist
    """
    configured = _configured("strategist")
    from genesis.connectors.strategist import main

    raise typer.Exit(main(configured))


@app.command()
def ticker() -> None:
    """Append the market to the accounts' log, ten times a second of event time.

    Example: GENESIS_BROKER=kafka:9092 genesis run ticker
    """
    configured = _configured("ticker")
    from genesis.connectors.ticker import main

    raise typer.Exit(main(configured))
