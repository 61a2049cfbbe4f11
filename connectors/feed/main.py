"""The feed as a process: learn what the venue offers, follow it, stop cleanly."""

import asyncio
import signal
from typing import Any

import aiohttp

from genesis.connectors import logs, probes
from genesis.connectors.feed import health
from genesis.connectors.feed.binance import BinanceAdapter
from genesis.connectors.feed.feed import Feed
from genesis.connectors.feed.health import Reporter
from genesis.connectors.feed.venue import FeedError, Offer, VenueAdapter
from genesis.connectors.feed.warm import compile_kernels
from genesis.connectors.feed.websocket import new_session
from genesis.connectors.kafka import FrameProducer, ensure_topics
from genesis.connectors.process import announce_ready, warm_up
from genesis.connectors.settings import Settings
from genesis.operators.records import Market

REPORT_EVERY_S = 1.0
LISTINGS_TIMEOUT_S = 20.0
LISTINGS_PAUSE_FIRST_S = 0.25
LISTINGS_PAUSE_MOST_S = 30.0

CACHE_AFTER_S = 2.0
"""When the venue has not said for so long what it offers, what it said last time serves."""

__all__ = ["FeedError", "run"]


async def learn_offer(
    settings: Settings, adapter: VenueAdapter, session: aiohttp.ClientSession, market: Market
) -> Offer | None:
    """Return what a market offers; None when the venue does not have that market.

    While the venue does not answer it is asked again, with growing pauses; what it said last time
    serves in the meantime.

    Raises
    ------
    FeedError
        When the answer cannot be read.
    """
    venue = "simulator" if adapter.is_replay else "binance"
    cache = settings.data / f"exchange_info_{venue}_{market.name.lower()}.json"
    log, pause_s = logs.get("feed"), LISTINGS_PAUSE_FIRST_S
    while True:
        try:
            status, body = await _listings(adapter, session, market)
            if status == 404:
                return None
            if status == 200:
                offer = adapter.offer(market, body)
                settings.data.mkdir(parents=True, exist_ok=True)
                cache.write_bytes(body)
                return offer
            problem = f"status {status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            problem = str(error) or repr(error)
        log.warning("no exchange information", market=market.name.lower(), problem=problem)
        if pause_s > CACHE_AFTER_S and cache.exists():
            log.warning("going on with the exchange information of last time", market=market.name.lower())
            return adapter.offer(market, cache.read_bytes())
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LISTINGS_PAUSE_MOST_S)


async def _listings(
    adapter: VenueAdapter, session: aiohttp.ClientSession, market: Market
) -> tuple[int, bytes]:
    timeout = aiohttp.ClientTimeout(total=LISTINGS_TIMEOUT_S)
    async with session.get(adapter.listings_url(market), allow_redirects=False, timeout=timeout) as answer:
        return answer.status, await answer.read()


async def prepare(feed: Feed, session: aiohttp.ClientSession) -> None:
    """Give a feed its connections.

    Raises
    ------
    FeedError
        When the venue offers nothing of what is asked for.
    """
    for market in feed.adapter.markets():
        offer = await learn_offer(feed.settings, feed.adapter, session, market)
        if offer is not None:
            feed.add_market(market, offer)
    if not feed.connections:
        halted = ", ".join(f"{name} is {word}" for name, word in feed.halted.items())
        raise FeedError(f"the venue offers nothing to follow{': ' if halted else ''}{halted}")


async def report(feed: Feed, reporter: Reporter) -> None:
    """Every second say how the feed is, remember what would be missed, and have silent sockets replaced."""
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        reporter.tell()
        for connection in feed.connections:
            if connection.ingest.silent:
                connection.ingest.silent.clear()
                connection.is_replacement_asked = True
        feed.remember()


async def watch_listings(feed: Feed, session: aiohttp.ClientSession) -> None:
    """Live: ask from time to time whether everything that is followed still trades."""
    log = logs.get("feed")
    while True:
        await asyncio.sleep(feed.limits.listings_s)
        for market in {connection.ingest.market for connection in feed.connections}:
            try:
                status, body = await _listings(feed.adapter, session, market)
                if status == 200:
                    feed.note_listings(market, feed.adapter.offer(market, body))
            except (aiohttp.ClientError, OSError, TimeoutError, FeedError) as error:
                log.warning("no exchange information", market=market.name.lower(), problem=str(error))


async def drive(feed: Feed, session: aiohttp.ClientSession, stopping: asyncio.Event) -> None:
    """Run a feed until its replay ends or ``stopping`` is set, and close it."""
    reporter = Reporter(feed)
    helpers = [asyncio.create_task(feed.beat()), asyncio.create_task(report(feed, reporter))]
    if not feed.adapter.is_replay:
        helpers.append(asyncio.create_task(watch_listings(feed, session)))
    reading = asyncio.create_task(feed.read())
    stop = asyncio.create_task(stopping.wait())
    tasks: list[asyncio.Task[Any]] = [reading, stop, *helpers]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, *helpers):
            if task.done() and not task.cancelled():
                task.result()
        if not stopping.is_set():
            await feed.finish()
        reporter.tell(health.STOPPED, feed.ended_with())
        feed.send(also_empty=False)
        feed.flush()
        if stopping.is_set():
            feed.remember()
        else:
            feed.forget()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await feed.snapshots.close()


async def work(settings: Settings) -> int:
    """Run the feed until a replay ends or the process is asked to stop; return the exit status."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    adapter = BinanceAdapter(settings)
    producer = FrameProducer.of(settings, "feed")
    async with new_session(adapter.hosts, adapter.headers) as session:
        feed = Feed(settings, adapter, producer, session)
        producer.on_restart, producer.on_lost = feed.on_log_restart, feed.on_lost
        preparing = asyncio.create_task(prepare(feed, session))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({preparing, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if stopping.is_set():
            preparing.cancel()
            return 0
        preparing.result()
        announce_ready(connections=len(feed.connections))
        await drive(feed, session, stopping)
    return 0


def run(settings: Settings) -> int:
    """Run the feed in this process and return its exit status.

    Raises
    ------
    BrokerUnreachable
        When the broker does not answer at the start; later it is waited for.
    """
    warm_up(compile_kernels)
    probes.serve(settings, "feed")
    ensure_topics(settings.broker, settings.shards)
    return asyncio.run(work(settings))
