"""A row is in its table once, physically, and positions come from the rows alone."""

from typing import Any

import msgspec
import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from genesis.connectors.frames import FrameError, encode_headers
from genesis.connectors.kafka import Message, Position
from genesis.connectors.store import tables
from genesis.connectors.store.tables import Stored
from genesis.operators import topics
from genesis.operators.records import Health
from genesis.operators.topics import Topic
from tests.connectors.store import samples

TRADES = topics.TRADES


def offer(table: tables.StoreTable, *contents: Any, offset: int = 0) -> Stored:
    for number, rows in enumerate(contents):
        table.add(samples.message(table.topic, rows, offset + number))
    return table.flush()


def parts_of(client: Client, table: str) -> int:
    query = f"SELECT count() FROM system.parts WHERE database = 'genesis' AND table = '{table}' AND active"
    return int(client.query(query).result_rows[0][0])


@pytest.fixture
def table(client: Client) -> tables.StoreTable:
    return tables.open_table(client, "genesis", TRADES)


def test_a_repeat_is_left_out_within_a_batch_and_across_batches(table: tables.StoreTable) -> None:
    rows = samples.rows(TRADES, 100)
    assert offer(table, rows[:60], rows[40:]) == Stored(100, 20)
    assert offer(table, rows) == Stored(0, 100)
    assert table.count() == 100


def test_a_late_repeat_far_out_of_the_batch_is_left_out(table: tables.StoreTable) -> None:
    rows = samples.rows(TRADES, 1_000)
    rows["event_ns"] = samples.START_NS + np.arange(1_000) * 3_600_000_000_000
    offer(table, rows)
    mixed = np.concatenate([rows[[500, 3, 999, 0, 250]], samples.rows(TRADES, 7, seed=1)])
    assert offer(table, mixed) == Stored(7, 5)


def test_the_same_id_stamped_a_little_differently_is_a_repeat(client: Client) -> None:
    quotes = tables.open_table(client, "genesis", topics.QUOTES)
    rows = samples.rows(topics.QUOTES, 50)
    offer(quotes, rows)
    rows["event_ns"] += 186_000_000
    assert offer(quotes, rows) == Stored(0, 50)


def test_one_flush_is_one_part(client: Client, table: tables.StoreTable) -> None:
    client.command("SYSTEM STOP MERGES trades")
    offer(table, *(samples.rows(TRADES, 2_000, seed) for seed in range(40)))
    assert parts_of(client, "trades") == 1
    client.command("SYSTEM START MERGES trades")


def test_a_failed_flush_keeps_what_waits(client: Client, table: tables.StoreTable) -> None:
    rows = samples.rows(TRADES, 10)
    table.add(samples.message(TRADES, rows, 0))
    client.command("RENAME TABLE trades TO elsewhere")
    with pytest.raises(Exception, match="UNKNOWN_TABLE"):
        table.flush()
    client.command("RENAME TABLE elsewhere TO trades")
    assert table.rows_waiting == 10
    assert table.flush() == Stored(10, 0)


def test_positions_are_where_the_newest_rows_came_from(client: Client, table: tables.StoreTable) -> None:
    assert table.positions([0, 1]) == {}
    for partition, offset, seed in ((0, 7, 1), (0, 9, 2), (1, 3, 3)):
        table.add(samples.message(TRADES, samples.rows(TRADES, 5, seed), offset, partition=partition))
    table.flush()
    assert table.positions([0, 1, 2]) == {0: Position(0, "log-1", 9), 1: Position(0, "log-1", 3)}


def test_the_position_is_in_the_log_that_was_read_last(client: Client, table: tables.StoreTable) -> None:
    client.command(
        "INSERT INTO trades (trade_id, log_offset, log_id, inserted_at) VALUES (1, 900, 'old', now() - 2)"
    )
    table.add(samples.message(TRADES, samples.rows(TRADES, 5, 2), 3, log_id="new"))
    table.flush()
    assert table.positions([0]) == {0: Position(0, "new", 3)}


def test_a_partition_that_is_quiet_for_days_is_found_too(client: Client, table: tables.StoreTable) -> None:
    for trade_id, partition, days in ((1, 0, 0), (2, 1, 3), (3, 2, 30)):
        client.command(
            "INSERT INTO trades (trade_id, log_offset, log_partition, inserted_at) "
            f"VALUES ({trade_id}, 5, {partition}, now() - INTERVAL {days} DAY)"
        )
    assert table.positions([0, 1, 2]).keys() == {0, 1}


@pytest.mark.parametrize("topic", [topics.BARS, topics.CORRELATION, topics.GAPS, topics.MARKET_STATE])
def test_every_kind_of_key_is_recognised(client: Client, topic: Topic) -> None:
    made = tables.open_table(client, "genesis", topic)
    rows = samples.rows(topic, 300)
    assert offer(made, rows) == Stored(300, 0)
    shuffled = np.random.default_rng(5).permutation(rows)
    assert offer(made, shuffled, shuffled) == Stored(0, 600)


def test_a_frame_with_a_code_that_does_not_exist_is_refused_whole(table: tables.StoreTable) -> None:
    rows = samples.rows(TRADES, 3)
    rows["side"] = [1, 2, -1]
    with pytest.raises(FrameError, match=r"field side of trade\.v1 has no code 2"):
        table.add(samples.message(TRADES, rows, 0))
    assert table.rows_waiting == 0


def health(number: int) -> Health:
    return Health(
        id=f"feed-{number}", recv_ns=number, component="feed", state="ok", detail="", figures={"lag_ms": 1.5}
    )


def test_a_record_is_stored_once_by_its_id(client: Client) -> None:
    made = tables.open_table(client, "genesis", topics.HEALTH)
    for number in (1, 2, 1):
        at = Position(0, "log-1", number)
        value = msgspec.json.encode(health(number))
        made.add(Message(topics.HEALTH, 0, at, value, [("schema", b"health.v1")], restarted=False))
    assert made.flush() == Stored(2, 1)
    stored = client.query("SELECT id, figures['lag_ms'] FROM health ORDER BY id").result_rows
    assert stored == [("feed-1", 1.5), ("feed-2", 1.5)]


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b"{}", [], "malformed_record"),
        (b"\xff", [], "malformed_record"),
        (b"null", [], "malformed_record"),
        (msgspec.json.encode(health(1)), encode_headers(TRADES.rows, 1), "unknown_schema"),
    ],
)
def test_what_is_no_record_is_refused(
    client: Client, value: bytes, headers: list[tuple[str, bytes]], reason: str
) -> None:
    made = tables.open_table(client, "genesis", topics.HEALTH)
    with pytest.raises(FrameError) as refused:
        made.add(Message(topics.HEALTH, 0, Position(0, "log-1", 1), value, headers, restarted=False))
    assert refused.value.reason == reason
    assert made.rows_waiting == 0


def test_times_far_apart_are_asked_for_in_few_spans() -> None:
    rng = np.random.default_rng(3)
    times = rng.integers(0, 10**15, 1_000)
    spans = tables.spans_of(times)
    assert len(spans) == tables.SPANS_MAX
    assert all(any(low < time < high for low, high in spans) for time in times.tolist())
