"""The gateway by way of the official SDK against the real simulator and its faults."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from genesis.operators.account.events import VenueBalances, VenueLink
from tests.connectors.gateway.lab import Bench, at_work
from tests.connectors.venue.trading.traders import trading

Scene = Callable[[Bench], Awaitable[None]]


def play(folder: Path, scene: Scene, account: str = "main", **market: object) -> None:
    async def main() -> None:
        async with trading(folder, **market) as venue, at_work(folder, venue, account=account) as bench:  # type: ignore[arg-type]
            await scene(bench)

    asyncio.run(main())


def traded(bench: Bench, number: int) -> Decimal:
    return sum((Decimal(e.last_qty) for e in bench.outlet.executions(f"g-{number}")), Decimal(0))


@pytest.mark.parametrize("account", ["main", "ed"])
def test_an_order_lives_from_record_to_trade(tmp_path: Path, account: str) -> None:
    async def scene(bench: Bench) -> None:
        bench.decide(1, qty="0.01", limit_price=await bench.price(takes=True), time_in_force="ioc")
        bench.decide(2, qty="0.01", limit_price=await bench.price(takes=False))
        bench.decide(3, qty="0.01", order_type="market", time_in_force="")
        await bench.until(lambda: bench.has_ended(1) and bench.has_ended(3) and bench.statuses(2) == ["new"])
        assert bench.statuses(1)[-1] == bench.statuses(3)[-1] == "filled"
        assert traded(bench, 1) == traded(bench, 3) == Decimal("0.01")
        bench.decide(4, action="cancel", client_order_id="g-2")
        await bench.until(lambda: bench.has_ended(2))
        assert bench.statuses(2) == ["new", "canceled"]

    play(tmp_path, scene, account)


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ("order_timeout:BTCUSDT:when=after", "filled"),
        ("order_timeout:BTCUSDT:when=after,how=504", "filled"),
        ("drop_after_accept:BTCUSDT", "filled"),
        ("duplicate_report:*:count=9", "filled"),
        ("lost_report:*:count=9", "filled"),
        ("429:order:count=1,retry_after_s=1", "filled"),
        ("clock_skew:order:count=1,by_ms=10000", "filled"),
        ("reject_order:BTCUSDT", "rejected"),
        ("expire_order:*", "expired"),
        ("user_shutdown:*:grace_ms=10", "filled"),
        ("order_timeout:BTCUSDT:when=before", "rejected"),
    ],
)
def test_whatever_the_venue_does_the_order_ends_as_it_did_there(
    tmp_path: Path, fault: str, ends: str
) -> None:
    async def scene(bench: Bench) -> None:
        await bench.venue.fault(fault)
        bench.decide(1, qty="0.01", limit_price=await bench.price(takes=True), time_in_force="ioc")
        await bench.until(lambda: bench.has_ended(1))
        row = bench.row(1)
        assert row is not None
        assert (row.status, bench.statuses(1)[-1]) == (ends, ends)
        assert traded(bench, 1) == Decimal(row.filled_qty) == Decimal("0.01" if ends == "filled" else "0")
        said = (await bench.venue.get("/genesis/accounts"))["accounts"][0]
        assert said["orders"] == (0 if ends == "rejected" else 1)

    play(tmp_path, scene)


def test_the_opening_balances_are_told_and_the_link_too(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        (balances,) = bench.outlet.bodies(VenueBalances)
        assert balances.opening
        assert Decimal(balances.balances["USDT"][0]) == 1_000_000
        assert bench.outlet.bodies(VenueLink)[-1].connected

    play(tmp_path, scene)


@pytest.mark.parametrize("status", ["418", "429"])
def test_a_ban_is_waited_out_nothing_is_sent_meanwhile_and_then_all_of_it(
    tmp_path: Path, status: str
) -> None:
    async def scene(bench: Bench) -> None:
        bench.decide(1, qty="0.01", limit_price=await bench.price(takes=False))
        await bench.until(lambda: bench.statuses(1) == ["new"])
        takes = await bench.price(takes=True)
        await bench.venue.fault(f"{status}:order:count=1,retry_after_s=2")
        begun_ns = time.time_ns()
        bench.decide(2, qty="0.01", limit_price=takes, time_in_force="ioc")
        bench.decide(3, action="cancel", client_order_id="g-1")
        bench.decide(4, qty="0.02", limit_price=takes, time_in_force="ioc")
        await bench.until(lambda: all(bench.has_ended(number) for number in (1, 2, 4)))
        arrived_ns = (await bench.venue.get("/genesis/arrivals"))["arrivals_ns"]
        assert min(arrived_ns["g-2"], arrived_ns["g-4"]) >= begun_ns + 2 * 10**9
        assert bench.statuses(1) == ["new", "canceled"]
        assert (traded(bench, 2), traded(bench, 4)) == (Decimal("0.01"), Decimal("0.02"))
        said = (await bench.venue.get("/genesis/accounts"))["accounts"][0]
        assert (said["orders"], said["open_orders"]) == (3, 0)

    play(tmp_path, scene)
