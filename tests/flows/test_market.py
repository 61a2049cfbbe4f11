"""The market flow between real topics: killed, restarted, fed nonsense, stopped; always the same rows."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from genesis.connectors import settings as settings_of
from genesis.connectors.kafka import FrameProducer, ensure_topics
from genesis.flows import market as market_flow
from genesis.operators import topics
from genesis.operators.records import QUOTE, TRADE, DeadLetter, Health
from tests.flows import market_lab
from tests.flows.market_lab import SHARDS, Feed, lab


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_any_moment_leave_the_rows_as_they_are(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    market = market_lab.random_market(6_000, seed)
    with lab(tmp_path) as (broker, flow, signals):
        feed = Feed(broker.bootstrap, market, seed)
        flow.start(workers=1)
        for kill in range(4):
            feed.send(150)
            frames = signals.frames
            signals.read_until(
                "signals", lambda seen=frames: signals.frames > seen + rng.integers(0, 20), flow.process
            )
            flow.kill()
            feed.send(50)
            flow.start(workers=1 + kill % 2)
        feed.finish()
        signals.read_until("end", signals.final, flow.process)
        status, said = flow.stop()
        assert status == 0, said
        assert signals.distinct() == market_lab.expected(market)


@pytest.mark.timeout(120)
def test_one_row_has_one_key(tmp_path: Path) -> None:
    market = market_lab.random_market(6_000, 5)
    with lab(tmp_path, workers=2) as (broker, flow, signals):
        Feed(broker.bootstrap, market, 5).finish()
        flow.start()
        signals.read_until("end", signals.final, flow.process)
        for topic in topics.SIGNALS:
            rows = np.frombuffer(b"".join(sorted(signals.distinct()[topic.name])), topic.rows.dtype)
            assert rows.size > 0 or topic is topics.VOLUME  # two minutes end no bin of the day
            assert np.unique(rows[list(topic.rows.key)]).size == rows.size, topic.name


def test_a_stop_is_clean_and_the_end_is_said_again_after_a_restart(tmp_path: Path) -> None:
    market = market_lab.random_market(500, 3)
    with lab(tmp_path) as (broker, flow, signals):
        Feed(broker.bootstrap, market, 3).finish()
        flow.start()
        signals.read_until("end", signals.final, flow.process)
        status, said = flow.stop()
        assert status == 0, said
        rows = {name: len(found) for name, found in signals.rows.items()}
        signals.watermarks_ns = dict.fromkeys(signals.watermarks_ns, 0)
        flow.start()
        signals.read_until("end again", signals.final, flow.process)
        assert {name: len(found) for name, found in signals.rows.items()} == rows
        assert flow.stop()[0] == 0


def test_what_is_no_frame_is_a_dead_letter_and_the_flow_goes_on(tmp_path: Path) -> None:
    market = market_lab.random_market(300, 4)
    with lab(tmp_path) as (broker, flow, signals):
        feed = Feed(broker.bootstrap, market, 4)
        wrong = FrameProducer(broker.bootstrap, SHARDS, embedded=True, name="wrong")
        stranger = topics.TRADES._replace(schema=QUOTE)
        wrong.send(stranger, 0, QUOTE.empty(2), 5)
        ragged = np.frombuffer(TRADE.empty(2).tobytes()[:-1], np.uint8)
        wrong.send(topics.TRADES, 1, ragged, 5)
        assert wrong.flush(10.0) == 0
        feed.finish()
        flow.start()
        signals.read_until("end", signals.final, flow.process)
        signals.read_until("dead letters", lambda: len(signals.records["dead_letters"]) >= 2, flow.process)
        letters = [msgspec.json.decode(each, type=DeadLetter) for each in signals.records["dead_letters"]]
        assert {letter.reason for letter in letters} == {"unknown_schema", "ragged_frame"}
        assert all(letter.source.startswith("genesis.trades/") for letter in letters)
        assert signals.distinct() == market_lab.expected(market)


def test_it_says_how_it_is(tmp_path: Path) -> None:
    with lab(tmp_path) as (broker, flow, signals):
        Feed(broker.bootstrap, market_lab.random_market(300, 6), 6).finish()
        flow.start()
        told: list[Health] = []

        def rows_were_read() -> bool:  # the first second may pass before any comes
            told[:] = [msgspec.json.decode(each, type=Health) for each in signals.records["health"]]
            return any(health.figures["rows_per_s"] > 0 for health in told)

        signals.read_until("health", rows_were_read, flow.process)
        assert {(health.component, health.state) for health in told} == {("market", "ok")}


@pytest.mark.timeout(120)
def test_a_new_incarnation_of_the_log_is_read_from_its_beginning_with_the_state_kept(tmp_path: Path) -> None:
    market = market_lab.random_market(1_000, 7)
    with lab(tmp_path) as (broker, flow, signals):
        Feed(broker.bootstrap, market, 7).finish()
        flow.start()
        signals.read_until("end", signals.final, flow.process)
        before = signals.distinct()
        broker.kill()
        signals.close()
        broker.start()
        ensure_topics(broker.bootstrap, SHARDS)
        again = market_lab.Signals(broker.bootstrap)
        Feed(broker.bootstrap, market, 8).finish()  # all of it comes again, in other frames
        again.read_until(
            "liquidity", lambda: again.distinct()["liquidity"] == before["liquidity"], flow.process
        )
        again.read_until("end", again.final, flow.process)
        assert again.distinct()["bars"] <= before["bars"]  # trades that come again are folded once
        again.close()


def test_snapshots_of_another_number_of_shards_are_refused_with_a_remedy(tmp_path: Path) -> None:
    two = settings_of.read(data=tmp_path, shards=2, broker="127.0.0.1:1")
    market_flow.recovery(two)
    market_flow.recovery(two)
    with pytest.raises(settings_of.SettingsError, match=r"GENESIS_SHARDS is 3.* of\s2 shards.*[Rr]emove"):
        market_flow.recovery(two.model_copy(update={"shards": 3}))


def test_a_half_made_recovery_folder_is_made_anew(tmp_path: Path) -> None:
    settings = settings_of.read(data=tmp_path, broker="127.0.0.1:1")
    folder = tmp_path / "recovery" / "market"
    folder.mkdir(parents=True)
    (folder / "part-0.sqlite3").write_bytes(b"half")
    market_flow.recovery(settings)
    assert (folder / "layout.json").exists()
    assert (folder / "part-0.sqlite3").read_bytes() != b"half"


def test_no_broker_is_a_sentence() -> None:
    with pytest.raises(settings_of.SettingsError, match="GENESIS_BROKER is empty"):
        market_flow.main(settings_of.read(broker=""))
