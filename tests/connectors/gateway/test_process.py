"""The gateway as a process, with a real broker, ledger and simulator; killed at any moment."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.gateway import hosts
from genesis.connectors.gateway.credentials import from_file
from genesis.connectors.gateway.rest import RestClient, system_ms
from genesis.connectors.kafka import FrameConsumer, FrameProducer
from genesis.connectors.keys import create_keys
from genesis.connectors.ledger import Ledger, open_ledger
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.account import events, signing
from genesis.operators.account.audit import Head
from genesis.operators.account.events import AccountEvent, Execution, MarketRecord, PermitRefused, VenueLink
from genesis.operators.account.outcomes import ChildOrder
from tests.connectors.gateway.stubs import child
from tests.connectors.ledger import lab
from tests.connectors.ledger.lab import end, entries, outgoing, step

WAIT_S = 40.0
GENESIS = (sys.executable, "-m", "genesis.cli.main")

pytestmark = pytest.mark.slow


class System:
    """Broker, simulator and gateway as processes; the test plays account flow and ticker."""

    def __init__(self, folder: Path, broker: EmbeddedBroker) -> None:
        self.folder = folder
        self.api_key, self.secret = secrets.token_hex(32), secrets.token_hex(32)
        accounts, credentials = folder / "accounts.json", folder / "credentials.json"
        entry = {"name": "main", "api_key": self.api_key, "secret": self.secret}
        self._private(accounts, [entry | {"balances": {"USDT": "1000000", "BTC": "10"}}])
        self._private(credentials, {"api_key": self.api_key, "secret": self.secret})
        self.venue = self._start("venue", "--port", "0", "--synthetic", "2", "--accounts", str(accounts))
        assert self.venue.stdout is not None
        self.url = json.loads(self.venue.stdout.readline())["ready"]["venue_url"]
        self.settings = Settings(
            data=folder,
            broker=broker.bootstrap,
            embedded_broker=True,
            venue_url=self.url,
            credentials_file=str(credentials),
        )
        self.keys = create_keys(self.settings)
        self.ledger: Ledger = open_ledger(self.settings, audit_key=self.keys["audit"])
        self.head = Head()
        lab.KEY = self.keys["audit"]
        self.producer = FrameProducer(broker.bootstrap, 2, embedded=True, name="test")
        parts = {(topics.ACCOUNT_EVENTS.name, 0): None}
        self.consumer = FrameConsumer(broker.bootstrap, dict(parts), fetch_wait_ms=20, name="account")
        self.events: dict[str, AccountEvent] = {}
        self.gateways: list[subprocess.Popen[str]] = []
        self.now_ns = time.time_ns()

    @staticmethod
    def _private(path: Path, content: object) -> None:
        path.write_text(json.dumps(content))
        path.chmod(0o600)

    def _start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        log = (self.folder / f"{arguments[-1].rpartition('/')[2]}.log").open("a")
        return subprocess.Popen(
            (*GENESIS, *arguments),
            cwd=self.folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def start_gateway(self, **environment: str) -> "subprocess.Popen[str]":
        from genesis.connectors.settings import to_environment

        process = self._start("run", "gateway", **(to_environment(self.settings) | environment))
        self.gateways.append(process)
        return process

    def tick(self) -> None:
        """Let the account's clock run, and take what the gateway has told."""
        self.now_ns = max(self.now_ns, time.time_ns())
        event = signing.sealed(
            self.keys["ticker"], "ticker", "main", f"m{self.now_ns}", self.now_ns, MarketRecord()
        )
        self.producer.send_record(topics.ACCOUNT_EVENTS, event)
        self.producer.poll()
        for message in self.consumer.poll(500, 0.02):
            told = msgspec.json.decode(message.value, type=AccountEvent)
            if told.role == "gateway":
                assert signing.refusal({"gateway": self.keys["gateway"]}, told) == ""
                self.events[told.id] = told

    def until(self, done: Callable[[], bool]) -> None:
        end_s = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < end_s, f"it did not happen; told: {list(self.events)}"
            self.tick()

    def decide(self, number: int, **changes: Any) -> ChildOrder:
        """Decide on an order as the account flow does: ledger first, then the topic."""
        head = end(self.head, entries(self.head, 1))
        fields = {"client_order_id": f"g-{number}", "ledger_head": head.hash, "event_ns": self.now_ns}
        times = {"expires_ns": self.now_ns + 60_000_000_000, "order_type": "market", "time_in_force": ""}
        plain = child(number, **({"qty": "0.01"} | fields | times | changes))
        order = msgspec.structs.replace(plain, permit=signing.permit(self.keys["permit"], plain))
        self.head = step(self.ledger, self.head, outgoing("child_orders", order))
        self.producer.send_record(topics.CHILD_ORDERS, order)
        return order

    def bodies(self, kind: type) -> list[Any]:
        found = [events.decode(each.body) for each in self.events.values()]
        return [each for each in found if isinstance(each, kind)]

    def serves(self, token: int) -> bool:
        """Say whether the gateway with this fencing token has reconciled."""
        return any(key.startswith(f"link:{token}:") for key in self.events)

    def ends(self, number: int) -> list[Execution]:
        said = [each for each in self.bodies(Execution) if each.client_order_id == f"g-{number}"]
        return [each for each in said if each.status in ("filled", "canceled", "rejected", "expired")]

    def close(self) -> None:
        self.consumer.close()
        self.ledger.close()
        for process in (*self.gateways, self.venue):
            process.kill()
            process.wait()


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    monkeypatch.setattr(lab, "KEY", lab.KEY)  # put back afterwards
    with EmbeddedBroker() as broker:
        running = System(tmp_path, broker)
        yield running
        running.close()


