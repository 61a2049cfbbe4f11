"""What is tried to get an order out against the rules: one attempt a row, all on one running system.

Each attempt of `ATTEMPTS` is a row of the table in docs/architecture.md, by name. None may change what the
venue has, the tier, or the mode; those that name a number are counted as attempts to get around the rules.
"""

import contextlib
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import msgspec
import numpy as np
import pytest

from genesis.connectors import keys
from genesis.connectors.kafka import FrameProducer
from genesis.connectors.ledger import AlreadyRecorded, FenceLost, UnknownDecision
from genesis.operators import topics
from genesis.operators.account import signing
from genesis.operators.account.events import (
    Body,
    Execution,
    Flatten,
    Mark,
    MarketRecord,
    PlaceOrder,
    Role,
    SetMode,
    StressReplay,
    VenueBalances,
    WriteJournal,
)
from genesis.operators.topics import Topic
from tests.system import running
from tests.system.test_trading import SYMBOL, System

pytestmark = pytest.mark.timeout(600)

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
FOREVER_NS = 2**62
FILL = Execution(
    client_order_id="g", venue_order_id=1, symbol=SYMBOL, side="buy", status="filled", trade_id=10**9,
    last_qty="5", last_price="1",
)  # fmt: skip
REPLAY = StressReplay(
    crash="cascade", state_ns=FOREVER_NS, head="", equity_before="500", at_risk="25", equity_lowest="499",
    digest="d",
)  # fmt: skip
MARK = Mark(symbol=SYMBOL, bid="1", ask="1.01", bid_qty="1", ask_qty="1", quoted_ns=FOREVER_NS)


class Scene:
    """A running system with one order behind it, and a stranger who can write to the broker."""

    def __init__(self, system: System) -> None:
        self.system = system
        place = system.settings
        self.stranger = FrameProducer(
            place.broker, place.shards, embedded=True, generation_bytes=2_000_000, name="stranger"
        )
        self.ring = keys.open_keys(place)
        with system.ledger() as ledger:
            sent = [each.order for each in ledger.recorded_orders("main", 100)]
        self.real = next(each for each in sent if each.action == "send")

    def write(self, topic: Topic, record: msgspec.Struct) -> None:
        """Write a record to a topic, as anybody could."""
        self.stranger.send_record(topic, record)
        assert self.stranger.flush(10.0) == 0

    def tell(self, role: str, body: Body, key: bytes) -> None:
        """Write an event that says to be of a role, sealed with some key."""
        event = signing.sealed(key, role, "main", f"forged-{secrets.token_hex(4)}", FOREVER_NS, body)
        self.write(topics.ACCOUNT_EVENTS, event)

    def refusals(self) -> int:
        """Return how many child orders the gateway has refused."""
        with self.system.ledger() as ledger:
            return sum(each.count for each in ledger.refused_permits("main"))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    system = System(tmp_path_factory.mktemp("overrides"))
    system.start()
    assert system.ask(PlaceOrder(symbol=SYMBOL, side="buy", notional="9")).accepted
    running.wait_for(system.agrees, "the books to agree", system.process)
    assert system.ask(Flatten()).accepted
    running.wait_for(system.agrees, "the books to agree after selling", system.process)
    yield Scene(system)
    system.stop()


def forged_event(role: str, body: Body) -> Callable[[Scene], None]:
    """Return the attempt to be a role without its key."""
    return lambda scene: scene.tell(role, body, b"stolen by nobody" * 4)


def of_another_role(scene: Scene) -> None:
    """Report a fill with the trader's own, good key."""
    scene.tell(Role.GATEWAY, FILL, scene.ring[Role.TRADER])
    scene.tell(Role.TRADER, FILL, scene.ring[Role.TRADER])


def changed(**changes: Any) -> Callable[[Scene], None]:
    """Return the attempt to have an order sent that is like one that was, but for some fields."""

    def act(scene: Scene) -> None:
        before = scene.refusals()
        scene.write(topics.CHILD_ORDERS, msgspec.structs.replace(scene.real, **changes))
        running.wait_for(lambda: scene.refusals() > before, "the gateway to refuse", scene.system.process)

    return act


def with_a_stolen_key(**changes: Any) -> Callable[[Scene], None]:
    """Return the attempt to send an order that nobody decided on, with a good permit."""

    def act(scene: Scene) -> None:
        order = msgspec.structs.replace(scene.real, id=secrets.token_hex(4), **changes)
        order = msgspec.structs.replace(order, permit=signing.permit(scene.ring[keys.PERMIT], order))
        before = scene.refusals()
        scene.write(topics.CHILD_ORDERS, order)
        running.wait_for(lambda: scene.refusals() > before, "the gateway to refuse", scene.system.process)

    return act


