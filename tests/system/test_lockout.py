"""A lockout played by keys, and what does not end it: restart, second terminal, other clock, edited files."""

import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from genesis.connectors import keys
from genesis.connectors.kafka import FrameProducer
from genesis.operators import topics
from genesis.operators.account import signing, state
from genesis.operators.account.events import PlaceOrder, Role
from genesis.operators.account.state import Tilt
from genesis.operators.tilt import watch
from genesis.operators.tilt.interventions import Phase, Rest
from genesis.operators.tilt.observations import OBSERVATION, ObservationKind, observation
from genesis.tui.terminal import Session
from tests.system import running
from tests.system.dashboards import SLOW_S, at_dashboard, pass_first_steps, prepare, send
from tests.system.test_trading import SYMBOL, System

pytestmark = pytest.mark.timeout(900)

HOUR_NS = 3_600 * 10**9
ORDERS = 48
"""One in each half hour of a day, so that no hour is unusual."""

TRIES_MAX = 20


def calm_past() -> bytes:
    """Return what the watch knows of somebody who trades small, rarely, and after a look at the preview."""
    kind, chance = ObservationKind, np.random.default_rng(7)
    begun_ns = time.time_ns() - 2 * ORDERS * HOUR_NS
    rows = []
    for number in range(ORDERS):
        at_ns, spread = begun_ns + number * HOUR_NS // 2, float(np.exp(0.2 * chance.standard_normal()))
        rows += [
            observation(at_ns, kind.KEYS, 180.0 * spread, 6.0),
            observation(at_ns, kind.CORRECTIONS, float(number % 6 == 0), 6.0),
            observation(at_ns, kind.PREVIEWED, 6.0 * spread, 1.0),
            observation(at_ns, kind.DECIDED, 12.0 * spread),
            observation(at_ns, kind.ORDER, 0.004 * spread, np.nan, 1),
            observation(at_ns + HOUR_NS // 4, kind.SOLD, -0.0001, 900.0, 1),
        ]
    state, reading = watch.observe(watch.fresh(), np.concatenate(rows).astype(OBSERVATION))
    assert reading.calibrated
    assert reading.level == 0
    return state


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Give a running system whose trader has been calm so far."""
    prepare(tmp_path, Tilt(watch=calm_past(), numbers={SYMBOL: 1}, calibrated=True))
    found = System(tmp_path)
    found.start()
    yield found
    found.stop()


def decisions(system: System) -> int:
    """Return how many decisions the ledger has."""
    with system.ledger() as ledger:
        return sum(entry.subject == "decisions" for entry in ledger.audit_entries("main", 0, 100_000))


def say(system: System, session: Session, command: str) -> None:
    """Type a command and send it without a look, whatever its preview says; wait until it is over."""
    before = decisions(system)
    session.wait(lambda lines: not any("enter sends it" in line for line in lines), SLOW_S)
    session.type(command + "\r")
    session.wait("enter sends it", SLOW_S)
    session.type("\r")
    running.wait_for(lambda: decisions(system) > before, f"a decision on {command}", system.process)
    running.wait_for(lambda: not system.account().working, f"{command} to be over", system.process)


def rest_until_ns(system: System) -> int:
    """Return until when trading rests; 0 when it does not."""
    rest = system.account().tilt.rest
    return rest.until_ns if rest.phase is Phase.RESTING else 0


def spiral(system: System, session: Session) -> int:
    """Buy, sell at a loss, buy more, at once, until trading rests; return how many orders it took."""
    for number in range(1, TRIES_MAX):
        say(system, session, f"b{150 + 20 * number}u because the next one has to win it back")
        if rest_until_ns(system):
            return number
        say(system, session, "s100%")
        if rest_until_ns(system):
            return number
    raise AssertionError(f"no rest after {TRIES_MAX} orders: {system.account().tilt.names}")


def test_a_lockout_outlives_all_that_is_tried_against_it(system: System) -> None:
    with at_dashboard(system) as session:
        pass_first_steps(session)
        orders = spiral(system, session)
        until_ns = rest_until_ns(system)
        assert orders > 1  # one order alone, whatever its size, locks nobody out
        session.wait(lambda lines: "resting" in lines[0], SLOW_S)
        before = decisions(system)
        send(session, "flatten", "held")  # what closes risk is always possible
        running.wait_for(lambda: decisions(system) > before, "a decision on flatten", system.process)
        running.wait_for(system.agrees, "the books to agree", system.process)
        sent = system.sent()
        assert_declined(system, session)
        assert_declined_elsewhere(system)
        session.type("q")
        assert session.finish() == 0
    assert_edited_files_open_nothing(system)
    system.start()
    assert rest_until_ns(system) == until_ns
    assert system.sent() == sent
    with at_dashboard(system) as session:
        pass_first_steps(session)  # the client's name went with its folder: it is a new one
        session.wait(lambda lines: "resting" in lines[0], SLOW_S)
        assert_declined(system, session)
        send(session, "checklist yyyyy", "the checklist is complete")
        send(session, "journal I wanted it back at once; that is how it grew.", "Written into the journal")
        assert rest_until_ns(system) == until_ns
        session.wait(lambda lines: "resting" not in lines[0], 330.0)
        assert system.account().now_ns >= until_ns
        assert system.account().tilt.rest.phase is Phase.RETURNING
        session.type("b400u")
        session.wait("this would be declined", SLOW_S)  # sizes are a quarter on the way back
        session.type("\x15")
        say(system, session, "b60u")
        session.wait("Bought", SLOW_S)
        send(session, "flatten", "Selling all that is held: BTCUSDT")
        session.wait("Sold", SLOW_S)
        session.type("q")
        assert session.finish() == 0
    running.wait_for(system.agrees, "the books to agree at the end", system.process)


def assert_declined(system: System, session: Session) -> None:
    """Assert that a dashboard gets no purchase through."""
    before = decisions(system)
    session.type("b60u")
    session.wait("this would be declined", SLOW_S)
    session.type("\x15")
    session.wait(lambda lines: not any("declined: " in line for line in lines), SLOW_S)
    assert decisions(system) == before


def assert_declined_elsewhere(system: System) -> None:
    """Assert the same of a second terminal, a library call, and a client whose clock is a day ahead."""
    with at_dashboard(system, size=(80, 24)) as second:
        second.wait(lambda lines: "resting" in lines[0], SLOW_S)
        assert_declined(system, second)
        second.type("q")
        assert second.finish() == 0
    order = PlaceOrder(symbol=SYMBOL, side="buy", notional="60", reason="a clock says that the rest is over")
    decision = system.ask(order)
    assert (decision.accepted, decision.code) == (False, "TILT_LOCKOUT")
    key = keys.open_keys(system.settings, Role.TRADER)[Role.TRADER]
    tomorrow_ns = time.time_ns() + 24 * HOUR_NS
    ahead = signing.sealed(key, Role.TRADER, "main", secrets.token_hex(12), tomorrow_ns, order)
    producer = FrameProducer.of(system.settings, "ahead")
    before = decisions(system)
    producer.send_record(topics.ACCOUNT_EVENTS, ahead)
    producer.flush(5.0)
    running.wait_for(lambda: decisions(system) > before, "a decision on it", system.process)
    (newest,) = system.latest("decisions")
    assert msgspec.json.decode(newest)["accepted"] is False
    assert rest_until_ns(system)


def assert_edited_files_open_nothing(system: System) -> None:
    """Assert that a state edited in the ledger is not taken up, and files that are deleted change nothing."""
    system.stop()
    for folder in ("recovery", "store", "logs", "dashboard"):
        shutil.rmtree(system.data / folder, ignore_errors=True)
    (ledger,) = system.data.glob("**/ledger.db")
    kept = {path: path.read_bytes() for path in ledger.parent.glob("ledger.db*")}
    with sqlite3.connect(ledger) as edited:
        for slot, snapshot in edited.execute("SELECT slot, snapshot FROM snapshots").fetchall():
            account = state.decoded(snapshot)
            account.tilt.rest = Rest()
            edited.execute("UPDATE snapshots SET snapshot = ? WHERE slot = ?", (state.encoded(account), slot))
    edited.close()
    words = ("up", "--headless", "--data", str(system.data), "--synthetic", "3", "--rate", "200")
    system.process = running.start(*words)
    log = system.data / "logs" / "account.log"
    running.wait_for(
        lambda: log.exists() and "is not opened" in log.read_text(),
        "the account to stay shut",
        system.process,
    )
    system.stop()
    for path in ledger.parent.glob("ledger.db*"):
        path.unlink()
    for path, body in kept.items():
        path.write_bytes(body)
