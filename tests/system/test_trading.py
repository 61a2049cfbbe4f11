"""Trading through the whole system: whatever is killed, no order is lost or doubled, and the books agree."""

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from genesis.cli import status
from genesis.connectors import keys, run_file, settings
from genesis.connectors.commanding import Commander
from genesis.connectors.ledger import Ledger, open_ledger
from genesis.connectors.settings import Settings
from genesis.operators.account import state
from genesis.operators.account.events import (
    Flatten,
    PlaceOrder,
    Role,
    SetStop,
)
from genesis.operators.account.examining import CRASHES
from genesis.operators.account.outcomes import Decision
from genesis.operators.records import MarketState
from genesis.operators.tilt import watch
from genesis.operators.tilt.evidence import STATE
from genesis.operators.tilt.indicators import NUMBER
from tests.system import running

pytestmark = pytest.mark.timeout(600)

PARTS = ("account", "ticker", "gateway", "broker", "venue")
SYMBOL = "BTCUSDT"
ANSWER_S = 60.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator["System"]:
    """Give a running system on a small synthetic market; the tests of this file share it."""
    found = System(tmp_path_factory.mktemp("trading"), metrics_port=str(free_ports(PORTS)))
    found.start()
    yield found
    found.stop()


PORTS = 16
"""More than the parts of a system."""


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that nobody listens on, below those given out freely."""
    for first in range(20_000, 30_000, count):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise AssertionError("no ports are free")


class System:
    """A system that trades, seen from outside."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self._settings = data, settings
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it can trade."""
        words = ("up", "--headless", "--data", str(self.data), "--synthetic", "3", "--rate", "200")
        self.process = running.start(*words, **self._settings)
        running.wait_for(self.is_open, "the account to be open", self.process)

    def stop(self) -> None:
        """Stop it in good order."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)

    @property
    def settings(self) -> Settings:
        run = run_file.read(self.data)
        assert run is not None
        return settings.read(data=self.data, broker=run.broker, shards=run.shards, embedded_broker=True)

    def ledger(self) -> Ledger:
        audit = keys.open_keys(self.settings, keys.AUDIT)[keys.AUDIT]
        return open_ledger(self.settings, audit_key=audit, create=False)

    def account(self) -> state.Account:
        with self.ledger() as ledger:
            saved = ledger.load("main")
        assert saved is not None
        return state.decoded(saved.snapshot)

    def is_open(self) -> bool:
        """Say whether an order would be carried out now."""
        with contextlib.suppress(Exception):
            account = self.account()
            view = account.views[SYMBOL]
            fresh = account.now_ns - view.quoted_ns < 3 * 10**9 and not view.stale
            paused = MarketState.MAINTENANCE in (account.market_state, view.state)
            return account.is_open and account.connected and fresh and not paused
        return False

    def ask(self, command: PlaceOrder | Flatten | SetStop, command_id: str = "") -> Decision:
        """Send a command until it is decided; a system whose parts die takes a while."""
        key = keys.open_keys(self.settings, Role.TRADER)[Role.TRADER]
        commander = Commander(self.settings, key)
        try:
            return commander.ask(command, ANSWER_S, command_id)
        finally:
            commander.close()

    def kill(self, part: str) -> None:
        """Kill -9 a part."""
        assert self.process is not None
        pid = running.part(self.process.pid, part)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def venue_account(self) -> dict[str, Any]:
        """Return what the venue says of the account."""
        run = run_file.read(self.data)
        assert run is not None
        with urllib.request.urlopen(f"{run.venue_url}/genesis/accounts", timeout=5) as answer:
            (account,) = json.load(answer)["accounts"]
        return dict(account)

    def venue_balances(self) -> dict[str, Decimal]:
        """Return what the venue holds for the account, zeros left out."""
        account = self.venue_account()
        found = {
            asset: Decimal(held["free"]) + Decimal(held["locked"])
            for asset, held in account["balances"].items()
        }
        return {asset: qty for asset, qty in found.items() if qty}

    def agrees(self) -> bool:
        """Say whether nothing is at work and the ledger has what the venue has."""
        with contextlib.suppress(Exception):
            account = self.account()
            if account.working or account.closing or not account.connected:
                return False
            book = account.portfolio
            ours = {each.base: each.qty for each in book.positions.values()} | {book.quote: book.cash}
            return {asset: qty for asset, qty in ours.items() if qty} == self.venue_balances()
        return False

    def latest(self, topic: str) -> list[bytes]:
        """Return the newest records of a topic, as the ledger has them."""
        with self.ledger() as ledger:
            return ledger.latest("main", topic)

    def sent(self) -> list[tuple[str, str]]:
        """Return client order id and status of all orders that the gateway put down."""
        with self.ledger() as ledger:
            return [
                (each.order.client_order_id, each.status) for each in ledger.recorded_orders("main", 10_000)
            ]


