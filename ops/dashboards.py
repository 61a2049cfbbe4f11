"""Grafana's dashboards, and how it finds them and Prometheus, from ops/dashboards.yaml."""

import json
from typing import Any

WIDTH, HEIGHT, WIDTH_MAX = 12, 8, 24
GREY, AMBER = "#9aa0a6", "#e0a458"
SOURCE = {"type": "prometheus", "uid": "genesis-prometheus"}

DATA_SOURCES = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Prometheus",
            "type": "prometheus",
            "uid": SOURCE["uid"],
            "access": "proxy",
            "url": "http://prometheus:9090",
            "isDefault": True,
        }
    ],
}
PROVIDERS = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "genesis",
            "folder": "GENESIS",
            "type": "file",
            "allowUiUpdates": False,
            "options": {"path": "/etc/grafana/dashboards"},
        }
    ],
}


def dashboard(told: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard as Grafana takes it; panels flow from left to right."""
    panels: list[dict[str, Any]] = []
    x = y = 0
    for number, each in enumerate(told["panels"], start=1):
        width = each.get("width", WIDTH)
        if x + width > WIDTH_MAX:
            x, y = 0, y + HEIGHT
        panels.append(_panel(number, each, {"x": x, "y": y, "w": width, "h": HEIGHT}))
        x += width
    return {
        "uid": told["uid"],
        "title": told["title"],
        "tags": ["genesis"],
        "timezone": "utc",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"},
        "panels": panels,
    }


def _panel(number: int, told: dict[str, Any], place: dict[str, int]) -> dict[str, Any]:
    kind = told.get("kind", "timeseries")
    steps: list[dict[str, Any]] = [{"color": GREY, "value": None}]
    if "amber" in told:
        steps.append({"color": AMBER, "value": told["amber"]})
    instant = kind != "timeseries"
    return {
        "id": number,
        "title": told["title"],
        "description": told.get("says", ""),
        "type": kind,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": told["unit"], "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if not instant else {},
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "expr": expr,
                "legendFormat": legend,
                "datasource": SOURCE,
                "instant": instant,
                "range": not instant,
                "format": "table" if kind == "table" else "time_series",
            }
            for i, (legend, expr) in enumerate(told["exprs"].items())
        ],
    }


def files(told: list[dict[str, Any]]) -> dict[str, str]:
    """Return every generated file by its path."""
    found = {f"ops/grafana/dashboards/{each['uid']}.json": _json(dashboard(each)) for each in told}
    found["ops/grafana/provisioning/datasources/prometheus.yaml"] = _json(DATA_SOURCES)
    found["ops/grafana/provisioning/dashboards/genesis.yaml"] = _json(PROVIDERS)
    return found


def _json(body: object) -> str:
    """Return JSON, which is YAML as well."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"
