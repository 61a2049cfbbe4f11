"""A kubelet of one node: starts the processes that manifests describe, and believes their word alone."""

import os
import queue
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
GENESIS = [sys.executable, "-m", "genesis.cli.main"]


class Pod:
    """The process of one pod template.

    Parameters
    ----------
    template
        The template, as the manifest has it.
    replaced
        Variables that are another on this machine: addresses, folders, secrets.
    """

    def __init__(self, template: Object, replaced: dict[str, str], log: Path) -> None:
        self.template = template
        container = template["spec"]["containers"][0]
        self.port = free_port()
        given = {each["name"]: each.get("value", "") for each in container["env"]}
        given = {name: str(value) for name, value in given.items()} | replaced
        if "GENESIS_METRICS_PORT" in given:
            given |= {"GENESIS_METRICS_PORT": str(self.port), "GENESIS_METRICS_HOST": "127.0.0.1"}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GENESIS_")}
        given["NUMBA_CACHE_DIR"] = os.environ.get("NUMBA_CACHE_DIR", str(log.parent / "numba"))
        words = container["command"]
        command = [*GENESIS, *words[1:]] if words[0] == "genesis" else list(words)
        self.probe = container.get("readinessProbe", {}).get("httpGet", {}).get("path", "")
        self.log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                command, env=clean | given, stdout=sink, stderr=sink, start_new_session=True
            )

    def is_ready(self) -> bool:
        """Ask the process itself: by its probe, else by what it says once it serves."""
        if self.process.poll() is not None:
            return False
        if not self.probe:
            return '{"ready"' in self.log.read_text(encoding="utf-8", errors="replace")
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


class Kubelet:
    """Brings processes to what the objects say, and the objects' status to what the processes are."""

    def __init__(self, objects: Objects, folder: Path, replaced: Callable[[str], dict[str, str]]) -> None:
        self._objects, self._folder, self._replaced = objects, folder, replaced
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
        if what == "poddisruptionbudgets" and found:
            self._objects.put(what, found | {"status": self._seen(found)}, is_status=True)
        if what not in ("deployments", "statefulsets", "jobs", "pods"):
            return
        template = (found["spec"]["template"] if what != "pods" else found) if found else None
        running = self.pods.get(key)
        if running and template and running.template["spec"] == template["spec"]:
            return
        if running:
            running.stop()
            del self.pods[key]
        if template:
            self.pods[key] = Pod(template, self._replaced(name), self._folder / f"{name}.log")

    @staticmethod
    def _seen(found: Object) -> dict[str, Any]:
        return {"observedGeneration": found["metadata"]["generation"]}

    def _report(self, what: str, name: str) -> None:
        pod, found = self.pods[what, name], self._objects.get(what, name)
        if found is None:
            return
        if pod.process.poll() is not None and what in ("deployments", "statefulsets"):
            self.ended[name] = self.ended.get(name, 0) + 1  # a crash loop, at the pace of our looks
            self.pods[what, name] = Pod(pod.template, self._replaced(name), pod.log)
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
