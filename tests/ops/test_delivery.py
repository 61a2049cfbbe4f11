"""How an alert reaches somebody: configurations that the programs accept, and routes by severity."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests import monitoring_tools
from tests.monitoring_tools import ToolsUnavailable

ROOT = Path(__file__).resolve().parents[2]
ALERTMANAGER = ROOT / "ops" / "alertmanager" / "alertmanager.yml"
PROMETHEUS = ROOT / "ops" / "prometheus" / "prometheus.yml"


def said(*words: object) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_programs_accept_their_configurations(monitoring: Path) -> None:
    said(monitoring / "amtool", "check-config", ALERTMANAGER)
    said(monitoring / "promtool", "check", "config", PROMETHEUS)


@pytest.mark.parametrize(
    ("alert", "severity", "receiver"),
    [
        ("GenesisFeedSilent", "critical", "duty"),
        ("GenesisServingBurn", "warning", "day"),
        ("GenesisWatchdog", "none", "watchdog"),
        ("Unheard", "unheard", "day"),
    ],
)
def test_an_alert_goes_where_its_severity_says(
    monitoring: Path, alert: str, severity: str, receiver: str
) -> None:
    labels = (f"alertname={alert}", f"severity={severity}")
    route = ("config", "routes", "test", "--config.file", ALERTMANAGER)
    assert said(monitoring / "amtool", *route, *labels).split() == [receiver]


def test_duty_is_called_and_every_secret_is_a_file() -> None:
    text = ALERTMANAGER.read_text(encoding="utf-8")
    receivers = {each["name"]: each for each in yaml.safe_load(text)["receivers"]}
    assert {"pagerduty_configs", "slack_configs"} <= set(receivers["duty"])
    assert {"email_configs", "slack_configs"} <= set(receivers["day"])
    assert "routing_key:" not in text
    assert "password:" not in text
    assert "api_url:" not in text


def test_every_part_that_serves_metrics_is_asked() -> None:
    jobs = {
        each["job_name"] for each in yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))["scrape_configs"]
    }
    assert {"feed", "market", "account", "store", "ticker", "gateway"} <= jobs


def test_a_machine_without_the_packages_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolsUnavailable, match="there is no apt-get here: install promtool amtool"):
        monitoring_tools.tools(tmp_path / "none")
