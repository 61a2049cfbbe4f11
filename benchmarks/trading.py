"""Trading: from a command to the wire, the venue and back on both brokers, and what the account fold costs.

The baseline of the way to the venue is what is required of it: 100 ms, and 10 ms on Apache Kafka. Each order
waits for the one before to be over, so nothing queues: these are latencies, not a throughput.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from genesis.connectors import keys, run_file, settings
from genesis.connectors.kafka import FrameConsumer, FrameProducer
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.account import signing, state
from genesis.operators.account.desk import FoldKeys
from genesis.operators.account.events import (
    AccountEvent,
    Body,
    Execution,
    Listing,
    Listings,
    Mark,
    MarketRecord,
    PlaceOrder,
    Role,
    VenueBalances,
    VenueLink,
    decode,
)
from genesis.operators.account.fold import fold
from genesis.operators.account.outcomes import ChildOrder
from tests.kafka_server import apache_kafka

ORDERS = 60
FOLDED = 2_000
REQUIRED_MS = {"embedded": 100.0, "Apache Kafka": 10.0}
FOLD_REQUIRED_US = 50.0
START_S = 240.0
ANSWER_S = 20.0
SYMBOL = "BTCUSDT"


def run() -> list[dict[str, object]]:
    """Measure."""
    rows = [*fold_rows(), *path_rows("embedded", "")]
    with tempfile.TemporaryDirectory() as folder, apache_kafka(Path(folder)) as kafka:
        return [*rows, *path_rows("Apache Kafka", kafka.bootstrap)]


def _row(name: str, value: float, unit: str, baseline: float) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": value / baseline}


def fold_rows() -> list[dict[str, object]]:
    """Measure the fold alone: a purchase that is accepted, planned and permitted, and a market record."""
    ring = {role: secrets.token_bytes(32) for role in Role}
    fold_keys = FoldKeys(ring, secrets.token_bytes(32), secrets.token_bytes(32))
    account, now_ns, number = state.Account("main"), 1_700_000_000 * 10**9, 0

    def event(role: str, body: Body, at_ns: int = 0) -> AccountEvent:
        nonlocal number
        number += 1
        return signing.sealed(ring[Role(role)], role, "main", f"e{number}", at_ns or number, body)

    def tick() -> AccountEvent:
        nonlocal now_ns
        now_ns += 100_000_000
        marks = [
            Mark(symbol=f"{name}USDT", bid="100", ask="100.02", bid_qty="9", ask_qty="9", quoted_ns=now_ns)
            for name in ("BTC", *(f"C{i}" for i in range(19)))
        ]
        return event(Role.TICKER, MarketRecord(marks=marks), now_ns)

    rules = Listing(
        symbol=SYMBOL, base="BTC", quote="USDT", tick="0.01", lot="0.00001", min_qty="0.00001",
        max_qty="9000", min_notional="5",
    )  # fmt: skip
    balances = VenueBalances(balances={"USDT": ("2000", "0")}, opening=True)
    fold(account, fold_keys, [event(Role.TICKER, Listings(listings=[rules])), tick()])
    fold(
        account,
        fold_keys,
        [event(Role.GATEWAY, balances), event(Role.GATEWAY, VenueLink(connected=True)), tick()],
    )
    spent = {"command": [], "market record": []}  # type: dict[str, list[float]]
    for turn in range(FOLDED):
        account.working.clear()
        account.children.clear()
        account.asked.clear()
        asked = event(Role.TRADER, PlaceOrder(symbol=SYMBOL, side="buy", notional=f"{20 + turn % 50}"))
        market = tick()
        account.sends_ns.clear()
        for name, one in (("command", asked), ("market record", market)):
            begun_ns = time.perf_counter_ns()
            found = fold(account, fold_keys, [one])
            spent[name].append((time.perf_counter_ns() - begun_ns) / 1e3)
            if name == "command" and not any(each.topic == "child_orders" for each in found):
                raise RuntimeError(f"the command was refused: {account.last_refusal}")
    rows = []
    for name, values in spent.items():
        half = np.array(values[FOLDED // 2 :])
        for label, value in (("p50", np.median(half)), ("p99", np.quantile(half, 0.99))):
            rows.append(_row(f"account fold, a {name}, {label}", float(value), "us", FOLD_REQUIRED_US))
    return rows


class _System:
    """A headless system on a folder of its own, on the embedded broker when none is named."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.data = folder / "data"
        command = [sys.executable, "-m", "genesis.cli.main", "up", "--headless", "--data", str(self.data)]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | ({"GENESIS_BROKER": broker} if broker else {}),
        )
        assert self._process.stderr is not None
        deadline_s = time.monotonic() + START_S
        for line in self._process.stderr:
            if line.startswith("Running on"):
                break
            if time.monotonic() > deadline_s:
                break
        run = run_file.read(self.data)
        if run is None:
            raise RuntimeError("the system did not start")
        self.settings: Settings = settings.read(
            data=self.data, broker=run.broker, shards=run.shards, embedded_broker=not broker
        )
        self.venue_url = run.venue_url

    def arrivals_ns(self) -> dict[str, int]:
        """Return when each order arrived at the venue, by client order id."""
        with urllib.request.urlopen(f"{self.venue_url}/genesis/arrivals", timeout=5) as answer:
            return dict(json.load(answer)["arrivals_ns"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=60)


class _Way(NamedTuple):
    """When a command was sent, its child order seen in the topic, and the venue's first word in the log."""

    child: str
    begun_ns: int
    child_ns: int
    report_ns: int


class _Trader:
    """Sends orders, and sees when what they lead to appears in the topics."""

    def __init__(self, configured: Settings) -> None:
        self._settings, self._key = configured, keys.open_keys(configured, Role.TRADER)[Role.TRADER]
        parts: Any = {("child_orders", 0): None, ("account_events", 0): None, ("parent_orders", 0): None}
        parts["decisions", 0] = None
        self._consumer = FrameConsumer(
            configured.broker, parts, fetch_wait_ms=1, start_at_end=True, name="bench"
        )
        self._producer = FrameProducer(
            configured.broker,
            configured.shards,
            embedded=configured.embedded_broker,
            generation_bytes=2_000_000 if configured.embedded_broker else 0,
            name="bench",
        )
        self._consumer.poll(1_000, 0.2)

    def order(self, body: PlaceOrder) -> "_Way":
        """Carry out an order; return when what it led to appeared."""
        event = signing.sealed(self._key, Role.TRADER, "main", secrets.token_hex(8), time.time_ns(), body)
        begun_ns = time.time_ns()
        self._producer.send_record(topics.ACCOUNT_EVENTS, event)
        self._producer.poll()
        child, seen_ns, ended, reports = "", [0, 0], False, dict[str, int]()
        deadline_s = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline_s:
            for message in self._consumer.poll(1_000, 0.001):
                now_ns = time.time_ns()
                if message.topic is topics.CHILD_ORDERS:
                    order = msgspec.json.decode(message.value, type=ChildOrder)
                    if order.parent_id == event.id and not child:
                        child, seen_ns[0] = order.client_order_id, now_ns
                elif message.topic is topics.ACCOUNT_EVENTS and b'"gateway"' in message.value:
                    report = decode(msgspec.json.decode(message.value, type=AccountEvent).body)
                    if isinstance(report, Execution):
                        reports.setdefault(report.client_order_id, now_ns)
                elif message.topic is topics.DECISIONS:
                    decision = msgspec.json.decode(message.value)
                    if decision["cause"] == event.id and not decision["accepted"]:
                        raise RuntimeError(f"the order was refused: {decision['sentence']}")
                elif message.topic is topics.PARENT_ORDERS:
                    told = msgspec.json.decode(message.value)
                    ended = ended or (told["parent_id"] == event.id and told["status"] == "ended")
            seen_ns[1] = reports.get(child, 0)
            if ended and all(seen_ns):
                return _Way(child, begun_ns, *seen_ns)
        raise RuntimeError(f"an order was not carried out within {ANSWER_S:g} s; see the log of account")


def path_rows(name: str, broker: str) -> list[dict[str, object]]:
    """Measure the way from a command to the venue and back, the system as `genesis up` starts it."""
    with tempfile.TemporaryDirectory(prefix="genesis-bench-") as folder:
        system = _System(Path(folder), broker)
        try:
            trader = _Trader(system.settings)
            time.sleep(5.0)  # marks of all symbols, and the venue's balances
            found = []
            for number in range(ORDERS):
                if number % 2:
                    share = f"{1 - number / 10_000}"  # an equal order within 2 s would be refused
                    found.append(
                        trader.order(PlaceOrder(symbol=SYMBOL, side="sell", share=share, stop_ppm=0))
                    )
                else:
                    notional = f"{15 + number / 100:.2f}"
                    found.append(
                        trader.order(PlaceOrder(symbol=SYMBOL, side="buy", notional=notional, stop_ppm=0))
                    )
                time.sleep(0.05 + 0.002 * (number % 50))  # so that orders meet every phase of the clock
            arrivals_ns = system.arrivals_ns()
        finally:
            system.stop()
    rows = []
    for what, at_ns in (
        ("to the child order in its topic", [way.child_ns for way in found]),
        ("to the wire, seen at the venue", [arrivals_ns[way.child] for way in found]),
        ("to the venue's report in the log", [way.report_ns for way in found]),
    ):
        took_ms = [(end_ns - way.begun_ns) / 1e6 for end_ns, way in zip(at_ns, found, strict=True)][4:]
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            value = float(np.quantile(took_ms, share))
            rows.append(_row(f"command {what}, {name}, {label}", value, "ms", REQUIRED_MS[name]))
    return rows
