"""A cluster of one node for one release: our API server and kubelet, real Helm, a simulated venue."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from helm_python.config import Config

from genesis.connectors import broker, keys, settings
from tests.helm.api_server import Objects, serve
from tests.helm.kubelet import Kubelet, Node
from tests.system.running import start

WAIT_S = 300
"""Longest for an install or an upgrade: kernels may have to be compiled first, on a machine that is busy."""


class Cluster(NamedTuple):
    """What a test leads."""

    helm: Config
    objects: Objects
    kubelet: Kubelet

    def images(self) -> dict[str, str]:
        """Return the image of every part."""
        found = self.objects.all("deployments") + self.objects.all("statefulsets")
        return {
            each["metadata"]["labels"]["app.kubernetes.io/component"]: each["spec"]["template"]["spec"][
                "containers"
            ][0]["image"]
            for each in found
        }

    def is_ready(self) -> bool:
        """Say whether every pod that is to run is ready."""
        return all(pod.is_ready() for (what, _), pod in list(self.kubelet.pods.items()) if what != "jobs")

    def process(self, kind: str, name: str) -> int:
        """Return the process id of a pod."""
        return self.kubelet.pods[kind, name].process.pid


def node_of(folder: Path, address: str) -> Node:
    """Return a node with the secrets that the examples name."""
    keys.create_keys(settings.read(data=folder))
    secrets = folder / "secrets"
    (secrets / "genesis-ledger").mkdir(parents=True)
    (secrets / "genesis-ledger" / "url").write_text(f"sqlite:///{folder}/ledger.db", encoding="utf-8")
    (folder / "keys").rename(secrets / "genesis-keys")
    # without an address the archive opens the store in its own process
    return Node(folder, {"GENESIS_BROKER": address, "GENESIS_STORE_URL": ""})


@contextmanager
def cluster(folder: Path, address: str) -> Iterator[Cluster]:
    """Give a cluster that is empty, and end all that runs in it."""
    objects = Objects()
    node = node_of(folder, address)
    plain = {"apiVersion": "v1"}
    objects.put("serviceaccounts", plain | {"kind": "ServiceAccount", "metadata": {"name": "default"}})
    for secret in (folder / "secrets").iterdir():
        data = {each.name: b64encode(each.read_bytes()).decode() for each in secret.iterdir()}
        told = {"kind": "Secret", "metadata": {"name": secret.name}, "data": data}
        objects.put("secrets", plain | told)
    server = serve(objects)
    kubelet = Kubelet(objects, node)
    try:
        with Config(
            kube_apiserver=f"http://127.0.0.1:{server.server_port}",
            namespace="trading",
            storage_driver="memory",
        ) as helm:
            yield Cluster(helm, objects, kubelet)
    finally:
        kubelet.close()
        server.shutdown()


def reached(address: str) -> dict[str, object]:
    """Return the value `broker` for an address."""
    return {"servers": address, "port": int(address.rpartition(":")[2])}


@contextmanager
def venue(rate: int = 50) -> Iterator[str]:
    """Give the address of a simulated venue of two symbols."""
    port = broker.free_port()
    process = start("venue", "--synthetic", "2", "--rate", str(rate), "--speed", "1", "--port", str(port))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
