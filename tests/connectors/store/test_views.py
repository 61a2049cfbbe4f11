"""Rollups say what their source says, whatever was offered twice or lost in a crash."""

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from genesis.connectors.store import migrate, tables, views
from genesis.operators import topics
from tests.connectors.store import samples

MINUTE_NS = 60_000_000_000


@pytest.fixture
def filled(client: Client) -> Client:
    """Give a store with bars in several revisions and a few minutes of correlation."""
    bars = samples.rows(topics.BARS, 300)
    bars["interval_ns"] = 3_600_000_000_000
    bars["open_ns"] = (
        samples.START_NS // 3_600_000_000_000 * 3_600_000_000_000 + np.arange(300) // 3 * 3_600_000_000_000
    )
    bars["revision"] = np.arange(300) % 3
    bars["symbol"], bars["market"] = b"BTCUSDT", 1
    for name in ("open", "high", "low", "close", "qty", "vwap"):
        bars[name] = np.arange(300) + 1.0
    bars["trade_count"] = 1
    correlation = samples.rows(topics.CORRELATION, 400)
    correlation["sample_ns"] = (
        samples.START_NS // MINUTE_NS * MINUTE_NS + (np.arange(400) + 1) * 1_000_000_000
    )
    correlation["symbol_a"], correlation["symbol_b"] = b"BTCUSDT", b"ETHUSDT"
    correlation["market_a"] = correlation["market_b"] = 1
    correlation["correlation"][:70] = np.nan
    for topic, rows in ((topics.BARS, bars), (topics.CORRELATION, correlation)):
        table = tables.open_table(client, "genesis", topic)
        table.add(samples.message(topic, rows, 0))
        table.flush()
    return client


def content(client: Client) -> list[object]:
    query = "SELECT * FROM {} ORDER BY ALL"
    return [repr(client.query(query.format(group[-1].name)).result_rows) for group in views.GROUPS]


def test_a_bar_is_seen_in_its_newest_revision_only(filled: Client) -> None:
    found = filled.query("SELECT count(), min(revision), uniqExact(open_ns) FROM bars_latest").result_rows
    assert found == [(100, 2, 100)]


def test_daily_bars_are_made_of_hours(filled: Client) -> None:
    hours = filled.query(
        "SELECT toDate(open_time) AS day, argMin(open, open_ns), max(high), min(low), "
        "argMax(close, open_ns), count() FROM bars_latest GROUP BY day ORDER BY day"
    ).result_rows
    days = filled.query("SELECT day, open, high, low, close, hours FROM bars_1d ORDER BY day").result_rows
    assert days == hours
    assert len(days) == 6


def test_minutes_hold_the_last_the_least_and_the_greatest_correlation(filled: Client) -> None:
    found = filled.query(
        "SELECT minute, correlation, correlation_min, correlation_max, effective_count "
        "FROM correlation_1m ORDER BY minute"
    ).result_rows
    samples_of = filled.query(
        "SELECT correlation, effective_count FROM correlation ORDER BY sample_ns"
    ).result_rows
    assert len(found) == 7
    assert np.isnan(found[0][1])
    assert np.isnan(found[0][2])
    for number, (_, last, least, greatest, effective) in enumerate(found[1:], 1):
        minute = [each[0] for each in samples_of[60 * number : 60 * number + 60]]
        np.testing.assert_equal(last, minute[-1])
        np.testing.assert_equal((least, greatest), (np.nanmin(minute), np.nanmax(minute)))
        np.testing.assert_equal(effective, samples_of[min(60 * number + 59, 399)][1])


def test_what_a_crash_kept_from_a_rollup_is_offered_again(filled: Client) -> None:
    before = content(filled)
    for rollup in views.ROLLUPS:
        filled.command(
            f"ALTER TABLE {rollup.name}_data DELETE WHERE rand() % 2 = 0 SETTINGS mutations_sync = 2"
        )
    assert content(filled) != before
    views.heal(filled, "genesis")
    assert content(filled) == before


def test_healing_twice_changes_nothing(filled: Client) -> None:
    before = content(filled)
    views.heal(filled, "genesis")
    views.heal(filled, "genesis")
    assert content(filled) == before


def test_a_rollup_made_anew_is_filled_from_all_there_is(filled: Client) -> None:
    before = content(filled)
    older = "SELECT * REPLACE (inserted_at - INTERVAL 1 DAY AS inserted_at) FROM bars WHERE revision < 2"
    newer = "revision < 2 AND inserted_at > now() - INTERVAL 1 HOUR"
    filled.command(f"INSERT INTO bars {older}")
    filled.command(f"ALTER TABLE bars DELETE WHERE {newer} SETTINGS mutations_sync = 2")
    filled.command("DROP VIEW bars_latest")
    migrate.prepare(filled, "genesis")
    views.heal(filled, "genesis")
    assert content(filled) == before
