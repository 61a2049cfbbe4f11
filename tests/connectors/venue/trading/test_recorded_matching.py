"""Matching against a recorded market: the same orders meet the same fate, and it can be recomputed."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from genesis.connectors.venue.server import VenueOptions, VenueServer
from genesis.connectors.venue.source import Kind, Message
from genesis.connectors.venue.trading.desk import TradingOptions
from genesis.connectors.venue.trading.orders import Json, OrderRequest
from genesis.operators.order_matching import Side
from tests.connectors.venue.trading.traders import SYMBOL, write_accounts
from tests.connectors.venue.venues import SPOT_FILES

EVERY = 4_000  # messages between two orders
QTY = Decimal("0.05")


class Session:
    """A recorded session with an order at the best price every few thousand messages."""

    def __init__(self, recording: str, folder: Path, latency_ms: float) -> None:
        options = TradingOptions(write_accounts(folder), latency_ms=latency_ms, jitter_ms=latency_ms)
        self.server = VenueServer(VenueOptions(replay=(recording,), wait_for=(), trading=options))
        self.desk = self.server.trading.desk
        self.events: list[Json] = []
        self.trades: list[tuple[int, Decimal, Decimal, bool]] = []
        self.placed: list[tuple[int, Side, Decimal, Decimal]] = []  # message, side, price, ahead
        self.tasks: list[asyncio.Task[Any]] = []
        self.desk.exchange.listeners.append(lambda _account, event: self.events.append(event))
        self.server.player.taps.append(self.tap)

    def tap(self, message: Message, _diff: object) -> None:
        position = self.server.player.position
        if message.kind == Kind.TRADE:
            row = msgspec.json.decode(message.payload)
            self.trades.append((position, Decimal(row["p"]), Decimal(row["q"]), row["m"]))
        if position % EVERY == 0 and position < 30_000:
            self.place(position)

    def place(self, position: int) -> None:
        side = Side.BUY if position // EVERY % 2 else Side.SELL
        best = self.desk.levels(SYMBOL, side)[0]
        request = OrderRequest(SYMBOL, side, "LIMIT", qty=QTY, price=best.price)
        account = self.desk.accounts[0]
        self.desk.exchange.place(account, request)
        self.placed.append((position, side, *best))

    def run(self) -> "Session":
        asyncio.run(self.server.player.run())
        return self


def test_the_same_orders_meet_the_same_fate(recordings: Path, tmp_path: Path) -> None:
    recording = str(recordings / "raw_ws" / SPOT_FILES[0])
    first, second = (Session(recording, tmp_path, 0.0).run() for _ in range(2))
    assert first.events == second.events
    assert len(first.placed) == 7
    filled = {event["i"] for event in first.events if event.get("X") == "FILLED"}
    assert filled, "some of them fill in the recorded minutes"
    for number, (position, side, price, ahead) in enumerate(first.placed, 1):
        after = [row for row in first.trades if row[0] > position and row[3] == (side is Side.BUY)]
        is_through = any(p < price if side is Side.BUY else p > price for _, p, _q, _ in after)
        at_price = sum((q for _, p, q, _ in after if p == price), Decimal(0))
        if at_price >= ahead + QTY or is_through:
            assert number in filled, "the queue alone would have filled it"
        if number in filled:
            order = first.desk.exchange.orders[number]
            assert {fill.price for fill in order.fills} == {price}
            assert all(fill.is_maker for fill in order.fills)
            assert is_through or at_price > 0, "nothing fills without a trade that reached it"


def test_latency_is_in_source_time(recordings: Path, tmp_path: Path) -> None:
    recording = str(recordings / "raw_ws" / SPOT_FILES[0])

    class Late(Session):
        def place(self, position: int) -> None:
            def note() -> None:
                delays_ns.append(self.server.player.recv_ns - sent_ns)

            sent_ns = self.server.player.recv_ns
            self.tasks.append(asyncio.ensure_future(self.desk.submit(note)))

    delays: list[list[int]] = []
    for _ in range(2):
        delays_ns: list[int] = []
        Late(recording, tmp_path, 50.0).run()
        delays.append(delays_ns)
    assert len(delays[0]) == 7
    assert all(delay >= 50_000_000 for delay in delays[0])
