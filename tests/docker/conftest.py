"""A Docker engine for the tests of this folder, and the images that `make image` builds."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docker.engine import Engine, EngineMissing, docker_engine

ENGINE_TEST_TIMEOUT_S = 900
"""For a test that needs the engine and names no other: the first of them builds the images."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ask for the fixture ``engine``, so that ``-m 'not engine'`` leaves them out."""
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.timeout(ENGINE_TEST_TIMEOUT_S))


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Give what prints a line at once, though pytest keeps the output of tests."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def said(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", end="", flush=True)  # noqa: T201

    return said


@pytest.fixture(scope="session")
def engine(say: Callable[[str], None]) -> Iterator[Engine]:
    """Give a Docker engine with a base image; without one the test fails and says what to do."""
    folder = Path(tempfile.mkdtemp(prefix="genesis-engine-"))  # short, for the path of a socket
    try:
        with docker_engine(folder) as found:
            say(f"Docker engine {found('version', '--format', '{{.Server.Version}}')}, base {found.base}")
            yield found
    except EngineMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    finally:  # at exit: many files, and a slow disk must not fail the test that happens to be the last
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


@pytest.fixture(scope="session")
def images(engine: Engine, say: Callable[[str], None]) -> Engine:
    """Give the engine with both images built."""
    say("Building the images (a minute or two)")
    took_s = engine.build("cluster", "embedded")
    say(f"Images built in {took_s:.0f} s")
    return engine
