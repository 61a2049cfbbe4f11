"""Configuration of Prometheus and Alertmanager: what is asked, and how an alert reaches somebody."""

from typing import Any

import slo

SCRAPE = "15s"
REPEAT = "4h"
RESOLVED = {"send_resolved": True}
SUMMARY = "{{ .CommonAnnotations.summary }}"
RUNBOOK = "{{ .CommonAnnotations.runbook_url }}"
COMMAND = "{{ .CommonAnnotations.command }}"
SEVERITY = '{{ if eq .CommonLabels.severity "critical" }}critical{{ else }}warning{{ end }}'
SUBJECT = (
    '{{ if eq .Status "firing" }}FIRING{{ else }}OVER{{ end }} {{ .CommonLabels.alertname }}: ' + SUMMARY
)
TIME = '.UTC.Format "2006-01-02 15:04:05 UTC"'
LETTER = f"""\
{{{{ range .Alerts.Firing -}}}}
What:      {{{{ .Annotations.summary }}}}
Since:     {{{{ .StartsAt{TIME} }}}}
Where:     {{{{ range .Labels.SortedPairs }}}}{{{{ .Name }}}}={{{{ .Value }}}} {{{{ end }}}}
Do first:  {{{{ .Annotations.command }}}}
Runbook:   {{{{ .Annotations.runbook_url }}}}
Graph:     {{{{ .GeneratorURL }}}}

{{{{ end -}}}}
{{{{ range .Alerts.Resolved -}}}}
Over:      {{{{ .Annotations.summary }}}}
Since:     {{{{ .StartsAt{TIME} }}}}
Until:     {{{{ .EndsAt{TIME} }}}}
Where:     {{{{ range .Labels.SortedPairs }}}}{{{{ .Name }}}}={{{{ .Value }}}} {{{{ end }}}}
To be sure: {{{{ .Annotations.command }}}}
Runbook:   {{{{ .Annotations.runbook_url }}}}

{{{{ end -}}}}
{{{{ if .Alerts.Firing -}}}}
A message with OVER in front says when it has ended; until then one comes every {REPEAT}.
{{{{ end }}}}"""
"""A mail, in plain text: what, since when, where, the first command and the runbook."""


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
    """Return alertmanager.yml: critical calls, warning waits for the day, the watchdog is always told.

    Places that are not named (PagerDuty, chat, mail, watchdog) are left out. What is critical goes to
    PagerDuty and the chat, or by mail where there is neither; a warning to the chat and by mail, or to
    PagerDuty where there is neither.
    """

    def waits(group: str, interval: str, repeat: str) -> dict[str, str]:
        return {
            "group_wait": slo.shortened(group, speed),
            "group_interval": slo.shortened(interval, speed),
            "repeat_interval": slo.shortened(repeat, speed),
        }

    return {
        "global": {"resolve_timeout": slo.shortened("5m", speed), **_post_office(places)},
        "route": {
            "receiver": "day",
            "group_by": ["alertname"],
            **waits("10s", "1m", REPEAT),
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
            {"name": "duty", **(_pagerduty(places) | _chat(places) or _mail(places))},
            {"name": "day", **(_chat(places) | _mail(places) or _pagerduty(places))},
            {"name": "watchdog", **_watchdog(places)},
        ],
    }


def _post_office(places: dict[str, Any]) -> dict[str, str]:
    """Return how the mail server is reached."""
    if "mail" not in places:
        return {}
    mail = places["mail"]
    found = {"smtp_smarthost": mail["smarthost"], "smtp_from": mail["from"]}
    if "password_file" in mail:
        found |= {
            "smtp_auth_username": mail["username"],
            "smtp_auth_password_file": mail["password_file"],
        }
    return found


def _mail(places: dict[str, Any]) -> dict[str, Any]:
    if "mail" not in places:
        return {}
    mail = places["mail"]
    trust = {"tls_config": {"ca_file": mail["ca_file"]}} if "ca_file" in mail else {}
    letter = {"to": mail["to"], "headers": {"Subject": SUBJECT}, "text": LETTER, "html": ""}
    return {"email_configs": [letter | trust | RESOLVED]}


def _watchdog(places: dict[str, Any]) -> dict[str, Any]:
    if "watchdog" not in places:
        return {}
    return {"webhook_configs": [{"url": places["watchdog"]["url"], "send_resolved": False}]}


def _pagerduty(places: dict[str, Any]) -> dict[str, Any]:
    if "pagerduty" not in places:
        return {}
    return {
        "pagerduty_configs": [
            {
                "url": places["pagerduty"]["url"],
                "routing_key_file": places["pagerduty"]["key_file"],
                "description": SUMMARY,
                "severity": SEVERITY,
                "class": "{{ .CommonLabels.alertname }}",
                "component": "{{ .CommonLabels.job }}",
                "details": {
                    "runbook": RUNBOOK,
                    "alert": "{{ .CommonLabels.alertname }}",
                    "command": COMMAND,
                },
                **RESOLVED,
            }
        ]
    }


def _chat(places: dict[str, Any]) -> dict[str, Any]:
    if "chat" not in places:
        return {}
    return {
        "slack_configs": [
            {
                "api_url_file": places["chat"]["url_file"],
                **({"channel": places["chat"]["channel"]} if "channel" in places["chat"] else {}),
                "title": "{{ .Status }}: {{ .CommonLabels.alertname }}",
                "text": f"{SUMMARY} Begin with: {COMMAND}. {RUNBOOK}",
                **RESOLVED,
            }
        ]
    }
