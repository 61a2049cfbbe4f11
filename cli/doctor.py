"""`genesis doctor`: checks what the system stands on, and says what to do where it does not hold."""

import datetime as dt
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from enum import StrEnum
from importlib import metadata
from typing import Annotated, NamedTuple

import typer

from genesis.cli import options
from genesis.connectors import broker, frames, run_file
from genesis.connectors.kafka import FrameConsumer, FrameProducer, ensure_topics
from genesis.connectors.settings import PREFIX, Settings
from genesis.operators import topics
from genesis.operators.records import TRADE

FREE_BYTES_MIN = 2_000_000_000
CLOCK_OFFSET_S_MAX = 1.0
ROUND_TRIP_S_MAX = 20.0
PACKAGES = (
    "bytewax",
    "confluent-kafka",
    "cryptofeed",
    "numba",
    "numpy",
    "clickhouse-connect",
    "chdb",
    "urwid",
)


class State(StrEnum):
    """Outcome of a check."""

    GOOD = "good"
    CARE = "care"
    BAD = "bad"


class Finding(NamedTuple):
    """What a check found, and what to do unless it is good."""

    check: str
    state: State
    found: str
    remedy: str = ""


def python(_settings: Settings) -> Finding:
    """Check the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Finding(
        "python", State.GOOD if fits else State.BAD, version, "" if fits else "use Python 3.11 or 3.12"
    )


def packages(_settings: Settings) -> Finding:
    """Check that what we stand on is installed."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages", State.BAD, "missing: " + ", ".join(missing), "run `make up` or reinstall the package"
        )
    return Finding("packages", State.GOOD, ", ".join(found))


def data_folder(settings: Settings) -> Finding:
    """Check that the data folder can be written and has room."""
    folder = settings.data
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(parent, os.W_OK):
        return Finding("data folder", State.BAD, f"{folder} cannot be written", "choose another with --data")
    free = shutil.disk_usage(parent).free
    enough = free > FREE_BYTES_MIN
    remedy = "" if enough else f"free some space: below {FREE_BYTES_MIN / 1e9:.0f} GB the store may stop"
    return Finding(
        "data folder", State.GOOD if enough else State.CARE, f"{folder}, {free / 1e9:.1f} GB free", remedy
    )


def clock(settings: Settings) -> Finding:
    """Compare our clock with the venue's, when one can be reached."""
    run = run_file.read(settings.data)
    base = run.venue_url if run and run.venue_url else "https://data-api.binance.vision"
    try:
        before_s = time.time()
        with urllib.request.urlopen(f"{base}/api/v3/time", timeout=3) as answer:
            venue_s = json.load(answer)["serverTime"] / 1e3
        offset_s = venue_s - (before_s + time.time()) / 2
    except (OSError, ValueError, KeyError):
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        return Finding(
            "clock", State.GOOD, f"{now}; no venue in reach to compare with, which the simulator needs not"
        )
    if run and run.venue_url:
        return Finding(
            "clock", State.GOOD, f"the simulator is {offset_s:+.1f} s from us, which a recording explains"
        )
    fits = abs(offset_s) < CLOCK_OFFSET_S_MAX
    return Finding(
        "clock",
        State.GOOD if fits else State.CARE,
        f"{offset_s:+.3f} s from the venue",
        "" if fits else "turn on NTP",
    )


def ports(settings: Settings) -> Finding:
    """Check that the ports that are asked for are free."""
    import socket

    if run_file.read(settings.data):
        return Finding("ports", State.GOOD, "held by the running system")
    for name in ("store_port", "metrics_port"):
        port = getattr(settings, name)
        with socket.socket() as probe:
            if port and probe.connect_ex(("127.0.0.1", port)) == 0:
                return Finding(
                    "ports",
                    State.BAD,
                    f"{port} is in use",
                    f"choose another {PREFIX}{name.upper()}, or 0 for a free one",
                )
    return Finding(
        "ports", State.GOOD, "free ports are chosen at start" if not settings.store_port else "free"
    )


def kafka(settings: Settings) -> Finding:
    """Send a frame through the broker and back: the running one, the configured one, or a fresh one."""
    run = run_file.read(settings.data)
    if run or settings.broker:
        address = run.broker if run else settings.broker
        broker.await_ready(address)
        return Finding("broker", State.GOOD, f"{address} answers")
    with broker.EmbeddedBroker() as embedded:
        took_s = _round_trip(embedded.bootstrap)
    return Finding(
        "broker", State.GOOD, f"the embedded one starts and carries a frame ({took_s * 1e3:.0f} ms)"
    )


