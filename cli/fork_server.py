"""The fork server: a process that has loaded what all parts need, and becomes each part by a fork.

A part begins without loading anything anew, and of what the parts have in common (interpreter, numpy, the
compiler, the clients) they share the pages that none of them changes. The server has one thread, opens
nothing and knows no secret: of the supervisor's variables it is given none of ours; those of a part come
with the request and are set in the part alone. It ends with the supervisor, and the parts end with it.
Linux only; elsewhere parts are started as programs of their own.

    supervisor ── arguments, variables, stdout, log ──► server ── fork ──► part
    supervisor ◄── id of the part; later its status ─── server
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, NoReturn

from genesis.connectors.process import die_with_parent

SHARED = (
    "genesis.cli.main",
    "genesis.flows.market",
    "genesis.flows.account",
    "genesis.connectors.feed.main",
    "genesis.connectors.gateway.main",
    "genesis.connectors.ticker",
)
"""Modules that are loaded before a fork; what only one part needs, that part loads."""

UNUSED = ("scipy",)
"""The compiler would load it wherever it is installed, 15 MB that nothing of ours calls."""

REQUEST_BYTES_MAX = 200_000
ANSWER_S = 120.0
"""Longest time for the server to load its modules, or to fork."""

OURS = "genesis.cli.main"


class ForkServerError(RuntimeError):
    """The server did not answer; the message says how it ended."""


class Part:
    """A forked part, as `subprocess.Popen` shows a process."""

    def __init__(self, server: "ForkServer", pid: int, stdout: IO[bytes]) -> None:
        self._server, self.pid, self.stdout = server, pid, stdout
        self._handle = os.pidfd_open(pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the status it ended with; None while it runs."""
        if self.returncode is None and self._over(0.0):
            self.returncode = self._server.status_of(self.pid)
            os.close(self._handle)
        return self.returncode

    def _over(self, timeout_s: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        return bool(waiting.poll(None if timeout_s is None else timeout_s * 1e3))

    def wait(self, timeout: float | None = None) -> int:
        """Return the status it ended with; None as ``timeout`` waits as long as it takes.

        Raises
        ------
        subprocess.TimeoutExpired
            When it still runs after ``timeout`` seconds.
        """
        if self.returncode is None:
            self._over(timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(f"part {self.pid}", timeout or 0.0)
        return status

    def _send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)


class ForkServer:
    """The supervisor's side: starts the server when it is first needed, and asks it for parts.

    Parameters
    ----------
    environment
        Variables of the server itself.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {
            name: value for name, value in environment.items() if not name.startswith("GENESIS_")
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._statuses: dict[int, int] = {}

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> Part:
        """Return a part that runs ``genesis`` with arguments and variables of its own.

        A server that is dying just now is replaced.

        Raises
        ------
        ForkServerError
            When the server does not answer.
        """
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        try:
            return self._asked(request, log)
        except (OSError, ForkServerError):
            return self._asked(request, log)

    def _asked(self, request: bytes, log: IO[bytes]) -> Part:
        if self._process is None or self._process.poll() is not None:
            self._begin(log)
        read_end, write_end = os.pipe()
        try:
            assert self._link is not None
            socket.send_fds(self._link, [request], [write_end, log.fileno()])
            pid = self._await("started")
        except (OSError, ForkServerError):
            os.close(read_end)
            self.close()
            raise
        finally:
            os.close(write_end)
        return Part(self, pid, os.fdopen(read_end, "rb"))

    def _begin(self, log: IO[bytes]) -> None:
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * REQUEST_BYTES_MAX)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the supervisor starts it from its main thread
            )
        self._link = ours

    def _await(self, kind: str) -> int:
        """Return what the server says of ``kind``, taking in all that it says before."""
        deadline_s = time.monotonic() + ANSWER_S
        while (left_s := deadline_s - time.monotonic()) > 0.0:
            for said in self._said(left_s):
                if kind in said:
                    return int(said[kind])
        raise ForkServerError("the process that starts the parts does not answer; see the logs")

    def _said(self, timeout_s: float) -> list[dict[str, int]]:
        """Return what the server has said, at most one message; statuses are kept."""
        assert self._link is not None
        waiting = select.poll()
        waiting.register(self._link, select.POLLIN)
        if not waiting.poll(timeout_s * 1e3):
            return []
        words = self._link.recv(REQUEST_BYTES_MAX)
        if not words:
            raise ForkServerError("the process that starts the parts has ended; see the logs")
        said: dict[str, int] = json.loads(words)
        if "ended" in said:
            self._statuses[said["ended"]] = said["status"]
        return [said]

    def status_of(self, pid: int) -> int:
        """Return the status that a part which is over ended with."""
        deadline_s = time.monotonic() + 1.0
        while pid not in self._statuses and (left_s := deadline_s - time.monotonic()) > 0.0:
            try:
                self._said(left_s)
            except (OSError, ForkServerError, AssertionError):
                break
        return self._statuses.pop(pid, -signal.SIGKILL)  # it went with its server

    def close(self) -> None:
        """End the server, and with it what parts are left."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _serve(link: socket.socket) -> dict[str, Any]:
    """Fork on every request until the link ends; return, in a part, what it is asked to be."""
    wakeup_read, wakeup_write = os.pipe()
    for end in (wakeup_read, wakeup_write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakeup_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting = select.poll()
    waiting.register(link, select.POLLIN)
    waiting.register(wakeup_read, select.POLLIN)
    while True:
        ready = {number for number, _ in waiting.poll()}
        if wakeup_read in ready:
            os.read(wakeup_read, 4_096)
            _report_ended(link)
        if link.fileno() not in ready:
            continue
        words, handles, _, _ = socket.recv_fds(link, REQUEST_BYTES_MAX, 2)
        if not words:
            os._exit(0)
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(wakeup_read)
            os.close(wakeup_write)
            link.close()
            _stand_alone(server, handles)
            request: dict[str, Any] = json.loads(words)
            return request
        for handle in handles:
            os.close(handle)
        link.send(json.dumps({"started": pid}).encode())


def _report_ended(link: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = os.waitstatus_to_exitcode(ended[1])
            with contextlib.suppress(OSError):
                link.send(json.dumps({"ended": ended[0], "status": status}).encode())


def _stand_alone(server: int, handles: list[int]) -> None:
    """Leave the server's session, and take output and log for one's own."""
    os.setsid()
    die_with_parent()
    if os.getppid() != server:
        os._exit(1)
    for handle, place in zip(handles, (1, 2), strict=True):
        os.dup2(handle, place)
        os.close(handle)


def _become(request: dict[str, Any]) -> NoReturn:
    """Run the command line as the part that was asked for."""
    from setproctitle import setproctitle

    from genesis.cli.main import main

    sys.argv = ["genesis", *request["arguments"]]
    setproctitle(" ".join(sys.argv))
    os.environ.clear()
    os.environ.update(request["environment"])
    main()
    sys.exit(0)


def _load() -> None:
    """Load what the parts have in common, and put it out of the collector's sight."""
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in ("setproctitle", *SHARED):
        importlib.import_module(name)
    from numba import njit

    njit(lambda value: value)(1)  # the compiler's tables are made at its first use
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _load()
    _become(_serve(socket.socket(fileno=int(sys.argv[1]))))
