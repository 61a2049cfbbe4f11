"""Blue-green releases of the real market flow, under load, on a real broker: nothing is lost or doubled."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from genesis.connectors import settings as settings_of
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import ensure_topics
from genesis.connectors.release import copying
from genesis.connectors.release.conducting import Conductor
from genesis.connectors.release.control import Control, opened
from genesis.operators import topics
from genesis.operators.release import Policy, ReleaseError
from tests.flows import market_lab
from tests.flows.market_lab import SHARDS, Feed, Flow, Signals

ROWS = 24_000
FRAMES_A_STEP, STEP_S = 3, 0.06
POLICY = Policy(reports=2, p99_ms_max=1_500.0)
WRONG = """
def wrong(self, values, honest=market.ShardLogic.on_batch):
    out, keep = honest(self, values)
    for each in out:
        if isinstance(each, market.Signal) and each.topic == "liquidity":
            each.rows["spread_bps"] += 1.0
    return out, keep
market.ShardLogic.on_batch = wrong
"""
SLOW = """
import os, time
def slow(self, values, honest=market.ShardLogic.on_batch):
    if os.path.exists({flag!r}):
        time.sleep(2.0)
    return honest(self, values)
market.ShardLogic.on_batch = slow
"""


class EvenFeed(Feed):
    """A feed whose topics keep pace with each other."""

    def send(self, frame_count: int) -> bool:
        """Send some frames, each of what is the oldest; return whether anything is left."""
        for _ in range(frame_count):
            left = [
                (int(rows["effective_ns"][self._begin[shard, place]]), shard, place)
                for shard, parts in enumerate(self._parts)
                for place, rows in enumerate(parts)
                if self._begin[shard, place] < rows.size
            ]
            if not left:
                return False
            _, shard, place = min(left)
            rows, begin = self._parts[shard][place], self._begin[shard, place]
            end = self._begin[shard, place] = min(begin + int(self._rng.integers(1, 30)), rows.size)
            rest = rows["effective_ns"][end:]
            newest_ns = int(rest.min()) - 1 if rest.size else int(rows["effective_ns"].max())
            self._send(topics.TICKS[place], shard, rows[begin:end], newest_ns)
        self.producer.poll()
        return True


class Load(threading.Thread):
    """A feed that goes on by itself until its market has ended."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(daemon=True)
        self._feed, self.hurry = feed, threading.Event()

    def run(self) -> None:
        """Send, a little at a time."""
        while self._feed.send(FRAMES_A_STEP):
            self.hurry.wait(STEP_S)
        self._feed.finish()


@contextmanager
def conducted(settings: settings_of.Settings) -> Iterator[tuple[Conductor, Control]]:
    """Give a conductor and its view of the control topic."""
    control = opened(settings)
    conductor = Conductor(settings, control, POLICY, lambda _said: None)
    try:
        yield conductor, control
    finally:
        conductor.close()
        control.close()


def drill(broker: EmbeddedBroker, tmp_path: Path, blue: Flow, green: Flow, load: Load) -> None:
    """Lead two releases while the market goes on: one that stays, and one that is taken back by itself."""
    settings = settings_of.read(data=tmp_path, broker=broker.bootstrap, shards=SHARDS)
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


@pytest.mark.timeout(240)
def test_releases_under_load_lose_no_row_and_double_none(tmp_path: Path) -> None:
    market = market_lab.random_market(ROWS, 11)
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, SHARDS)
        blue = Flow(broker.bootstrap, tmp_path / "blue", colour="blue")
        green = Flow(broker.bootstrap, tmp_path / "green", colour="green")
        signals = Signals(broker.bootstrap)
        load = Load(EvenFeed(broker.bootstrap, market, 11))
        try:
            blue.start(changed=SLOW.format(flag=str(tmp_path / "slow")))
            load.start()
            drill(broker, tmp_path, blue, green, load)
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