def _round_trip(bootstrap: str) -> float:
    ensure_topics(bootstrap, 1)
    started_s = time.monotonic()
    producer = FrameProducer(bootstrap, 1, embedded=True, name="doctor")
    consumer = FrameConsumer(bootstrap, {("trades", 0): None}, fetch_wait_ms=5, name="doctor")
    try:
        producer.send(topics.TRADES, 0, TRADE.empty(1), 1)
        while time.monotonic() - started_s < ROUND_TRIP_S_MAX:
            producer.poll()
            for message in consumer.poll(10, 0.01):
                frames.decode(TRADE, message.value, message.headers)
                return time.monotonic() - started_s
    finally:
        consumer.close()
    raise TimeoutError(f"no frame came back within {ROUND_TRIP_S_MAX:.0f} s")


def store(settings: Settings) -> Finding:
    """Ask the running store, the configured server, or a fresh embedded one for its version."""
    run = run_file.read(settings.data)
    url = run.store_url if run and run.store_url else settings.store_url
    if url:
        with urllib.request.urlopen(f"{url}/ping", timeout=5) as answer:
            answer.read()
        return Finding("store", State.GOOD, f"{url} answers")
    import clickhouse_connect

    with tempfile.TemporaryDirectory() as folder:
        client = clickhouse_connect.get_client(interface="chdb", path=folder)
        version = client.command("SELECT version()")
        client.close()
    return Finding("store", State.GOOD, f"the embedded engine starts (ClickHouse {version})")


def keys(settings: Settings) -> Finding:
    """Check that the keys are there, and nobody else's."""
    from genesis.connectors import keys as files

    folder = files.folder_of(settings)
    if not folder.exists():
        return Finding("keys", State.GOOD, f"none yet at {folder}; `genesis up` makes them")
    try:
        found = files.open_keys(settings)
    except files.KeysError as error:
        return Finding("keys", State.BAD, str(error), "nothing is signed with such keys")
    return Finding("keys", State.GOOD, f"{len(found)} at {folder}, closed to others")


def ledger(settings: Settings) -> Finding:
    """Check that the ledger can be read."""
    from genesis.connectors.ledger import LedgerError, NoLedger, open_ledger

    try:
        with open_ledger(settings, create=False) as opened:
            accounts = opened.accounts()
            where = opened.where
    except NoLedger:
        return Finding("ledger", State.GOOD, "none yet; `genesis up` makes it")
    except LedgerError as error:
        return Finding("ledger", State.BAD, str(error), "`genesis audit verify` says more")
    told = f"accounts: {', '.join(accounts)}" if accounts else "no account yet"
    return Finding("ledger", State.GOOD, f"{where}, {told}")


def terminal(_settings: Settings) -> Finding:
    """Check that the dashboard has room."""
    if not sys.stdout.isatty():
        return Finding("terminal", State.GOOD, "none here; `genesis up --headless` needs none")
    size = shutil.get_terminal_size()
    fits = size.columns >= 80 and size.lines >= 24
    found = f"{size.columns} by {size.lines}, TERM={os.environ.get('TERM', '')}"
    return Finding(
        "terminal", State.GOOD if fits else State.CARE, found, "" if fits else "make it at least 80 by 24"
    )


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    python,
    packages,
    data_folder,
    clock,
    ports,
    kafka,
    store,
    keys,
    ledger,
    terminal,
)

MARKS = {State.GOOD: "✓", State.CARE: "!", State.BAD: "✗"}


def examine(settings: Settings) -> list[Finding]:
    """Return the finding of every check; one that fails is a finding too."""
    findings = []
    for check in CHECKS:
        try:
            findings.append(check(settings))
        except Exception as error:  # noqa: BLE001 - a check that fails is what the doctor is for
            name = {"kafka": "broker"}.get(check.__name__, check.__name__.replace("_", " "))
            findings.append(
                Finding(name, State.BAD, str(error) or type(error).__name__, "see the line above")
            )
    return findings


def doctor(
    data: options.Data = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="List every setting with its value and meaning.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check versions, ports, disk, clock, broker and store, and say what to do.

    The exit status is 1 when something is bad.

    Examples:

      genesis doctor

      genesis doctor --settings

      genesis doctor --json | jq '.[] | select(.state != "good")'
    """
    configured = options.configured(data)
    if settings:
        _print_settings(configured, as_json)
        return
    findings = examine(configured)
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{MARKS[finding.state]} {finding.check:<12} {finding.found}")
            if finding.remedy:
                typer.echo(f"  {'':<12} → {finding.remedy}")
    if any(finding.state is State.BAD for finding in findings):
        raise typer.Exit(1)


def _print_settings(configured: Settings, as_json: bool) -> None:
    rows = [
        {
            "name": PREFIX + name.upper(),
            "value": str(getattr(configured, name)),
            "meaning": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        typer.echo(f"{row['name']:<{width}}  {row['value'] or '(empty)':<12}  {row['meaning']}")
