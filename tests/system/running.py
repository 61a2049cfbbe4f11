"""Helpers for tests of the whole system: run it, find its parts, end them, compare stores."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genesis.connectors import run_file
from genesis.connectors.process import die_with_parent

GENESIS = [sys.executable, "-m", "genesis.cli.main"]
LOG_COLUMNS = ("log_id", "log_generation", "log_partition", "log_offset", "inserted_at")
"""Where a row came from and when it was stored; everything else must be the same in every run."""

COMPARED = (
    "trades",
    "quotes",
    "book",
    "gaps",
    "bars",
    "liquidity",
    "measures",
    "interval_volatility",
    "day_volume",
    "tradability",
    "correlation",
    "correlation_estimates",
    "market_state",
    "stat_arb",
)
DEADLINE_S = 240.0


def environment(**settings: object) -> dict[str, str]:
    """Return the environment with these settings, and no others of GENESIS."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GENESIS_")}
    return clean | {f"GENESIS_{name.upper()}": str(value) for name, value in settings.items()}


def start(*words: str, **settings: object) -> "subprocess.Popen[str]":
    """Start a genesis command; it ends with this process, whatever ends that."""
    return subprocess.Popen(
        [*GENESIS, *words],
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - started from the main thread only
    )


def replay(data: Path, files: list[Path], **settings: object) -> dict[str, Any]:
    """Replay to the end and return the summary; a status that is not 0 fails with what was said."""
    return finish(start("replay", *map(str, files), "--data", str(data), "--json", **settings))


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for a replay and return its summary."""
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, f"status {process.returncode}\n{output}\n{errors[-3000:]}"
    return dict(json.loads(output))


def sql(data: Path, query: str) -> list[list[Any]]:
    """Ask the store of a folder, running or not."""
    result = subprocess.run(
        [*GENESIS, "sql", "--data", str(data), "--format", "JSONCompact", query],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return list(json.loads(result.stdout)["data"])


def ask(store_url: str, query: str) -> list[list[Any]]:
    """Ask a running store over HTTP; OSError while it does not answer."""
    request = urllib.request.Request(f"{store_url}/", data=f"{query} FORMAT JSONCompact".encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return list(json.load(answer)["data"])


def digest(data: Path) -> dict[str, list[Any]]:
    """Return, for every compared table, how many rows it has and a hash that order cannot change."""
    excluded = ", ".join(LOG_COLUMNS)
    columns = f"* EXCEPT ({excluded})"
    return {
        table: sql(data, f"SELECT count(), toString(sum(cityHash64({columns}))) FROM genesis.{table}")[0]
        for table in COMPARED
    }


def wait_for(happened: Callable[[], Any], what: str, process: "subprocess.Popen[str] | None" = None) -> Any:
    """Return the first true answer of ``happened``."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (answer := happened()):
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the system ended before {what}: {process.communicate()}")
        if time.monotonic() > deadline_s:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.02)
    return answer


def part(system: int, name: str) -> int | None:
    """Return the process id of one part of a running system; the fork server is its ``fork_server``."""
    parents: dict[int, int] = {}
    words: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words[int(entry.name)] = (entry / "cmdline").read_bytes().decode().replace("\0", " ").split()
    for pid, said in words.items():
        mother = parents[pid]
        if system in (mother, parents.get(mother)) and (
            name in said[1:3] or f"genesis.cli.{name}" in said or (name == "dashboard" and name in said)
        ):
            return pid
    return None


def kill_part(system: "subprocess.Popen[str]", name: str) -> None:
    """End one part as a crash would, once it runs."""
    pid = wait_for(lambda: part(system.pid, name), f"{name} to run", system)
    os.kill(pid, signal.SIGKILL)


def status_of_venue(data: Path) -> dict[str, Any]:
    """Return the simulator's status, or nothing while there is none."""
    run = run_file.read(data)
    if run is None or not run.venue_url:
        return {}
    try:
        with urllib.request.urlopen(f"{run.venue_url}/genesis/status", timeout=2) as answer:
            return dict(json.load(answer))
    except OSError:
        return {}
