"""A real Docker engine: the one that is running, or Debian's, started for the tests and ended with them."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BASE_TAR = ROOT / "build" / "engine" / "base.tar"
PUBLIC_BASE = "python:3.11-slim-bookworm"
LEFT_OUT = "or leave these tests out: make test ARGS='-m \"not engine\"'"

START_S = 60.0
STOP_S = 30.0
PULL_S = 120.0
BUILD_S = 600.0


class EngineMissing(RuntimeError):
    """No Docker engine can be had on this machine; the message says what to do."""


class Engine:
    """A Docker engine, by its client.

    Parameters
    ----------
    client
        Path of the client; Debian's beside the engine of Debian, since another may lack BuildKit.
    host
        Address of the engine; empty for what the client takes by itself.
    """

    def __init__(self, client: str, host: str = "") -> None:
        self.client = client
        self.environment = os.environ | ({"DOCKER_HOST": host} if host else {})
        self.base = ""

    def tried(self, *words: str, timeout_s: float = 120.0) -> "subprocess.CompletedProcess[str]":
        """Run a docker command and return how it went."""
        return subprocess.run(
            [self.client, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def __call__(self, *words: str, timeout_s: float = 120.0) -> str:
        """Run a docker command that must succeed; return what it printed."""
        done = self.tried(*words, timeout_s=timeout_s)
        assert done.returncode == 0, f"docker {' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine knows of an image or a container."""
        return dict(json.loads(self("inspect", name))[0])

    def answers(self) -> bool:
        """Say whether the engine answers."""
        return self.tried("version", "--format", "{{.Server.Version}}").returncode == 0

    def can_build(self) -> bool:
        """Say whether the client has BuildKit: to version 22 within it, later as a plugin."""
        version = self.tried("version", "--format", "{{.Client.Version}}").stdout.partition(".")[0]
        return (version.isdigit() and int(version) < 23) or self.tried("buildx", "version").returncode == 0

    def build(self, *targets: str) -> float:
        """Build images with the script that `make image` runs; return the seconds it took."""
        start_s = time.monotonic()
        done = subprocess.run(
            [".ci/image", *targets],
            cwd=ROOT,
            env=self.environment | {"DOCKER": self.client, "BASE": self.base},
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return time.monotonic() - start_s

    def choose_base(self) -> None:
        """Pull the public base image, or make one of Debian's packages, which is kept in build/."""
        pulled = self.tried("pull", "--quiet", PUBLIC_BASE, timeout_s=PULL_S).returncode == 0
        if pulled:
            self.base = PUBLIC_BASE
            return
        if not BASE_TAR.exists():
            done = subprocess.run(
                [".ci/base"], cwd=ROOT, capture_output=True, text=True, timeout=BUILD_S, check=False
            )
            if done.returncode != 0:
                raise EngineMissing(
                    f"{PUBLIC_BASE} cannot be pulled, and no base can be made: {done.stderr.strip()} "
                    f"Pull it, {LEFT_OUT}"
                )
        self("import", str(BASE_TAR), "genesis/base:bookworm")
        self.base = "genesis/base:bookworm"


@contextmanager
def docker_engine(folder: Path) -> Iterator[Engine]:
    """Give an engine whose data are in ``folder``, or the one that is running already.

    Raises
    ------
    EngineMissing
        When there is neither a running engine nor what it takes to start one.
    """
    clients = [path for name in ("docker", "/usr/bin/docker") if (path := shutil.which(name))]
    for client in clients:
        running = Engine(client)
        if running.answers() and running.can_build():
            running.choose_base()
            yield running
            return
    daemon = shutil.which("dockerd")
    if daemon is None or os.geteuid() != 0:
        lack = "there is no dockerd" if daemon is None else "only root can start one"
        raise EngineMissing(
            f"no Docker engine answers, and {lack}. Start Docker, or have root run .ci/engine (Debian), "
            f"{LEFT_OUT}"
        )
    host = f"unix://{folder}/docker.sock"
    beside = Path(daemon).resolve().parent.parent / "bin" / "docker"
    engine = Engine(str(beside) if beside.exists() else clients[0], host)
    log_path = folder / "dockerd.log"
    with log_path.open("wb") as log:
        places = (
            "--data-root",
            f"{folder}/data",
            "--exec-root",
            f"{folder}/exec",
            "--pidfile",
            f"{folder}/pid",
        )
        process = subprocess.Popen(
            [daemon, "-H", host, *places],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline_s = time.monotonic() + START_S
        while not engine.answers():
            if process.poll() is not None or time.monotonic() > deadline_s:
                tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-5:])
                raise EngineMissing(
                    f"dockerd does not start here: {tail}\nStart Docker otherwise, {LEFT_OUT}"
                )
            time.sleep(0.1)
        engine.choose_base()
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        unmount(folder)


def unmount(folder: Path) -> None:
    """Unmount what a daemon has left below a folder: it keeps a mark of its network's namespace."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in sorted((each for each in mounted if each.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", place], timeout=30, check=False)
