"""Apache Kafka of the tests: real, keeps what it confirmed across kill -9, and says what is missing."""

import os
import signal
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests import kafka_server
from tests.kafka_server import ApacheKafka, KafkaFailed, KafkaUnavailable, apache_kafka

TOPIC = "frames"
HEADERS: list[tuple[str, str | bytes | None]] = [("schema", b"trade.v1"), ("watermark_ns", b"\x00\x01\xff")]
TIMEOUT_S = 20.0


def create_topic(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(TOPIC, num_partitions=2, replication_factor=1)])[TOPIC].result(TIMEOUT_S)


def produce(bootstrap: str, values: list[bytes]) -> None:
    errors: list[KafkaError] = []

    def report(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            errors.append(error)

    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    for value in values:
        producer.produce(TOPIC, value, partition=1, headers=HEADERS, on_delivery=report)
    assert producer.flush(TIMEOUT_S) == 0
    assert not errors


def consume(bootstrap: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 1, 0)])
    try:
        return consumer.consume(count, TIMEOUT_S)
    finally:
        consumer.close()


def test_confirmed_frames_survive_kill_9_and_restart(kafka: ApacheKafka) -> None:
    create_topic(kafka.bootstrap)
    frames = [bytes([n]) * 4_000 for n in range(50)]
    produce(kafka.bootstrap, frames)
    first_pid = kafka.pid
    kafka.kill()
    kafka.restart()
    assert kafka.pid != first_pid
    produce(kafka.bootstrap, [b"after"])
    messages = consume(kafka.bootstrap, 51)
    assert [message.error() for message in messages] == [None] * 51
    assert [message.value() for message in messages] == [*frames, b"after"]
    assert [message.offset() for message in messages] == list(range(51))
    assert all(message.headers() == HEADERS for message in messages)


def test_a_server_that_cannot_start_is_reported_with_its_log(kafka: ApacheKafka, tmp_path: Path) -> None:
    broken = ApacheKafka(tmp_path)
    settings = tmp_path / "server.properties"
    settings.write_text(settings.read_text(encoding="utf-8") + "log.segment.bytes=none\n", encoding="utf-8")
    with pytest.raises(KafkaFailed, match=r"log\.segment\.bytes"):
        broken.start()


def test_no_process_is_left_behind(kafka: ApacheKafka, tmp_path: Path) -> None:
    with pytest.raises(InterruptedError), apache_kafka(tmp_path) as second:
        assert second.bootstrap != kafka.bootstrap
        pid = second.pid
        os.kill(pid, 0)
        raise InterruptedError
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_a_machine_without_java_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KafkaUnavailable, match="needs Java 17 and Maven, but there is no java"):
        kafka_server.resolve_jars()


def test_a_refusal_of_maven_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, script in (("java", "exit 0"), ("mvn", "echo '[ERROR] no such jar'; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(kafka_server, "jar_folder", lambda: tmp_path / "never" / "lib")
    with pytest.raises(KafkaUnavailable, match="no such jar"):
        kafka_server.resolve_jars()
