"""What ships and keeps logs in the tests: Debian's rsyslog, and OpenSearch by Maven, in build/."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from genesis.connectors.broker import free_port
from tests.monitoring_tools import ToolsUnavailable, unpacked
from tests.system import running

ROOT = Path(__file__).resolve().parent.parent
RSYSLOG = ("rsyslog", "rsyslog-elasticsearch", "libestr0", "libfastjson4", "liblognorm5", "libcurl3-gnutls")
RSYSLOG_FOLDER = ROOT / "build" / "rsyslog"
OPENSEARCH = ROOT / "tests" / "opensearch"
FETCH_TIMEOUT_S = 300
"""Longest for the jars of OpenSearch, about 60 MB."""


def rsyslog() -> Path:
    """Return the folder in which rsyslog is unpacked, fetching it first if it is not there yet.

    Raises
    ------
    ToolsUnavailable
        When this is no Debian or Ubuntu, or the packages cannot be fetched.
    """
    if not (RSYSLOG_FOLDER / "usr" / "sbin" / "rsyslogd").is_file():
        unpacked(RSYSLOG, RSYSLOG_FOLDER, "the shipping of logs is tried with Debian's rsyslog")
    return RSYSLOG_FOLDER


def opensearch_jars() -> Path:
    """Return the folder of OpenSearch's jars, fetching them first if they are not there yet.

    Raises
    ------
    ToolsUnavailable
        When there is no Java or Maven, or Maven cannot fetch the jars.
    """
    pom = OPENSEARCH / "pom.xml"
    folder = ROOT / "build" / f"opensearch-{hashlib.sha256(pom.read_bytes()).hexdigest()[:8]}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if not maven or not shutil.which("java"):
        raise ToolsUnavailable("logs are shipped to OpenSearch, which needs Java 17 and Maven: install both")
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="opensearch-partial-") as partial:
        words = ["--batch-mode", "--quiet", "--strict-checksums", "-f", str(pom)]
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}/lib"]
        done = subprocess.run(
            [maven, *words, *goal], capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise ToolsUnavailable(f"Maven did not fetch OpenSearch: {done.stdout[-300:]}")
        with suppress(OSError):  # another process was quicker
            (Path(partial) / "lib").rename(folder)
    return folder


class Store:
    """A running OpenSearch, asked by its own interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body: Any = None) -> Any:
        """Return its answer; None while it does not answer or knows no such thing."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read())
        except (OSError, urllib.error.HTTPError):
            return None

    def lines(self, query: Any = None) -> list[dict[str, Any]]:
        """Return the lines that it has, at most 10,000."""
        self.ask("/genesis-logs/_refresh")
        found = self.ask("/genesis-logs/_search?size=10000", {"query": query or {"match_all": {}}})
        return [each["_source"] for each in found["hits"]["hits"]] if found else []


@contextmanager
def opensearch(folder: Path) -> Iterator[Store]:
    """Run OpenSearch on loopback with its data in a folder, as long as the block lasts."""
    http, transport = free_port(), free_port()
    words = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{opensearch_jars()}/*"]
    words += [str(OPENSEARCH / "Node.java"), str(folder / "data"), str(http), str(transport)]
    with (folder / "opensearch.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder, text=True)
        try:
            store = Store(f"http://127.0.0.1:{http}")
            running.wait_for(lambda: store.ask("/_cluster/health"), "OpenSearch", process)
            yield store
        finally:
            process.kill()
            process.wait(timeout=30)


@contextmanager
def shipping(logs: Path, url: str, said: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run the shipper over a folder of logs as long as the block lasts, or until it is killed."""
    programs = rsyslog()
    found = next(programs.glob("usr/lib/*/rsyslog"))
    environment = os.environ | {
        "RSYSLOGD": str(programs / "usr" / "sbin" / "rsyslogd"),
        "LD_LIBRARY_PATH": str(found.parent),
        "GENESIS_SHIP_PAUSE_S": "0.2",
    }
    with said.open("ab") as log:
        process = subprocess.Popen(
            [ROOT / "ops/rsyslog/ship", logs, url, "-M", str(found)],
            env=environment,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)
