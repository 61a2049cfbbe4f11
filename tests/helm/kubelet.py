"""A kubelet of one node: starts the processes that manifests describe, and believes their word alone.

A volume is a folder of this machine, and a path of a container is a path in it: so what an init container
prepares is what the part finds, a claim outlives its pod, and a pod whose secret is missing does not start.
"""

import itertools
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genesis.connectors.broker import free_port
from tests.helm.api_server import Object, Objects

LOOK_S = 0.25
GRACE_S = 15.0
EXEC_S = 120.0
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""Where a container finds `genesis` and `python`: the environment that the tests run in."""
SERVED = ("deployments", "statefulsets")
"""Kinds whose pods are started again."""
_pods = itertools.count()


class Node:
    """Folders in the place of volumes.

    Parameters
    ----------
    folder
        For everything; `folder/secrets/NAME/KEY` are the secrets that there are, `folder/claims` the volumes.
    replaced
        Variables that are another on this machine.
    """

    def __init__(self, folder: Path, replaced: dict[str, str]) -> None:
        self.folder, self.replaced = folder, replaced

    def claim(self, name: str) -> Path:
        """Return the folder of a volume that outlives its pods."""
        return self.folder / "claims" / name

    def secret(self, name: str, key: str = "") -> Path:
        """Return the folder of a secret, or the file of one of its keys."""
        found = self.folder / "secrets" / name / key
        if not found.exists():
            raise FileNotFoundError(f'secret "{name}" not found, or it has no key "{key}"')
        return found

    def configure(self, name: str, data: dict[str, str]) -> None:
        """Keep what a ConfigMap says; pods that run see it too."""
        folder = self.folder / "configmaps" / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, text in data.items():
            (folder / key).write_text(text, encoding="utf-8")

    def volumes(self, name: str, spec: Object) -> dict[str, Path]:
        """Return the folder of every volume of a pod; what it does not claim is new and empty."""
        own = self.folder / "pods" / f"{name}-{next(_pods)}"
        found = {"data": self.claim(f"data-{name}-0")}  # a template's, where nothing else has the name
        for each in spec["volumes"]:
            if "persistentVolumeClaim" in each:
                found[each["name"]] = self.claim(each["persistentVolumeClaim"]["claimName"])
            elif "configMap" in each:
                found[each["name"]] = self.folder / "configmaps" / each["configMap"]["name"]
            elif "secret" in each:
                found[each["name"]] = self.secret(each["secret"]["secretName"])
            else:
                found[each["name"]] = own / each["name"]
        for place in found.values():
            place.mkdir(parents=True, exist_ok=True)
        return found

    def variables(self, container: Object) -> dict[str, str]:
        """Return the variables of a container, those of secrets too."""
        found = {}
        for each in container.get("env", []):
            if "valueFrom" in each:
                origin = each["valueFrom"]["secretKeyRef"]
                found[each["name"]] = self.secret(origin["name"], origin["key"]).read_text(encoding="utf-8")
            else:
                found[each["name"]] = str(each["value"])
        return found


def on_this_machine(text: str, container: Object, volumes: dict[str, Path]) -> str:
    """Return a text of a container with the folders of its volumes in the place of its paths."""
    places = {each["mountPath"]: volumes[each["name"]] for each in container["volumeMounts"]}
    paths = "|".join(sorted(map(re.escape, places), reverse=True))
    return re.sub(rf"(?<![\w./-])({paths})(?![\w.-])", lambda found: str(places[found[1]]), text)


class Pod:
    """The processes of one pod template: its init containers one after the other, then its container.

    Parameters
    ----------
    name
        Of the object that it belongs to.
    template
        The template, as the manifest has it.
    node
        Where it runs.
    volumes
        Those of the pod that it goes on, when a container is started again.
    """

    def __init__(
        self, name: str, template: Object, node: Node, volumes: dict[str, Path] | None = None
    ) -> None:
        self.template, self.log = template, node.folder / f"{name}.log"
        self.volumes = volumes or node.volumes(name, template["spec"])
        (container,) = template["spec"]["containers"]
        self.port = free_port()
        self.env = {"PATH": PATH, "HOME": str(self.volumes["tmp"])} | {
            variable: on_this_machine(value, container, self.volumes)
            for variable, value in node.variables(container).items()
        }
        self.env |= {variable: value for variable, value in node.replaced.items() if variable in self.env}
        if "GENESIS_METRICS_PORT" in self.env:
            self.env |= {"GENESIS_METRICS_PORT": str(self.port), "GENESIS_METRICS_HOST": "127.0.0.1"}
        self.env.pop(
            "NUMBA_CACHE_DIR", None
        )  # an image brings its kernels compiled; here they are the tests'
        if "NUMBA_CACHE_DIR" in os.environ:
            self.env["NUMBA_CACHE_DIR"] = os.environ["NUMBA_CACHE_DIR"]
        script = "".join(
            f'env -i "PATH=$PATH" {_quoted(each["command"], each, self.volumes)} || exit 1\n'
            for each in template["spec"].get("initContainers", [])
        )
        command = _quoted(container["command"], container, self.volumes)
        self.probe = container.get("readinessProbe", {}).get("httpGet", {}).get("path", "")
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                ["sh", "-c", f"{script}exec {command}"],
                env=self.env,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command beside the container, as `kubectl exec` does."""
        return subprocess.run(
            words, env=self.env, capture_output=True, text=True, timeout=EXEC_S, check=False
        )

    def is_ready(self) -> bool:
        """Ask the process itself: by its probe, else by what it says once it serves."""
        if self.process.poll() is not None:
            return False
        if not self.probe:
            return True
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.probe}", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """End it as a kubelet does: SIGTERM, a grace, SIGKILL."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def _quoted(words: list[str], container: Object, volumes: dict[str, Path]) -> str:
    return shlex.join(on_this_machine(word, container, volumes) for word in words)


