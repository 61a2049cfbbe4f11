"""The run file: where a running system tells other commands how to reach it."""

import os
from pathlib import Path

import msgspec


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of a running system. ``restarts`` and ``states`` are by component.

    ``trading`` says where its orders go, as the settings name it; empty where it does not trade.
    ``metrics`` has the port of each part's probes; none where they are not served.
    """

    pid: int
    broker: str
    store_url: str = ""
    venue_url: str = ""
    shards: int = 0
    states: dict[str, str] = {}
    restarts: dict[str, int] = {}
    trading: str = ""
    metrics: dict[str, int] = {}


def path_in(data: Path) -> Path:
    """Return where the run file of a data folder is."""
    return data / "run.json"


def write(data: Path, run: RunFile) -> None:
    """Replace the run file at once, so that nobody reads half of one."""
    target = path_in(data)
    scratch = target.with_suffix(".part")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2))
    scratch.replace(target)


def read(data: Path) -> RunFile | None:
    """Return the run file of a system that is running now, else None."""
    try:
        run = msgspec.json.decode(path_in(data).read_bytes(), type=RunFile)
        os.kill(run.pid, 0)
    except (OSError, msgspec.MsgspecError):
        return None
    return run
