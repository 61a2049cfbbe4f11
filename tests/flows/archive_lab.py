"""A laboratory for the archive: a real broker, frames by hand, and the real process, to be killed."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from genesis.connectors import broker
from genesis.connectors.kafka import FrameProducer, ensure_topics
from genesis.operators import topics
from genesis.operators.records import WATERMARK_FINAL_NS
from genesis.operators.topics import Topic

SHARDS = 2
ROW_TOPICS = (*topics.TICKS, *topics.SIGNALS)
WAIT_S = 60.0

_RUN = """
import sys
{before}
from genesis.connectors import logs, settings
from genesis.flows import archive
logs.configure("store")
try:
    sys.exit(archive.main(settings.read()))
except Exception as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


class Lab:
    """One broker, one producer, and store processes on any number of data folders."""

    def __init__(self, *, generation_bytes: int = 0) -> None:
        self._port = broker.free_port()
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._start_broker()
        self.producer = FrameProducer(
            self.bootstrap,
            SHARDS,
            embedded=generation_bytes > 0,
            generation_bytes=generation_bytes,
            name="lab",
        )
        self._started: list[subprocess.Popen[str]] = []

    def _start_broker(self) -> None:
        quiet = subprocess.DEVNULL
        self._broker = subprocess.Popen(broker.command(self._port), stdout=quiet, stderr=quiet)
        broker.await_ready(self.bootstrap, self._broker)

    def forget(self) -> None:
        """Kill the broker, which forgets everything, and start it again at the same place."""
        self._broker.kill()
        self._broker.wait()
        self._start_broker()
        ensure_topics(self.bootstrap, SHARDS, timeout_s=WAIT_S)
        self.producer = FrameProducer(self.bootstrap, SHARDS, embedded=False, name="lab")

    def send_all(self, topic: Topic, parts: list[tuple[int, Any]]) -> None:
        """Send frames of rows, each to a partition."""
        for number, (partition, rows) in enumerate(parts):
            self.producer.send(topic, partition, rows, number)
            self.producer.poll()
            if number % 50 == 49:
                assert self.producer.flush(WAIT_S) == 0
        assert self.producer.flush(WAIT_S) == 0

    def send_ends(self) -> None:
        """Send the final watermark of every partition."""
        for topic in ROW_TOPICS:
            for partition in range(SHARDS if topic.sharded else 1):
                self.producer.send(topic, partition, topic.rows.empty(), WATERMARK_FINAL_NS)
        assert self.producer.flush(WAIT_S) == 0

    def start(self, data: Path, *, before: str = "", **settings: object) -> "Archiving":
        """Start a store process and wait until it serves."""
        variables = {"GENESIS_DATA": data, "GENESIS_BROKER": self.bootstrap, "GENESIS_SHARDS": SHARDS}
        variables |= {f"GENESIS_{name.upper()}": value for name, value in settings.items()}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GENESIS_")}
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN.format(before=before)],
            env=clean | {name: str(value) for name, value in variables.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return Archiving(process, data)

    def close(self) -> None:
        """End everything."""
        for process in [*self._started, self._broker]:
            process.kill()
            process.communicate()


class Archiving:
    """A store process."""

    def __init__(self, process: "subprocess.Popen[str]", data: Path) -> None:
        self.process, self._data = process, data
        assert process.stdout is not None
        line = process.stdout.readline()
        self.url = str(json.loads(line)["ready"]["store_url"]) if line else ""

    def ask(self, query: str) -> list[list[Any]]:
        """Ask it over HTTP."""
        request = urllib.request.Request(self.url, data=f"{query} FORMAT JSONCompact".encode())
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return list(json.load(answer)["data"])

    def kill_after(self, seconds: float) -> None:
        """Kill it as a crash would, so long from now unless it ends before."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.communicate()

    def stop(self) -> int:
        """Ask it to end; return its exit status."""
        self.process.terminate()
        _, self.said = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode

    @property
    def summary(self) -> dict[str, Any]:
        """What it wrote of the end of a replay; empty while there is none."""
        try:
            return dict(json.loads((self._data / "archive.json").read_bytes()))
        except FileNotFoundError:
            return {}