def test_whatever_is_killed_no_order_is_lost_or_doubled(system: System) -> None:
    chance, decided = random.Random(11), {}
    for number, part in enumerate(PARTS):
        for turn in range(2):
            command_id = secrets.token_hex(8)
            order = PlaceOrder(symbol=SYMBOL, side="buy", notional=f"{6 + turn}.{number}")
            decided[command_id] = system.ask(order, command_id)
            time.sleep(chance.random() * 0.2)  # the moment of the kill is what is tried, not awaited
            if turn == 0:
                system.kill(part)
        running.wait_for(system.is_open, f"the system to be whole after {part} was killed", system.process)
        assert system.ask(Flatten()).accepted
        running.wait_for(system.agrees, f"the books to agree after {part} was killed", system.process)
    ids = [client_order_id for client_order_id, _status in system.sent()]
    assert len(ids) == len(set(ids)) >= len(PARTS)
    with system.ledger() as ledger:
        assert not ledger.audit_report("main").faults
        orders = [json.loads(body)["parent_id"] for body in ledger.latest("main", "parent_orders")]
    for command_id, decision in decided.items():
        assert not decision.accepted or command_id in orders


def resting_stops(system: System) -> list[tuple[str, str]]:
    """Return stop price and quantity of the stop-losses that the venue has."""
    with system.ledger() as ledger:
        orders = [each for each in ledger.recorded_orders("main", 10_000) if each.is_open]
    stops = [each for each in orders if each.order.order_type == "stop_loss_limit" and each.status == "new"]
    return [(each.order.stop_price, each.order.qty) for each in stops]


def test_what_is_bought_is_guarded_at_the_venue_also_while_the_account_flow_is_dead(system: System) -> None:
    running.wait_for(system.is_open, "the market to be clean", system.process)
    assert system.ask(PlaceOrder(symbol=SYMBOL, side="buy", notional="9.5")).accepted
    running.wait_for(lambda: len(resting_stops(system)) == 1, "a stop to rest at the venue", system.process)
    ((first_price, qty),) = resting_stops(system)
    assert system.ask(SetStop(symbol=SYMBOL, distance_ppm=200_000)).accepted
    running.wait_for(
        lambda: [price for price, _ in resting_stops(system)] not in ([], [first_price]),
        "the stop to be moved",
        system.process,
    )
    ((price, moved_qty),) = resting_stops(system)
    assert Decimal(price) < Decimal(first_price)
    assert moved_qty == qty
    system.kill("account")
    running.wait_for(system.is_open, "the account to be back", system.process)
    assert resting_stops(system) == [(price, qty)]
    assert system.ask(PlaceOrder(symbol=SYMBOL, side="sell", share="1")).accepted
    running.wait_for(lambda: not resting_stops(system), "the stop to be gone", system.process)
    running.wait_for(system.agrees, "the books to agree", system.process)
    assert system.account().portfolio.positions[SYMBOL].qty < Decimal(qty)


