"""A release while the system trades: signals ask for orders through every flip; none is lost or doubled."""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from genesis.connectors import frames, keys, settings
from genesis.connectors.commanding import Commander
from genesis.connectors.gateway.credentials import Credentials
from genesis.connectors.gateway.factory import SIMULATOR_CREDENTIALS
from genesis.connectors.gateway.hosts import Kind
from genesis.connectors.gateway.rest import RestClient, system_ms
from genesis.connectors.kafka import FrameConsumer
from genesis.connectors.ledger.records import RecordedOrder
from genesis.connectors.process import die_with_parent
from genesis.connectors.release import copying
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.account.events import Flatten, PlaceOrder, Role
from genesis.operators.account.outcomes import Decision
from tests.flows.market_lab import SHARDS, Flow
from tests.flows.release_lab import BROKERS, SLOW, Place, conducted, on_a_broker
from tests.system import running
from tests.system.test_trading import SYMBOL, System

SECOND_NS = 1_000_000_000
PARTS = ("feed", "ticker", "account", "gateway")
SETTLE_S = 0.02
ORDERS_EACH = 2
"""So many orders are asked for under each epoch before the release goes on."""


class Parts(System):
    """The parts of a trading system as processes of their own, all but the market flow."""

    def __init__(self, data: Path, place: Place) -> None:
        super().__init__(data)
        self._place = place
        self._processes: list[subprocess.Popen[str]] = []
        self.venue_url = ""

    @property
    def environment(self) -> dict[str, object]:
        """Settings of every part; frames of 50 ms keep the embedded broker's topics short."""
        return {
            "data": self.data,
            "broker": self._place.bootstrap,
            "embedded_broker": self._place.embedded,
            "generation_mb": 1_000,
            "shards": SHARDS,
            "frame_wait_ms": 50,
            "venue_url": self.venue_url,
        }

    @property
    def settings(self) -> Settings:
        return settings.read(**self.environment)

    def start(self) -> None:
        """Start the venue, then the parts."""
        self.data.mkdir()
        keys.create_keys(self.settings)
        api_key, secret = SIMULATOR_CREDENTIALS
        entry = {"name": "main", "api_key": api_key, "secret": secret, "balances": {"USDT": "500"}}
        (self.data / "accounts.json").write_text(json.dumps([entry]), encoding="utf-8")
        market = ("--synthetic", "3", "--rate", "200", "--speed", "1", "--port", "0")
        venue = self._begin("venue", *market, "--accounts", str(self.data / "accounts.json"))
        self.venue_url = self._ready(venue)["venue_url"]
        for process in [self._begin("run", part) for part in PARTS]:
            self._ready(process)

    def _begin(self, *words: str) -> "subprocess.Popen[str]":
        """Start one, which logs to a file."""
        log = self.data / f"{words[-1] if words[0] == 'run' else words[0]}.log"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [*running.GENESIS, *words],
                env=running.environment(**self.environment),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - started from the main thread only
            )
        self._processes.append(process)
        return process

    def _ready(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        """Return what one said when it was ready."""
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{process.args} ended: see the logs in {self.data}"
        return dict(json.loads(line)["ready"])

    def are_running(self) -> bool:
        """Say whether none has ended."""
        return all(process.poll() is None for process in self._processes)

    def stop(self) -> None:
        """End all, the last that was started first."""
        for process in reversed(self._processes):
            process.terminate()
            process.communicate(timeout=60)

    def at_venue(self, path: str, **parameters: object) -> Any:
        """Return what the venue answers to a signed question."""
        client = RestClient(Kind.SIMULATOR, self.venue_url, Credentials(*SIMULATOR_CREDENTIALS), system_ms)
        try:
            return client.signed("GET", path, parameters)
        finally:
            client.close()

    def venue_balances(self) -> dict[str, Decimal]:
        told = self.at_venue("/api/v3/account")["balances"]
        found = {each["asset"]: Decimal(each["free"]) + Decimal(each["locked"]) for each in told}
        return {asset: qty for asset, qty in found.items() if qty}

    def recorded(self) -> list[RecordedOrder]:
        """Return all orders that the gateway put down."""
        with self.ledger() as ledger:
            return ledger.recorded_orders("main", 10_000)

    def decisions(self) -> list[dict[str, Any]]:
        """Return all decisions of the audit chain, which has no fault."""
        found: list[dict[str, Any]] = []
        with self.ledger() as ledger:
            assert not ledger.audit_report("main").faults
            newest = 0
            while entries := ledger.audit_entries("main", newest):
                found += [json.loads(entry.body) for entry in entries if entry.subject == "decisions"]
                newest = entries[-1].number
        return found


class Trader(threading.Thread):
    """Asks for an order at every second bar of a second, under an id that is made from the bar."""

    def __init__(self, configured: Settings) -> None:
        super().__init__(daemon=True)
        shard = topics.shard_of(1, SYMBOL.encode(), SHARDS)
        self._bars = FrameConsumer(
            configured.broker, {("bars", shard): None}, fetch_wait_ms=20, start_at_end=True, name="trader"
        )
        self._commander = Commander(configured, keys.open_keys(configured, Role.TRADER)[Role.TRADER])
        self.opened_ns: list[int] = []  # of the bars, in the order in which they came
        self.asked: dict[str, int] = {}  # epoch of the bar that asked, by command
        self.decided: dict[str, Decision] = {}
        self.leaves = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        """Read, ask, hear; when he leaves, he hears what he has asked for."""
        try:
            while not self.leaves.is_set() or len(self.decided) < len(self.asked):
                if not self.leaves.is_set():
                    self._read()
                self.decided |= self._commander.settle(SETTLE_S)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            self.failure = error
        finally:
            self._bars.close()
            self._commander.close()

    def _read(self) -> None:
        for message in self._bars.poll(100):
            rows = frames.decode(message.topic.rows, message.value, message.headers).rows
            ours = (rows["symbol"] == SYMBOL.encode()) & (rows["interval_ns"] == SECOND_NS)
            for row in rows[ours & (rows["revision"] == 0) & (rows["market"] == 1)]:
                second = int(row["open_ns"]) // SECOND_NS
                self.opened_ns.append(int(row["open_ns"]))
                if second % 2 == 0:
                    order = (
                        PlaceOrder(symbol=SYMBOL, side="buy", notional="7.5")
                        if second % 4 == 0
                        else PlaceOrder(symbol=SYMBOL, side="sell", share="1")
                    )
                    self.asked[self._commander.begin(order, f"bar-{second}")] = message.position.epoch

    def accepted(self, epoch: int) -> list[str]:
        """Return the commands that bars of an epoch asked for, and that were accepted."""
        found = dict(self.decided)
        return [
            each
            for each, of in list(self.asked.items())
            if of == epoch and each in found and found[each].accepted
        ]

    def await_orders(self, epoch: int, system: Parts) -> None:
        """Return when bars of an epoch have led to orders."""

        def have_come() -> bool:
            assert self.failure is None, self.failure
            assert system.are_running(), "a part has ended"
            return len(self.accepted(epoch)) >= ORDERS_EACH

        running.wait_for(have_come, f"orders by bars of epoch {epoch}; decided: {self.decided}")


@pytest.fixture(params=BROKERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with on_a_broker(request, request.param) as found:
        yield found


@pytest.fixture
def system(tmp_path: Path, place: Place) -> Iterator[Parts]:
    """Give the parts of a system; its market flow is the test's affair."""
    found = Parts(tmp_path / "trading", place)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def released(system: Parts, trader: Trader, green: Flow, folder: Path) -> None:
    """Lead a release that stays, and one whose version gets slow once it has the signals."""
    slow = folder / "slow"

    def injected(said: str) -> None:
        if "watching" in said and trader.asked and control.now.epoch == 2:
            trader.await_orders(2, system)
            slow.touch()

    with conducted(system.settings, injected) as (conductor, control):
        trader.await_orders(0, system)
        copying.copy(folder / "blue", folder / "green")
        conductor.step("start", "a version that computes the same")
        green.start()
        outcome = conductor.promote(wait_s=120.0, watch_s=5.0)
        assert outcome.promoted, outcome.reasons
        trader.await_orders(1, system)

        conductor.step("start", "a version that will be slow")
        outcome = conductor.promote(wait_s=120.0, watch_s=120.0)
        assert not outcome.promoted
        assert "99th percentile" in outcome.reasons[0]
        assert (control.now.active, control.now.epoch, control.now.phase) == ("green", 3, "settled")
        slow.unlink()
        trader.await_orders(3, system)


def check(system: Parts, trader: Trader) -> None:
    """Hold what was asked for against the ledger, and the ledger against the venue."""
    assert set(np.diff(trader.opened_ns).tolist()) == {SECOND_NS}, "a bar was lost or came twice"
    of_orders = [each for each in system.decisions() if each["subject"] == "place_order"]
    assert Counter(each["cause"] for each in of_orders) == dict.fromkeys(trader.asked, 1)
    assert {each["cause"]: each["accepted"] for each in of_orders} == {
        command: decision.accepted for command, decision in trader.decided.items()
    }
    recorded = system.recorded()
    ids = Counter(each.order.client_order_id for each in recorded)
    at_venue = system.at_venue("/api/v3/allOrders", symbol=SYMBOL, limit=1_000)
    assert Counter(each["clientOrderId"] for each in at_venue) == ids == dict.fromkeys(ids, 1)
    children = Counter(each.order.parent_id for each in recorded)
    accepted = [command for command, decision in trader.decided.items() if decision.accepted]
    assert {command: children[command] for command in accepted} == dict.fromkeys(accepted, 1)
    assert not {command for command in trader.asked if children[command]} - set(accepted)


@pytest.mark.timeout(400)
def test_orders_go_on_through_flips_and_every_accepted_one_is_at_the_venue_once(
    tmp_path: Path, place: Place, system: Parts
) -> None:
    common = cast("dict[str, Any]", system.environment | {"epoch_s": 0.5})
    blue, green = (
        Flow(place.bootstrap, **common | {"data": tmp_path / colour, "colour": colour})
        for colour in ("blue", "green")
    )
    try:
        blue.start(changed=SLOW.format(flag=str(tmp_path / "slow")))
        running.wait_for(system.is_open, "the account to be open")
        trader = Trader(system.settings)
        trader.start()
        released(system, trader, green, tmp_path)
        trader.leaves.set()
        trader.join(60)
        assert not trader.is_alive(), f"not decided: {trader.asked.keys() - trader.decided.keys()}"
        assert trader.failure is None
        assert system.ask(Flatten()).accepted
        running.wait_for(system.agrees, "the books to agree with the venue's")
        check(system, trader)
    finally:
        blue.kill()
        green.kill()
