"""`genesis migrate`: make topics and ledger ready for this version, before its parts start."""

import typer

from genesis.cli import options
from genesis.connectors.kafka import ensure_topics
from genesis.connectors.ledger import open_ledger


def migrate(data: options.Data = None) -> None:
    """Make the topics and the ledger ready for this version of GENESIS, and end.

    What is there already is left as it is, so it may run as often as you like. `genesis up` needs no such
    step; a cluster runs it before a new version starts. The topics are made when GENESIS_BROKER names
    a broker.

    Example: GENESIS_BROKER=kafka:9092 GENESIS_LEDGER_URL=postgresql+psycopg://me@host/genesis genesis migrate
    """
    settings = options.configured(data)
    if not settings.ledger_url.get_secret_value():
        settings.data.mkdir(parents=True, exist_ok=True)
    open_ledger(settings).close()
    typer.echo("The ledger is ready.")
    if not settings.broker:
        typer.echo("No broker is named (GENESIS_BROKER), so the topics were not looked at.")
        return
    ensure_topics(settings.broker, settings.shards)
    typer.echo(f"The topics at {settings.broker} are ready.")
