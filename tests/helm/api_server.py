"""As much of the Kubernetes API as Helm speaks: discovery, get, list, watch, apply, delete; in memory."""

import copy
import itertools
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]
KINDS = {
    "v1": ("Service", "ServiceAccount", "Secret", "ConfigMap", "Pod", "PersistentVolumeClaim"),
    "apps/v1": ("Deployment", "StatefulSet", "ReplicaSet", "ControllerRevision"),
    "batch/v1": ("Job",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "policy/v1": ("PodDisruptionBudget",),
}
WATCH_S = 30.0
"""A watch ends by itself after so long, as a real one does."""


def plural(kind: str) -> str:
    """Return the name of a kind in addresses."""
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"


BY_PLURAL = {plural(kind): (version, kind) for version, kinds in KINDS.items() for kind in kinds}


class Objects:
    """What the cluster holds; who watches is told of every change.

    ``saved`` is called after every write that a client made, with the object, or None after its end.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Object] = {}
        self._versions = itertools.count(1)
        self._watches: dict[int, tuple[str, queue.SimpleQueue[tuple[str, Object]]]] = {}
        self.lock = threading.RLock()
        self.changes: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def get(self, what: str, name: str) -> Object | None:
        """Return one object."""
        with self.lock:
            return copy.deepcopy(self._held.get((what, name)))

    def all(self, what: str) -> list[Object]:
        """Return every object of a kind."""
        with self.lock:
            return [copy.deepcopy(each) for (kind, _), each in self._held.items() if kind == what]

    def put(self, what: str, given: Object, *, is_status: bool = False) -> Object:
        """Keep an object; a new specification gets a new generation."""
        with self.lock:
            key = (what, given["metadata"]["name"])
            before, after = self._held.get(key), copy.deepcopy(given)
            version = str(next(self._versions))
            meta = after["metadata"]
            old = before["metadata"] if before else {}
            changed = before is not None and before.get("spec") != after.get("spec")
            meta |= {
                "namespace": "trading",
                "uid": old.get("uid", f"uid-{version}"),
                "creationTimestamp": old.get("creationTimestamp", "2026-01-01T00:00:00Z"),
                "resourceVersion": version,
                "generation": old.get("generation", 1) + changed,
            }
            if before and not is_status:
                after["status"] = before.get("status", {})
            self._held[key] = after
            self._tell("MODIFIED" if before else "ADDED", what, after)
        if not is_status:
            self.changes.put(key)
        return after

    def delete(self, what: str, name: str) -> Object | None:
        """Remove an object."""
        with self.lock:
            gone = self._held.pop((what, name), None)
            if gone:
                self._tell("DELETED", what, gone)
        if gone:
            self.changes.put((what, name))
        return gone

    def _tell(self, event: str, what: str, found: Object) -> None:
        for kind, waiting in self._watches.values():
            if kind == what:
                waiting.put((event, copy.deepcopy(found)))

    def watch(self, what: str, *, initial: bool) -> Iterator[tuple[str, Object]]:
        """Yield what changes, after what is there when that is asked for."""
        waiting: queue.SimpleQueue[tuple[str, Object]] = queue.SimpleQueue()
        with self.lock:
            self._watches[id(waiting)] = (what, waiting)
            held = self.all(what) if initial else []
            version = str(next(self._versions))
        try:
            for each in held:
                yield "ADDED", each
            if initial:
                mark = {"k8s.io/initial-events-end": "true"}
                yield "BOOKMARK", {"metadata": {"resourceVersion": version, "annotations": mark}}
            with suppress(queue.Empty):
                while True:
                    yield waiting.get(timeout=WATCH_S)
        finally:
            with self.lock:
                self._watches.pop(id(waiting), None)


def _parameters() -> list[Object]:
    names = ("fieldManager", "fieldValidation", "force", "dryRun")
    return [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]


def openapi(version: str) -> Object:
    """Return the description by which a client learns that fields are validated."""
    group, _, short = version.rpartition("/")
    root = f"/apis/{version}" if group else "/api/v1"
    paths = {}
    for kind in KINDS[version]:
        one = {"group": group, "version": short, "kind": kind}
        operation = {"parameters": _parameters(), "x-kubernetes-group-version-kind": one}
        paths[f"{root}/namespaces/{{namespace}}/{plural(kind)}/{{name}}"] = {
            "patch": operation | {"x-kubernetes-action": "patch"}
        }
    return {"openapi": "3.0.0", "info": {"title": "fake", "version": "v1"}, "paths": paths}


def discovery(path: str) -> Object | None:
    """Return what an address of the discovery says; None for another address."""
    if path == "/version":
        return {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        found = []
        for version in KINDS:
            group, _, short = version.partition("/")
            if short:
                told = {"groupVersion": version, "version": short}
                found.append({"name": group, "versions": [told], "preferredVersion": told})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}
    if path == "/openapi/v3":
        roots = {f"apis/{each}" if "/" in each else f"api/{each}" for each in KINDS}
        return {"paths": {each: {"serverRelativeURL": f"/openapi/v3/{each}?hash=1"} for each in roots}}
    for version, kinds in KINDS.items():
        root = f"apis/{version}" if "/" in version else f"api/{version}"
        if path == f"/openapi/v3/{root}":
            return openapi(version)
        if path == f"/{root}":
            verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
            told = [
                {"name": plural(kind), "singularName": kind.lower(), "namespaced": True, "kind": kind}
                | {"verbs": verbs}
                for kind in kinds
            ]
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": told}
    return None


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    objects: Objects

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: Object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _missing(self, name: str) -> None:
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        self._answer(told | {"message": f'"{name}" not found', "details": {"name": name}}, 404)

    def _place(self) -> tuple[str, str]:
        parts = urlsplit(self.path).path.strip("/").split("/")
        if "namespaces" in parts and len(parts) > parts.index("namespaces") + 2:
            parts = parts[parts.index("namespaces") + 2 :]
        else:
            parts = parts[-1:]
        return parts[0], parts[1] if len(parts) > 1 else ""

    def _body(self) -> Object:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return dict(yaml.safe_load(data) or {}) if data else {}

    def do_GET(self) -> None:
        """Discovery, one object, a list, or a watch."""
        url = urlsplit(self.path)
        told = discovery(url.path)
        if told is not None:
            return self._answer(told)
        what, name = self._place()
        if what not in BY_PLURAL:
            return self._missing(what)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        if name:
            found = self.objects.get(what, name)
            return self._answer(found) if found else self._missing(name)
        if asked.get("watch") in ("true", "1"):
            return self._watch(what, initial=asked.get("sendInitialEvents") == "true")
        version, kind = BY_PLURAL[what]
        items = [each for each in self.objects.all(what) if self._chosen(each, asked)]
        meta = {"resourceVersion": "1"}
        return self._answer({"kind": f"{kind}List", "apiVersion": version, "metadata": meta, "items": items})

    @staticmethod
    def _chosen(found: Object, asked: dict[str, str]) -> bool:
        field = asked.get("fieldSelector", "")
        return not field.startswith("metadata.name=") or found["metadata"]["name"] == field[14:]

    def _watch(self, what: str, *, initial: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        version, kind = BY_PLURAL[what]
        with suppress(OSError):
            for event, found in self.objects.watch(what, initial=initial):
                whole = {"apiVersion": version, "kind": kind} | found
                self.wfile.write(json.dumps({"type": event, "object": whole}).encode() + b"\n")
                self.wfile.flush()

    def do_POST(self) -> None:
        """Make an object."""
        what, _ = self._place()
        self._answer(self.objects.put(what, self._body()), 201)

    def do_PUT(self) -> None:
        """Replace an object."""
        what, _ = self._place()
        self._answer(self.objects.put(what, self._body()))

    def do_PATCH(self) -> None:
        """Apply a configuration: the client gives it whole, so it replaces what is there."""
        what, name = self._place()
        given = self._body()
        given.setdefault("metadata", {})["name"] = name
        self._answer(self.objects.put(what, given))

    def do_DELETE(self) -> None:
        """Remove an object."""
        self._body()
        what, name = self._place()
        gone = self.objects.delete(what, name)
        if gone:
            self._answer(gone)
        else:
            self._missing(name)


def serve(objects: Objects) -> ThreadingHTTPServer:
    """Serve on a free loopback port until shut down."""
    handler = type("Bound", (Handler,), {"objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
