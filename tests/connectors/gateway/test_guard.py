"""The kill switch against the real simulator, with everything else dead or in its way."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genesis.cli.main import _application
from genesis.connectors.gateway import hosts
from genesis.connectors.gateway.guard import Guard, Outcome
from genesis.connectors.gateway.hosts import Kind
from genesis.connectors.ledger import FenceLost, Ledger
from tests.connectors.gateway.lab import Bench, at_work, credentials_of
from tests.connectors.ledger.lab import child
from tests.connectors.venue.trading.traders import KEY, SECRET, trading
from tests.connectors.venue.venues import Venue


def with_orders(folder: Path, scene: Callable[[Bench, Venue], Awaitable[None]]) -> None:
    """Play a scene with two orders open at the venue and a gateway at work."""

    async def main() -> None:
        async with trading(folder) as venue, at_work(folder, venue) as bench:
            for number in (1, 2):
                bench.decide(number, qty="0.01", limit_price=await bench.price(takes=False))
            await bench.until(lambda: bench.statuses(1) == bench.statuses(2) == ["new"])
            await scene(bench, venue)

    asyncio.run(main())


async def act(venue: Venue, ledger: Callable[[], Ledger], said: list[str], *, flatten: bool) -> Outcome:
    guard = Guard(
        Kind.SIMULATOR, hosts.simulator(venue.url), credentials_of("main"), said.append, lambda _s: None
    )
    try:
        return await asyncio.to_thread(guard.act, "main", ledger, flatten=flatten)
    finally:
        guard.close()


def test_it_cancels_halts_and_fences_the_gateway_off(tmp_path: Path) -> None:
    async def scene(bench: Bench, venue: Venue) -> None:
        said: list[str] = []
        outcome = await act(venue, lambda: bench.ledger, said, flatten=False)
        assert (outcome.is_complete, outcome.cancelled, outcome.sold) == (True, 2, [])
        assert any("halted" in each for each in said)
        assert await bench.trading.open_orders() == []
        assert bench.ledger.is_halted("main")
        with pytest.raises(FenceLost):
            bench.ledger.record_order(bench.desk.token, child(9, bench.head))
        assert Decimal((await bench.trading.balances())["BTC"][0]) == 100

    with_orders(tmp_path, scene)


def test_it_sells_what_is_held_and_tries_again_while_the_venue_throttles(tmp_path: Path) -> None:
    async def scene(bench: Bench, venue: Venue) -> None:
        await venue.fault("429:openOrders:count=2,retry_after_s=1")
        await venue.fault("order_timeout:BTCUSDT:when=after")
        said: list[str] = []
        outcome = await act(venue, lambda: bench.ledger, said, flatten=True)
        assert outcome.faults == []
        assert outcome.sold == ["BTCUSDT"]
        assert any("trying again" in each for each in said)
        account = (await venue.get("/genesis/accounts"))["accounts"][0]
        assert account["orders"] == 3
        assert "BTC" not in await bench.trading.balances()

    with_orders(tmp_path, scene)


def test_it_says_that_nothing_guards_a_position_whose_stop_it_cancelled(tmp_path: Path) -> None:
    async def scene(bench: Bench, venue: Venue) -> None:
        low = await bench.price(takes=False)
        limit = f"{float(low) * 0.95:.2f}"
        bench.decide(
            3, side="sell", order_type="stop_loss_limit", stop_price=low, limit_price=limit, qty="0.01"
        )
        await bench.until(lambda: bench.statuses(3) == ["new"])
        assert Decimal((await bench.trading.balances())["BTC"][1]) == Decimal("0.01")
        said: list[str] = []
        outcome = await act(venue, lambda: bench.ledger, said, flatten=False)
        assert (outcome.is_complete, outcome.cancelled) == (True, 3)
        assert "a stop-loss was among them: nothing guards what is held of BTCUSDT now" in said

    with_orders(tmp_path, scene)


def test_a_broken_ledger_does_not_keep_it_from_cancelling(tmp_path: Path) -> None:
    async def scene(bench: Bench, venue: Venue) -> None:
        def broken() -> Ledger:
            raise RuntimeError("the disk is gone")

        said: list[str] = []
        outcome = await act(venue, broken, said, flatten=False)
        assert outcome.cancelled == 2
        assert not outcome.is_complete
        assert any("stop the gateway by hand" in each for each in said)

    with_orders(tmp_path, scene)


def test_a_gateway_that_starts_after_it_sends_nothing_until_the_halt_is_lifted(tmp_path: Path) -> None:
    async def main() -> None:
        async with trading(tmp_path) as venue:
            async with at_work(tmp_path, venue) as bench:
                bench.ledger.halt("main")
                head = bench.head
            async with at_work(tmp_path, venue, head=head) as bench:
                bench.decide(1, qty="0.01", limit_price=await bench.price(takes=True))
                await bench.until(lambda: bench.has_ended(1))
                assert bench.statuses(1) == ["rejected"]
                bench.ledger.lift_halt("main")
                head = bench.head
            async with at_work(tmp_path, venue, head=head) as bench:
                bench.decide(2, qty="0.01", limit_price=await bench.price(takes=True))
                await bench.until(lambda: bench.has_ended(2))
                assert bench.statuses(2)[-1] == "filled"

    asyncio.run(main())


def test_the_command_needs_the_word_and_no_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "data" / "keys"
    keys.mkdir(parents=True, mode=0o700)
    file = keys / "venue-credentials.json"
    file.write_text(json.dumps({"api_key": KEY, "secret": SECRET}))
    file.chmod(0o600)
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path / "data"))

    async def scene(bench: Bench, venue: Venue) -> None:
        monkeypatch.setenv("GENESIS_VENUE_URL", venue.url)
        run = CliRunner().invoke
        untyped = await asyncio.to_thread(run, _application(), ["kill"], input="no\n")
        assert untyped.exit_code != 0
        assert len(await bench.trading.open_orders()) == 2
        typed = await asyncio.to_thread(run, _application(), ["kill"], input="kill\n")
        assert typed.exit_code == 0, typed.output
        assert "2 cancelled" in typed.output
        assert SECRET not in typed.output
        assert await bench.trading.open_orders() == []
        lifted = await asyncio.to_thread(run, _application(), ["kill", "--lift", "--yes"])
        assert lifted.exit_code == 0, lifted.output

    with_orders(tmp_path, scene)
