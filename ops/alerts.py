"""Rules and rule tests of the failures in ops/alerts.yaml, and the copy of all rules for the chart."""

import re
from typing import Any

import slo

GREW = re.compile(r"GREW\((\w+(?:\{[^}]*\})?), (\d+[smhd])\)")
"""A counter that has grown: its series may begin above 0, where `increase` alone sees nothing."""

RANGE = re.compile(r"(?<=[\[ ])(\d+[smhd])(?=[\]):])|(?<=offset )(\d+[smhd])")
SECONDS = re.compile(r"\{(\d+[smhd])\}")
"""A threshold in seconds that is shortened like the other durations, as ``{30s}``."""


def expression(source: str, speed: int) -> str:
    """Return PromQL of an expression of alerts.yaml."""
    found = GREW.sub(r"sum((increase(\1[\2]) > 0) or ((\1 unless \1 offset \2) > 0))", source.strip())
    found = RANGE.sub(lambda match: slo.shortened(match[1] or match[2], speed), found)
    return SECONDS.sub(lambda match: f"{slo.seconds(match[1]) / speed:g}", found)


def rules(causes: list[dict[str, Any]], speed: int) -> list[slo.Rule]:
    """Return the rules of all failures."""
    return [_rule(each, speed) for each in causes]


def _rule(each: dict[str, Any], speed: int) -> slo.Rule:
    rule = {"alert": each["alert"], "expr": expression(each["expr"], speed)}
    if "for" in each:
        rule["for"] = slo.shortened(each["for"], speed)
    return rule | {
        "labels": {"severity": each["severity"]}
        | ({"failure": str(each["failure"])} if "failure" in each else {}),
        "annotations": {"summary": each["summary"].strip()},
    }


def tests(causes: list[dict[str, Any]], made: list[slo.Rule]) -> list[dict[str, Any]]:
    """Return promtool's tests: each alert fires on its failure, and is quiet without."""
    return [
        {
            "name": f"{each['alert']}, {kind}",
            "interval": "15s",
            "input_series": [{"series": name, "values": values} for name, values in each[kind].items()],
            "alert_rule_test": [
                {
                    "eval_time": each["at"],
                    "alertname": each["alert"],
                    "exp_alerts": [slo.expected(rule, each.get("labels"))] if kind == "fires" else [],
                }
            ],
        }
        for each, rule in zip(causes, made, strict=True)
        for kind in ("fires", "quiet")
        if kind in each
    ]
