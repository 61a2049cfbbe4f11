"""Frames through the real embedded broker: order, repeats, generations, incarnations."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.frames import FrameError, decode
from genesis.connectors.kafka import (
    FrameConsumer,
    FrameProducer,
    Log,
    Message,
    Position,
    QueueFull,
    ensure_topics,
)
from genesis.connectors.kafka.log import name_at
from genesis.operators import topics
from genesis.operators.records import BAR, TRADE, DeadLetter

DEADLINE_S = 30.0


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


def trades(first: int, count: int) -> np.ndarray:
    rows = TRADE.empty(count)
    rows["trade_id"] = np.arange(first, first + count)
    rows["symbol"] = b"BTCUSDT"
    rows["market"] = 1
    return rows


def read_until(consumer: FrameConsumer, done: Callable[[list[Message]], bool]) -> list[Message]:
    found: list[Message] = []
    deadline_s = time.monotonic() + DEADLINE_S
    while not done(found):
        assert time.monotonic() < deadline_s, f"only {len(found)} messages came"
        found += consumer.poll(1_000, 0.05)
    return found


def ids(messages: list[Message]) -> list[int]:
    return [int(i) for m in messages for i in decode(TRADE, m.value, m.headers).rows["trade_id"]]


def producer_for(broker: EmbeddedBroker, generation_bytes: int = 0) -> FrameProducer:
    return FrameProducer(broker.bootstrap, 2, embedded=True, generation_bytes=generation_bytes, name="test")


def consumer_for(broker: EmbeddedBroker, position: Position | None = None) -> FrameConsumer:
    return FrameConsumer(broker.bootstrap, {("trades", 1): position}, fetch_wait_ms=5, name="archive")


def test_a_frame_comes_back_as_it_was_sent(broker: EmbeddedBroker) -> None:
    producer, consumer = producer_for(broker), consumer_for(broker)
    producer.send(topics.TRADES, 1, trades(10, 3), watermark_ns=77, cause_ns=5)
    (message,) = read_until(consumer, lambda found: len(found) == 1)
    frame = decode(TRADE, message.value, message.headers)
    assert frame.rows.tobytes() == trades(10, 3).tobytes()
    assert (frame.watermark_ns, frame.cause_ns) == (77, 5)
    assert not message.restarted
    consumer.close()


def test_reading_goes_on_from_a_kept_position(broker: EmbeddedBroker) -> None:
    producer, consumer = producer_for(broker), consumer_for(broker)
    for number in range(5):
        producer.send(topics.TRADES, 1, trades(number, 1), 0)
    first = read_until(consumer, lambda found: len(found) >= 2)
    consumer.close()
    resumed = consumer_for(broker, first[1].position)
    rest = read_until(resumed, lambda found: len(found) == 3)
    assert ids(rest) == [2, 3, 4]
    assert not rest[0].restarted
    resumed.close()


def test_a_topic_rolls_through_generations_and_old_ones_go_when_released(broker: EmbeddedBroker) -> None:
    producer, consumer = producer_for(broker, generation_bytes=2_000), consumer_for(broker)
    market = FrameConsumer(
        broker.bootstrap, {("trades", 0): None, ("trades", 1): None}, fetch_wait_ms=5, name="market"
    )
    zero = FrameConsumer(broker.bootstrap, {("trades", 0): None}, fetch_wait_ms=5, name="archive")
    got: list[int] = []
    for number in range(40):
        producer.send(topics.TRADES, 1, trades(number * 10, 10), number)
        producer.flush(5)
        got += ids(read_until(consumer, lambda found: len(found) == 1))
        for reader in (consumer, market, zero):
            reader.poll(100, 0.01)
            reader.release(reader.positions())
    existing = Log(broker.bootstrap, "test").generations([topics.TRADES])["trades"]
    assert got == list(range(400))
    assert existing[0] > 0, "no generation was deleted"
    assert len(existing) <= 4
    for reader in (consumer, market, zero):
        reader.close()


def test_readers_that_do_not_let_go_hold_the_producer_back(broker: EmbeddedBroker) -> None:
    producer = producer_for(broker, generation_bytes=2_000)

    def flood() -> None:
        for number in range(100):
            producer.send(topics.TRADES, 1, trades(number * 10, 10), number)

    with pytest.raises(QueueFull, match="generations behind"):
        flood()
    late = consumer_for(broker)
    found = read_until(late, lambda found: sum(m.value != b"" for m in found) >= 10)
    assert ids(found)[:100] == list(range(100)), "what waits in old generations is still read in order"
    late.close()


def test_a_restarted_broker_is_a_new_incarnation_for_both_sides(broker: EmbeddedBroker) -> None:
    producer, consumer = producer_for(broker), consumer_for(broker)
    restarts: list[str] = []
    producer.on_restart = restarts.extend
    for number in range(3):
        producer.send(topics.TRADES, 1, trades(number, 1), 0)
    before = read_until(consumer, lambda found: len(found) == 3)
    old_id = producer.log_ids["trades"]
    broker.kill()
    broker.start()
    producer.send(topics.TRADES, 1, trades(3, 1), 0)
    after: list[Message] = []
    deadline_s = time.monotonic() + DEADLINE_S
    while not after:
        assert time.monotonic() < deadline_s
        producer.poll()
        after += consumer.poll(100, 0.05)
    assert ids(before + after) == [0, 1, 2, 3]
    assert [m.restarted for m in after] == [True]
    assert restarts == ["trades"]
    assert producer.log_ids["trades"] != old_id
    consumer.close()


def test_a_position_of_another_incarnation_is_discarded(broker: EmbeddedBroker) -> None:
    producer = producer_for(broker)
    for number in range(3):
        producer.send(topics.TRADES, 1, trades(number, 1), 0)
    producer.flush(5)
    consumer = consumer_for(broker, Position(0, "another-log", 900))
    found = read_until(consumer, lambda found: len(found) == 3)
    assert ids(found) == [0, 1, 2]
    assert [m.restarted for m in found] == [True, False, False]
    consumer.close()


def test_json_records_have_their_schema_in_the_header(broker: EmbeddedBroker) -> None:
    producer = producer_for(broker)
    letter = DeadLetter(id="1", recv_ns=2, source="a", reason="b", detail="c", payload="d", payload_bytes=1)
    producer.send_record(topics.DEAD_LETTERS, letter)
    consumer = FrameConsumer(broker.bootstrap, {("dead_letters", 0): None}, fetch_wait_ms=5, name="x")
    (message,) = read_until(consumer, lambda found: len(found) == 1)
    assert message.headers == [("schema", b"dead_letter.v1")]
    assert b'"reason":"b"' in message.value
    consumer.close()


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"", [("schema", b"trade.v9"), ("watermark_ns", b"1")], "unknown_schema"),
        (b"", None, "unknown_schema"),
        (b"123", [("schema", b"trade.v1"), ("watermark_ns", b"1")], "ragged_frame"),
        (b"", [("schema", b"trade.v1")], "bad_header"),
        (b"", [("schema", b"trade.v1"), ("watermark_ns", b"soon")], "bad_header"),
    ],
)
def test_what_is_not_a_frame_is_refused_with_a_reason(
    value: bytes, headers: list[tuple[str, bytes]] | None, reason: str
) -> None:
    with pytest.raises(FrameError) as refused:
        decode(TRADE, value, headers)
    assert refused.value.reason == reason


def test_all_topics_are_made_and_another_shard_count_is_refused(broker: EmbeddedBroker) -> None:
    ensure_topics(broker.bootstrap, 2)
    ensure_topics(broker.bootstrap, 2)
    names = Log(broker.bootstrap, "test").names()
    assert {name_at(topic, 0) for topic in topics.ALL} <= names
    with pytest.raises(ValueError, match="GENESIS_SHARDS"):
        ensure_topics(broker.bootstrap, 3)


def test_a_json_topic_with_two_writers_rolls_without_losing_a_record(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genesis.connectors.kafka.producer.LOOK_EVERY_S", 0.0)
    writers = [producer_for(broker, generation_bytes=3_000) for _ in range(2)]
    consumer = FrameConsumer(broker.bootstrap, {("dead_letters", 0): None}, fetch_wait_ms=5, name="archive")
    seen: set[bytes] = set()
    deadline_s = time.monotonic() + DEADLINE_S
    for number in range(60):
        letter = DeadLetter(
            id=str(number), recv_ns=0, source="", reason="", detail="", payload="", payload_bytes=0
        )
        writers[number % 2].send_record(topics.DEAD_LETTERS, letter)
        for writer in writers:
            writer.flush(5)
        seen |= {m.value for m in consumer.poll(100, 0.02)}
        consumer.release(consumer.positions())
    for writer in writers:
        writer.send_record(topics.DEAD_LETTERS, letter)
        writer.flush(5)
    while len(seen) < 60:
        assert time.monotonic() < deadline_s, f"{len(seen)} of 60 records came"
        seen |= {m.value for m in consumer.poll(100, 0.05)}
    assert Log(broker.bootstrap, "test").generations([topics.DEAD_LETTERS])["dead_letters"][-1] >= 2
    consumer.close()


def test_frames_of_a_colour_that_was_fenced_off_do_not_count(broker: EmbeddedBroker) -> None:
    ensure_topics(broker.bootstrap, 2)
    old, new = producer_for(broker), producer_for(broker)
    old.epoch, new.epoch = 3, 4

    def send(producer: FrameProducer, first: int, count: int) -> None:
        producer.send(topics.TRADES, 1, trades(first, count), first)
        assert producer.flush(DEADLINE_S) == 0

    send(old, 0, 2)
    send(new, 2, 0)  # the mark
    for first in (10, 11, 12):  # the old one has not noticed
        send(old, first, 1)
        send(new, first + 90, 1)
    old.epoch = 5
    old.begin_session()
    send(old, 200, 1)
    send(new, 201, 1)
    send(old, 202, 1)
    consumer = consumer_for(broker)
    found = read_until(consumer, lambda messages: 202 in ids(messages))
    assert ids(found) == [0, 1, 100, 101, 102, 200, 202]
    assert not any(message.restarted for message in found)
    at = found[2].position
    consumer.close()
    again = consumer_for(broker, at)  # the fence outlives the reader
    assert ids(read_until(again, lambda messages: 202 in ids(messages))) == [101, 102, 200, 202]
    again.close()


def test_a_writer_that_takes_over_again_goes_on_where_the_other_has_rolled_to(broker: EmbeddedBroker) -> None:
    ensure_topics(broker.bootstrap, 2)
    first, other = (producer_for(broker, generation_bytes=8 * 100 * BAR.dtype.itemsize) for _ in range(2))
    first.epoch, other.epoch = 1, 2
    consumer = FrameConsumer(broker.bootstrap, {("bars_green", 1): None}, fetch_wait_ms=5, name="reader")

    def send(producer: FrameProducer, watermark_ns: int) -> None:
        producer.send(topics.BY_NAME["bars_green"], 1, BAR.empty(100), watermark_ns)
        assert producer.flush(DEADLINE_S) == 0

    send(first, 1)
    for watermark_ns in range(2, 12):
        send(other, watermark_ns)
    assert Log(broker.bootstrap, "test").generations([topics.BY_NAME["bars_green"]])["bars_green"] == [0, 1]
    first.epoch = 3
    first.begin_session()
    send(first, 12)
    found = read_until(consumer, lambda messages: len(messages) == 12)
    assert [decode(BAR, m.value, m.headers).watermark_ns for m in found] == list(range(1, 13))
    assert [m.position.epoch for m in found] == [1] + [2] * 10 + [3]
    consumer.close()
