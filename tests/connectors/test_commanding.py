"""Commands outlive a broker that dies: they are sent again, under the same id, until they are decided."""

import subprocess
import threading
from pathlib import Path

import msgspec
import pytest

from genesis.connectors import broker, settings
from genesis.connectors.commanding import Commander, NoDecisionError
from genesis.connectors.kafka import FrameConsumer, FrameProducer, Log, ensure_topics
from genesis.operators import topics
from genesis.operators.account.events import AccountEvent, Flatten
from genesis.operators.account.outcomes import Decision

KEY = b"k" * 32

pytestmark = pytest.mark.timeout(120)


def started(port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(broker.command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    broker.await_ready(f"127.0.0.1:{port}", process)
    ensure_topics(f"127.0.0.1:{port}", 1)
    return process


def commander_of(port: int, data: Path) -> Commander:
    configured = settings.read(data=data, broker=f"127.0.0.1:{port}", embedded_broker=True, shards=1)
    return Commander(configured, KEY)


def decision_on(event: AccountEvent) -> Decision:
    return Decision(
        id=f"{event.id}/1", event_ns=1, account_id="main", cause=event.id, subject=event.kind, accepted=True,
        code="OK", sentence="Nothing is held.", figures={},
    )  # fmt: skip


def test_a_command_is_decided_though_the_broker_died_before_it_was_sent(tmp_path: Path) -> None:
    port = broker.free_port()
    process = started(port)
    commander = commander_of(port, tmp_path)
    process.kill()
    process.wait()
    answers: list[Decision] = []
    asking = threading.Thread(
        target=lambda: answers.append(commander.ask(Flatten(), 60.0, "c1")), daemon=True
    )
    asking.start()
    process = started(port)
    try:
        bootstrap, parts = f"127.0.0.1:{port}", {(topics.ACCOUNT_EVENTS.name, 0): None}
        account = FrameConsumer(bootstrap, dict(parts), fetch_wait_ms=5, name="account")
        producer = FrameProducer(bootstrap, 1, embedded=True, name="account")
        while asking.is_alive():
            for message in account.poll(100, 0.05):
                event = msgspec.json.decode(message.value, type=AccountEvent)
                assert event.id == "c1"
                producer.send_record(topics.DECISIONS, decision_on(event))
            producer.poll()
        assert [each.cause for each in answers] == ["c1"]
        account.close()
        commander.close()
    finally:
        process.kill()
        process.wait()


def test_nothing_is_sent_before_the_answer_would_be_read(tmp_path: Path) -> None:
    """A decision that nobody read is not made again, so a command must not run ahead of its reader."""
    port = broker.free_port()
    bootstrap = f"127.0.0.1:{port}"
    process = subprocess.Popen(broker.command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        broker.await_ready(bootstrap, process)
        log = Log(bootstrap, "test")
        log.create(topics.ACCOUNT_EVENTS, 0, 1)
        account = FrameConsumer(
            bootstrap, {(topics.ACCOUNT_EVENTS.name, 0): None}, fetch_wait_ms=5, name="account"
        )
        commander = commander_of(port, tmp_path)
        commander.begin(Flatten(), "c3")
        for _ in range(20):
            assert not commander.settle()
            assert not account.poll(100, 0.02)
        ensure_topics(bootstrap, 1)
        producer, decided = FrameProducer(bootstrap, 1, embedded=True, name="account"), False
        while not decided:
            decided = "c3" in commander.settle()
            for message in account.poll(100, 0.02):
                event = msgspec.json.decode(message.value, type=AccountEvent)
                producer.send_record(topics.DECISIONS, decision_on(event))
            producer.poll()
        account.close()
        commander.close()
    finally:
        process.kill()
        process.wait()


def test_without_a_decision_the_sentence_has_the_id_of_the_command(tmp_path: Path) -> None:
    port = broker.free_port()
    process = started(port)
    try:
        commander = commander_of(port, tmp_path)
        with pytest.raises(NoDecisionError, match="c2"):
            commander.ask(Flatten(), 0.2, "c2")
        commander.close()
    finally:
        process.kill()
        process.wait()
