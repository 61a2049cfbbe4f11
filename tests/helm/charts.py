"""The chart, rendered by the real Helm library, for the tests."""

from pathlib import Path
from typing import Any

import yaml
from helm_python.chart import Chart, values_from_yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "genesis"
EXAMPLES = sorted(path.stem for path in (CHART / "examples").glob("*.yaml"))
Manifest = dict[str, Any]


def example(name: str) -> dict[str, Any]:
    """Return the values of an example."""
    return dict(values_from_yaml((CHART / "examples" / f"{name}.yaml").read_text(encoding="utf-8")))


def changed(values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return values with others in their place; ``trading__mode`` is the value ``trading.mode``."""
    copy = yaml.safe_load(yaml.safe_dump(values))
    for path, value in changes.items():
        *folders, name = path.split("__")
        place = copy
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return dict(copy)


def rendered(values: dict[str, Any], release: str = "genesis") -> list[Manifest]:
    """Return every object of a release."""
    with Chart.load(CHART) as chart:
        texts = chart.render(values, name=release, namespace="trading")
    found = [
        each
        for name, text in texts.items()
        if not name.endswith(".txt")
        for each in yaml.safe_load_all(text)
        if each
    ]
    assert found
    return found


def name_of(manifest: Manifest) -> str:
    """Return what to call an object in a message."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the pod template of every object that has one, and pods themselves, by name."""
    found = {}
    for each in manifests:
        if each["kind"] == "Pod":
            found[name_of(each)] = each
        elif "template" in each.get("spec", {}):
            found[name_of(each)] = each["spec"]["template"]
    return found
