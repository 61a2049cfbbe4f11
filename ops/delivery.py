"""Configuration of Prometheus and Alertmanager: what is asked, and how an alert reaches somebody."""

from typing import Any

import slo

SCRAPE = "15s"
RESOLVED = {"send_resolved": True}
SUMMARY = "{{ .CommonAnnotations.summary }}"
RUNBOOK = "{{ .CommonAnnotations.runbook_url }}"


def prometheus(places: dict[str, Any], speed: int) -> dict[str, Any]:
    """Return prometheus.yml: each part a job, asked every 15 s."""
    interval = slo.shortened(SCRAPE, speed)
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": ["rules/*.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": list(places["targets"]["alertmanager"])}]}]
        },
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": targets}]}
            for job, targets in places["targets"].items()
        ],
    }


def alertmanager(places: dict[str, Any], speed: int) -> dict[str, Any]:
    """Return alertmanager.yml: critical calls, warning waits for the day, the watchdog is always told."""

    def waits(group: str, interval: str, repeat: str) -> dict[str, str]:
        return {
            "group_wait": slo.shortened(group, speed),
            "group_interval": slo.shortened(interval, speed),
            "repeat_interval": slo.shortened(repeat, speed),
        }

    mail = places["mail"]
    return {
        "global": {
            "resolve_timeout": slo.shortened("5m", speed),
            "smtp_smarthost": mail["smarthost"],
            "smtp_from": mail["from"],
            "smtp_auth_username": mail["username"],
            "smtp_auth_password_file": mail["password_file"],
        },
        "route": {
            "receiver": "day",
            "group_by": ["alertname"],
            **waits("10s", "1m", "4h"),
            "routes": [
                {
                    "matchers": ['alertname="GenesisWatchdog"'],
                    "receiver": "watchdog",
                    **waits("1s", "1m", "1m"),
                },
                {"matchers": ['severity="critical"'], "receiver": "duty"},
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="GenesisRegionLost"'],
                "target_matchers": ['alertname!~"GenesisRegionLost|GenesisWatchdog"'],
            }
        ],
        "receivers": [
            {"name": "duty", **_pagerduty(places), **_chat(places)},
            {"name": "day", **_chat(places), "email_configs": [{"to": mail["to"], **RESOLVED}]},
            {
                "name": "watchdog",
                "webhook_configs": [{"url": places["watchdog"]["url"], "send_resolved": False}],
            },
        ],
    }


def _pagerduty(places: dict[str, Any]) -> dict[str, Any]:
    return {
        "pagerduty_configs": [
            {
                "url": places["pagerduty"]["url"],
                "routing_key_file": places["pagerduty"]["key_file"],
                "description": SUMMARY,
                "severity": "critical",
                "class": "{{ .CommonLabels.alertname }}",
                "component": "{{ .CommonLabels.job }}",
                "details": {"runbook": RUNBOOK, "alert": "{{ .CommonLabels.alertname }}"},
                **RESOLVED,
            }
        ]
    }


def _chat(places: dict[str, Any]) -> dict[str, Any]:
    return {
        "slack_configs": [
            {
                "api_url_file": places["chat"]["url_file"],
                "channel": places["chat"]["channel"],
                "title": "{{ .Status }}: {{ .CommonLabels.alertname }}",
                "text": f"{SUMMARY} {RUNBOOK}",
                **RESOLVED,
            }
        ]
    }
