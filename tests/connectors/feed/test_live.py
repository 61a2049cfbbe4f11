"""What the feed does live, where nobody waits for it: lost room, late snapshots, quiet, restarts.

The venue is the simulator, taken for the real one: no receive times are handed along, and the clock
of this machine is the feed's.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genesis.connectors import settings
from genesis.connectors.feed import gaps
from genesis.connectors.feed.binance import BinanceAdapter
from genesis.connectors.feed.health import Reporter
from genesis.connectors.feed.limits import Limits
from genesis.connectors.feed.venue import Offer
from genesis.connectors.venue.fault_kinds import parse_fault
from genesis.operators.records import GapReason, Health, Market, StreamKind
from tests.connectors.feed.honesty import TOPICS, assert_promises_kept, gaps_of, open_gaps, reasons
from tests.connectors.feed.running import QUICK, Meddle, Running, follow, replayed, venue


class LiveAdapter(BinanceAdapter):
    """The simulator, as if it were the real venue."""

    def __init__(self, configured: settings.Settings) -> None:
        super().__init__(configured)
        self.is_replay = False
        self.headers = {}

    def _base(self, scheme: str, live_host: str) -> str:
        return f"{scheme}://{self._simulator}"


def watched(
    files: list[Path],
    data: Path,
    meddle: Meddle,
    *faults: str,
    limits: Limits = QUICK,
    speed: float = 10.0,
    **changes: object,
) -> Running:
    """Follow the simulator live until ``meddle`` is done."""

    async def run() -> Running:
        async with venue(*faults, replay=tuple(map(str, files)), speed=speed) as (url, server):
            configured = settings.read(venue_url=url, data=data, symbols="spot:BTCUSDT", **changes)
            return await follow(configured, meddle, limits, server, adapter=LiveAdapter(configured))

    return asyncio.run(run())


def trades(running: Running) -> np.ndarray:
    return np.sort(running.kept.rows("trades")["trade_id"])


def test_a_broker_that_takes_nothing_costs_ticks_that_are_published_as_gaps(
    short: list[Path], tmp_path: Path
) -> None:
    async def meddle(running: Running) -> None:
        await running.until(lambda: len(running.kept.rows("trades")) > 20)
        running.kept.is_full = True
        await running.until(lambda: running.feed.outbox.is_losing)
        await running.until(lambda: running.feed.gaps.open)
        lost_until = running.feed.connections[0].ingest.counts["trade"] + 20
        await running.until(lambda: running.feed.connections[0].ingest.counts["trade"] > lost_until)
        running.kept.is_full = False
        await running.until(lambda: not running.feed.gaps.open)

    run = watched(short[:1], tmp_path, meddle, limits=replace(QUICK, overflow_s=0.1))
    assert {next(iter(found)) for found in reasons(run).values()} == {GapReason.OVERFLOW}
    assert open_gaps(run) == []
    have = trades(run)
    missing = set(range(have[0], have[-1] + 1)) - set(have.tolist())
    assert missing
    (gap,) = gaps_of(run, "trades")
    assert gap["first_missing_id"] == min(missing)
    assert gap["last_missing_id"] >= max(missing), "rows that waited when there was room again may count in"
    assert_promises_kept(run)


def test_a_book_that_gets_no_snapshot_gives_up_and_holds_nothing_back(
    short: list[Path], tmp_path: Path
) -> None:
    async def meddle(running: Running) -> None:
        await running.until(lambda: running.feed.gaps.open)
        before = running.kept.watermarks["book", 0][-1]
        await running.until(lambda: running.kept.watermarks["book", 0][-1] > before + 500_000_000)

    limits = replace(QUICK, hold_s=0.3)
    run = watched(short[:1], tmp_path, meddle, "429:depth:count=1,retry_after_s=60", limits=limits, shards=1)
    assert reasons(run) == {"book": {GapReason.SNAPSHOT}}
    assert_promises_kept(run)


def test_a_book_that_gave_up_is_whole_again_with_the_next_snapshot(short: list[Path], tmp_path: Path) -> None:
    async def meddle(running: Running) -> None:
        await running.until(lambda: running.feed.gaps.open)
        await running.until(lambda: not running.feed.gaps.open)

    limits = replace(QUICK, hold_s=0.2)
    run = watched(short[:1], tmp_path, meddle, "slow_snapshot:*:wall_ms=900", limits=limits)
    assert reasons(run) == {"book": {GapReason.SNAPSHOT}}
    assert open_gaps(run) == []
    assert len(run.kept.rows("book")) > 0
    assert_promises_kept(run)


def test_in_a_quiet_market_the_clock_moves_the_watermark(short: list[Path], tmp_path: Path) -> None:
    async def meddle(running: Running) -> None:
        await running.until(lambda: len(running.kept.rows("trades")) > 5)
        fault = "stall:*:wall_ms=1500"
        running.server.faults.add(parse_fault(fault))
        await running.until(lambda: running.server.faults.fired)
        before = len(running.kept.watermarks["trades", 0])
        await running.until(lambda: len(running.kept.watermarks["trades", 0]) > before + 5)

    run = watched(short[:1], tmp_path, meddle, shards=1)
    frames, watermarks = run.kept.by_partition["trades", 0], run.kept.watermarks["trades", 0]
    steps = zip(frames[1:], watermarks, watermarks[1:], strict=False)
    assert sum(not len(rows) and now > before for rows, before, now in steps) >= 4
    assert_promises_kept(run)


def test_a_stopped_feed_publishes_what_it_missed_when_it_starts_again(
    short: list[Path], tmp_path: Path
) -> None:
    """Two feeds, one after the other, on one venue that does not wait."""

    async def some(running: Running) -> None:
        await running.until(lambda: all(len(running.kept.rows(topic)) > 20 for topic in TOPICS))

    async def run() -> list[Running]:
        async with venue(replay=(str(short[0]),), speed=6.0) as (url, server):
            configured = settings.read(venue_url=url, data=tmp_path, symbols="spot:BTCUSDT")
            first = await follow(configured, some, QUICK, server, adapter=LiveAdapter(configured))
            assert gaps.remembered(tmp_path, url)
            seen = server.player.position
            while server.player.position < seen + 300:  # noqa: ASYNC110 - a position has no event
                await asyncio.sleep(0.01)
            second = await follow(configured, some, QUICK, server, adapter=LiveAdapter(configured))
            return [first, second]

    first, second = asyncio.run(run())
    assert reasons(first) == {}
    assert reasons(second) == {topic: {GapReason.FEED_RESTART} for topic in TOPICS}
    assert open_gaps(second) == []
    for topic in TOPICS:
        (gap,) = gaps_of(second, topic)
        old, new = first.kept.rows(topic)["event_ns"], second.kept.rows(topic)["event_ns"]
        assert gap["start_ns"] <= old.max()
        assert old.max() <= gap["end_ns"] <= new.min() + 1_000_000
    assert_promises_kept(second)


def test_the_memory_of_another_venue_says_nothing(tmp_path: Path) -> None:
    gaps.remember(tmp_path, gaps.Memory("http://127.0.0.1:1", {"spot:BTCUSDT@trades": 5}))
    assert gaps.remembered(tmp_path, "http://127.0.0.1:1") == {"spot:BTCUSDT@trades": 5}
    assert gaps.remembered(tmp_path, "binance") == {}
    (tmp_path / "feed.json").write_text("{")
    assert gaps.remembered(tmp_path, "binance") == {}


def test_a_log_that_began_anew_is_a_gap_of_what_may_not_have_been_read(
    short: list[Path], tmp_path: Path
) -> None:
    async def meddle(running: Running) -> None:
        await running.until(lambda: all(len(running.kept.rows(topic)) > 50 for topic in TOPICS))
        await running.until(lambda: len(running.kept.rows("trades")["event_ns"]) > 100)
        running.feed.on_log_restart(["trades", "book"])
        running.feed.on_lost("quotes", 0, 0)
        await running.until(lambda: len(running.kept.rows("gaps")) >= 6)

    run = replayed(short[:1], tmp_path, meddle=meddle, speed=10.0, shards=1)
    assert reasons(run) == {
        "trades": {GapReason.LOG_RESTART},
        "book": {GapReason.LOG_RESTART},
        "quotes": {GapReason.OVERFLOW},
    }
    assert open_gaps(run) == []
    assert_promises_kept(run)


def test_what_halts_is_reported_and_followed_again_when_it_trades(short: list[Path], tmp_path: Path) -> None:
    async def meddle(running: Running) -> None:
        await running.until(lambda: len(running.kept.rows("trades")) > 0)
        running.feed.note_listings(Market.SPOT, Offer((), {"BTCUSDT": "HALT"}))
        assert running.feed.halted == {"spot:BTCUSDT": "HALT"}
        Reporter(running.feed).tell()
        await running.until(lambda: any("HALT" in health.detail for health in running.kept.healths))
        running.feed.note_listings(Market.SPOT, Offer(("BTCUSDT",), {}))
        assert running.feed.halted == {}

    run = watched(short[:1], tmp_path, meddle)
    told = next(health for health in run.kept.healths if "HALT" in health.detail)
    assert isinstance(told, Health)
    assert told.figures["symbols_halted"] == 1


@pytest.mark.parametrize("kind", list(StreamKind))
def test_every_stream_has_a_name_for_files(kind: StreamKind) -> None:
    assert gaps.Stream(Market.USDM, b"BTCUSDT", kind).text == f"usdm:BTCUSDT@{kind.name.lower()}"
