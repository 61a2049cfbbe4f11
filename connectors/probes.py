"""Probes: each process answers ``/livez``, ``/readyz`` and ``/metrics``, from a thread of its own.

Law: nothing here decides anything for the process. It is alive while its main loop comes by; it is ready
when it has said so, its newest report is not ``starting``, and nothing has been the matter for longer than
`GRACE_S`. A process that is not ready answers 503 with the reasons as JSON.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from genesis.connectors import metrics
from genesis.connectors.settings import Settings, SettingsError

GRACE_S = 5.0
"""So long something may be the matter before the process is not ready: a restart of the broker takes less."""

ALIVE_S = 120.0
"""A main loop that has not come by for so long hangs; the longest that one may wait is a minute."""

PROGRESS_S = 15.0
"""… and after so long it is not ready."""

SILENCE_S = 30.0
"""A feed that has had no message for so long is not ready."""

LAG_MESSAGES = 50_000
"""A reader that is further behind is not ready."""

EPOCH_PAUSE_S = 30.0
"""A flow whose last snapshot is older than three epochs and this is not ready."""


class State:
    """What this process knows of itself; written by its main loop, read by the server."""

    def __init__(self) -> None:
        self.part, self.epoch_s = "", 5.0
        self.is_started = False
        self.beat_s = self.epoch_closed_s = self.heard_s = 0.0
        self.health = self.detail = ""
        self._troubles: dict[str, tuple[str, float]] = {}
        self._lags: dict[tuple[str, str, int], int] = {}
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Say that the main loop comes by."""
        self.beat_s = time.monotonic()

    def close_epoch(self) -> None:
        """Say that a recovery snapshot was taken."""
        self.epoch_closed_s = time.monotonic()

    def trouble(self, key: str, sentence: str) -> None:
        """Note that something is the matter, from now on if it is new."""
        with self._lock:
            since_s = self._troubles[key][1] if key in self._troubles else time.monotonic()
            self._troubles[key] = (sentence, since_s)

    def clear(self, key: str) -> None:
        """Note that it is over."""
        if key in self._troubles:
            with self._lock:
                self._troubles.pop(key, None)

    def since_s(self, key: str) -> float:
        """Return for how long something has been the matter; 0 when it is not."""
        found = self._troubles.get(key)
        return time.monotonic() - found[1] if found else 0.0

    def lag(self, reader: str, topic: str, partition: int, messages: int) -> None:
        """Note how far a reader is behind."""
        self._lags[reader, topic, partition] = messages

    def is_alive(self) -> bool:
        """Say whether the main loop comes by, or has not begun."""
        return not self.beat_s or time.monotonic() - self.beat_s < ALIVE_S

    def reasons(self) -> list[str]:
        """Return why this process is not ready; empty when it is."""
        now_s = time.monotonic()
        if not self.is_started:
            return ["it is still starting"]
        with self._lock:
            found = [said for said, since_s in self._troubles.values() if now_s - since_s >= GRACE_S]
        if self.beat_s and now_s - self.beat_s > PROGRESS_S:
            found.append(f"its main loop has not come by for {now_s - self.beat_s:.0f} s")
        age_s = now_s - self.epoch_closed_s if self.epoch_closed_s else 0.0
        if age_s > 3 * self.epoch_s + EPOCH_PAUSE_S:
            found.append(f"its newest recovery snapshot is {age_s:.0f} s old")
        if self.heard_s and now_s - self.heard_s > SILENCE_S:
            found.append(f"the venue has been silent for {now_s - self.heard_s:.0f} s")
        for (reader, topic, partition), behind in self._lags.copy().items():
            if behind > LAG_MESSAGES:
                found.append(f"{reader} is {behind} messages behind on {topic}/{partition}")
        if self.health == "starting":
            found.append(self.detail or "it reports that it is starting")
        return found

    def figures(self) -> dict[str, object]:
        """Return what /readyz shows beside the reasons; ages in seconds, None without one."""
        now_s = time.monotonic()

        def age(at_s: float) -> float | None:
            return round(now_s - at_s, 3) if at_s else None

        return {
            "part": self.part,
            "state": self.health or ("ok" if self.is_started else "starting"),
            "detail": self.detail,
            "progress_age_s": age(self.beat_s),
            "epoch_age_s": age(self.epoch_closed_s),
            "silence_s": age(self.heard_s),
            "lag_messages": sum(self._lags.copy().values()),
        }

    def expose(self) -> None:
        """Bring the gauges of this state up to date."""
        now_s, part = time.monotonic(), self.part
        metrics.READY.labels(part).set(not self.reasons())
        metrics.PROGRESS_AGE.labels(part).set(now_s - self.beat_s if self.beat_s else 0.0)
        metrics.EPOCH_AGE.labels(part).set(now_s - self.epoch_closed_s if self.epoch_closed_s else 0.0)
        if self.heard_s:
            metrics.FEED_SILENCE.set(now_s - self.heard_s)


STATE = State()
"""Of this process."""


def started() -> None:
    """Note that this process serves; called by `process.announce_ready`."""
    if not STATE.is_started:
        STATE.is_started = True
        metrics.RECOVERY.labels(STATE.part).set(_lived_s())
    if STATE.part == "feed":
        STATE.heard_s = time.monotonic()


def _lived_s() -> float:
    """Return how long ago this process began; 0 where the system does not say."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(uptime_s - ticks / 100.0, 0.0)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer one of the three paths."""
        path = self.path.partition("?")[0]
        if path == "/livez":
            alive = STATE.is_alive()
            self._json(200 if alive else 503, {"alive": alive} | STATE.figures())
        elif path == "/readyz":
            reasons = STATE.reasons()
            self._json(503 if reasons else 200, {"ready": not reasons, "reasons": reasons} | STATE.figures())
        elif path == "/metrics":
            STATE.expose()
            self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
        else:
            self._json(404, {"paths": ["/livez", "/readyz", "/metrics"]})

    def _json(self, status: int, what: dict[str, Any]) -> None:
        self._answer(status, "application/json", json.dumps(what).encode() + b"\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a probe comes every few seconds."""


def serve(settings: Settings, part: str) -> None:
    """Serve the probes of this process as the settings say; with port 0, nothing.

    Raises
    ------
    SettingsError
        When the address cannot be listened on.
    """
    STATE.part, STATE.epoch_s = part, settings.epoch_s
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        return
    try:
        server = ThreadingHTTPServer((host, port), _Handler)
    except OSError as error:
        raise SettingsError(
            f"GENESIS_METRICS_PORT: {part} cannot listen on {host}:{port} ({error.strerror}). "
            "Choose another port, or 0 for none"
        ) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