def test_a_stress_test_is_judged_by_the_account_and_counted(system: System) -> None:
    running.wait_for(system.is_open, "the market to be clean", system.process)
    before = system.account().head_number
    words = ("stress-test", "--json", "--data", str(system.data))
    said = subprocess.run([*running.GENESIS, *words], check=False, capture_output=True, text=True, timeout=90)
    assert said.returncode == 0, said.stderr + said.stdout
    replays = json.loads(said.stdout)["replays"]
    assert [each["crash"] for each in replays] == list(CRASHES)
    assert system.account().performance.crashes == list(CRASHES)
    with system.ledger() as ledger:
        audited = [each.body for each in ledger.audit_entries("main", before) if "stress_replay" in each.body]
    for each in replays:
        assert 0.0 < each["fall"] < 0.15
        assert any(each["digest"] in body for body in audited)


def previewed(system: System, notional: str) -> tuple[int, dict[str, Any]]:
    """Return status and answer of `genesis order place --preview`."""
    words = ("order", "place", "buy", "btc", "--notional", notional, "--preview", "--json")
    said = subprocess.run(
        [*running.GENESIS, *words, "--data", str(system.data)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return said.returncode, json.loads(said.stdout)


def hands(system: System, client: str) -> list[tuple[str, float]]:
    """Return what the account saw of its trader since a client came, in the order of its log."""
    query = "SELECT what, value, client FROM genesis.behaviour ORDER BY log_generation, log_offset"
    rows = running.sql(system.data, query)
    came = next((i for i, (what, _, name) in enumerate(rows) if (what, name) == ("connected", client)), None)
    return [] if came is None else [(str(what), float(value)) for what, value, _ in rows[came:]]


def judged(system: System, indicator: str) -> int:
    """Return how many values of a habit the account's watch has weighed."""
    watched = np.frombuffer(system.account().tilt.watch or watch.fresh(), STATE)[0]
    return int(watched["judged"][NUMBER[indicator]])


def test_a_simulated_trader_acts_on_the_running_system_and_leaves_when_told(system: System) -> None:
    running.wait_for(system.is_open, "the market to be clean", system.process)
    before = {name: judged(system, name) for name in ("typing_speed", "decision_latency")}
    words = (
        "simulate-trader",
        "--persona",
        "calm",
        "--seed",
        "5",
        "--live",
        "--pace",
        "900",
        "--minutes",
        "3",
    )
    trader = running.start(*words, "--data", str(system.data))
    assert trader.stdout is not None
    said = trader.stdout.readline()
    while said and "is at work" not in said:
        said = trader.stdout.readline()
    asked = 1
    while asked < 3 and (line := trader.stdout.readline()):
        asked += "place_order" in line
    trader.send_signal(signal.SIGINT)
    _rest, errors = trader.communicate(timeout=60)
    assert "place_order" in said, errors
    assert "He has left" in errors
    assert "Traceback" not in errors
    orders = [json.loads(body) for body in system.latest("parent_orders")]
    assert any(f"{each['side'].capitalize()} {each['qty']} " in said for each in orders)
    running.wait_for(
        lambda: "left" in dict(hands(system, "calm-5-1")), "his hands to be in the store", system.process
    )
    seen = hands(system, "calm-5-1")
    told = [what for what, _ in seen if what in ("decided", "order", "refused")]
    assert told[::2] == ["decided"] * len(told[::2])
    assert "decided" not in told[1::2]  # what an order was written with is known when it is decided
    assert len(told[1::2]) >= asked
    for name, what in (("typing_speed", "keys"), ("decision_latency", "decided")):
        assert judged(system, name) - before[name] == sum(each == what for each, _ in seen)
    assert system.ask(Flatten()).accepted
    running.wait_for(system.agrees, "the books to agree after he left", system.process)


def test_a_preview_says_what_would_fit_and_places_nothing(system: System) -> None:
    running.wait_for(system.is_open, "the market to be clean", system.process)
    before = system.venue_account()["orders"]
    status, found = previewed(system, "9")
    assert (status, found["accepted"], found["slices"]) == (0, True, 1)
    assert 0.0 < float(found["cost"]) < 1.0
    status, refused = previewed(system, "300")
    assert (status, refused["code"]) == (3, "POSITION_CAP")
    assert 9.0 <= float(refused["fits"]) <= 25.0
    assert system.venue_account()["orders"] == before


def test_the_ledger_alone_brings_the_account_back(system: System) -> None:
    running.wait_for(system.agrees, "the books to agree", system.process)
    before = system.account()
    system.stop()
    for folder in ("recovery", "store", "logs"):
        shutil.rmtree(system.data / folder, ignore_errors=True)
    system.start()
    running.wait_for(system.agrees, "the books to agree after the restart", system.process)
    after = system.account()
    assert after.portfolio.positions.keys() == before.portfolio.positions.keys()
    assert after.portfolio.cash == before.portfolio.cash
    if after.performance.today.day == before.performance.today.day:
        attempts = before.performance.today.override_attempts
        assert after.performance.today.override_attempts >= attempts
    assert after.head_number >= before.head_number
    assert system.ask(Flatten()).accepted
    running.wait_for(system.agrees, "the books to agree after selling", system.process)


def logged(system: System, part: str) -> list[dict[str, Any]]:
    """Return what a part has logged."""
    text = (system.data / "logs" / f"{part}.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_every_part_says_that_it_is_ready_and_counts_what_it_does(system: System) -> None:
    running.wait_for(system.is_open, "the system to be whole", system.process)
    command_id = secrets.token_hex(8)
    assert system.ask(PlaceOrder(symbol=SYMBOL, side="buy", notional="7.5"), command_id).accepted
    running.wait_for(system.agrees, "the books to agree", system.process)
    said = [
        line
        for line in logged(system, "account") + logged(system, "gateway")
        if line.get("trace.id") == command_id
    ]
    assert {line["message"] for line in said} >= {
        "decided",
        "child order decided",
        "child order sent",
        "venue reported",
        "filled",
    }
    run = run_file.read(system.data)
    assert run is not None
    assert set(run.metrics) == set(run.states) - {"broker"}

    def unready() -> list[str]:
        return [name for name in run.metrics if not status.part(run, name)["ready"]]

    running.wait_for(lambda: not unready(), "every part to be ready", system.process)
    wanted = (
        "genesis_tick_to_signal_seconds_count",
        "genesis_command_to_wire_seconds_count",
        "genesis_child_orders_total",
        "genesis_fills_total",
        "genesis_feed_messages_total",
        "genesis_store_rows_total",
        "genesis_account_equity_quote",
        "genesis_recovery_seconds",
        "genesis_produced_messages_total",
        "genesis_consumed_messages_total",
        "genesis_decisions_total",
        "genesis_flow_rows_total",
        "genesis_feed_rows_total",
        "genesis_feed_connections",
        "genesis_gateway_serving",
        "genesis_account_daily_budget_quote",
    )
    told = {  # whatever the value; a series is there once something has been said of the account or the log
        "genesis_consumer_lag_messages",
        "genesis_epoch_age_seconds",
        "genesis_account_tier",
        "genesis_account_mode",
        "genesis_account_tilt_level",
        "genesis_account_pnl_day_quote",
        "genesis_account_drawdown_ratio",
        "genesis_account_override_attempts",
    }

    def uncounted() -> list[str]:
        counted: dict[str, float] = {}
        for port in run.metrics.values():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                for family in text_string_to_metric_families(answer.read().decode()):
                    for sample in family.samples:
                        counted[sample.name] = max(counted.get(sample.name, 0.0), sample.value)
        return [name for name in wanted if not counted.get(name, 0.0) > 0.0] + sorted(told - set(counted))

    running.wait_for(lambda: not uncounted(), "every part to have counted", system.process)
