"""A venue for tests: the real one on a free port, and a client that speaks plain websocket."""

import asyncio
import contextlib
import gzip
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from genesis.connectors.venue.main import serve
from genesis.connectors.venue.server import VenueOptions, VenueServer
from genesis.operators.synthetic_market import SyntheticParameters

END = "genesis@end"
SPOT_FILES = ("binance_spot_btcusdt_20240808.txt.gz", "binance_spot_ethusdt_20240808.txt.gz")
USDM_FILES = ("binance_usdm_btcusdt_20240808.txt.gz", "binance_usdm_ethusdt_20240808.txt.gz")
WAIT_S = 100.0

Event = dict[str, Any]


@dataclass
class Venue:
    """A running venue and a session to talk to it."""

    url: str
    server: VenueServer
    session: aiohttp.ClientSession

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        """Return a JSON answer."""
        async with self.session.get(self.url + path, **more) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def status(self) -> Event:
        """Return the status of the play."""
        found: Event = await self.get("/genesis/status")
        return found

    def connect(self, path: str, **more: Any) -> Any:
        """Return a websocket connection, as a context manager."""
        return self.session.ws_connect(self.url + path, max_msg_size=0, **more)

    async def fault(self, spec: str) -> Event:
        """Arm a fault."""
        async with self.session.post(self.url + "/genesis/faults", json={"spec": spec}) as answer:
            assert answer.status == 201, await answer.text()
            found: Event = await answer.json()
            return found

    async def faults(self) -> list[Event]:
        """Return all faults."""
        found: list[Event] = (await self.get("/genesis/faults"))["faults"]
        return found


@contextlib.asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Venue]:
    """Run a venue on a free port of this machine."""
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()

    def ready(url: str, server: VenueServer) -> None:
        started.set_result((url, server))

    task = asyncio.create_task(serve(VenueOptions(port=0, **options), ready, stop))
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    url, server = await started
    async with aiohttp.ClientSession() as session:
        try:
            yield Venue(url, server, session)
        finally:
            stop.set()
            await task


def synthetic(symbols: int = 2, rate_hz: float = 400.0, duration_s: float = 3.0, **more: Any) -> Event:
    """Return options for a short synthetic market at full speed."""
    parameters = SyntheticParameters(symbols, 5, rate_hz)
    return {"synthetic": parameters, "duration_s": duration_s, "speed": float("inf"), **more}


def run(test: Callable[[], Any]) -> Any:
    """Run an asynchronous test, for a limited time."""

    async def limited() -> Any:
        return await asyncio.wait_for(test(), WAIT_S)

    return asyncio.run(limited())


async def until_end(socket: aiohttp.ClientWebSocketResponse) -> list[Event]:
    """Return all messages up to the end message, this included."""
    found = []
    async for message in socket:
        event = msgspec.json.decode(message.data)
        found.append(event)
        if event.get("stream") == END:
            return found
    raise AssertionError(f"closed with {socket.close_code} after {len(found)} messages, before the end")


async def until_closed(socket: aiohttp.ClientWebSocketResponse) -> list[str]:
    """Return the texts of all messages until the connection ends."""
    return [message.data async for message in socket]


def all_streams(server: VenueServer, market: str = "spot") -> str:
    """Return the query that subscribes to everything a source has in one market."""
    names = [name for key, name in server.source.streams.items() if key.market.name.lower() == market]
    return f"streams={'/'.join(names)}"


def of_stream(events: Iterable[Event], name: str) -> list[Event]:
    """Return the data of one stream."""
    return [event["data"] for event in events if event["stream"] == name]


def recorded(path: Path) -> list[tuple[int, bytes]]:
    """Return the lines of a recording."""
    with gzip.open(path) as lines:
        pairs = (line.rstrip(b"\n").split(b" ", 1) for line in lines)
        return [(int(recv_ns), body) for recv_ns, body in pairs]


class BookByTheRules:
    """A client's book of one symbol, kept as Binance documents it; it fails where the rules are broken."""

    def __init__(self, snapshot: Event) -> None:
        self.last_id = snapshot["lastUpdateId"]
        self.bids = {float(price): float(qty) for price, qty in snapshot["bids"]}
        self.asks = {float(price): float(qty) for price, qty in snapshot["asks"]}
        self.rows = 0

    def apply(self, diff: Event) -> bool:
        """Apply a diff; return False for one from before the snapshot."""
        if diff["u"] <= self.last_id:
            return False
        if "pu" in diff:  # ids of futures are shared by all symbols: only pu shows a gap
            first = not self.rows and diff["U"] <= self.last_id
            assert first or diff["pu"] == self.last_id, "a gap"
        else:
            assert diff["U"] <= self.last_id + 1, "a gap"
        for side, levels in ((self.bids, diff["b"]), (self.asks, diff["a"])):
            for price, qty in levels:
                side[float(price)] = float(qty)
                if not float(qty):
                    del side[float(price)]
        self.last_id = diff["u"]
        self.rows += 1
        assert self.best()[0] < self.best()[2], "crossed"
        return True

    def best(self) -> tuple[float, float, float, float]:
        """Return best bid, its quantity, best ask, its quantity."""
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]


def contiguous(ids: list[int]) -> bool:
    """Return whether ids go up by one."""
    return all(b == a + 1 for a, b in itertools.pairwise(ids))
