"""The recorder against the real simulator: a recording of a replay is the recording that was played."""

import asyncio
import gzip
from pathlib import Path

from genesis.connectors import settings
from genesis.connectors.feed.recorder import Recorder
from genesis.connectors.venue.main import serve
from genesis.connectors.venue.recording import open_recordings
from genesis.connectors.venue.server import VenueOptions


def recorded(source: Path, folder: Path) -> list[Path]:
    async def work() -> list[Path]:
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        options = VenueOptions(port=0, replay=(str(source),))
        venue = asyncio.create_task(serve(options, lambda url, _server: ready.set_result(url), stop))
        recorder = Recorder(settings.read(data=folder, venue_url=await ready), folder / "out")
        await recorder.run(asyncio.Event(), lambda _progress: None)
        stop.set()
        await venue
        return recorder.paths

    return asyncio.run(work())


def test_every_message_is_recorded_verbatim_with_its_time_and_can_be_played_again(
    recordings: Path, tmp_path: Path
) -> None:
    source = recordings / "raw_ws" / "binance_spot_ethusdt_20240808.txt.gz"
    (path,) = recorded(source, tmp_path)
    first, second = (gzip.open(file).read().splitlines() for file in (source, path))  # noqa: SIM115
    snapshots = [
        [line.partition(b" ")[2] for line in lines if b"lastUpdateId" in line] for lines in (first, second)
    ]
    assert snapshots[0] == snapshots[1]
    messages = [[line for line in lines if b"lastUpdateId" not in line] for lines in (first, second)]
    assert messages[0] == messages[1]
    times = [int(line.partition(b" ")[0]) for line in second]
    assert times == sorted(times)
    replayed = open_recordings([str(path)])
    assert sum(1 for _ in replayed) == len(first)
