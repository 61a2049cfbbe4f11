"""`genesis up`: one system per folder, dead parts come back, nothing stays behind."""

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genesis.connectors import run_file
from tests.system import running

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def system(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Give a running system without a screen, on a small synthetic market."""
    process = running.start("up", "--headless", "--data", str(tmp_path), "--synthetic", "4", "--rate", "200")
    try:
        running.wait_for(lambda: _rows(tmp_path, "trades"), "the first trades to be stored", process)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def _rows(data: Path, table: str, where: str = "1") -> int:
    run = run_file.read(data)
    if run is None or not run.store_url:
        return 0
    try:
        return int(running.ask(run.store_url, f"SELECT count() FROM genesis.{table} WHERE {where}")[0][0])
    except OSError:
        return 0


def _newest(data: Path, table: str, column: str) -> int:
    run = run_file.read(data)
    try:
        return (
            int(running.ask(run.store_url, f"SELECT max({column}) FROM genesis.{table}")[0][0]) if run else 0
        )
    except OSError:
        return 0


def _descendants(root: int) -> set[int]:
    found, front = set(), {root}
    while front:
        found |= front
        children = set()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                if parent in front:
                    children.add(int(entry.name))
        front = children - found
    return found


def test_it_refuses_a_folder_in_use_and_leaves_nothing_behind(system: Any, tmp_path: Path) -> None:
    second = running.start("up", "--headless", "--data", str(tmp_path))
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "already running" in said
    assert "Traceback" not in said
    parts = _descendants(system.pid)
    assert len(parts) >= 6
    system.send_signal(signal.SIGINT)
    system.communicate(timeout=60)
    assert system.returncode == 0
    left = [pid for pid in parts if Path(f"/proc/{pid}").exists()]
    assert left == []
    assert run_file.read(tmp_path) is None


@pytest.mark.parametrize("name", ["store", "market", "feed", "venue"])
def test_a_killed_part_comes_back_and_rows_flow_again(system: Any, tmp_path: Path, name: str) -> None:
    running.kill_part(system, name)

    def restarted() -> bool:
        run = run_file.read(tmp_path)
        return run is not None and run.restarts.get(name) == 1 and run.states[name] == "running"

    running.wait_for(restarted, f"{name} to come back", system)
    before = _newest(tmp_path, "market_state", "event_ns")
    running.wait_for(lambda: _newest(tmp_path, "market_state", "event_ns") > before, "newer signals", system)
    if name in ("feed", "venue"):
        reason = "FEED_RESTART" if name == "feed" else "DISCONNECT"
        running.wait_for(lambda: _gaps(tmp_path, reason), f"a gap with reason {reason}", system)


def _gaps(data: Path, reason: str) -> int:
    return _rows(data, "gaps", f"upper(toString(reason)) = '{reason}' AND revision = 1")


def test_a_killed_broker_is_a_new_log_that_is_noticed_published_and_recovered_from(
    system: Any, tmp_path: Path
) -> None:
    running.kill_part(system, "broker")
    running.wait_for(lambda: _gaps(tmp_path, "LOG_RESTART"), "the gap to be published and closed", system)
    for table, column in (("trades", "event_ns"), ("market_state", "event_ns")):
        before = _newest(tmp_path, table, column)
        running.wait_for(
            lambda table=table, column=column, before=before: _newest(tmp_path, table, column) > before,
            f"newer rows in {table}",
            system,
        )
    run = run_file.read(tmp_path)
    assert run is not None
    assert {name: count for name, count in run.restarts.items() if count} == {"broker": 1}


def test_when_the_supervisor_is_killed_its_parts_die_too(system: Any, tmp_path: Path) -> None:
    parts = {pid: os.pidfd_open(pid) for pid in _descendants(system.pid)}
    os.kill(system.pid, signal.SIGKILL)
    for pid, handle in parts.items():
        ended = select.poll()  # select() itself takes no descriptor beyond 1,023
        ended.register(handle, select.POLLIN)
        assert ended.poll(30_000), f"process {pid} outlived the supervisor"
        os.close(handle)
