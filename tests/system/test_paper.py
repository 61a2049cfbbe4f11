"""Paper trading through the whole system: orders are matched here, and a gateway that died serves again."""

from collections.abc import Iterator

import pytest

from genesis.operators.account.events import Flatten, PlaceOrder
from tests.system import running
from tests.system.test_trading import SYMBOL, System

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    found = System(tmp_path_factory.mktemp("paper"), trading="paper")
    found.start()
    yield found
    found.stop()


def test_paper_fills_and_goes_on_after_its_gateway_was_killed(system: System) -> None:
    def bought(notional: str) -> None:
        before = held()
        assert system.ask(PlaceOrder(symbol=SYMBOL, side="buy", notional=notional)).accepted
        running.wait_for(lambda: held() > before, "the purchase to be booked", system.process)

    def held() -> float:
        position = system.account().portfolio.positions.get(SYMBOL)
        return float(position.qty) if position is not None else 0.0

    assert (system.data / "paper" / "main.json").exists()
    bought("7")
    sent = len(system.sent())
    system.kill("gateway")
    running.wait_for(system.is_open, "the account to be open again", system.process)
    bought("8")
    assert system.ask(Flatten()).accepted
    running.wait_for(lambda: not system.account().working and held() < 1e-4, "all to be sold")
    ids = [client_order_id for client_order_id, _status in system.sent()]
    assert len(ids) == len(set(ids)) > sent