def replayed(scene: Scene) -> None:
    """Send an order that was sent, to the byte: it cannot be told from one that a broker delivers twice."""
    scene.write(topics.CHILD_ORDERS, scene.real)


def old_command(scene: Scene) -> None:
    """Send a decided command again, under its own id and a new one's age."""
    key = scene.ring[Role.TRADER]
    order = PlaceOrder(symbol=SYMBOL, side="buy", notional="8")
    with scene.system.ledger() as ledger:
        entries = ledger.audit_entries("main", 0, 10_000)
    told = [msgspec.json.decode(entry.body) for entry in entries if entry.subject == "decisions"]
    cause = next(each["cause"] for each in told if each["subject"] == "place_order")
    event = signing.sealed(key, Role.TRADER, "main", cause, time.time_ns(), order)
    scene.write(topics.ACCOUNT_EVENTS, event)


def settings_of_a_tier(scene: Scene) -> None:
    """Start a part with settings that claim a tier and lift a limit."""
    for variable in ("GENESIS_TIER", "GENESIS_POSITION_CAP"):
        environment = running.environment() | {variable: "architect", "GENESIS_DATA": str(scene.system.data)}
        words = [*running.GENESIS, "run", "account"]
        said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode == 1
        assert variable in said.stderr


def library_calls(scene: Scene) -> None:
    """Record an order in the ledger by the library, past the gateway and its fence."""
    made_up = msgspec.structs.replace(scene.real, id="y/1", client_order_id="gforged-9", qty="1")
    with scene.system.ledger() as ledger:
        for token in (0, 1, 10**6):
            with pytest.raises((FenceLost, UnknownDecision)):
                ledger.record_order(token, made_up)
            with pytest.raises((FenceLost, AlreadyRecorded)):
                ledger.record_order(token, scene.real)


def second_gateway(scene: Scene) -> None:
    """Run another gateway beside the first: the fence goes to one of them, and orders go out once."""
    system = scene.system
    place = system.settings
    variables = {
        "data": place.data,
        "broker": place.broker,
        "shards": place.shards,
        "embedded_broker": "true",
    }
    other = running.start("run", "gateway", **variables)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(5.0)
    except pytest.fail.Exception:
        pass  # it was refused at once
    finally:
        other.kill()
        other.communicate()
    running.wait_for(system.is_open, "the first gateway to have the fence again", system.process)


