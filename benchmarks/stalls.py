"""Stalls: how long the market flow's own folds hold up a batch of 5 ms, at 20,000 ticks/s, without a broker.

What arrives while a fold is busy waits for it, so the longest folds, at the end of a second, are the
floor of the latency's 99th percentile. Two shards and their join in one process, as on one core; timed
on the processor's own clock, so that other work on the machine counts little.
"""

import gc
import pickle
import time

import numpy as np

from benchmarks.latency import BEAT_S, LATENESS_NS, MIX, SHARDS, Load
from genesis.connectors.settings import Settings
from genesis.operators import market_join, shard_fold
from genesis.operators.arrays import NEVER_NS
from genesis.operators.records import BOOK, GAP, QUOTE, TRADE
from genesis.operators.topics import Topic

RATE_HZ = 20_000
SECONDS = 12
WARM_UP_S = 4
BEGIN_NS = 1_700_000_000 * 10**9
SCHEMAS = (TRADE, QUOTE, BOOK, GAP)
PLACES = {"trades": shard_fold.TRADES, "quotes": shard_fold.QUOTES, "book": shard_fold.BOOKS}


class _Catcher:
    """Stands where the producer would, and keeps what was sent of each shard."""

    def __init__(self) -> None:
        self.arrived = [[schema.empty() for schema in SCHEMAS] for _ in range(SHARDS)]

    def send(self, topic: Topic, shard: int, rows: np.ndarray, _watermark_ns: int) -> None:
        if topic.name in PLACES:
            self.arrived[shard][PLACES[topic.name]] = rows

    def poll(self) -> None:
        """Do nothing: everything has been delivered."""


def run() -> list[dict[str, object]]:
    """Return p50, p99 and the longest of each fold and of all of a beat, and the size of a snapshot."""
    assert sum(share for _, share in MIX) == 1.0
    spent_ms, snapshot_bytes = _measured()
    rows: list[dict[str, object]] = []
    for what, each in spent_ms.items():
        figures = {"p50": np.percentile(each, 50), "p99": np.percentile(each, 99), "max": each.max()}
        for name, value in figures.items():
            row = {"name": f"{what}, {RATE_HZ:,} ticks/s, {name}", "value": float(value), "unit": "ms"}
            rows.append(row | {"baseline": "", "ratio": None})
    name = "greatest snapshot of a shard"
    return [*rows, {"name": name, "value": snapshot_bytes / 1e6, "unit": "MB", "baseline": "", "ratio": None}]


def _measured() -> tuple[dict[str, np.ndarray], int]:
    catcher = _Catcher()
    load = Load(catcher, RATE_HZ)  # type: ignore[arg-type]
    shards = [shard_fold.new_shard() for _ in range(SHARDS)]
    join = market_join.new_join(SHARDS, Settings().half_lives_ns)
    spent: dict[str, list[int]] = {"shard fold": [], "join": [], "a beat": []}
    snapshot_bytes = 0
    gc.freeze()
    for beat in range(int(SECONDS / BEAT_S)):
        now_ns = BEGIN_NS + int(beat * BEAT_S * 1e9)
        load.beat(now_ns)
        told, took = [], []
        for number in range(SHARDS):
            arrivals = shard_fold.Arrivals(
                tuple(catcher.arrived[number]),  # type: ignore[arg-type]
                (now_ns - LATENESS_NS,) * 4,
                (0,) * 4,
            )
            begun_ns = time.process_time_ns()
            shards[number], out = shard_fold.fold(shards[number], arrivals)
            took.append(time.process_time_ns() - begun_ns)
            told.append(market_join.Contribution(number, out.closed_ns, out.quiet_ns, out.samples, out.gaps))
        begun_ns = time.process_time_ns()
        join, _ = market_join.fold(join, told)
        joined_ns = time.process_time_ns() - begun_ns
        if beat * BEAT_S >= WARM_UP_S:
            spent["shard fold"] += took
            spent["join"].append(joined_ns)
            spent["a beat"].append(sum(took) + joined_ns)
            if beat % 10 == 0:
                snapshot_bytes = max(snapshot_bytes, len(pickle.dumps(shard_fold.kept(shards[0]))))
    assert join.next_ns != NEVER_NS
    gc.unfreeze()
    return {what: np.array(each) / 1e6 for what, each in spent.items()}, snapshot_bytes


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']:50} {row['value']:8.3f} {row['unit']}")
