"""The tables follow the registry: every field, its unit, its codes; what goes in comes out."""

import re

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from genesis.connectors.store import migrate, schema, tables, views
from genesis.connectors.store.errors import StoreError
from genesis.operators import topics
from genesis.operators.records import RowSchema
from genesis.operators.topics import Topic
from tests.connectors.store import samples

ROW_TOPICS = [topic for topic in topics.ARCHIVED if isinstance(topic.schema, RowSchema)]


def described(client: Client, table: str) -> dict[str, tuple[str, str, str]]:
    found = client.query(
        "SELECT name, type, default_kind, comment FROM system.columns "
        "WHERE database = 'genesis' AND table = {t:String}",
        {"t": table},
    ).result_rows
    return {name: (kind, default, comment) for name, kind, default, comment in found}


@pytest.mark.parametrize("topic", ROW_TOPICS, ids=lambda topic: topic.name)
def test_every_field_is_a_column_with_its_meaning(client: Client, topic: Topic) -> None:
    columns = described(client, topic.name)
    for field in topic.rows.fields:
        kind, _, comment = columns[field.name]
        assert comment == field.doc
        assert kind.startswith("Enum8") == (field.codes is not None)
        assert kind.startswith("Array") == bool(field.length)


@pytest.mark.parametrize("topic", topics.ARCHIVED, ids=lambda topic: topic.name)
def test_every_column_says_what_it_means(client: Client, topic: Topic) -> None:
    silent = [name for name, (_, _, comment) in described(client, topic.name).items() if not comment]
    assert not silent


@pytest.mark.parametrize("topic", topics.ARCHIVED, ids=lambda topic: topic.name)
def test_every_time_has_a_calendar_twin_and_no_duration_has(client: Client, topic: Topic) -> None:
    columns = described(client, topic.name)
    for name in columns:
        if name.endswith("_ns") and name not in schema.DURATIONS:
            assert columns[name.removesuffix("_ns") + "_time"][:2] == ("DateTime64(9, 'UTC')", "ALIAS")
    assert not [name for name in schema.DURATIONS if name.removesuffix("_ns") + "_time" in columns]


@pytest.mark.parametrize("topic", ROW_TOPICS, ids=lambda topic: topic.name)
def test_what_goes_in_comes_out(client: Client, topic: Topic) -> None:
    rows = samples.rows(topic, 500)
    table = tables.open_table(client, "genesis", topic)
    table.add(samples.message(topic, rows, 7, partition=3))
    assert table.flush() == tables.Stored(500, 0)
    names = [field.name for field in topic.rows.fields]
    order = topic.rows.order
    stored = client.query(f"SELECT {', '.join(names)} FROM {topic.name} ORDER BY {order}").result_columns
    for field, column in zip(topic.rows.fields, stored, strict=True):
        expected = rows[field.name]
        if field.codes is not None:
            assert [field.codes[name.upper()] for name in column] == expected.tolist()
        elif field.format.startswith("S"):
            assert column == [symbol.decode() for symbol in expected.tolist()]
        else:
            np.testing.assert_array_equal(np.array(column), expected)
    log = client.query(f"SELECT DISTINCT log_offset, log_generation, log_partition, log_id FROM {topic.name}")
    assert log.result_rows == [(7, 0, 3, "log-1")]


@pytest.mark.parametrize("topic", topics.ARCHIVED, ids=lambda topic: topic.name)
def test_rows_expire_so_many_days_after_they_were_stored(client: Client, topic: Topic) -> None:
    create = str(client.command(f"SHOW CREATE TABLE {topic.name}"))
    found = re.search(r"TTL inserted_at \+ toIntervalDay\((\d+)\)", create)
    assert (int(found[1]) if found else 0) == topic.ttl_days


def test_an_expired_row_is_removed_and_an_old_event_stored_today_is_not(client: Client) -> None:
    rows = samples.rows(topics.TRADES, 10)
    assert rows["event_ns"].max() < 1_750_000_000_000_000_000  # well over 90 days ago
    table = tables.open_table(client, "genesis", topics.TRADES)
    table.add(samples.message(topics.TRADES, rows, 0))
    table.flush()
    client.command(
        "INSERT INTO trades (market, symbol, trade_id, event_ns, inserted_at) "
        "VALUES ('spot', 'OLD', 1, 1723161254000000000, now() - INTERVAL 98 DAY)"
    )
    client.command("OPTIMIZE TABLE trades FINAL")
    assert client.query("SELECT DISTINCT symbol = 'OLD' FROM trades").result_rows == [(0,)]
    assert table.count() == 10


def test_preparing_twice_changes_nothing(client: Client) -> None:
    def definitions() -> list[object]:
        return list(
            client.query(
                "SELECT name, uuid, comment FROM system.tables WHERE database = 'genesis'"
            ).result_rows
        )

    before = definitions()
    migrate.prepare(client, "genesis")
    assert definitions() == before
    assert len(before) == len(topics.ARCHIVED) + sum(len(group) for group in views.GROUPS)


def test_a_missing_column_is_added_to_an_older_table(client: Client) -> None:
    client.command("ALTER TABLE quotes DROP COLUMN ask_qty")
    migrate.prepare(client, "genesis")
    assert described(client, "quotes")["ask_qty"][0] == "Float64"


def test_a_column_of_another_type_is_refused_with_its_name(client: Client) -> None:
    client.command("ALTER TABLE quotes MODIFY COLUMN ask_qty String")
    with pytest.raises(
        StoreError, match=r"column 'ask_qty' of table genesis\.quotes is String, this version writes Float64"
    ):
        migrate.prepare(client, "genesis")


def test_a_view_of_an_older_version_is_replaced(client: Client) -> None:
    client.command("DROP VIEW bars_1d")
    client.command("CREATE VIEW bars_1d AS SELECT 1 AS old COMMENT 'older'")
    migrate.prepare(client, "genesis")
    assert "vwap" in described(client, "bars_1d")
