"""The supervisor: starts the parts in order, keeps them alive, stops them all, leaves nothing behind.

Law: one system per data folder (an advisory lock holds it); a dead part is restarted with a growing
pause; a part that keeps dying is reported; whatever happens, no process and no port stays.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import IO, Any

from genesis.cli import log_files
from genesis.cli.child import ALLOCATOR, Child
from genesis.cli.errors import CommandError
from genesis.cli.fork_server import OURS, ForkServer
from genesis.connectors import broker, run_file, settings
from genesis.connectors.kafka import ensure_topics
from genesis.connectors.settings import Settings

READY_TIMEOUT_S = 180.0
"""Longest time for one part to serve; a first start compiles kernels."""

STOP_GRACE_S = 12.0
"""Longest time for one part to finish what it holds."""

LOGS_EVERY_S = 5.0
"""Pause between two looks at the size of the log files."""

TICK_S = 0.1
"""How often the supervisor looks at its children."""

EXCHANGE_SECRETS = (
    "GENESIS_API_KEY",
    "GENESIS_API_KEY_FILE",
    "GENESIS_API_SECRET",
    "GENESIS_API_SECRET_FILE",
    "GENESIS_VAULT_TOKEN",
    "GENESIS_VAULT_TOKEN_FILE",
    "GENESIS_VAULT_SECRET_ID",
    "GENESIS_VAULT_SECRET_ID_FILE",
)
"""Variables that are empty for every part but the gateway."""

Notice = Callable[[str], None]


class Supervisor:
    """The parts of one system on this machine.

    Parameters
    ----------
    configured
        Settings for all parts; an empty broker or store address means the embedded one.
    notice
        Called with a sentence whenever something happens that a person should know.
    """

    def __init__(self, configured: Settings, notice: Notice) -> None:
        self.settings = configured
        self.data = configured.data
        self.notice = notice
        self.children: dict[str, Child] = {}
        self.finished: dict[str, int] = {}
        self._finite: set[str] = set()
        self._facts: dict[str, str] = {}
        self._lock: IO[str] | None = None
        self._stop_asked = False
        self._logs_s = 0.0
        self._server = ForkServer(ALLOCATOR | os.environ) if sys.platform == "linux" else None

    def __enter__(self) -> "Supervisor":
        self._take_lock()
        (self.data / "logs").mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stop_asked = True

    @property
    def stop_asked(self) -> bool:
        """Whether a person or a signal has asked the system to end."""
        return self._stop_asked

    @property
    def store_url(self) -> str:
        """Where the store answers questions."""
        return self._facts.get("store_url", self.settings.store_url)

    def _take_lock(self) -> None:
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            lock = (self.data / "lock").open("a+")
        except OSError as error:
            raise CommandError(
                f"the data folder {self.data} cannot be used: {error.strerror}. Choose another with --data"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise CommandError(
                f"a system is already running on {self.data} (process {holder}). "
                "Attach to it with `genesis tui`, stop it with Ctrl-C, or use another folder with --data"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def start_broker(self) -> None:
        """Start the embedded broker, unless a cluster is configured, and make the topics."""
        if not self.settings.broker:
            port = broker.free_port()
            self.settings = self.settings.model_copy(
                update={"broker": f"127.0.0.1:{port}", "embedded_broker": True}
            )
            child = self._add("broker", lambda: broker.command(port))
            child.start()
            assert isinstance(child.process, subprocess.Popen)
            broker.await_ready(self.settings.broker, child.process)
            child.state = "running"
        ensure_topics(self.settings.broker, self.settings.shards)
        self._write_run_file()

    def start(
        self, name: str, *options: str, finite: bool = False, foreground: bool = False
    ) -> dict[str, Any]:
        """Start one of our own parts and wait until it serves; return what it said of itself.

        A ``finite`` part may end with status 0 when its work is done.

        Raises
        ------
        CommandError
            When it ends, or is silent for READY_TIMEOUT_S; the sentence has its last words.
        """
        part = [name] if name == "venue" else ["run", name]
        command = [sys.executable, "-m", OURS, *part, *options]
        child = self._add(name, lambda: command, foreground=foreground)
        if finite:
            self._finite.add(name)
        child.start()
        if foreground:
            child.state = "running"
            return {}
        facts = child.await_ready(READY_TIMEOUT_S)
        if facts is None:
            words = child.last_words()
            raise CommandError(
                f"{name} did not start: {words or 'it said nothing'} (log: {self.data}/logs/{name}.log)"
            )
        self._learn(name, facts)
        return facts

    def _add(self, name: str, command: Callable[[], list[str]], *, foreground: bool = False) -> Child:
        environment = partial(self._environment, name)
        child = Child(
            name, command, environment, self.data / "logs", server=self._server, foreground=foreground
        )
        self.children[name] = child
        return child

    def _environment(self, name: str) -> dict[str, str]:
        """Return the settings of a part; only the gateway gets what opens the exchange account."""
        found = settings.to_environment(self.settings)
        found["GENESIS_METRICS_PORT"] = str(self._metrics_ports().get(name, 0))
        return found if name == "gateway" else found | dict.fromkeys(EXCHANGE_SECRETS, "")

    def _metrics_ports(self) -> dict[str, int]:
        """Return the port of each part's probes: the first as set, the next one for the next part."""
        first = self.settings.metrics_port
        served = [name for name in self.children if name not in ("broker", "dashboard")]
        return {name: first + i for i, name in enumerate(served)} if first else {}

    def _learn(self, name: str, facts: dict[str, Any]) -> None:
        update: dict[str, str] = {key: str(facts[key]) for key in ("store_url", "venue_url") if key in facts}
        self._facts.update(update)
        if "venue_url" in update:
            self.settings = self.settings.model_copy(update={"venue_url": update["venue_url"]})
        port = str(facts.get("store_url", "")).rpartition(":")[2]
        if name == "store" and port.isdigit():
            self.settings = self.settings.model_copy(update={"store_port": int(port)})
        self._write_run_file()

    def _write_run_file(self) -> None:
        run_file.write(
            self.data,
            run_file.RunFile(
                pid=os.getpid(),
                broker=self.settings.broker,
                store_url=self.store_url,
                venue_url=self._facts.get("venue_url", ""),
                shards=self.settings.shards,
                states={name: child.state for name, child in self.children.items()},
                restarts={name: child.restarts for name, child in self.children.items()},
                trading=str(self.settings.trading) if "gateway" in self.children else "",
                metrics=self._metrics_ports(),
            ),
        )

    def run(
        self, until: Callable[[], bool], look: Callable[["Supervisor"], None] = lambda _system: None
    ) -> None:
        """Look after the parts until ``until`` says so, or somebody asks for the end.

        ``look`` is called each time; it may start more of them.
        """
        while not self._stop_asked and not until():
            changes = [self._look_after(child) for child in self.children.values()]
            if any(changes):
                self._write_run_file()
            self._look_after_logs()
            look(self)
            time.sleep(TICK_S)

    def _look_after_logs(self) -> None:
        """Cut the log files now and then; a full disk does not end the system."""
        now_s = time.monotonic()
        if now_s - self._logs_s > LOGS_EVERY_S:
            self._logs_s = now_s
            with contextlib.suppress(OSError):
                log_files.rotate(self.data / "logs", self.settings.log_cap_mb * 1_000_000)

    def _look_after(self, child: Child) -> bool:
        """Restart what has died; return whether anything changed."""
        if child.restart_at_s is not None:
            if time.monotonic() < child.restart_at_s:
                return False
            child.start()
            if child.name == "broker":
                child.state = "running"
            return True
        before = child.state
        status = child.exited()
        if status is None:
            return child.state != before
        if child.name in self.finished:
            return False
        if status == 0 and child.name in self._finite:
            self.finished[child.name] = status
            child.state = "finished"
            return True
        child.schedule_restart()
        self.notice(self._obituary(child, status))
        return True

    def _obituary(self, child: Child, status: int) -> str:
        if child.state != "crash loop":
            return f"{child.name} ended with status {status} and is started again"
        return (
            f"{child.name} keeps ending ({child.restarts} times); next try in {child.pause_s:.0f} s. "
            f"Last words: {child.last_words() or 'none'}. Log: {self.data}/logs/{child.name}.log"
        )

    def stop(self) -> None:
        """Stop everything and give the data folder back.

        The feed goes before the venue, so that it sees no broken connection; then who reads after
        who writes.
        """
        order = (
            "dashboard",
            "strategist",
            "gateway",
            "ticker",
            "feed",
            "venue",
            "market",
            "account",
            "store",
            "archive",
        )
        for name in sorted(
            self.children, key=lambda name: order.index(name) if name in order else len(order)
        ):
            self.children[name].stop(STOP_GRACE_S, at_once=name == "broker")
        if self._server is not None:
            self._server.close()
        if self._lock is not None:
            run_file.path_in(self.data).unlink(missing_ok=True)
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None
