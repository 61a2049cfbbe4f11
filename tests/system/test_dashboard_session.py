"""A whole session at the dashboard, in a pseudo-terminal, on the whole system: typed keys, a real broker."""

import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from genesis.connectors.kafka import FrameConsumer
from genesis.operators import topics
from genesis.operators.account.outcomes import FORGOTTEN
from genesis.operators.account.state import Tilt
from genesis.operators.tilt.interventions import DEBT, JOURNAL_WORDS, REST_NS, Phase, Rest
from tests.system import running
from tests.system.dashboards import SLOW_S, at_dashboard, pass_first_steps, prepare, send
from tests.system.test_trading import System

pytestmark = pytest.mark.timeout(600)

STEP_LONGEST = len(REST_NS) - 1


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Give a Hunter whose longest rest is over but for the journal and the checklist."""
    rest = Rest(phase=Phase.RESTING, until_ns=1, step=STEP_LONGEST, debt=DEBT)
    prepare(tmp_path, Tilt(rest=rest))
    found = System(tmp_path)
    found.start()
    yield found
    found.stop()


def test_a_whole_session(system: System) -> None:
    with at_dashboard(system) as session:
        pass_first_steps(session)
        session.wait(lambda lines: "resting" in lines[0], SLOW_S)
        session.type("b60u")
        session.wait("this would be declined", SLOW_S)
        session.type("\x15")
        for piece in range(JOURNAL_WORDS // 100):
            words = " ".join(f"thought{100 * piece + each}" for each in range(100))
            send(session, f"journal {words}", "Written into the journal")
        session.type("checklist\r")
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
    assert_what_was_seen_can_be_forgotten(system)
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


def assert_what_was_seen_can_be_forgotten(system: System) -> None:
    """Assert that `genesis tilt forget` empties the table of what was seen of the trader."""

    def seen() -> int:
        (row,) = running.sql(system.data, f"SELECT count() FROM behaviour WHERE what != '{FORGOTTEN}'")
        return int(row[0])

    running.wait_for(seen, "the store to have what was seen", system.process)
    words = ("tilt", "forget", "--yes", "--data", str(system.data))
    said, errors = running.start(*words).communicate(timeout=60)
    assert "leaves the store" in said, errors
    running.wait_for(lambda: not seen(), "what was seen to be gone", system.process)


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
