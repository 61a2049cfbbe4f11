"""`genesis healthcheck`: ready is 0, anything else is 1 with the reasons."""

import os
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
import typer

from genesis.cli.errors import CommandError
from genesis.cli.healthcheck import healthcheck
from genesis.connectors import probes, run_file
from genesis.connectors.probes import State


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[State]:
    found = State()
    monkeypatch.setattr(probes, "STATE", found)
    server = ThreadingHTTPServer(("127.0.0.1", 0), probes._Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("GENESIS_METRICS_PORT", str(server.server_address[1]))
    monkeypatch.setenv("GENESIS_METRICS_HOST", "0.0.0.0")
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path))
    yield found
    server.shutdown()
    server.server_close()


def test_a_part_that_is_ready_is_healthy(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    state.is_started = True
    healthcheck()
    assert capsys.readouterr().out == "ready\n"


def test_a_part_that_is_not_says_why(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    state.is_started = True
    state._troubles["broker"] = ("the broker does not confirm", time.monotonic() - 60.0)
    with pytest.raises(typer.Exit) as caught:
        healthcheck()
    assert caught.value.exit_code == 1
    assert capsys.readouterr().out == "the part is not ready: the broker does not confirm\n"


def test_of_a_whole_system_every_part_is_asked(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state.is_started = True
    port = int(os.environ["GENESIS_METRICS_PORT"])
    states = {"market": "running", "feed": "running", "venue": "finished"}
    run = run_file.RunFile(
        pid=os.getpid(),
        broker="127.0.0.1:1",
        states=states,
        metrics={"market": port, "feed": 1, "venue": 2},
    )
    run_file.write(tmp_path, run)
    with pytest.raises(typer.Exit):
        healthcheck()
    said = capsys.readouterr().out
    assert "feed is not ready: it does not answer" in said
    assert "market" not in said
    assert "venue" not in said


def test_a_system_of_which_the_last_part_is_missing_is_still_starting(state: State, tmp_path: Path) -> None:
    state.is_started = True
    run = run_file.RunFile(pid=os.getpid(), broker="127.0.0.1:1", states={"broker": "running"})
    run_file.write(tmp_path, run)
    with pytest.raises(CommandError, match="still starting"):
        healthcheck()


def test_without_a_port_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_METRICS_PORT", "0")
    with pytest.raises(Exception, match="GENESIS_METRICS_PORT is 0"):
        healthcheck()
