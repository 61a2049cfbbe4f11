"""The archive stores every row once, whatever comes again and whenever it is killed."""

import contextlib
import http.client
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genesis.connectors.frames import encode_headers
from genesis.connectors.kafka import Log, QueueFull
from genesis.flows.archive import ArchiveSink
from genesis.operators import topics
from genesis.operators.records import DeadLetter
from genesis.operators.topics import Topic
from tests.connectors.store import samples
from tests.flows.archive_lab import ROW_TOPICS, SHARDS, WAIT_S, Archiving, Lab

pytestmark = pytest.mark.timeout(180)

LOG_COLUMNS = "log_id, log_generation, log_partition, log_offset, inserted_at"
"""Where a row came from, which is not the same in two runs."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


def until(happened: Callable[[], Any], what: str) -> Any:
    deadline_s = time.monotonic() + WAIT_S
    while not (answer := happened()):
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.02)
    return answer


def digest(archive: Archiving, topic: Topic) -> tuple[int, int, str]:
    """Return how many rows a table has physically, how many identities, and a hash of what they say."""
    key = ", ".join(topic.rows.key)
    hashed = f"toString(sum(cityHash64(* EXCEPT ({LOG_COLUMNS}))))"
    ((rows, ids, content),) = archive.ask(
        f"SELECT count(), uniqExact({key}), {hashed} FROM genesis.{topic.name}"
    )
    return int(rows), int(ids), content


def sharded(topic: Topic, rows: Any, frame_rows: int) -> list[tuple[int, Any]]:
    """Cut rows into frames, each row in its symbol's partition."""
    if not topic.sharded:
        return [(0, rows[at : at + frame_rows]) for at in range(0, rows.size, frame_rows)]
    shard = np.array([topics.shard_of(int(row["market"]), bytes(row["symbol"]), SHARDS) for row in rows])
    frames = []
    for partition in range(SHARDS):
        mine = rows[shard == partition]
        frames += [(partition, mine[at : at + frame_rows]) for at in range(0, mine.size, frame_rows)]
    return frames


