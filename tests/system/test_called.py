"""A failure from end to end: the feed falls silent, somebody is called, and told when it is over.

Everything is real but the other side: the system, Prometheus and Alertmanager with the generated rules and
routes, and an endpoint that answers as PagerDuty's Events API v2 does, at first with 429.
"""

import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from genesis.cli import main
from genesis.connectors import run_file
from genesis.connectors.broker import free_port
from tests.monitoring_tools import templates
from tests.system import running
from tests.system.test_trading import PORTS, System, free_ports

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).resolve().parents[2]
SPEED = 10
"""Silence of 3 s calls, and targets are asked every 1.5 s."""

KEY = "0123456789abcdef0123456789abcdef"
FEED = "GenesisFeedSilent"


class Sink:
    """What is called: PagerDuty's endpoint, a chat and the watchdog, on one port."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, int, Any]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                tried = [each for each in sink.posts if each[0] == self.path]
                status = {"/v2/enqueue": 202 if tried else 429}.get(self.path, 200)
                sink.posts.append((self.path, status, body))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b'{"status": "success"}' if status == 202 else b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Sink"]:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()

    def calls(self, action: str, alert: str = FEED) -> list[Any]:
        """Return the events of one action that were taken."""
        return [
            body
            for path, status, body in self.posts.copy()
            if path == "/v2/enqueue" and status == 202
            if body["event_action"] == action and body["payload"]["class"] == alert
        ]


def generated(folder: Path, sink: Sink, targets: dict[str, list[str]]) -> Path:
    """Make rules and routes with shorter durations, from the files that operators use."""
    places = yaml.safe_load((ROOT / "ops/places.yaml").read_text(encoding="utf-8"))
    (folder / "key").write_text(KEY, encoding="utf-8")
    (folder / "chat").write_text(f"{sink.url}/chat", encoding="utf-8")
    places["targets"] = targets
    places["pagerduty"] = {"url": f"{sink.url}/v2/enqueue", "key_file": str(folder / "key")}
    places["chat"]["url_file"] = str(folder / "chat")
    places["watchdog"]["url"] = f"{sink.url}/ping"
    (folder / "places.yaml").write_text(yaml.safe_dump(places), encoding="utf-8")
    words = ["--speed", str(SPEED), "--places", str(folder / "places.yaml"), "--output", str(folder)]
    subprocess.run([sys.executable, ROOT / "ops/generate.py", *words], check=True, capture_output=True)
    return folder / "ops"


@contextmanager
def serving(address: str, log: Path, folder: Path, *words: str) -> Iterator[None]:
    """Run a server in a folder as long as the block lasts."""

    def is_ready() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://{address}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    with log.open("wb") as file:
        process = subprocess.Popen(
            [*words, f"--web.listen-address={address}"], stdout=file, stderr=file, cwd=folder, text=True
        )
        try:
            running.wait_for(is_ready, f"{words[0]} (see {log})", process)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


@contextmanager
def monitored(folder: Path, programs: Path, sink: Sink, targets: dict[str, list[str]]) -> Iterator[None]:
    """Run Prometheus and Alertmanager as long as the block lasts."""
    asked, called = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    made = generated(folder, sink, {**targets, "prometheus": [asked], "alertmanager": [called]})
    alertmanager = (
        str(programs / "prometheus-alertmanager"),
        f"--config.file={made}/alertmanager/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        "--cluster.listen-address=",
    )
    prometheus = (
        str(programs / "prometheus"),
        f"--config.file={made}/prometheus/prometheus.yml",
        f"--storage.tsdb.path={folder}/prometheus",
        "--rules.alert.resend-delay=1s",  # what was sent before Alertmanager was known is sent again
    )
    with (
        serving(called, folder / "alertmanager.log", templates(programs), *alertmanager),
        serving(asked, folder / "prometheus.log", folder, *prometheus),
    ):
        yield


def faults(venue_url: str, method: str, spec: str = "") -> None:
    body = json.dumps({"spec": spec}).encode() if spec else None
    request = urllib.request.Request(f"{venue_url}/genesis/faults", data=body, method=method)
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    found = System(tmp_path_factory.mktemp("called"), metrics_port=str(free_ports(PORTS)))
    found.start()
    yield found
    found.stop()


def questions() -> set[str]:
    """Return every question to the store that a runbook names."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md"))
    return {asked for text in texts for asked in re.findall(r'genesis sql "([^"]+)"', text)}


def test_the_store_answers_every_question_of_the_runbooks(system: System) -> None:
    assert len(questions()) > 5
    for asked in sorted(questions()):
        words = ["sql", "--data", str(system.data), asked]
        done = CliRunner().invoke(main._application(), words, catch_exceptions=False)
        assert done.exit_code == 0, f"{asked}: {done.output}"


def test_a_silent_feed_calls_somebody_and_says_when_it_is_over(
    system: System, tmp_path: Path, monitoring: Path
) -> None:
    run = run_file.read(system.data)
    assert run is not None
    targets = {part: [f"127.0.0.1:{port}"] for part, port in run.metrics.items()}
    with Sink().serving() as sink, monitored(tmp_path, monitoring, sink, targets):
        running.wait_for(lambda: any(path == "/ping" for path, *_ in sink.posts), "the watchdog")
        assert not sink.calls("trigger")
        faults(run.venue_url, "POST", "silence:*:for_ms=600000")
        (call,) = running.wait_for(lambda: sink.calls("trigger"), "the call")
        faults(run.venue_url, "DELETE")
        (over,) = running.wait_for(lambda: sink.calls("resolve"), "the end of it")
        posts = sink.posts.copy()
    assert call["routing_key"] == KEY
    assert over["dedup_key"] == call["dedup_key"]
    assert len(call["dedup_key"]) <= 255
    assert call["payload"]["severity"] == "critical"
    assert "nothing usable" in call["payload"]["summary"]
    assert call["payload"]["custom_details"]["runbook"] == f"docs/runbooks/{FEED}.md"
    assert next(status for path, status, _ in posts if path == "/v2/enqueue") == 429
    assert any(FEED in json.dumps(body) for path, _, body in posts if path == "/chat")
