"""`genesis status`: each part of a running system in one line, with whether it is ready and why not."""

import json
import urllib.error
import urllib.request
from typing import Any

import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import run_file
from genesis.connectors.run_file import RunFile

ANSWER_S = 2.0
"""Longest time that a part is waited for."""


def status(data: options.Data = None, as_json: options.AsJson = False) -> None:
    """Show each part of the running system: its state, restarts, and whether it is ready.

    Readiness is asked of the parts themselves when the system runs with GENESIS_METRICS_PORT. The exit
    status is 1 when a part is not ready.

    Examples:

      genesis status

      genesis status --json | jq 'select(.ready == false)'
    """
    settings = options.configured(data)
    run = run_file.read(settings.data)
    if run is None:
        raise CommandError(
            f"no system is running on {settings.data}. Start one with `genesis up`, or name its folder "
            "with --data"
        )
    parts = [part(run, name) for name in run.states]
    for each in parts:
        typer.echo(json.dumps(each) if as_json else _line(each))
    if not as_json and not run.metrics:
        typer.echo("Readiness is not served: start with GENESIS_METRICS_PORT=9100 to see it.")
    if any(each["ready"] is False for each in parts):
        raise typer.Exit(1)


def part(run: RunFile, name: str) -> dict[str, Any]:
    """Return how one part is; ``ready`` is None where nobody can be asked."""
    found: dict[str, Any] = {
        "part": name,
        "state": run.states[name],
        "restarts": run.restarts.get(name, 0),
        "ready": None,
        "reasons": [],
    }
    if name in run.metrics:
        found |= readiness(f"http://127.0.0.1:{run.metrics[name]}")
    return found


def readiness(url: str) -> dict[str, Any]:
    """Ask a part whether it is ready."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=ANSWER_S) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as error:
        said = json.load(error)
    except (OSError, ValueError) as error:
        return {"ready": False, "reasons": [f"it does not answer at {url}: {error}"]}
    return {key: said[key] for key in ("ready", "reasons", "lag_messages", "epoch_age_s", "detail")}


def _line(each: dict[str, Any]) -> str:
    ready = {True: "ready", False: "not ready", None: "-"}[each["ready"]]
    restarts = f", {each['restarts']} restarts" if each["restarts"] else ""
    why = "; ".join(each["reasons"]) or each.get("detail", "")
    return f"{each['part']:<12} {each['state'] + restarts:<24} {ready:<10} {why}".rstrip()