def history(topic: Topic, rows: int, seed: int) -> list[tuple[int, Any]]:
    """Return frames as a troubled producer sends them: repeated, late, cut anew."""
    rng = random.Random(seed)
    made = samples.rows(topic, rows, seed)
    frames = sharded(topic, made, 40)
    frames += rng.sample(frames, len(frames) // 3)
    start = len(frames) // 2
    return [*frames[:start], *sharded(topic, made[: rows // 4], 7), *frames[start:]]


def test_a_replay_is_complete_when_every_final_watermark_is_stored(lab: Lab, tmp_path: Path) -> None:
    archive = lab.start(tmp_path)
    sent = {topic: samples.rows(topic, 100) for topic in ROW_TOPICS}
    for topic, rows in sent.items():
        lab.send_all(topic, sharded(topic, rows, 30))
    assert not archive.summary
    lab.send_ends()
    summary = until(lambda: archive.summary, "the end of the replay")
    assert summary["complete"]
    assert {name: summary["rows"][name] for name in (t.name for t in ROW_TOPICS)} == dict.fromkeys(
        (topic.name for topic in ROW_TOPICS), 100
    )
    state = "SELECT argMax(state, recv_ns) FROM genesis.health WHERE component = 'archive'"
    until(lambda: archive.ask(state) == [["complete"]], "the health report that says so")
    assert archive.stop() == 0


def test_a_restarted_archive_finds_the_end_again(lab: Lab, tmp_path: Path) -> None:
    for topic in ROW_TOPICS:
        lab.send_all(topic, sharded(topic, samples.rows(topic, 50), 30))
    lab.send_ends()
    first = lab.start(tmp_path)
    until(lambda: first.summary, "the end of the replay")
    first.kill_after(0.0)
    second = lab.start(tmp_path)
    assert until(lambda: second.summary, "the end, once more")["rows"]["trades"] == 50


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_it_stores_what_an_uninterrupted_one_does(
    lab: Lab, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    counts = dict.fromkeys(ROW_TOPICS, 3_000) | {topics.QUOTES: 250_000, topics.TRADES: 150_000}
    histories = {topic: history(topic, rows, seed) for topic, rows in counts.items()}
    big = {topic: samples.rows(topic, rows, seed + 9) for topic, rows in counts.items() if rows > 100_000}
    for topic, frames in histories.items():
        lab.send_all(topic, frames[: len(frames) // 8 if topic in big else len(frames)])
    for topic, rows in big.items():
        lab.send_all(topic, sharded(topic, rows, 1_000))
    lab.send_ends()

    plain = lab.start(tmp_path / "plain")
    until(lambda: plain.summary, "the uninterrupted run")
    for _ in range(8):
        lab.start(tmp_path / "killed").kill_after(rng.uniform(0.0, 1.5))
    killed = lab.start(tmp_path / "killed")
    until(lambda: killed.summary, "the run that was killed")

    for topic in ROW_TOPICS:
        expected = digest(plain, topic)
        assert digest(killed, topic) == expected, topic.name
        assert expected[0] == expected[1], f"{topic.name} has a row twice"
    rollups = "SELECT count(), toString(sum(cityHash64(*))) FROM genesis."
    for view in ("bars_latest", "bars_1d", "correlation_1m"):
        assert killed.ask(rollups + view) == plain.ask(rollups + view), view


def test_a_message_that_is_no_frame_becomes_a_dead_letter_and_the_flow_goes_on(
    lab: Lab, tmp_path: Path
) -> None:
    rows = samples.rows(topics.TRADES, 3)
    strange = rows.copy()
    strange["market"] = 7
    name, producer = topics.TRADES.full_name, _raw_producer(lab)
    good, bad = encode_headers(topics.TRADES.rows, 1), encode_headers(topics.QUOTES.rows, 1)
    future = [("schema", b"trade.v9"), *good[1:]]
    for value, headers in (
        (rows.tobytes()[:-1], good),
        (rows.tobytes(), bad),
        (rows.tobytes(), future),
        (rows.tobytes(), good[:1]),
        (strange.tobytes(), good),
        (rows.tobytes(), good),
    ):
        producer.produce(name, value, partition=0, headers=headers)
    producer.produce(topics.HEALTH.full_name, b"{", partition=0)
    assert producer.flush(WAIT_S) == 0
    archive = lab.start(tmp_path)
    query = "SELECT reason, source, payload_bytes FROM genesis.dead_letters ORDER BY source"
    found = until(lambda: len(answer := archive.ask(query)) == 6 and answer, "the dead letters")
    assert [reason for reason, _, _ in found] == [
        "malformed_record",
        "ragged_frame",
        "unknown_schema",
        "unknown_schema",
        "bad_header",
        "unknown_code",
    ]
    assert found[1][1].startswith("genesis.trades/0/")
    assert until(lambda: archive.ask("SELECT count() FROM genesis.trades") == [[3]], "the good frame")


def test_a_dead_letter_that_cannot_be_read_is_stored_once_and_does_not_beget_others(
    lab: Lab, tmp_path: Path
) -> None:
    producer = _raw_producer(lab)
    producer.produce(topics.DEAD_LETTERS.full_name, b"\xff not a record", partition=0)
    assert producer.flush(WAIT_S) == 0
    query = "SELECT reason, payload FROM genesis.dead_letters"
    first = lab.start(tmp_path)
    until(lambda: first.ask(query), "the letter")
    first.kill_after(0.0)
    second = lab.start(tmp_path)
    good = DeadLetter(
        id="marker", recv_ns=1, source="test", reason="marker", detail="", payload="", payload_bytes=0
    )
    lab.producer.send_record(topics.DEAD_LETTERS, good)
    found = until(lambda: len(answer := second.ask(query)) > 1 and answer, "the letter after it")
    assert sorted(found) == [["malformed_record", "base64:/yBub3QgYSByZWNvcmQ="], ["marker", ""]]


def test_asked_to_end_it_stores_what_it_has_read(lab: Lab, tmp_path: Path) -> None:
    archive = lab.start(tmp_path)
    lab.send_all(topics.TRADES, sharded(topics.TRADES, samples.rows(topics.TRADES, 100), 40))
    lags = "SELECT count() FROM genesis.trades"
    until(lambda: archive.ask(lags) == [[100]], "the first rows")
    assert archive.stop() == 0
    assert "stopped" in archive.said


def test_asked_to_end_it_does_not_wait_for_questions_that_never_end(lab: Lab, tmp_path: Path) -> None:
    archive = lab.start(tmp_path)
    asked = threading.Barrier(4)

    def ask_for_ever(statement: bytes) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(archive.url.removeprefix("http://"))
            connection.request("POST", "/", statement)
            asked.wait(WAIT_S)
            connection.getresponse().read(1_000)
            time.sleep(WAIT_S)  # a client that reads no further

    endless = b"SELECT count() FROM numbers(1000000000000000)"
    for statement in (endless, endless, b"SELECT number FROM system.numbers"):
        threading.Thread(target=ask_for_ever, args=(statement,), daemon=True).start()
    asked.wait(WAIT_S)
    running = "SELECT count() FROM system.processes WHERE query LIKE '%numbers%'"
    until(lambda: archive.ask(running)[0][0] >= 3, "the questions to run")
    assert archive.stop() == 0


def test_a_locked_store_is_refused_with_the_holder_and_a_remedy(lab: Lab, tmp_path: Path) -> None:
    holder = lab.start(tmp_path)
    refused = lab.start(tmp_path)
    _, said = refused.process.communicate(timeout=WAIT_S)
    assert refused.process.returncode == 1
    assert f"is open in process {holder.process.pid}" in said
    assert "choose another data folder" in said
    assert "Traceback" not in said


def test_a_full_disk_ends_it_with_a_sentence_and_loses_nothing(lab: Lab, tmp_path: Path) -> None:
    rows = samples.rows(topics.QUOTES, 60_000)
    lab.send_all(topics.QUOTES, sharded(topics.QUOTES, rows, 1_000))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, -1))"
    full = lab.start(tmp_path, before=limit)
    _, said = full.process.communicate(timeout=WAIT_S)
    assert full.process.returncode == 1
    assert f"the disk of the store at {tmp_path}/store is full: free some space" in said
    assert "Traceback" not in said
    again = lab.start(tmp_path)
    assert until(lambda: digest(again, topics.QUOTES)[:2] == (60_000, 60_000), "all rows")


def test_killed_while_it_stops_it_loses_nothing(lab: Lab, tmp_path: Path) -> None:
    rows = samples.rows(topics.TRADES, 50_000)
    lab.send_all(topics.TRADES, sharded(topics.TRADES, rows, 500))
    archive = lab.start(tmp_path)
    archive.process.send_signal(signal.SIGTERM)
    archive.kill_after(0.1)
    again = lab.start(tmp_path)
    assert until(lambda: digest(again, topics.TRADES)[:2] == (50_000, 50_000), "all rows")


def test_a_broker_that_forgot_everything_is_read_anew_and_repeats_are_left_out(
    lab: Lab, tmp_path: Path
) -> None:
    rows = samples.rows(topics.TRADES, 2_000)
    archive = lab.start(tmp_path)
    lab.send_all(topics.TRADES, sharded(topics.TRADES, rows[:1_500], 100))
    until(lambda: digest(archive, topics.TRADES)[0] == 1_500, "the first rows")
    lab.forget()
    lab.send_all(topics.TRADES, sharded(topics.TRADES, rows[500:], 100))
    until(lambda: digest(archive, topics.TRADES)[:2] == (2_000, 2_000), "the rows of both logs")
    (logs,) = archive.ask("SELECT uniqExact(log_id) FROM genesis.trades")
    assert logs == [2]


def test_what_is_stored_is_released_so_that_the_embedded_broker_may_forget_it(tmp_path: Path) -> None:
    lab = Lab(generation_bytes=50_000)
    try:
        archive = lab.start(tmp_path, embedded_broker=True)
        rows = samples.rows(topics.LIQUIDITY, 8_000)
        frames = [(part % SHARDS, rows[at : at + 200]) for part, at in enumerate(range(0, rows.size, 200))]
        for number, (partition, part) in enumerate(frames):
            until(lambda at=partition, part=part, n=number: accepted(lab, at, part, n), "room in the broker")
        assert lab.producer.flush(WAIT_S) == 0
        until(lambda: digest(archive, topics.LIQUIDITY)[:2] == (8_000, 8_000), "all rows")
        (generations,) = archive.ask("SELECT uniqExact(log_generation) FROM genesis.liquidity")
        assert generations[0] > 3
        names = Log(lab.bootstrap, "lab").names()
        assert topics.LIQUIDITY.full_name not in names, "the first generation is still there"
    finally:
        lab.close()


def accepted(lab: Lab, partition: int, rows: Any, watermark_ns: int) -> bool:
    """Send a frame; say whether there was room for it."""
    try:
        lab.producer.send(topics.LIQUIDITY, partition, rows, watermark_ns)
        lab.producer.poll()
    except QueueFull:
        lab.producer.poll()
        return False
    return True


def _raw_producer(lab: Lab) -> Any:
    """Return a plain Kafka producer, once the topics are there."""
    from confluent_kafka import Producer

    from genesis.connectors.kafka import ensure_topics

    ensure_topics(lab.bootstrap, SHARDS)
    assert Log(lab.bootstrap, "lab").names()
    return Producer({"bootstrap.servers": lab.bootstrap})


def test_every_topic_is_stored_by_its_own_partition() -> None:
    """Also when a topic that is not stored stands between two that are."""
    sink = ArchiveSink(wires=None)  # type: ignore[arg-type]
    parts = sorted(sink.list_parts())
    assert [parts[sink.part_fn(topic.name)] for topic in topics.ARCHIVED] == [t.name for t in topics.ARCHIVED]
