"""A real embedded store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from genesis.connectors.store import migrate
from genesis.connectors.store.engine import Engine

DATABASE = "genesis"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path, DATABASE) as opened:
        yield opened


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    """Open a client that may write, of a store with all tables."""
    opened = engine.client()
    migrate.prepare(opened, DATABASE)
    opened.database = DATABASE
    yield opened
    opened.close()
