"""Migrations: the ledger's tables, version by version, and how they are brought up to date."""

import importlib.resources

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def scripts() -> ScriptDirectory:
    """Return the migrations that this package brings.

    >>> scripts().get_current_head()
    '0001'
    """
    folder = importlib.resources.files("genesis.connectors.ledger.migrations")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def upgrade(connection: Connection) -> None:
    """Bring the tables up to date inside the transaction of the connection: all of it, or nothing."""
    directory = scripts()
    context = MigrationContext.configure(
        connection,
        opts={
            "fn": lambda revision, _: directory._upgrade_revs("head", revision),  # noqa: SLF001 - as alembic's own command does
            "transactional_ddl": True,
        },
    )
    with Operations.context(context):
        context.run_migrations()