def edited_ledger(scene: Scene) -> None:
    """Edit a row of the audit chain in a copy of the ledger's folder."""
    system = scene.system
    (ledger,) = system.data.glob("**/ledger.db")
    with contextlib.closing(sqlite3.connect(ledger)) as source:
        copy = system.data.parent / "copy"
        (copy / "ledger").mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(copy / "ledger" / "ledger.db")) as edited:
            source.backup(edited)
            for (guard,) in edited.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                edited.execute(f"DROP TRIGGER {guard}")  # which keeps rows from being changed by mistake
            edited.execute("UPDATE audit SET body = replace(body, '\"accepted\":true', '\"accepted\":false')")
            edited.commit()
    for each in ledger.parent.iterdir():
        if not each.name.startswith("ledger.db"):
            (copy / "ledger" / each.name).write_bytes(each.read_bytes())
    folder = keys.folder_of(system.settings)
    (copy / folder.name).mkdir(mode=0o700, exist_ok=True)
    for each in folder.iterdir():
        target = copy / folder.name / each.name
        target.write_bytes(each.read_bytes())
        target.chmod(0o600)
    words = [*running.GENESIS, "audit", "verify", "--data", str(copy)]
    said = subprocess.run(
        words, env=running.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode != 0, said.stdout
    assert "changed" in said.stdout + said.stderr


def every_other_topic(scene: Scene) -> None:
    """Write what suits somebody to every topic that nobody has been named for above."""
    for topic in topics.ALL:
        if topic in (topics.ACCOUNT_EVENTS, topics.CHILD_ORDERS):
            continue
        if isinstance(topic.schema, type):
            scene.write(topic, made_up(topic.schema))
        else:
            rows = np.zeros(1, topic.rows.dtype)
            for field in topic.rows.fields:
                rows[field.name] = _value(field.name)
            scene.stranger.send(topic, 0, rows, time.time_ns())
    assert scene.stranger.flush(10.0) == 0


def _value(name: str) -> Any:
    if name.endswith("_ns"):
        return time.time_ns()
    return SYMBOL.encode() if "symbol" in name else 1


def made_up(kind: type) -> Any:
    """Return a record of a kind that says what its forger would like: a high tier, no tilt, a profit."""
    wishes = {
        "account_id": "main", "symbol": SYMBOL, "tier": "architect", "mode": "active", "accepted": True,
        "id": f"forged-{secrets.token_hex(4)}", "cash": "1000000", "equity": "1000000", "side": "buy",
        "phase": "free", "status": "working",
    }  # fmt: skip
    plain: dict[Any, Any] = {str: "1", int: 0, float: 0.0, bool: False}
    fields = {}
    for name, hint in get_type_hints(kind).items():
        empty: Any = {} if str(hint).startswith("dict") else []
        fields[name] = wishes.get(name, time.time_ns() if name == "event_ns" else plain.get(hint, empty))
    return msgspec.convert(fields, kind)


class Attempt(NamedTuple):
    """One thing that is tried; ``counts`` of the account's override attempts must follow from it."""

    name: str
    act: Callable[[Scene], None]
    counts: int = 0


ATTEMPTS = (
    Attempt("a forged fill", forged_event(Role.GATEWAY, FILL), 1),
    Attempt(
        "forged balances", forged_event(Role.GATEWAY, VenueBalances(balances={"USDT": ("1000000", "0")})), 1
    ),
    Attempt("a forged mark", forged_event(Role.TICKER, MarketRecord(marks=[MARK])), 1),
    Attempt("a forged mode", forged_event(Role.GUARD, SetMode(mode="active")), 1),
    Attempt("a forged stress replay", forged_event(Role.EXAMINER, REPLAY), 1),
    Attempt(
        "a forged command", forged_event(Role.TRADER, PlaceOrder(symbol=SYMBOL, side="buy", notional="11")), 1
    ),
    Attempt("an event sealed with another role's key", of_another_role, 2),
    Attempt("a forged record on every other topic, a tier among them", every_other_topic),
    Attempt("a child order without a permit", changed(client_order_id="gforged-1", permit="0" * 64), 1),
    Attempt("a permit for another quantity", changed(qty="0.5"), 1),
    Attempt("a permit for another price", changed(limit_price="1"), 1),
    Attempt("an expired permit", with_a_stolen_key(client_order_id="gforged-3", expires_ns=1), 1),
    Attempt("a stolen permit key", with_a_stolen_key(client_order_id="gforged-2", expires_ns=FOREVER_NS), 1),
    Attempt("a replayed permit", replayed),
    Attempt("a replayed command", old_command),
    Attempt("a tier or a limit in the settings", settings_of_a_tier),
    Attempt("a direct library call", library_calls),
    Attempt("an edited ledger row", edited_ledger),
    Attempt("a second gateway", second_gateway),
)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_nothing_gets_a_forbidden_order_to_the_venue(scene: Scene, attempt: Attempt) -> None:
    system = scene.system
    running.wait_for(system.is_open, "the system to be whole", system.process)
    before, account = system.venue_account(), system.account()
    counted = account.performance.today.override_attempts
    attempt.act(scene)
    assert system.ask(WriteJournal(text=attempt.name)).accepted  # so all that came before it is decided on

    def is_counted() -> bool:
        return system.account().performance.today.override_attempts >= counted + attempt.counts

    running.wait_for(is_counted, "the attempt to be counted", system.process)
    after = system.venue_account()
    assert (after["orders"], after["trades"]) == (before["orders"], before["trades"])
    now = system.account()
    assert (now.standing.tier, now.mode) == (account.standing.tier, account.mode)
    assert now.portfolio.cash == account.portfolio.cash
    assert now.portfolio.positions.keys() == account.portfolio.positions.keys()
    running.wait_for(system.agrees, "the books to agree", system.process)
    assert Decimal(now.performance.equity) < 100_000


def test_the_page_lists_every_attempt() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not [each.name for each in ATTEMPTS if f"| {each.name} |" not in page]


def test_every_refused_order_is_recorded(scene: Scene) -> None:
    with scene.system.ledger() as ledger:
        codes = {each.client_order_id: each.code for each in ledger.refused_permits("main")}
        assert not ledger.audit_report("main").faults
    assert codes.keys() >= {"gforged-1", "gforged-2", "gforged-3", scene.real.client_order_id}
    assert codes["gforged-2"] == "UNDECIDED"
