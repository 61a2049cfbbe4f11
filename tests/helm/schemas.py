"""Strict schemas of what the chart makes: Kubernetes' own kinds, and those of the Prometheus operator.

Kubernetes' schemas come with ``kubernetes-validate``. The operator's are the definitions that its release
ships, out of its Go module: Go fetches that once (5 MB), and two files of it are kept under ``build/``. As
the API server does with ``fieldValidation=Strict``, a field that no schema names is refused, and so are two
entries of a list under one key. The rules that a schema may write in CEL are not read; these have none.
"""

import hashlib
import json
import shutil
import subprocess
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator, ValidationError

ROOT = Path(__file__).resolve().parents[2]
MODULE = "github.com/prometheus-operator/prometheus-operator"
VERSION = "v0.85.0"
FOLDER = ROOT / "build" / f"prometheus-operator-{VERSION}"
INSIDE = f"{MODULE}@{VERSION}/example/prometheus-operator-crd"
GROUP = "monitoring.coreos.com/v1"
SHA256 = {
    "ServiceMonitor": "1dae27b7189b5ce7b9ab764656c18b4c75a45cde1e6f3af6a5e84c4317628919",
    "PrometheusRule": "98fd16c9ab79fba8dcd6ef62c957c98cd6546ab74ce0a4ecf09ddf2fda03020e",
}
FETCH_TIMEOUT_S = 120
"""Longest that Go may take to fetch the module."""
Schema = dict[str, Any]


class SchemasUnavailable(RuntimeError):
    """The operator's definitions cannot be had on this machine; the message says what to do."""


def file_of(kind: str) -> str:
    """Return the name of the file that defines a kind."""
    return f"monitoring.coreos.com_{kind.lower()}s.yaml"


def fetch(folder: Path = FOLDER) -> Path:
    """Return the folder of the definitions, fetching them first if they are not there yet.

    Raises
    ------
    SchemasUnavailable
        When there is no Go, it cannot fetch the module, or a file is not the one that is known here.
    """
    if not all((folder / file_of(kind)).is_file() for kind in SHA256):
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(_download()) as module:
            for kind in SHA256:
                (folder / file_of(kind)).write_bytes(module.read(f"{INSIDE}/{file_of(kind)}"))
    for kind, known in SHA256.items():
        found = hashlib.sha256((folder / file_of(kind)).read_bytes()).hexdigest()
        if found != known:
            raise SchemasUnavailable(
                f"{folder / file_of(kind)} is not the file of {VERSION}: its SHA-256 is {found}, known is "
                f"{known}. Remove the folder, and it is fetched again."
            )
    return folder


def _download() -> Path:
    go = shutil.which("go")
    if go is None:
        raise SchemasUnavailable(
            "the Prometheus operator's schemas are fetched with Go, and there is no go here: install Go "
            "1.19 or later; on Debian .ci/engine does"
        )
    command = [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, cwd=ROOT / "tests", check=False
        )
    except subprocess.TimeoutExpired:
        raise SchemasUnavailable(f"Go did not fetch {MODULE} within {FETCH_TIMEOUT_S} s") from None
    told = json.loads(done.stdout or "{}")
    if done.returncode or "Zip" not in told:
        said = told.get("Error") or done.stderr.strip() or "it gave no reason"
        raise SchemasUnavailable(f"Go could not fetch {MODULE}@{VERSION}: {said} (try: {' '.join(command)})")
    return Path(told["Zip"])


def closed(schema: Schema) -> Schema:
    """Return a definition's schema as JSON Schema that refuses what it does not name."""
    made = {name: value for name, value in schema.items() if not name.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    if made.pop("nullable", False):
        made["type"] = [made["type"], "null"]
    if "properties" in made:
        made["properties"] = {name: closed(inner) for name, inner in made["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), dict):
            made[name] = closed(made[name])
    if "(?i)" in made.get("pattern", ""):  # Python has the flag at the beginning only
        made["pattern"] = "(?i)" + made["pattern"].replace("(?i)", "")
    return made


@lru_cache
def operator_schema(kind: str) -> Schema:
    """Return the schema of a kind of the operator, as its definition has it."""
    text = (fetch() / file_of(kind)).read_text(encoding="utf-8")
    definition = yaml.safe_load(text)["spec"]
    (version,) = (each for each in definition["versions"] if f"{definition['group']}/{each['name']}" == GROUP)
    assert definition["names"]["kind"] == kind
    return dict(version["schema"]["openAPIV3Schema"])


def validate(manifest: dict[str, Any], version: str) -> None:
    """Hold an object to its schema in a version of Kubernetes.

    Raises
    ------
    jsonschema.ValidationError
        When it is not valid.
    kubernetes_validate.SchemaNotFoundError
        When there is no schema of its kind.
    """
    kind = manifest["kind"]
    if manifest["apiVersion"] != GROUP or kind not in SHA256:
        kubernetes_validate.validate(manifest, version, strict=True)
        return
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": manifest["metadata"]}
    kubernetes_validate.validate(plain, version, strict=True)  # a definition says of metadata: an object
    schema = operator_schema(kind)
    whole = closed(schema)
    whole["properties"]["metadata"] = {"type": "object"}
    Draft202012Validator(whole).validate(manifest)
    _keys(schema, manifest, kind)


def _keys(schema: Schema, given: Any, path: str) -> None:
    """Refuse two entries under one key in a list that is a map by its keys."""
    if isinstance(given, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in given:
                _keys(inner, given[name], f"{path}.{name}")
    elif isinstance(given, list):
        for entry in given:
            _keys(schema["items"], entry, f"{path}[]")
        names = schema.get("x-kubernetes-list-map-keys", [])
        keys = [tuple(entry.get(name) for name in names) for entry in given if names]
        if len(set(keys)) < len(keys):
            raise ValidationError(f"{path}: two entries have the same {' and '.join(names)}")
