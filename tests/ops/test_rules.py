"""Alert rules: generated, tried by promtool, each with a runbook whose commands exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from genesis.connectors.metrics import PROCESS, REGISTRY

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "ops" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Over"]
FOREIGN = {"up", "alertmanager_notifications_failed_total", "prometheus_notifications_dropped_total"}
"""Metrics of Prometheus and Alertmanager themselves."""

KNOWN = set(REGISTRY) | set(PROCESS) | FOREIGN
SUFFIXES = ("_bucket", "_count", "_sum")

Rule = dict[str, Any]


def rules() -> list[Rule]:
    found = [
        rule
        for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert found
    return found


RULES = rules()
ALERTS = sorted({rule["alert"] for rule in RULES if "alert" in rule})
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


def names(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    bare = re.sub(r'"[^"]*"|\bby \([^)]*\)|\{[^}]*\}|\[[^\]]*\]', "", expression)
    words = re.findall(r"[a-z_][a-z0-9_:]*(?![\w:]*\()", bare)
    return {word for word in words if set(word) & set("_:")}


@pytest.mark.timeout(600)
def test_promtool_finds_the_rules_right_and_every_rule_test_passes(monitoring: Path) -> None:
    chart = ROOT / "helm" / "genesis" / "files" / "rules.yaml"
    for words in (
        ["check", "rules", *map(str, (PROMETHEUS / "rules").glob("*.yml")), str(chart)],
        ["test", "rules", *map(str, (PROMETHEUS / "tests").glob("*.yml"))],
    ):
        done = subprocess.run([monitoring / "promtool", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_an_expression_names_only_metrics_that_exist(rule: Rule) -> None:
    found = names(rule["expr"])
    assert found or rule["expr"] == "vector(1)" or "up{" in rule["expr"]
    for name in found - RECORDED:
        bare = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        assert name in KNOWN or (bare in REGISTRY and REGISTRY[bare].kind == "histogram"), name


def test_every_alert_has_tests_of_its_own() -> None:
    tried = {
        case["alertname"]
        for path in (PROMETHEUS / "tests").glob("*.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tried == set(ALERTS)


def test_the_twenty_failures_each_have_an_alert() -> None:
    failures = {int(rule["labels"]["failure"]) for rule in RULES if "failure" in rule.get("labels", {})}
    assert failures == set(range(1, 21))


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_runbook_that_begins_with_a_command_and_says_when_it_is_over(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert text.startswith(f"# {name}\n")
    assert re.search(r"`genesis \w+|^genesis \w+", text, re.MULTILINE), "it names no command to begin with"
    assert {rule["annotations"]["runbook_url"] for rule in RULES if rule.get("alert") == name} == {
        f"docs/runbooks/{name}.md"
    }


def test_no_runbook_is_left_without_its_alert() -> None:
    assert sorted(path.stem for path in RUNBOOKS.glob("Genesis*.md")) == ALERTS


def commands() -> list[str]:
    """Return every genesis command of the runbooks, as it is to be typed."""
    texts = (path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md"))
    return sorted({said for text in texts for said in re.findall(r"`genesis ([^`\n]+)`", text)})


@pytest.mark.parametrize("said", commands())
def test_a_command_of_a_runbook_exists_and_has_the_options_that_it_names(said: str) -> None:
    from genesis.cli import main

    done = CliRunner().invoke(
        main._application(), [*shlex.split(said), "--help"]
    )  # says no to a strange option
    assert done.exit_code == 0, done.output
    assert all(word in done.output for word in re.findall(r"^[a-z]+|--[a-z-]+", said))


def test_every_alert_begins_with_a_command_of_its_runbook() -> None:
    begun = {rule["annotations"]["command"] for rule in RULES if "alert" in rule}
    assert begun <= {f"genesis {said}" for said in commands()}


def test_rules_may_be_made_with_shorter_windows(tmp_path: Path, monitoring: Path) -> None:
    made = [sys.executable, "ops/generate.py", "--speed", "60", "--output", str(tmp_path)]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True)
    serving = (tmp_path / "ops/prometheus/rules/serving.yml").read_text(encoding="utf-8")
    assert "avg_over_time(genesis:serving:bool[60000ms])" in serving
    failures = (tmp_path / "ops/prometheus/rules/failures.yml").read_text(encoding="utf-8")
    assert "max(genesis_feed_silence_seconds) > 0.5" in failures
    check = [
        monitoring / "promtool",
        "check",
        "rules",
        *map(str, tmp_path.glob("ops/prometheus/rules/*.yml")),
    ]
    subprocess.run(check, check=True, capture_output=True)


def test_a_misspelt_duration_is_named() -> None:
    script = "import sys; sys.path.insert(0, 'ops'); import slo; slo.seconds('5 minutes')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "a duration is a number and one of s, m, h, d, such as 5m; was '5 minutes'" in done.stderr
