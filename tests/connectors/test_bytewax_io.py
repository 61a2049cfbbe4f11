"""The edges of the flow: many frames in one array, few frames out, nothing lost when the queue is full."""

import threading
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from genesis.connectors import frames
from genesis.connectors.bytewax_io import (
    BATCH_MESSAGES_MAX,
    BATCH_MESSAGES_MIN,
    JOINED,
    FrameSink,
    FrameSource,
    Outbox,
    Signal,
    Undelivered,
    Wires,
)
from genesis.connectors.kafka import Message, Position, QueueFull
from genesis.connectors.meter import Meter
from genesis.operators import topics
from genesis.operators.arrays import NEVER_NS
from genesis.operators.records import BAR, TRADE, WATERMARK_FINAL_NS
from genesis.operators.topics import Topic


class FakeProducer:
    """A producer whose queue is full every so often."""

    def __init__(self, full_every: int = 0) -> None:
        self.sent: list[tuple[str, int, int, int]] = []
        self.records: list[msgspec.Struct] = []
        self.calls = self.flushes = 0
        self.full_every = full_every
        self.waiting = 0
        self.on_restart: Callable[[list[str]], None] = lambda _names: None

    def send(
        self, topic: Topic, partition: int, rows: np.ndarray, watermark_ns: int, cause_ns: int = 0
    ) -> None:
        self.calls += 1
        if self.full_every and self.calls % self.full_every == 0:
            raise QueueFull("full")
        self.sent.append((topic.name, partition, rows.size, watermark_ns))

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        self.records.append(record)

    def poll(self) -> None: ...

    def flush(self, timeout_s: float) -> int:
        self.flushes += 1
        return self.waiting


