"""Blue-green releases of the real market flow, under load, on a real broker: nothing is lost or doubled."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.connectors import settings as settings_of
from genesis.connectors.release import copying
from genesis.operators.release import ReleaseError
from tests.flows import market_lab
from tests.flows.market_lab import SHARDS, Flow, Signals
from tests.flows.release_lab import BROKERS, SLOW, WRONG, EvenFeed, Load, Place, conducted, on_a_broker

ROWS = 24_000


@pytest.fixture(params=BROKERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with on_a_broker(request, request.param) as found:
        yield found


def drill(place: Place, tmp_path: Path, green: Flow, load: Load) -> None:
    """Lead two releases while the market goes on: one that stays, and one that is taken back by itself."""
    settings = settings_of.read(data=tmp_path, broker=place.bootstrap, shards=SHARDS)
    flag = tmp_path / "slow"
    with conducted(settings) as (conductor, control):
        conductor.step("start", "a version that computes something else")
        green.start(changed=WRONG)
        outcome = conductor.promote(wait_s=6.0, watch_s=1.0)
        assert not outcome.promoted
        assert "are not those of the other colour" in outcome.reasons[0]
        assert control.now.active == "blue"
        conductor.step("rollback", "refused")
        green.kill()

        copying.copy(tmp_path / "blue", tmp_path / "green-2")
        conductor.step("start", "a version that computes the same")
        green.start(data=tmp_path / "green-2")
        outcome = conductor.promote(wait_s=60.0, watch_s=3.0)
        assert outcome.promoted, outcome.reasons
        assert (control.now.active, control.now.epoch) == ("green", 1)

        conductor.step("start", "the warm one again")
        assert green.process is not None
        green.process.send_signal(signal.SIGSTOP)  # it will not notice that it was replaced
        conductor.step("promote", "while the other is asleep")
        flag.touch()
        green.process.send_signal(signal.SIGCONT)
        outcome = conductor.promote(wait_s=0.0, watch_s=60.0)
        assert not outcome.promoted
        assert "99th percentile" in outcome.reasons[0]
        assert (control.now.active, control.now.epoch, control.now.phase) == ("green", 3, "settled")
        flag.unlink()
        assert load.is_alive(), "the market ended before the last flip"
        with pytest.raises(ReleaseError, match="begin with `genesis release start`"):
            conductor.promote(wait_s=1.0, watch_s=1.0)


@pytest.mark.timeout(300)
def test_releases_under_load_lose_no_row_and_double_none(tmp_path: Path, place: Place) -> None:
    market = market_lab.random_market(ROWS, 11)
    blue, green = (
        Flow(place.bootstrap, tmp_path / colour, colour=colour, embedded_broker=place.embedded)
        for colour in ("blue", "green")
    )
    signals = Signals(place.bootstrap)
    load = Load(EvenFeed(place.bootstrap, market, 11, embedded=place.embedded))
    try:
        blue.start(changed=SLOW.format(flag=str(tmp_path / "slow")))
        load.start()
        drill(place, tmp_path, green, load)
        load.hurry.set()
        signals.read_until("end", signals.final, blue.process, green.process)
        assert signals.distinct() == market_lab.expected(market)
        for name, rows in signals.rows.items():
            assert len(rows) == len(set(rows)), f"{name}: rows came twice"
        assert not signals.records["dead_letters"]
    finally:
        blue.kill()
        green.kill()
        signals.close()