class Kubelet:
    """Brings processes to what the objects say, and the objects' status to what the processes are."""

    def __init__(self, objects: Objects, node: Node) -> None:
        self._objects, self._node = objects, node
        self.pods: dict[tuple[str, str], Pod] = {}
        self.ended: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop everything."""
        self._stopping.set()
        self._thread.join()
        for pod in self.pods.values():
            pod.process.terminate()
        for pod in self.pods.values():
            pod.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                what, name = self._objects.changes.get(timeout=LOOK_S)
                self._take(what, name)
            except queue.Empty:
                pass
            for key in list(self.pods):
                self._report(*key)

    def _take(self, what: str, name: str) -> None:
        found, key = self._objects.get(what, name), (what, name)
        if what == "persistentvolumeclaims" and found and not found.get("status"):
            self._objects.put(what, found | {"status": {"phase": "Bound"}}, is_status=True)
        if what == "configmaps" and found:
            self._node.configure(name, found["data"])
        if what == "poddisruptionbudgets" and found:
            self._objects.put(what, found | {"status": self._seen(found)}, is_status=True)
        if what not in (*SERVED, "jobs", "pods"):
            return
        template = (found["spec"]["template"] if what != "pods" else found) if found else None
        if found and found["spec"].get("replicas") == 0:
            template = None
        running = self.pods.get(key)
        if running and template and running.template["spec"] == template["spec"]:
            return
        if running:
            running.stop()
            del self.pods[key]
        if template and found:
            for each in found["spec"].get("volumeClaimTemplates", []):
                self._claim(each, f"{each['metadata']['name']}-{name}-0")
            self.pods[key] = Pod(name, template, self._node)
        elif found:
            self._objects.put(what, found | {"status": self._none(found)}, is_status=True)

    def _claim(self, template: Object, name: str) -> None:
        if self._objects.get("persistentvolumeclaims", name) is None:
            self._objects.put("persistentvolumeclaims", template | {"metadata": {"name": name}})

    @staticmethod
    def _seen(found: Object) -> dict[str, Any]:
        return {"observedGeneration": found["metadata"]["generation"]}

    def _none(self, found: Object) -> dict[str, Any]:
        return self._seen(found) | dict.fromkeys(
            ("replicas", "updatedReplicas", "currentReplicas", "readyReplicas", "availableReplicas"), 0
        )

    def _report(self, what: str, name: str) -> None:
        pod, found = self.pods[what, name], self._objects.get(what, name)
        if found is None:
            return
        if pod.process.poll() is not None and what in SERVED:
            self.ended[name] = self.ended.get(name, 0) + 1  # a crash loop, at the pace of our looks
            self.pods[what, name] = Pod(name, pod.template, self._node, pod.volumes)
        status = self._status(what, found, pod)
        if status != found.get("status"):
            self._objects.put(what, found | {"status": status}, is_status=True)

    def _status(self, what: str, found: Object, pod: Pod) -> dict[str, Any]:
        if what == "jobs":
            code = pod.process.poll()
            if code is None:
                return {"active": 1, "startTime": "2026-01-01T00:00:00Z"}
            word = "Complete" if code == 0 else "Failed"
            done = {"succeeded": 1} if code == 0 else {"failed": 1}
            return done | {
                "startTime": "2026-01-01T00:00:00Z",
                "conditions": [{"type": word, "status": "True"}],
            }
        ready = int(pod.is_ready())
        status = self._seen(found) | {"replicas": 1, "updatedReplicas": 1, "currentReplicas": 1}
        status |= {"readyReplicas": ready, "availableReplicas": ready}
        if what == "statefulsets":
            return status | {"currentRevision": "r", "updateRevision": "r"}
        available = {"type": "Available", "status": "True" if ready else "False"}
        progress = {"type": "Progressing", "status": "True"}
        progress["reason"] = "NewReplicaSetAvailable" if ready else "ReplicaSetUpdated"
        return status | {"conditions": [available, progress]}


def wait_until(happened: Callable[[], bool], what: str, seconds: float) -> None:
    """Return when something has happened; AssertionError when it does not."""
    deadline_s = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.1)
