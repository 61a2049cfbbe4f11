"""Grafana's dashboards: every expression is PromQL of metrics that exist, and every panel has its place."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from genesis.connectors.metrics import PROCESS, REGISTRY

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "ops" / "grafana" / "dashboards").glob("*.json"))
WANTED = {"trading", "latency", "feed", "tilt", "sla", "capacity"}


def dashboards() -> dict[str, dict[str, Any]]:
    return {
        path.stem.removeprefix("genesis-"): json.loads(path.read_text(encoding="utf-8")) for path in FILES
    }


def expressions() -> list[str]:
    panels = [panel for each in dashboards().values() for panel in each["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def known() -> set[str]:
    """Return every name that a metric or a recording rule gives to series."""
    found = set(PROCESS)
    for metric in REGISTRY.values():
        ends = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        found |= {f"{metric.name}{end}" for end in ends}
    for path in (ROOT / "ops" / "prometheus" / "rules").glob("*.yml"):
        rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
        found |= {rule["record"] for rule in rules if "record" in rule}
    return found


def test_there_is_one_for_each_question() -> None:
    assert set(dashboards()) == WANTED
    assert len({each["title"] for each in dashboards().values()}) == len(WANTED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_have_ids_titles_and_places_of_their_own(path: Path) -> None:
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
        assert panel["targets"]


def test_every_expression_parses(tmp_path: Path, monitoring: Path) -> None:
    rules = [{"record": f"panel:{i}", "expr": expr} for i, expr in enumerate(expressions())]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    said = subprocess.run(
        [monitoring / "promtool", "check", "rules", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"{len(rules)} rules found" in said.stdout


def test_every_metric_of_a_running_system_is_on_a_dashboard() -> None:
    shown = set(re.findall(r"genesis_\w+", " ".join(expressions())))
    bare = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} | shown
    # What the simulated venue plays is for who drives it, not for who runs the system.
    assert not {name for name in REGISTRY if not name.startswith("genesis_venue_")} - bare


def test_every_metric_exists() -> None:
    names = known()
    for expr in expressions():
        asked = set(re.findall(r"\b(?:genesis[_:][\w:]+|process_\w+)", expr))
        assert asked
        assert asked <= names, expr
