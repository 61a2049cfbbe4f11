"""Fixtures for all tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka_server import ApacheKafka, KafkaUnavailable, apache_kafka, jar_folder, resolve_jars
from tests.monitoring_tools import ToolsUnavailable, tools
from tests.postgres_server import Postgres, PostgresUnavailable

KAFKA_TEST_TIMEOUT_S = 300
"""For a test with Apache Kafka that names no other: the first of them may have to fetch its jars."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for the fixture ``kafka``, so that ``-m 'not kafka'`` leaves them out."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(KAFKA_TEST_TIMEOUT_S))


def _fetch_jars(request: pytest.FixtureRequest) -> str:
    """Have the jars of Apache Kafka fetched if they are not here; return why that cannot be, or nothing."""
    try:
        if not jar_folder().is_dir():
            capture = request.config.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled():
                print("\nFetching Apache Kafka by Maven, once (some seconds)", flush=True)  # noqa: T201
        resolve_jars()
    except KafkaUnavailable as missing:
        return str(missing)
    return ""


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """Give a real Apache Kafka. Without Java the test is skipped; where CI=true it fails."""
    lack = _fetch_jars(request)
    if lack and os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, but {lack}", pytrace=False)
    if lack:
        pytest.skip(lack)
    with apache_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a real PostgreSQL. Without its package the test is skipped; where CI=true it fails."""
    # Not in pytest's folder, which is closed to the user that the server runs as under root.
    folder = Path(tempfile.mkdtemp(prefix="genesis-postgres-"))
    try:
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    except PostgresUnavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, but {missing}", pytrace=False)
        pytest.skip(str(missing))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def monitoring() -> Path:
    """Give the folder of Prometheus and its tools. Without it the test is skipped; with CI=true it fails."""
    try:
        return tools()
    except ToolsUnavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, but {missing}", pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Give the folder of recorded market data, which is not part of the repository."""
    folder = Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.fail(f"the recorded market data is missing: it is read at {folder}", pytrace=False)
    return folder
