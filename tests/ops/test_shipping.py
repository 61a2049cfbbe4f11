"""Logs on their way to a store: Debian's rsyslog, OpenSearch itself, and an endpoint without room."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from genesis.cli import log_files
from genesis.connectors import logs
from tests.log_tools import Store, opensearch, opensearch_jars, rsyslog, shipping
from tests.monitoring_tools import ToolsUnavailable
from tests.system import running

pytestmark = pytest.mark.timeout(300)

SECRETS = ("hunter2-and-a-half", "ab" * 32, "opensesame")
WRITER = f"""
import sys
from genesis.connectors import logs
part, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
logs.configure(part)
logs.hide({SECRETS[0]!r})
log = logs.get(part)
for number in range(first, last):
    log.info("said {SECRETS[0]} and postgresql://me:{SECRETS[2]}@db/x", number=number, permit="{SECRETS[1]}",
             text='"ü" \\n{SECRETS[1]}', **{{logs.TRACE: f"{{part}}-{{number}}"}})
"""


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    try:
        rsyslog()
        opensearch_jars()
    except ToolsUnavailable as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI=true, but {missing}", pytrace=False)
        pytest.skip(str(missing))


def write(folder: Path, part: str, first: int, last: int) -> None:
    """Let a process of its own append lines to the log of a part."""
    with (folder / f"{part}.log").open("ab") as log:
        words = [sys.executable, "-c", WRITER, part, str(first), str(last)]
        subprocess.run(words, stderr=log, check=True)


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every line of the folder by its id."""
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.log*")]
    found = [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]
    by_id = {each["event.id"]: each for each in found}
    assert len(by_id) == len(found)
    return by_id


def arrived(store: Store, count: int) -> list[dict[str, Any]]:
    """Return what the store has once there are as many lines."""
    return list(
        running.wait_for(
            lambda: len(found := store.lines()) >= count and found, f"{count} lines in the store"
        )
    )


def test_nothing_is_lost_or_doubled_when_the_shipper_is_killed_and_a_file_is_set_aside(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    said = tmp_path / "shipper.log"
    with opensearch(tmp_path) as store:
        write(folder, "feed", 0, 400)
        with shipping(folder, store.url, said) as shipper:
            arrived(store, 1)
            write(folder, "gateway", 0, 300)
            os.killpg(shipper.pid, signal.SIGKILL)
        write(folder, "feed", 400, 500)
        log_files.rotate(folder, 10**9, file_bytes=1)  # while nobody reads
        with (folder / "feed.log").open("a", encoding="utf-8") as log:
            log.write("%3|1763948000.1|FAIL| what is not ours and no JSON\n")
        write(folder, "feed", 500, 600)
        with shipping(folder, store.url, said):
            arrived(store, 900)
            write(folder, "gateway", 300, 700)
            log_files.rotate(folder, 10**9, file_bytes=1)  # while it is read
            write(folder, "gateway", 700, 800)
            found = arrived(store, 1_400)
        one = store.lines({"match_phrase": {"trace.id": "gateway-512"}})
    assert {each["event.id"]: each for each in found} == written(folder)
    assert len(found) == 600 + 800
    assert [each["genesis.number"] for each in one if each["trace.id"] == "gateway-512"] == [512]
    for each in found:
        assert {name for name in each if not name.startswith("genesis.")} <= logs.ECS_FIELDS
    assert not [secret for secret in SECRETS if secret in json.dumps(found, ensure_ascii=False)]


class Crowded:
    """An endpoint as ``_bulk``, without room for the first request and a third of the second."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self._lock = threading.Lock()
        crowded = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
                status, answer = crowded.take([json.loads(line) for line in lines])
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: list[dict[str, Any]]) -> tuple[int, Any]:
        """Return status and answer for action and document by turns."""
        full = {"type": "es_rejected_execution_exception", "reason": "rejected execution"}
        with self._lock:
            if not self.statuses:
                self.statuses.append(429)
                return 429, {"error": full, "status": 429}
            is_crowded = self.statuses == [429]
            items = []
            for number, (action, document) in enumerate(zip(body[::2], body[1::2], strict=True)):
                name = action["create"]["_id"]
                item: dict[str, Any] = {"_index": action["create"]["_index"], "_id": name, "status": 201}
                if is_crowded and number % 3 == 0:
                    item |= {"status": 429, "error": full}
                elif name in {each["event.id"] for each in self.kept}:
                    item |= {"status": 409, "error": {"type": "version_conflict_engine_exception"}}
                else:
                    self.kept.append(document)
                items.append({"create": item})
                self.statuses.append(item["status"])
            return 200, {
                "took": 1,
                "errors": any("error" in each["create"] for each in items),
                "items": items,
            }


@pytest.fixture
def crowded() -> Iterator[Crowded]:
    found = Crowded()
    threading.Thread(target=found.server.serve_forever, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_a_store_without_room_is_asked_again_until_it_has_every_line_as_it_was_written(
    tmp_path: Path, crowded: Crowded
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    write(folder, "feed", 0, 500)
    with shipping(folder, crowded.url, tmp_path / "shipper.log"):
        running.wait_for(lambda: len(crowded.kept) >= 500, "500 lines")
    assert crowded.statuses.count(429) > 100
    assert len(crowded.kept) == 500
    assert {each["event.id"]: each for each in crowded.kept} == written(folder)