class FakeConsumer:
    """A consumer with messages that are already here."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages, self.asked, self.released = (
            messages,
            [0],
            list[dict[tuple[str, int], Position | None]](),
        )
        self.closed = False

    def poll(self, most: int, timeout_s: float = 0.0) -> list[Message]:
        assert timeout_s == 0.0
        self.asked.append(most)
        found, self.messages = self.messages[:most], self.messages[most:]
        return found

    def release(self, positions: dict[tuple[str, int], Position | None]) -> None:
        self.released.append(positions)

    def close(self) -> None:
        self.closed = True


def wires(consumer: FakeConsumer, producer: FakeProducer, frame_rows: int = 10) -> Wires:
    stopping, meter = threading.Event(), Meter("test")
    outbox = Outbox(producer, frame_rows, meter, stopping)
    return Wires(2, lambda _parts: consumer, outbox, meter, stopping)


def message(number: int, rows: int = 3, topic: Topic = topics.TRADES, **changed: object) -> Message:
    block = topic.rows.empty(rows)
    if "trade_id" in (block.dtype.names or ()):
        block["trade_id"] = number * 100 + np.arange(rows)
    headers = changed.get("headers", frames.encode_headers(topic.rows, number))
    value = changed.get("value", block.tobytes())
    return Message(topic, 0, Position(0, "log", number + 1), value, headers, False)  # type: ignore[arg-type]


def test_many_frames_become_one_array() -> None:
    listed = [message(number) for number in range(5)] + [message(9, 2, topics.QUOTES)]
    part = FrameSource(wires(FakeConsumer(listed), FakeProducer())).build_part("", "000", None)
    ((key, batch),) = part.next_batch()
    trades, quotes, book, gaps = batch.arrivals.rows
    assert key == "000"
    assert trades["trade_id"].tolist() == [n * 100 + i for n in range(5) for i in range(3)]
    assert trades.flags.writeable
    assert (quotes.size, book.size, gaps.size) == (2, 0, 0)
    assert batch.arrivals.watermarks_ns == (4, 9, NEVER_NS, NEVER_NS)
    assert batch.arrivals.ended == (0, 0, -1, -1)
    assert batch.sent_ns > 0 == batch.book_sent_ns
    assert part.next_batch() == []


def test_the_end_of_a_topic_is_told_apart_from_its_watermark() -> None:
    listed = [message(5), message(6, 0, headers=frames.encode_headers(TRADE, WATERMARK_FINAL_NS))]
    part = FrameSource(wires(FakeConsumer(listed), FakeProducer())).build_part("", "000", None)
    ((_, batch),) = part.next_batch()
    assert (batch.arrivals.watermarks_ns[0], batch.arrivals.ended[0]) == (5, 1)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"headers": []}, "unknown_schema"),
        ({"headers": [("schema", b"trade.v9"), ("watermark_ns", b"1"), ("sent_ns", b"1")]}, "unknown_schema"),
        ({"headers": [("schema", b"trade.v1"), ("watermark_ns", b"soon"), ("sent_ns", b"1")]}, "bad_header"),
        ({"headers": [("schema", b"trade.v1")]}, "bad_header"),
        ({"value": b"half a row"}, "ragged_frame"),
    ],
)
def test_what_is_no_frame_is_told_and_left_out(changed: dict[str, object], reason: str) -> None:
    letters = []
    listed = [message(1), message(2, **changed), message(3)]
    for _ in range(2):
        part = FrameSource(wires(FakeConsumer(list(listed)), FakeProducer())).build_part("", "000", None)
        ((_, batch),) = part.next_batch()
        assert batch.arrivals.rows[0].size == 6
        assert part.snapshot()["trades"][2] == 4  # reading goes on behind it
        letters += batch.letters
    assert [letter.reason for letter in letters] == [reason] * 2
    assert letters[0] == letters[1]


def test_headers_in_another_order_are_read_too() -> None:
    turned = frames.encode_headers(TRADE, 77)[::-1]
    part = FrameSource(wires(FakeConsumer([message(1, headers=turned)]), FakeProducer())).build_part(
        "", "000", None
    )
    ((_, batch),) = part.next_batch()
    assert (batch.arrivals.rows[0].size, batch.arrivals.watermarks_ns[0]) == (3, 77)


def test_batches_are_bounded_in_bytes_and_in_messages() -> None:
    big = FakeConsumer([message(n, 20_000) for n in range(60)])
    small = FakeConsumer([message(n, 1) for n in range(60)])
    for consumer, expected in ((big, BATCH_MESSAGES_MIN), (small, BATCH_MESSAGES_MAX)):
        part = FrameSource(wires(consumer, FakeProducer())).build_part("", "001", None)
        part.next_batch()
        part.next_batch()
        assert consumer.asked[1:] == [BATCH_MESSAGES_MIN, expected]


def test_only_what_an_older_snapshot_has_passed_is_released() -> None:
    consumer = FakeConsumer([message(1)])
    part = FrameSource(wires(consumer, FakeProducer())).build_part("", "000", None)
    part.next_batch()
    first = part.snapshot()
    consumer.messages = [message(5)]
    part.next_batch()
    part.snapshot()
    assert consumer.released == [{}, {("trades", 0): Position(*first["trades"])}]


def test_a_flow_that_is_asked_to_end_ends_at_its_next_batch() -> None:
    shared = wires(FakeConsumer([message(1)]), FakeProducer())
    part = FrameSource(shared).build_part("", "000", None)
    shared.stopping.set()
    with pytest.raises(StopIteration):
        part.next_batch()


def signal_of(rows: int, watermark_ns: int, partition: int = 0) -> Signal:
    return Signal("bars", partition, BAR.empty(rows), watermark_ns, 0)


def test_signals_of_a_batch_share_frames_and_only_the_last_carries_the_watermark() -> None:
    producer = FakeProducer()
    part = FrameSink(wires(FakeConsumer([]), producer)).build_part("", "000", None)
    part.write_batch([signal_of(0, 3)])
    part.write_batch([signal_of(7, 5), signal_of(7, 6, 1), signal_of(8, 9)])
    assert producer.sent == [("bars", 0, 0, 3), ("bars", 0, 10, 3), ("bars", 0, 5, 9), ("bars", 1, 7, 6)]
    assert part.snapshot() == {("bars", 0): 9, ("bars", 1): 6}


def test_a_full_queue_makes_the_flow_wait_and_loses_nothing() -> None:
    producer = FakeProducer(full_every=2)
    part = FrameSink(wires(FakeConsumer([]), producer)).build_part("", "000", None)
    part.write_batch([signal_of(45, 5)])
    assert [rows for _, _, rows, _ in producer.sent] == [10, 10, 10, 10, 5]
    assert producer.flushes > 0


def test_a_restart_repeats_the_watermarks_it_had_sent() -> None:
    producer = FakeProducer()
    FrameSink(wires(FakeConsumer([]), producer)).build_part("", "000", {("bars", 0): WATERMARK_FINAL_NS})
    assert producer.sent == [("bars", 0, 0, WATERMARK_FINAL_NS)]


def test_a_log_that_began_anew_gets_its_watermarks_again() -> None:
    producer = FakeProducer()
    shared = wires(FakeConsumer([]), producer)
    FrameSink(shared).build_part("", "000", None).write_batch([signal_of(1, 5)])
    producer.on_restart(["bars", "liquidity"])
    shared.outbox.poll()
    shared.outbox.poll()
    assert producer.sent[1:] == [("bars", 0, 0, 5)]


def test_a_snapshot_waits_for_delivery_and_fails_when_the_process_must_end() -> None:
    producer = FakeProducer()
    shared = wires(FakeConsumer([]), producer)
    part = FrameSink(shared).build_part("", "000", None)
    producer.waiting = 1
    shared.stopping.set()
    with pytest.raises(Undelivered):
        part.snapshot()


def test_keys_find_their_parts() -> None:
    sink = FrameSink(wires(FakeConsumer([]), FakeProducer()))
    parts = sorted(sink.list_parts())
    assert [parts[sink.part_fn(key)] for key in ("000", "001", JOINED)] == ["000", "001", JOINED]
