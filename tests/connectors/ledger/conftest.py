"""Fixtures of the ledger's tests: the same tests on SQLite and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.connectors.ledger import Ledger
from tests.connectors.ledger.lab import KEY
from tests.postgres_server import Postgres


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger/ledger.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, sqlite_url: str) -> str:
    if request.param == "sqlite":
        return sqlite_url
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url, audit_key=KEY) as opened:
        yield opened
