"""A whole session at the dashboard, in a pseudo-terminal, on the whole system: typed keys, a real broker."""

import json
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from genesis.connectors import keys, settings
from genesis.connectors.kafka import FrameConsumer
from genesis.connectors.ledger import Saved, open_ledger
from genesis.operators import topics
from genesis.operators.account import state
from genesis.operators.account.state import Account
from genesis.operators.account.tier_gates import Tier
from genesis.operators.tilt.interventions import DEBT, Phase, Rest
from genesis.tui.terminal import Session
from tests.system import running
from tests.system.test_trading import System

pytestmark = pytest.mark.timeout(600)

SLOW_S = 90.0
CAPITAL = "9000"
"""Of a Hunter; a quarter of its usual size, on the way back, still takes an order of $60 and one of $50."""


def prepared(data: Path) -> None:
    """Put down, before anything runs, a Hunter's account whose rest is over but for the checklist."""
    config = settings.read(data=data)
    ring = keys.create_keys(config)
    folder = keys.folder_of(config)
    api_key, secret = secrets.token_hex(32), secrets.token_hex(32)
    entry = {"name": "main", "api_key": api_key, "secret": secret, "balances": {"USDT": CAPITAL}}
    for name, body in (
        ("venue-accounts.json", [entry]),
        ("venue-credentials.json", {"api_key": api_key, "secret": secret}),
    ):
        path = folder / name
        path.write_text(json.dumps(body))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    account = Account("main")
    account.standing = msgspec.structs.replace(account.standing, tier=Tier.HUNTER, entered_ns=1)
    account.tilt.rest = Rest(phase=Phase.RESTING, until_ns=1, debt=DEBT)
    with open_ledger(config, audit_key=ring[keys.AUDIT]) as ledger:
        saved = Saved(snapshot=state.encoded(account), position="", head=account.head)
        ledger.commit("main", before=account.head, saved=saved, audit=[], outbox=[])


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    prepared(tmp_path)
    found = System(tmp_path)
    found.start()
    yield found
    found.stop()


def at_dashboard(system: System, *words: str, size: tuple[int, int] = (120, 40)) -> Session:
    variables = running.environment() | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    variables.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "genesis.cli.main", "tui", "--data", str(system.data), *words]
    return Session(command, size, variables)


def send(session: Session, command: str, answer: str) -> None:
    """Type a command, look at it, send it, and wait for what is said of it."""
    session.type(command + "\r")
    session.wait("enter sends it", SLOW_S)
    session.type("\r")
    session.wait(answer, SLOW_S)


def test_a_whole_session(system: System) -> None:
    with at_dashboard(system) as session:
        session.wait("Three panels, always in the same place", SLOW_S)
        session.type("\r\r\r")
        session.wait(lambda lines: "resting" in lines[0], SLOW_S)
        session.type("b60u")
        session.wait("this would be declined", SLOW_S)
        session.type("\x15checklist\r")
        session.wait("Before trading goes on", SLOW_S)
        session.type("\r")
        send(session, "checklist yyyyy", "the checklist is complete")
        session.wait(lambda lines: "resting" not in lines[0], SLOW_S)

        session.type("b60u")
        session.wait("cost near", SLOW_S)
        session.type("\r\r")
        session.wait("is at work", SLOW_S)
        session.wait("Bought", SLOW_S)
        session.wait(lambda lines: any("BTCUSDT" in line and "at" in line for line in lines), SLOW_S)

        send(session, "twap 50u btc 10m", "by twap is at work")
        session.wait(lambda lines: any("by TWAP" in line and "sent" in line for line in lines), SLOW_S)
        send(session, "pause", "The order rests")
        send(session, "resume", "The order goes on")
        send(session, "cancel 1", "being cancelled")

        session.type("b500u btc")
        session.wait("this would be declined", SLOW_S)
        session.wait("tab takes what fits: buy ", SLOW_S)
        session.type("\t")
        session.wait("cost near", SLOW_S)
        session.type("\x15why\r")
        session.wait("Why it is all right", SLOW_S)
        session.type("\r")

        send(session, "stop 3% btc", "The stop of BTCUSDT is at")
        send(session, "journal It went as planned; the second entry can wait.", "Written into the journal")
        send(session, "halt", "The mode is halted")
        session.wait(lambda lines: "halted" in lines[0], SLOW_S)
        send(session, "active", "The mode is active")
        send(session, "flatten", "Selling all that is held: BTCUSDT")
        session.wait("Sold", SLOW_S)
        session.type("q")
        assert session.finish() == 0
    running.wait_for(system.agrees, "ledger and venue to agree")
    assert_the_hands_were_seen(system)
    assert_nothing_private_was_kept(system.data)
    assert_a_watcher_commands_nothing(system)


def assert_the_hands_were_seen(system: System) -> None:
    """Assert that the account's log has what the dashboard saw, and none of the words."""
    told = [msgspec.json.decode(body) for body in log_of(system)]
    bodies = [each["body"] for each in told if each["kind"] == "behaviour"]
    acts = [act for body in bodies for act in msgspec.json.decode(body)["acts"]]
    kinds = {act["what"] for act in acts}
    assert kinds >= {"connected", "keys", "previewed", "decided"}
    assert not any("planned" in body for body in bodies)
    assert len({msgspec.json.decode(body)["client"] for body in bodies}) == 1


def log_of(system: System) -> list[bytes]:
    """Return the account's log, as the broker has it."""
    part = (topics.ACCOUNT_EVENTS.name, 0)
    consumer = FrameConsumer(system.settings.broker, {part: None}, fetch_wait_ms=100, name="log")
    found: list[bytes] = []
    try:
        running.wait_for(lambda: _told_of_the_end(consumer, found), "the log to tell of the end")
    finally:
        consumer.close()
    return found


def _told_of_the_end(consumer: FrameConsumer, found: list[bytes]) -> bool:
    found += [message.value for message in consumer.poll(5_000, 0.5)]
    return any(b"behaviour" in each and b"left" in each for each in found)


def assert_nothing_private_was_kept(data: Path) -> None:
    history = data / "dashboard" / "history"
    kept = history.read_text().splitlines()
    assert "b60u" in kept
    assert "flatten" in kept
    assert not any("planned" in line for line in kept)
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def assert_a_watcher_commands_nothing(system: System) -> None:
    before = system.sent()
    with at_dashboard(system, "--watch", size=(80, 24)) as session:
        session.wait("this dashboard only watches", SLOW_S)
        session.type("b")
        session.wait("genesis tui without --watch trades", SLOW_S)
        session.type("q")
        assert session.finish() == 0
    assert system.sent() == before
