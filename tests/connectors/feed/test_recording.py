"""What is recorded replays to the same rows."""

import asyncio
import gzip
from pathlib import Path

import pytest

from genesis.connectors import settings
from genesis.connectors.feed.binance import BinanceAdapter
from genesis.connectors.feed.venue import FeedError
from genesis.connectors.feed.websocket import new_session
from genesis.connectors.recording import Recorder
from tests.connectors.feed.running import replayed, venue
from tests.connectors.feed.test_replay import ORDER, sorted_rows


def recorded(files: list[Path], data: Path, target: Path, *faults: str, **changes: object) -> Recorder:
    speed = changes.pop("speed", None)

    async def run() -> Recorder:
        async with venue(*faults, replay=tuple(map(str, files)), speed=speed) as (url, _):
            configured = settings.read(venue_url=url, data=data, **changes)
            adapter = BinanceAdapter(configured)
            async with new_session(adapter.hosts, adapter.headers) as session:
                recorder = Recorder(configured, adapter, session, target)
                await recorder.prepare()
                await recorder.run(asyncio.Event())
                return recorder

    return asyncio.run(run())


def lines_of(path: Path) -> tuple[int, int]:
    """Return how many messages and how many snapshots a recording holds."""
    with gzip.open(path) as lines:
        kinds = [b'"stream"' in line for line in lines]
    return sum(kinds), len(kinds) - sum(kinds)


def paths(recorder: Recorder) -> list[Path]:
    return [reel.writer.path for reel in recorder.reels]


def test_a_recording_of_the_simulator_replays_to_the_same_rows(short: list[Path], tmp_path: Path) -> None:
    recorder = recorded(short, tmp_path, tmp_path / "recordings")
    again = replayed(paths(recorder), tmp_path / "again")
    original = replayed(short, tmp_path / "original")
    assert len(recorder.reels) == 2
    assert [lines_of(path) for path in paths(recorder)] == [lines_of(path) for path in short]
    for topic in ORDER:
        assert sorted_rows(again, topic).tobytes() == sorted_rows(original, topic).tobytes()
    assert len(again.kept.rows("gaps")) == 0
    assert again.kept.letters == []


def test_a_recording_through_disconnects_and_repeats_can_be_replayed(
    short: list[Path], tmp_path: Path
) -> None:
    faults = [
        "disconnect:usdm/*:after=2000,miss=100",
        "duplicate:*:after=300,count=5",
        "malformed:*:after=400",
    ]
    recorder = recorded(short, tmp_path, tmp_path / "recordings", *faults, speed=20.0)
    again = replayed(paths(recorder), tmp_path / "again")
    assert len(again.kept.rows("trades")) > 1_000
    assert again.kept.letters == []
    books = again.kept.rows("book")
    assert (books["bid_price"][:, 0] < books["ask_price"][:, 0]).all()


def test_one_instrument_can_be_recorded_into_a_named_file_that_is_never_overwritten(
    short: list[Path], tmp_path: Path
) -> None:
    target = tmp_path / "btc.txt.gz"
    recorder = recorded(short[:1], tmp_path, target, symbols="spot:BTCUSDT")
    assert paths(recorder) == [target]
    with pytest.raises(FeedError, match="is there already"):
        recorded(short[:1], tmp_path, target, symbols="spot:BTCUSDT")
