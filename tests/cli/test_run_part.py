"""`genesis run PART`: each part starts by itself with what it needs and no more, and ends when asked."""

import json
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.connectors import keys
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.settings import read
from tests.cli.test_bad_input import refused, run
from tests.system.running import start

KEYS = {
    "feed": (),
    "market": (),
    "store": (),
    "ticker": ("ticker",),
    "strategist": ("strategy",),
    "account": keys.NAMES,
    "gateway": ("gateway", "permit", "ticker"),
}
"""Every part of the system, and the keys that are mounted for it."""

PATIENCE_S = 240.0

pytestmark = pytest.mark.timeout(330)


def started(part: str, folder: Path, **settings: object) -> "subprocess.Popen[str]":
    """Start a part with a folder of its own, which has only the keys that it needs."""
    ring = folder / part / "keys"
    ring.mkdir(mode=0o700, parents=True)
    for name in KEYS[part]:
        shutil.copy(folder / "all" / f"{name}.key", ring)
    return start("run", part, **{"data": folder / part, "keys": ring, "trading": "paper"} | settings)


def line_of(process: "subprocess.Popen[str]") -> str:
    """Return the first line that a process says, waiting for it."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        assert waiting.select(PATIENCE_S), f"{process.args} said nothing"
    return process.stdout.readline()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.create_keys(read(keys=str(tmp_path / "all")))
    return tmp_path


@pytest.fixture
def venue_url() -> Iterator[str]:
    venue = start("venue", "--port", "0", "--synthetic", "2")
    try:
        yield json.loads(line_of(venue))["ready"]["venue_url"]
    finally:
        venue.kill()
        venue.communicate()


@pytest.mark.slow
def test_every_part_starts_alone_with_its_own_keys_and_ends_cleanly_when_asked(
    folder: Path, venue_url: str
) -> None:
    with EmbeddedBroker() as broker:
        where = {"broker": broker.bootstrap, "embedded_broker": True, "venue_url": venue_url}
        parts = {part: started(part, folder, **where) for part in KEYS}
        try:
            for part, process in parts.items():
                said = line_of(process)
                assert said, f"{part}: {process.communicate()[1][-2000:]}"
                assert "ready" in json.loads(said), part
            for process in parts.values():
                process.terminate()
            ends = {part: process.communicate(timeout=PATIENCE_S) for part, process in parts.items()}
        finally:
            for process in parts.values():
                process.kill()
    for part, (_, errors) in ends.items():
        assert parts[part].returncode == 0, f"{part}: {errors[-2000:]}"
        assert "Traceback" not in errors, f"{part}: {errors[-2000:]}"


@pytest.mark.slow
def test_a_part_without_its_broker_says_so_and_the_gateway_waits_for_it(folder: Path) -> None:
    nowhere = {"broker": "127.0.0.1:1", "store_url": "", "venue_url": "http://127.0.0.1:1"}
    parts = {part: started(part, folder, **nowhere) for part in KEYS}
    up = start("up", "--headless", data=folder / "up", broker="127.0.0.1:1")
    try:
        assert "ready" in line_of(parts["gateway"])  # the kill switch needs no broker
        parts.pop("gateway").terminate()
        deadline_s = time.monotonic() + PATIENCE_S
        for part, process in {**parts, "up": up}.items():
            _, errors = process.communicate(timeout=deadline_s - time.monotonic())
            assert process.returncode == 1, f"{part}: {errors[-2000:]}"
            for words in ("no answer from the broker at 127.0.0.1:1", "GENESIS_BROKER"):
                assert words in errors, f"{part}: {errors[-2000:]}"
            assert "Traceback" not in errors, part
    finally:
        for process in (*parts.values(), up):
            process.kill()


@pytest.mark.parametrize("part", ["ticker", "strategist", "gateway"])
def test_a_missing_key_is_named_with_what_makes_it(part: str, tmp_path: Path) -> None:
    settings = {"broker": "127.0.0.1:1", "trading": "paper", "data": tmp_path}
    refused(run("run", part, **settings), str(tmp_path / "keys"), "genesis keys")


def test_a_part_without_an_address_of_a_broker_is_refused() -> None:
    for part in ("feed", "gateway"):
        refused(run("run", part), "GENESIS_BROKER is empty", part)


def test_a_secret_whose_file_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "url"
    refused(
        run("run", "account", broker="127.0.0.1:1", ledger_url_file=missing),
        "GENESIS_LEDGER_URL_FILE",
        str(missing),
        "no such file",
    )


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    first = run("keys", keys=tmp_path / "ring")
    assert first.returncode == 0, first.stderr
    bodies = {path.name: path.read_bytes() for path in (tmp_path / "ring").iterdir()}
    assert set(bodies) == {f"{name}.key" for name in keys.NAMES}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "ring").iterdir()} == {0o600}
    again = run("keys", keys=tmp_path / "ring")
    assert again.returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "ring").iterdir()} == bodies
    assert not any(body.hex() in first.stdout or str(body) in first.stdout for body in bodies.values())


def test_every_part_has_an_example_in_its_help() -> None:
    listed = run("run", "--help")
    assert listed.returncode == 0
    for part in KEYS:
        assert f" {part} " in listed.stdout, part
    assert "genesis run market" in run("run", "market", "--help").stdout
