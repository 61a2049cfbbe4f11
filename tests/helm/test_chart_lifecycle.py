"""Install, upgrade, a broken upgrade that goes back by itself, uninstall: real Helm, real processes.

The Kubernetes API and the kubelet are ours (`api_server`, `kubelet`); Helm, the chart, the broker and every
part of GENESIS are real. A part counts as ready when it says so itself, and by nothing else.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helm_python.config import Config
from helm_python.errors import HelmError

from genesis.connectors import broker, keys, settings
from tests.helm.api_server import Objects, serve
from tests.helm.charts import CHART, changed, example
from tests.helm.kubelet import Kubelet, wait_until
from tests.system.running import start

PARTS = {"feed", "market", "account", "archive", "ticker", "gateway"}
WAIT_S = 150
BROKEN_WAIT_S = 12
"""Helm gives the rollback the same time as the upgrade."""


@contextmanager
def market() -> Iterator[tuple[str, str]]:
    """Yield the addresses of a broker and of a simulated venue."""
    port = broker.free_port()
    log = subprocess.Popen(broker.command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    venue_port = broker.free_port()
    venue = start("venue", "--synthetic", "2", "--rate", "50", "--speed", "1", "--port", str(venue_port))
    try:
        broker.await_ready(f"127.0.0.1:{port}", log)
        yield f"127.0.0.1:{port}", f"http://127.0.0.1:{venue_port}"
    finally:
        for process in (venue, log):
            process.kill()
            process.wait()


def local(folder: Path, address: str) -> Any:
    """Return what a part's variables are on this machine: one ledger file, one set of keys."""
    keys.create_keys(settings.read(data=folder))
    shared = {
        "GENESIS_KEYS": str(folder / "keys"),
        "GENESIS_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
        "GENESIS_BROKER": address,
        "GENESIS_STORE_URL": "",  # the archive opens the store in its own process
        "GENESIS_EMBEDDED_BROKER": "True",
    }

    def replaced(name: str) -> dict[str, str]:
        return shared | {"GENESIS_DATA": str(folder / name)}

    return replaced


def images(objects: Objects) -> dict[str, str]:
    """Return the image of every part."""
    found = objects.all("deployments") + objects.all("statefulsets")
    return {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"]["template"]["spec"][
            "containers"
        ][0]["image"]
        for each in found
    }


@pytest.mark.timeout(420)
def test_a_release_is_installed_upgraded_goes_back_by_itself_and_is_removed(tmp_path: Path) -> None:
    objects = Objects()
    server = serve(objects)
    with market() as (address, venue_url):
        kubelet = Kubelet(objects, tmp_path, local(tmp_path, address))
        good = changed(
            example("laptop"),
            broker__servers=address,
            venue={"source": "simulator", "url": venue_url, "symbols": []},
            dashboard__enabled=False,
        )
        try:
            with Config(
                kube_apiserver=f"http://127.0.0.1:{server.server_port}",
                namespace="trading",
                storage_driver="memory",
            ) as helm:
                lifecycle(helm, objects, kubelet, good)
        finally:
            kubelet.close()
            server.shutdown()


def lifecycle(helm: Config, objects: Objects, kubelet: Kubelet, good: dict[str, Any]) -> None:
    """Lead one release from its install to its end."""
    helm.install(CHART, "genesis", good, wait="watcher", timeout=WAIT_S)
    assert set(images(objects)) == PARTS
    assert all(pod.is_ready() for (what, _), pod in kubelet.pods.items() if what != "jobs")

    gateway = kubelet.pods["deployments", "genesis-gateway"].process.pid
    market_flow = kubelet.pods["statefulsets", "genesis-market"].process.pid
    larger = changed(good, resources__gateway__limits__memory="768Mi")
    helm.upgrade(CHART, "genesis", larger, wait="watcher", timeout=WAIT_S, rollback_on_failure=True)
    assert kubelet.pods["deployments", "genesis-gateway"].process.pid != gateway
    assert kubelet.pods["statefulsets", "genesis-market"].process.pid == market_flow

    nowhere = f"http://127.0.0.1:{broker.free_port()}"
    broken = changed(larger, venue__url=nowhere, image__tag="broken")
    with pytest.raises(HelmError):
        helm.upgrade(
            CHART, "genesis", broken, wait="watcher", timeout=BROKEN_WAIT_S, rollback_on_failure=True
        )
    assert set(images(objects).values()) == {"genesis/worker:dev"}
    wait_until(
        lambda: all(pod.is_ready() for (what, _), pod in list(kubelet.pods.items()) if what != "jobs"),
        "the parts to be what they were",
        WAIT_S,
    )

    helm.uninstall("genesis", wait="watcher", timeout=WAIT_S)
    wait_until(lambda: not kubelet.pods, "all processes to end", WAIT_S)
    left = objects.all("deployments") + objects.all("statefulsets") + objects.all("networkpolicies")
    assert not left + objects.all("services")
    assert objects.all("persistentvolumeclaims"), "what paper trading holds was thrown away"
