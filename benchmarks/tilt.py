"""Tilt: what the watch takes for one observation, alone and in a batch, and how many bytes a trader is.

One at a time is what the account fold does for an event: state in bytes, kernel, state out, reading. The
baseline of a batch is one at a time; that of the false alarms is what median and scale known would give.
Timed on the processor's own clock.
"""

import time

import numpy as np

from genesis.operators.cusum import average_run_length
from genesis.operators.tilt import watch
from genesis.operators.tilt.evidence import STRONG, K
from genesis.operators.tilt.observations import OBSERVATION, ObservationKind

ROWS = 20_000
KINDS = (
    ObservationKind.KEYS,
    ObservationKind.CORRECTIONS,
    ObservationKind.PREVIEWED,
    ObservationKind.DECIDED,
    ObservationKind.ORDER,
    ObservationKind.BOUGHT,
    ObservationKind.SOLD,
    ObservationKind.CLOCK,
)


def _rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    rows = np.zeros(ROWS, OBSERVATION)
    rows["event_ns"] = np.cumsum(rng.exponential(30e9, ROWS)).astype(np.int64)
    rows["kind"] = [int(KINDS[i % len(KINDS)]) for i in range(ROWS)]
    rows["symbol"] = 1 + np.arange(ROWS) % 5
    rows["value"] = rng.lognormal(0.0, 0.4, ROWS)
    rows["other"] = 1.0
    sold = rows["kind"] == int(ObservationKind.SOLD)
    rows["value"][sold] = rng.normal(0.0, 0.01, sold.sum())
    return rows


def _values_per_light(kind: ObservationKind) -> float:
    """Return after how many usual values of a habit its sign is lit, a second apart."""
    values, lights = 40_000, 0
    for seed in range(10):
        rows = np.zeros(values // 10, OBSERVATION)
        rows["event_ns"], rows["kind"] = (1 + np.arange(len(rows))) * 10**9, kind
        rows["value"] = 150.0 * np.random.default_rng(seed).lognormal(0.0, 0.3, len(rows))
        state, was_lit = watch.fresh(), False
        for i in range(len(rows)):
            state, reading = watch.observe(state, rows[i : i + 1])
            lights, was_lit = lights + (bool(reading.signs) and not was_lit), bool(reading.signs)
    return values / max(lights, 1)


def run() -> list[dict[str, object]]:
    """Return microseconds an observation, and bytes a trader."""
    rows = _rows()
    state, _ = watch.observe(watch.fresh(), rows)
    begun_s = time.process_time()
    for i in range(2_000):
        state, _ = watch.observe(state, rows[i : i + 1])
    alone_us = (time.process_time() - begun_s) / 2_000 * 1e6
    begun_s = time.process_time()
    watch.observe(state, rows)
    batch_us = (time.process_time() - begun_s) / ROWS * 1e6
    lights, known = _values_per_light(ObservationKind.KEYS), average_run_length(STRONG, K)
    return [
        {"name": "watch, one observation at a time", "value": alone_us, "unit": "us an observation"},
        {
            "name": f"watch, {ROWS} observations at once",
            "value": batch_us,
            "unit": "us an observation",
            "baseline": alone_us,
            "ratio": alone_us / batch_us,
        },
        {
            "name": "usual values a second apart until a habit that counts either way makes its sign strong",
            "value": lights,
            "unit": "values",
            "baseline": known,
            "ratio": lights / known,
        },
        {"name": "state of one trader", "value": len(state), "unit": "bytes"},
    ]
