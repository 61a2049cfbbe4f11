"""Meter: what a flow has done in the last second, for its health report. Never part of its results."""

import time
from collections import deque

import numpy as np

from genesis.connectors import metrics
from genesis.operators.records import Health

REPORT_EVERY_S = 1.0
"""Pause between two health reports."""

LATENCIES_MAX = 4_096
"""Newest latencies that a report looks at."""


class Meter:
    """Counts and latencies of one process.

    Parameters
    ----------
    component
        The name under which it reports.
    """

    def __init__(self, component: str) -> None:
        self._component = component
        self._reported_s = time.monotonic()
        self._rows = 0
        self._dead_letters = 0
        self._watermarks_ns: dict[object, int] = {}
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_MAX)

    def came_in(self, rows: int, dead_letters: int) -> None:
        """Note rows that were read, and messages that could not be used."""
        self._rows += rows
        self._dead_letters += dead_letters

    def went_out(self, stream: object, watermark_ns: int, cause_ns: int) -> None:
        """Note a frame that is sent now, caused by one that was sent at ``cause_ns``; 0 for unknown."""
        self._watermarks_ns[stream] = watermark_ns
        if cause_ns:
            self._latencies_ms.append((time.time_ns() - cause_ns) / 1e6)

    def report(self) -> Health | None:
        """Return a health report once a second, else None."""
        now_s = time.monotonic()
        if now_s - self._reported_s < REPORT_EVERY_S:
            return None
        now_ns = time.time_ns()
        metrics.FLOW_ROWS.inc(self._rows)
        for latency_ms in self._latencies_ms:
            metrics.TICK_TO_SIGNAL.observe(latency_ms / 1e3)
        figures = {
            "rows_per_s": self._rows / (now_s - self._reported_s),
            "dead_letters": float(self._dead_letters),
        }
        if self._watermarks_ns:
            figures["watermark_lag_ms"] = max((now_ns - min(self._watermarks_ns.values())) / 1e6, 0.0)
        if self._latencies_ms:
            p50_ms, p99_ms = np.percentile(self._latencies_ms, [50, 99])
            figures |= {"tick_to_signal_p50_ms": float(p50_ms), "tick_to_signal_p99_ms": float(p99_ms)}
        self._reported_s, self._rows = now_s, 0
        self._latencies_ms.clear()
        return Health(
            id=f"{self._component}-{now_ns}",
            recv_ns=now_ns,
            component=self._component,
            state="ok",
            detail="",
            figures=figures,
        )
