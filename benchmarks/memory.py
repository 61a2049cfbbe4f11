"""Memory (PSS) of the whole embedded system, its dashboard included, at 1,000 messages a second."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import numpy as np

LIMIT_MB = 1_000.0
SAMPLE_EVERY_S = 5.0
WARM_UP_SHARE = 0.34
"""The first third of the run fills caches and generations; the slope is fitted to the rest."""


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, front = [], [root]
    while front:
        pid = front.pop()
        found.append(pid)
        front += children.get(pid, [])
    return found


def pss_mb(pid: int) -> float:
    """Return the proportional set size of a process; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) / 1e3 for line in lines if line.startswith("Pss:"))


def part_of(pid: int) -> str:
    """Return the component that a process is."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ").split()
    except OSError:
        return "gone"
    if "run" in words:
        return words[words.index("run") + 1]
    if "genesis.cli.fork_server" in words:
        return "fork server"
    return next((name for name in ("broker", "venue") if name in words), "supervisor")


def run(minutes: float = 30.0) -> list[dict[str, object]]:
    """Start the system on a terminal of 120 by 40, watch it, and report peak, slope and parts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "genesis.cli.main", "up", "--data", folder, "--rate", "1000"]
        pid, screen = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(command[0], command)
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        threading.Thread(target=_read_away, args=(screen,), daemon=True).start()
        try:
            samples = _watch(pid, minutes * 60)
        finally:
            os.kill(pid, signal.SIGINT)
            os.waitpid(pid, 0)
    times_s = np.array([at for at, _ in samples])
    totals = np.array([sum(parts.values()) for _, parts in samples])
    late = times_s > times_s[-1] * WARM_UP_SHARE
    slope = float(np.polyfit(times_s[late] / 60, totals[late], 1)[0])
    peak = float(totals.max())
    limit = f"limit {LIMIT_MB:,.0f} MB"
    rows: list[dict[str, object]] = [
        {
            "name": f"peak PSS in {minutes:g} min",
            "value": peak,
            "unit": "MB",
            "baseline": limit,
            "ratio": peak / LIMIT_MB,
        },
        {"name": "growth after warm-up", "value": slope, "unit": "MB/min", "baseline": None, "ratio": None},
    ]
    last = samples[-1][1]
    rows += [
        {
            "name": f"PSS of {part} at the end",
            "value": last[part],
            "unit": "MB",
            "baseline": None,
            "ratio": None,
        }
        for part in sorted(last)
    ]
    return rows


def _read_away(screen: int) -> None:
    """Read what the dashboard draws, as a terminal would."""
    with contextlib.suppress(OSError):
        while os.read(screen, 65_536):
            pass


def _watch(pid: int, length_s: float) -> list[tuple[float, dict[str, float]]]:
    started_s = time.monotonic()
    samples = []
    while (at_s := time.monotonic() - started_s) < length_s:
        parts: dict[str, float] = {}
        for child in tree(pid):
            name = part_of(child)
            parts[name] = parts.get(name, 0.0) + pss_mb(child)
        samples.append((at_s, parts))
        if len(samples) % 12 == 0:
            print(f"    {at_s / 60:5.1f} min  {sum(parts.values()):6.0f} MB", flush=True)
        if not Path(f"/proc/{pid}").exists() or os.waitpid(pid, os.WNOHANG)[0]:
            raise RuntimeError("the system ended before its time; see its logs")
        time.sleep(SAMPLE_EVERY_S)
    return samples
