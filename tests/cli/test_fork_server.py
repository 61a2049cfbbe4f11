"""The fork server: parts with their own arguments, variables and logs, their ends, and its own end."""

import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.cli.fork_server import ForkServer, Part

WAIT_S = 60.0
SECRET = "nobody-should-read-this"


@pytest.fixture
def server() -> Iterator[ForkServer]:
    made = ForkServer({**os.environ, "GENESIS_API_SECRET": SECRET})
    yield made
    made.close()


def started(server: ForkServer, folder: Path, *arguments: str, **variables: str) -> Part:
    with (folder / "part.log").open("ab") as log:
        return server.start(arguments, {**os.environ, **variables}, log)


def venue(server: ForkServer, folder: Path) -> Part:
    """Return a part that serves until it is stopped."""
    part = started(server, folder, "venue", "--synthetic", "1", "--port", "0")
    assert "ready" in json.loads(part.stdout.readline())
    return part


def is_over(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    ended = bool(waiting.poll(WAIT_S * 1e3))
    os.close(handle)
    return ended


def test_a_part_that_ends_by_itself_gives_its_output_and_its_status(
    server: ForkServer, tmp_path: Path
) -> None:
    part = started(server, tmp_path, "--version")
    assert part.stdout.read().startswith(b"genesis")
    assert part.wait(WAIT_S) == part.poll() == 0
    wrong = started(server, tmp_path, "run", "nothing")
    assert wrong.wait(WAIT_S) == 2
    assert "nothing" in (tmp_path / "part.log").read_text()


def test_a_part_has_its_own_variables_and_the_server_has_none_of_ours(
    server: ForkServer, tmp_path: Path
) -> None:
    part = started(server, tmp_path, "run", "ticker", GENESIS_SHARDS="many")
    assert part.wait(WAIT_S) == 1
    assert "GENESIS_SHARDS" in (tmp_path / "part.log").read_text()
    other = venue(server, tmp_path)
    for pid in (other.pid, os.getsid(other.pid), parent_of(other.pid)):
        assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_part_is_found_by_its_name_and_ends_when_asked_and_when_killed(
    server: ForkServer, tmp_path: Path
) -> None:
    asked, killed = venue(server, tmp_path), venue(server, tmp_path)
    assert Path(f"/proc/{asked.pid}/cmdline").read_text().startswith("genesis venue --synthetic 1")
    with pytest.raises(subprocess.TimeoutExpired):
        asked.wait(0.0)
    asked.terminate()
    assert asked.wait(WAIT_S) == 0
    killed.kill()
    assert killed.wait(WAIT_S) == -signal.SIGKILL
    killed.kill()  # again: nobody else is hit


def test_when_the_server_dies_its_parts_go_too_and_the_next_start_has_a_new_one(
    server: ForkServer, tmp_path: Path
) -> None:
    part = venue(server, tmp_path)
    os.kill(parent_of(part.pid), signal.SIGKILL)
    assert part.wait(WAIT_S) == -signal.SIGKILL
    again = venue(server, tmp_path)
    assert again.poll() is None


def test_a_server_that_dies_while_it_is_asked_is_replaced(server: ForkServer, tmp_path: Path) -> None:
    first = venue(server, tmp_path)
    mother = parent_of(first.pid)
    os.kill(mother, signal.SIGSTOP)  # alive for all that can be seen, and answers no more
    ender = threading.Timer(0.2, os.kill, (mother, signal.SIGKILL))  # while the request waits
    ender.start()
    assert venue(server, tmp_path).poll() is None
    ender.join()


def test_closing_leaves_nothing_behind(server: ForkServer, tmp_path: Path) -> None:
    part = venue(server, tmp_path)
    mother = parent_of(part.pid)
    server.close()
    assert is_over(part.pid)
    assert is_over(mother)
