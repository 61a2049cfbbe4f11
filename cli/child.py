"""One supervised process: started, awaited, restarted, stopped.

A child says ``{"ready": {…}}`` on standard output once it serves. Everything else it prints goes to
its log file. It dies with the supervisor, even when that is killed (Linux: parent-death signal).
"""

import json
import os
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from genesis.cli.fork_server import OURS, ForkServer, Part
from genesis.connectors.process import die_with_parent

STABLE_S = 60.0
"""A child that lived so long begins its next restart without delay again."""

BACKOFF_FIRST_S = 0.25
BACKOFF_MOST_S = 30.0

CRASH_LOOP_DEATHS = 5
"""So many deaths within CRASH_LOOP_S are a crash loop, and are reported as one."""

CRASH_LOOP_S = 60.0

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
    "JE_MALLOC_CONF": "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0",
}
"""Freed memory goes back to the system: by glibc that of arrays of 1 MiB and more, which it would keep in
a heap that they then perforate (60 MB of the market flow's after minutes); by the allocator inside chDB
within a second. Variables that are set already win."""


class Child:
    """A process of the system.

    Parameters
    ----------
    name
        Its component name; its log is ``LOGS/name.log``.
    command
        Called at every start, since an address may have changed.
    environment
        Variables on top of the supervisor's own.
    logs
        Folder of the log files.
    server
        Forks the parts that are our own programs; None starts every part as a program of its own.
    foreground
        True for the one that owns the terminal: it keeps standard input and output.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], list[str]],
        environment: Callable[[], dict[str, str]],
        logs: Path,
        *,
        server: ForkServer | None = None,
        foreground: bool = False,
    ) -> None:
        self.name, self._command, self._environment, self._server = name, command, environment, server
        self._log_path = logs / f"{name}.log"
        self._foreground = foreground
        self._deaths: deque[float] = deque(maxlen=CRASH_LOOP_DEATHS)
        self._started_s = 0.0
        self.pause_s = 0.0
        self._ready: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread()
        self.process: subprocess.Popen[bytes] | Part | None = None
        self.state = "stopped"
        self.restarts = 0
        self.restart_at_s: float | None = None

    def start(self) -> None:
        """Start the process; its log is appended to."""
        self._ready = queue.Queue()
        self._started_s = time.monotonic()
        self.restart_at_s = None
        self.state = "starting"
        log = self._log_path.open("ab")
        self.process = self._launched(self._command(), log)
        if self.process.stdout is not None:
            self._reader = threading.Thread(target=self._read, args=(self.process.stdout, log), daemon=True)
            self._reader.start()
        else:
            log.close()

    def _launched(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes] | Part:
        environment = ALLOCATOR | os.environ | self._environment()
        if self._server is not None and not self._foreground and command[1:3] == ["-m", OURS]:
            return self._server.start(command[3:], environment, log)
        return subprocess.Popen(
            command,
            env=environment,
            stdin=None if self._foreground else subprocess.DEVNULL,
            stdout=None if self._foreground else subprocess.PIPE,
            stderr=log,
            start_new_session=not self._foreground,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - the supervisor starts children from its main thread only
        )

    def _read(self, output: IO[bytes], log: IO[bytes]) -> None:
        with log:
            for line in output:
                try:
                    self._ready.put(dict(json.loads(line)["ready"]))
                except (ValueError, KeyError, TypeError):
                    log.write(line)
                    log.flush()

    def await_ready(self, timeout_s: float) -> dict[str, Any] | None:
        """Return what the child said when it was ready; None when it ended or stayed silent."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            try:
                facts = self._ready.get(timeout=0.05)
            except queue.Empty:
                if self.process is not None and self.process.poll() is not None:
                    self._reader.join()  # what it said last may not have been read yet
                    if self._ready.empty():
                        return None
            else:
                self.state = "running"
                return facts
        return None

    def exited(self) -> int | None:
        """Return the exit status when the process has ended by itself and this was not yet noticed."""
        if self.process is None or self.restart_at_s is not None:
            return None
        if self.state == "starting" and not self._ready.empty():
            self.state = "running"
        return self.process.poll()

    def schedule_restart(self) -> None:
        """Note a death and choose when to start again: at once, then after ever longer pauses."""
        now_s = time.monotonic()
        self._deaths.append(now_s)
        lived_s = now_s - self._started_s
        self.pause_s = (
            0.0 if lived_s > STABLE_S else min(max(2 * self.pause_s, BACKOFF_FIRST_S), BACKOFF_MOST_S)
        )
        self.restart_at_s = now_s + self.pause_s
        self.restarts += 1
        looping = len(self._deaths) == CRASH_LOOP_DEATHS and now_s - self._deaths[0] < CRASH_LOOP_S
        self.state = "crash loop" if looping else "restarting"

    def last_words(self) -> str:
        """Return the last line of the log that says something."""
        try:
            with self._log_path.open("rb") as log:
                log.seek(max(self._log_path.stat().st_size - 4_096, 0))
                lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        except OSError:
            return ""
        if not lines:
            return ""
        try:
            said = json.loads(lines[-1])
            return str(said.get("message", "")) if isinstance(said, dict) else lines[-1]
        except ValueError:
            return lines[-1].removeprefix("genesis: ")

    def stop(self, grace_s: float, *, at_once: bool = False) -> None:
        """Ask the process to end, wait, and end it if it does not."""
        process, self.restart_at_s, self.state = self.process, None, "stopped"
        if process is None or process.poll() is not None:
            return
        if not at_once:
            process.terminate()
            try:
                process.wait(grace_s)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
        process.kill()
        process.wait()
