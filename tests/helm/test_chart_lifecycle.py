"""Install, upgrade, a broken upgrade that goes back by itself, uninstall: real Helm, real processes.

The Kubernetes API and the kubelet are ours (`api_server`, `kubelet`); Helm, the chart, the broker and every
part of GENESIS are real. A part counts as ready when it says so itself, and by nothing else.
"""

from pathlib import Path
from typing import Any

import pytest
from helm_python.errors import HelmError

from genesis.connectors import broker
from genesis.connectors.broker import EmbeddedBroker
from tests.helm.charts import CHART, changed, example
from tests.helm.cluster import WAIT_S, Cluster, cluster, reached, venue
from tests.helm.kubelet import wait_until

PARTS = {"feed", "market", "account", "archive", "ticker", "gateway", "dashboard"}
BROKEN_WAIT_S = 12
"""Helm gives the rollback the same time as the upgrade."""


@pytest.mark.timeout(900)
def test_a_release_is_installed_upgraded_goes_back_by_itself_and_is_removed(tmp_path: Path) -> None:
    with EmbeddedBroker() as log, venue() as venue_url, cluster(tmp_path, log.bootstrap) as given:
        good = changed(
            example("laptop"),
            broker=reached(log.bootstrap),
            venue={"source": "simulator", "url": venue_url, "symbols": []},
            settings={"GENESIS_EMBEDDED_BROKER": "True"},
        )
        lifecycle(given, good)


def lifecycle(given: Cluster, good: dict[str, Any]) -> None:
    """Lead one release from its install to its end."""
    helm, objects, kubelet, *_ = given
    helm.install(CHART, "genesis", good, wait="watcher", timeout=WAIT_S)
    assert set(given.images()) == PARTS
    assert given.is_ready()

    gateway = given.process("deployments", "genesis-gateway")
    market_flow = given.process("statefulsets", "genesis-market")
    larger = changed(good, resources__gateway__limits__memory="768Mi")
    helm.upgrade(CHART, "genesis", larger, wait="watcher", timeout=WAIT_S, rollback_on_failure=True)
    assert given.process("deployments", "genesis-gateway") != gateway
    assert given.process("statefulsets", "genesis-market") == market_flow

    nowhere = f"http://127.0.0.1:{broker.free_port()}"
    broken = changed(larger, venue__url=nowhere, image__tag="broken")
    with pytest.raises(HelmError):
        helm.upgrade(
            CHART, "genesis", broken, wait="watcher", timeout=BROKEN_WAIT_S, rollback_on_failure=True
        )
    assert set(given.images().values()) == {"genesis/worker:dev"}
    wait_until(given.is_ready, "the parts to be what they were", WAIT_S)

    helm.uninstall("genesis", wait="watcher", timeout=WAIT_S)
    wait_until(lambda: not kubelet.pods, "all processes to end", WAIT_S)
    left = objects.all("deployments") + objects.all("statefulsets") + objects.all("networkpolicies")
    assert not left + objects.all("services")
    assert objects.all("persistentvolumeclaims"), "what paper trading holds was thrown away"