@pytest.mark.timeout(120)
def test_kill_9_at_any_moment_loses_and_doubles_no_order(system: System) -> None:
    pauses_s = (0.0, 0.003, 0.006, 0.009, 0.015, 0.05)
    for number, pause_s in enumerate(pauses_s):
        system.start_gateway()
        system.until(lambda token=number + 1: system.serves(token))
        system.decide(number)
        system.producer.flush(1.0)
        time.sleep(pause_s)
        system.gateways[-1].send_signal(signal.SIGKILL)
        system.gateways[-1].wait()
        system.decide(number + 100)  # while there is none
    system.start_gateway()
    numbers = [each + more for each in range(len(pauses_s)) for more in (0, 100)]
    system.until(lambda: all(system.ends(number) for number in numbers))
    client = RestClient(
        hosts.Kind.SIMULATOR, system.url, from_file(system.folder / "credentials.json"), system_ms
    )
    trades = client.signed("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"})
    orders = client.signed("GET", "/api/v3/allOrders", {"symbol": "BTCUSDT"})
    at_venue = [each["clientOrderId"] for each in orders]
    assert len(at_venue) == len(set(at_venue))
    assert len({each.client_order_id for n in numbers for each in system.ends(n)}) == len(numbers)
    told = sum((Decimal(each.last_qty) for each in system.bodies(Execution)), Decimal(0))
    assert told == sum((Decimal(each["qty"]) for each in trades), Decimal(0))


@pytest.mark.timeout(120)
def test_it_refuses_what_is_forged_stands_by_when_fenced_off_and_shows_no_secret(system: System) -> None:
    first = system.start_gateway(GENESIS_LOG_LEVEL="debug")
    order = system.decide(1)
    system.until(lambda: bool(system.ends(1)))
    forged = msgspec.structs.replace(order, client_order_id="g-2", id="child-2")
    system.producer.send_record(topics.CHILD_ORDERS, forged)
    changed = msgspec.structs.replace(order, qty="1")
    system.producer.send_record(topics.CHILD_ORDERS, changed)
    system.until(lambda: len(system.bodies(PermitRefused)) == 2)
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    system.start_gateway(GENESIS_LOG_LEVEL="debug")
    system.decide(3)
    system.until(lambda: bool(system.ends(3)))
    assert system.ends(3)[0].status == "filled"
    assert first.poll() is None
    first.terminate()
    assert first.wait(10.0) == 0
    written = "".join(path.read_text() for path in system.folder.glob("*.log"))
    told = "".join(each.body for each in system.events.values())
    assert "venue link" in written
    private = [system.api_key, system.secret, *(system.keys[name].hex() for name in system.keys)]
    for secret in private:
        assert secret not in shown + written + told


@pytest.mark.parametrize("is_noticed", [True, False])
@pytest.mark.timeout(120)
def test_after_a_halt_is_lifted_the_gateway_ends_and_the_next_one_sends(
    system: System, is_noticed: bool
) -> None:
    system.start_gateway()
    system.until(lambda: system.serves(1))
    system.ledger.halt("main")
    if is_noticed:
        system.until(lambda: any("kill switch" in link.detail for link in system.bodies(VenueLink)))
        system.decide(1)
    system.ledger.lift_halt("main")
    system.until(lambda: system.gateways[0].poll() is not None)
    assert system.gateways[0].returncode == 0
    system.start_gateway()
    system.decide(2)
    system.until(lambda: bool(system.ends(2)))
    assert system.ends(2)[-1].status == "filled"
