"""A new version of the market flow beside the old one, by upgrades of the chart: signals keep coming.

On Apache Kafka, with real Helm and real processes. Blue and green are the same program here; what happens to
a version that computes something else is in `tests/flows/test_release_drill.py`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genesis.operators import topics
from tests.flows.market_lab import SHARDS, Signals
from tests.flows.release_lab import emptied
from tests.helm.charts import CHART, changed, example
from tests.helm.cluster import WAIT_S, Cluster, cluster, reached, venue
from tests.helm.kubelet import wait_until
from tests.kafka_server import ApacheKafka

BLUE, GREEN = ("statefulsets", "genesis-market"), ("statefulsets", "genesis-market-green")
OTHERS = ("feed", "ticker", "gateway")
SECOND_NS = 1_000_000_000
MORE = 5
"""Bars of a second that have to come after each step."""


def release(given: Cluster, *words: str) -> dict[str, Any]:
    """Run `genesis release` in the dashboard's pod, as the chart's README has it."""
    pod = given.kubelet.pods["deployments", "genesis-dashboard"]
    done = pod.run("genesis", "release", *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def upgrade(given: Cluster, values: dict[str, Any]) -> None:
    """Upgrade as the README does."""
    given.helm.upgrade(CHART, "genesis", values, wait="watcher", timeout=WAIT_S, rollback_on_failure=True)


def seconds(signals: Signals) -> dict[tuple[bytes, int], list[int]]:
    """Return when the bars of a second opened, ns, by instrument, in the order in which they came."""
    rows = np.frombuffer(b"".join(signals.rows["bars"]), topics.BARS.rows.dtype)
    found: dict[tuple[bytes, int], list[int]] = {}
    for row in rows[(rows["interval_ns"] == SECOND_NS) & (rows["revision"] == 0)]:
        found.setdefault((bytes(row["symbol"]), int(row["market"])), []).append(int(row["open_ns"]))
    return found


def await_more(signals: Signals, what: str) -> None:
    """Return when more bars of every symbol have come than there were."""
    signals.read()
    before = {of: len(found) for of, found in seconds(signals).items()}

    def have_come() -> bool:
        signals.read()
        now = seconds(signals)
        return bool(now) and all(len(now[of]) >= before.get(of, 0) + MORE for of in now)

    wait_until(have_come, what, WAIT_S)


def promote(given: Cluster, version: str, old: str, new: str) -> None:
    """Give the signals to the colour that has begun beside the other one."""
    assert release(given, "start", "--reason", f"version {version}")["phase"] == "shadow"
    told = release(given, "status")
    assert (told["active"], told["shadow"], set(told["figures"])) == (old, new, {"blue", "green"})
    promoted = release(given, "promote", "--wait", "90", "--watch", "3", "--reports", "2")
    assert (promoted["promoted"], promoted["active"], promoted["phase"]) == (True, new, "settled")


def lead(given: Cluster, signals: Signals, one: dict[str, Any]) -> None:
    """Put a second version beside the first, then a third beside the second; each takes over."""
    await_more(signals, "signals of the only version")
    others = [given.process("deployments", f"genesis-{part}") for part in OTHERS]
    both = changed(one, colours__enabled=True, colours__blueTag="0.1", colours__greenTag="0.2")
    upgrade(given, both)
    assert given.images()["market"] == "genesis/worker:0.1"
    assert given.images()["market-green"] == "genesis/worker:0.2"
    copied = given.kubelet.pods[GREEN].log.read_text(encoding="utf-8")
    assert "bytes of snapshots are in" in copied, "green began with nothing"
    await_more(signals, "signals with green beside blue")

    promote(given, "0.2", "blue", "green")
    await_more(signals, "signals of green with blue beside it")

    green = given.process(*GREEN)
    alone = changed(both, colours__blueReplicas=0)
    upgrade(given, alone)
    assert BLUE not in given.kubelet.pods
    await_more(signals, "signals of green alone")
    told = release(given, "status")
    assert (told["active"], told["epoch"], set(told["figures"])) == ("green", 1, {"green"})

    upgrade(given, changed(both, colours__blueTag="0.3", colours__candidate="blue"))
    copied = given.kubelet.pods[BLUE].log.read_text(encoding="utf-8")
    assert "bytes of snapshots are in" in copied, "blue went on with snapshots of long ago"
    promote(given, "0.3", "green", "blue")
    await_more(signals, "signals of blue again")
    assert given.process(*GREEN) == green, "who had the signals was started again for nothing"
    assert others == [given.process("deployments", f"genesis-{part}") for part in OTHERS]
    assert not given.kubelet.ended.keys() - {"genesis-market-green"}, "it waits for blue's first snapshot"


@pytest.mark.timeout(900)
def test_green_replaces_blue_by_upgrades_and_no_bar_is_missed_or_comes_twice(
    tmp_path: Path, kafka: ApacheKafka
) -> None:
    with emptied(kafka), venue(rate=200) as venue_url, cluster(tmp_path, kafka.bootstrap) as given:
        values = changed(
            example("laptop"),
            broker=reached(kafka.bootstrap),
            venue={"source": "simulator", "url": venue_url, "symbols": []},
            image__tag="0.1",
            market={"shards": SHARDS, "epochSeconds": 1},
        )
        given.helm.install(CHART, "genesis", values, wait="watcher", timeout=WAIT_S)
        signals = Signals(kafka.bootstrap)
        try:
            lead(given, signals, values)
            for of, found in seconds(signals).items():
                assert set(np.diff(found).tolist()) == {SECOND_NS}, f"{of}: {found}"
            for name, rows in signals.rows.items():
                assert len(rows) == len(set(rows)), f"{name}: rows came twice"
            assert not signals.records["dead_letters"]
        finally:
            signals.close()
