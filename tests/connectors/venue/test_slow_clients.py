"""Slow clients: a replay waits for them and loses nothing; a live market cuts them off."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from genesis.connectors.venue.main import serve
from genesis.connectors.venue.server import VenueOptions
from tests.connectors.venue.venues import SPOT_FILES, Venue, all_streams, run, running, synthetic

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


async def slow_connection(venue: Venue, query: str) -> socket.socket:
    """Return a connection with a tiny receive buffer, after the handshake."""
    host, port = venue.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (host, int(port)))
    lines = (
        f"GET /stream?genesis=replay&{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
    await loop.sock_sendall(client, lines.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await loop.sock_recv(client, 1)
    return client


def test_a_replay_waits_for_a_client_that_does_not_read(recordings: Path) -> None:
    async def test() -> None:
        path = str(recordings / "raw_ws" / SPOT_FILES[0])
        async with running(replay=(path,)) as venue:
            client = await slow_connection(venue, all_streams(venue.server))
            blocked = position = -1
            while blocked != position or position == 0:  # two looks a quarter of a second apart
                blocked = position
                answer = await venue.get("/api/v3/depth?symbol=BTCUSDT&limit=5")
                assert answer["bids"], "a snapshot is to be had while the play waits"
                await asyncio.sleep(0.25)
                position = venue.server.player.position
            assert venue.server.player.state.value != "finished"
            received = bytearray()
            while b"genesis@end" not in received[-4_096:]:
                received += await asyncio.get_running_loop().sock_recv(client, 65_536)
            client.close()
            counts = venue.server.source.counts.by_market()["spot"]
            assert (counts["trades"], counts["quotes"], counts["diffs"]) == (9_757, 28_040, 3_451)
            assert received.count(b'"data":') == 9_757 + 28_040 + 3_451 + 1

    run(test)


def test_a_live_market_cuts_off_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genesis.connectors.venue.player.SLOW_CLIENT_BYTES_MAX", 64 * 1_024)

    async def test() -> None:
        async with running(**synthetic(rate_hz=50_000, duration_s=60.0) | {"speed": 1.0}) as venue:
            query = all_streams(venue.server)
            client = await slow_connection(venue, query)
            async with venue.connect("/stream?" + query) as quick:
                while not venue.server.player.slow_clients:
                    assert await quick.receive_json()
                status: dict[str, Any] = await venue.status()
                assert (status["slow_clients_cut_off"], status["connections"]) == (1, 1)
            client.close()

    run(test)


def test_a_venue_stops_while_a_client_does_not_read(recordings: Path) -> None:
    async def test() -> None:
        path = str(recordings / "raw_ws" / SPOT_FILES[0])
        stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
        options = VenueOptions(port=0, replay=(path,))
        task = asyncio.create_task(
            serve(options, lambda url, server: started.set_result((url, server)), stop)
        )
        url, server = await started
        client = await slow_connection(Venue(url, server, None), all_streams(server))  # type: ignore[arg-type]
        await server.hub.covered.wait()
        await asyncio.get_running_loop().sock_recv(client, 1)
        stop.set()
        await task
        client.close()

    run(test)
