"""A feed and the simulated venue in one event loop, with real sockets between them and no broker."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
import numpy as np

from genesis.connectors import settings
from genesis.connectors.feed.binance import BinanceAdapter
from genesis.connectors.feed.feed import Feed
from genesis.connectors.feed.limits import Limits
from genesis.connectors.feed.main import drive, prepare
from genesis.connectors.feed.websocket import new_session
from genesis.connectors.kafka import QueueFull
from genesis.connectors.settings import Settings
from genesis.connectors.venue.fault_kinds import parse_fault
from genesis.connectors.venue.main import serve
from genesis.connectors.venue.server import VenueOptions, VenueServer
from genesis.operators.records import WATERMARK_FINAL_NS, DeadLetter, Health
from genesis.operators.topics import Topic
from tests.connectors.feed.offline import Kept

DEADLINE_S = 150.0
BEGINNING_NS = 1_723_161_254_000_000_000  # of the recordings

QUICK = Limits(pause_first_s=0.02, pause_most_s=0.2, last_snapshots_s=10.0)
"""Limits for tests: pauses are short, everything else is as it is."""


class KeptProducer(Kept):
    """A producer that keeps what it is given, and can be told to refuse it."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered_ns: dict[tuple[str, int], int] = {}
        self.is_full = False

    def send(
        self, topic: Topic, partition: int, rows: np.ndarray, watermark_ns: int, cause_ns: int = 0
    ) -> None:
        if self.is_full:
            raise QueueFull("the test says so")
        super().send(topic, partition, rows, watermark_ns)
        self.delivered_ns[topic.name, partition] = watermark_ns

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        if self.is_full:
            raise QueueFull("the test says so")
        super().send_record(topic, record)

    def poll(self) -> None:
        pass

    def flush(self, timeout_s: float) -> int:
        return 0

    @property
    def letters(self) -> list[DeadLetter]:
        return [record for _, record in self.records if isinstance(record, DeadLetter)]

    @property
    def healths(self) -> list[Health]:
        return [record for _, record in self.records if isinstance(record, Health)]

    def has_ended(self) -> bool:
        """Say whether every partition of every tick topic has had its final watermark."""
        return bool(self.watermarks) and all(w[-1] == WATERMARK_FINAL_NS for w in self.watermarks.values())


@asynccontextmanager
async def venue(*faults: str, **options: object) -> AsyncIterator[tuple[str, VenueServer]]:
    """Run a simulated venue on a free port; give its address and itself."""
    found: asyncio.Future[tuple[str, VenueServer]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    specs = tuple(parse_fault(fault) for fault in faults)
    chosen = VenueOptions(port=0, faults=specs, **options)  # type: ignore[arg-type]
    running = asyncio.create_task(serve(chosen, lambda url, server: found.set_result((url, server)), stop))
    await asyncio.wait({running, found}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield found.result()
    finally:
        stop.set()
        await running


@dataclass
class Running:
    """A feed at work, for a test to look at and to disturb."""

    feed: Feed
    kept: KeptProducer
    server: VenueServer | None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(DEADLINE_S):
            while not happened():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)


Meddle = Callable[[Running], Awaitable[None]]


async def follow(
    configured: Settings,
    meddle: Meddle | None = None,
    limits: Limits = QUICK,
    server: VenueServer | None = None,
    adapter: BinanceAdapter | None = None,
) -> Running:
    """Run a feed to the end of the replay, or until ``meddle`` is done; return what is left of it."""
    kept = KeptProducer()
    adapter = adapter or BinanceAdapter(configured)
    async with new_session(adapter.hosts, adapter.headers) as session:
        feed = Feed(configured, adapter, kept, session, limits, Random(7))
        running = Running(feed, kept, server)
        await prepare(feed, session)
        driving = asyncio.create_task(drive(feed, session, running.stopping))
        try:
            if meddle is not None:
                meddling = asyncio.create_task(meddle(running))
                await asyncio.wait({driving, meddling}, return_when=asyncio.FIRST_COMPLETED)
                if meddling.done():
                    running.stopping.set()
                    meddling.result()
                meddling.cancel()
            await asyncio.wait_for(driving, DEADLINE_S)
        finally:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
    return running


def replayed(
    files: list[Path],
    data: Path,
    *faults: str,
    meddle: Meddle | None = None,
    limits: Limits = QUICK,
    **changes: object,
) -> Running:
    """Replay recordings at full speed through a feed, with faults."""
    options = {name: changes.pop(name) for name in ("speed", "timing") if name in changes}

    async def run() -> Running:
        async with venue(*faults, replay=tuple(map(str, files)), **options) as (url, server):
            configured = settings.read(venue_url=url, data=data, **changes)
            return await follow(configured, meddle, limits, server)

    return asyncio.run(run())


def cut(recording: Path, target: Path, seconds: float) -> Path:
    """Write the beginning of a recording to a file, and return it."""
    end_ns = BEGINNING_NS + int(seconds * 1e9)
    with gzip.open(recording) as source, gzip.open(target, "wb", compresslevel=1) as copy:
        for line in source:
            if int(line.partition(b" ")[0]) > end_ns:
                break
            copy.write(line)
    return target
