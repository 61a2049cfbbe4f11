"""Recordings through simulator and feed over real sockets: every row once, the same rows every time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genesis.operators.records import WATERMARK_FINAL_NS
from tests.connectors.feed.running import QUICK, Running, replayed

TOPICS = ("trades", "quotes", "book", "gaps")
ORDER = {"trades": "trade_id", "quotes": "update_id", "book": "update_id"}


def sorted_rows(running: Running, topic: str) -> np.ndarray:
    rows = running.kept.rows(topic)
    return np.sort(rows, order=["market", "symbol", ORDER[topic]])


@pytest.fixture(scope="module")
def whole(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Running:
    files = sorted((recordings / "raw_ws").glob("*.txt.gz"))
    return replayed(files, tmp_path_factory.mktemp("whole"))


def test_every_message_of_the_recordings_is_a_row_once_and_nothing_is_missing(whole: Running) -> None:
    counts = [len(whole.kept.rows(topic)) for topic in TOPICS]
    assert counts == [51_252, 172_198, 3_449 + 3_432 + 6_547 + 6_580, 0]
    assert whole.kept.letters == []
    for topic in ORDER:
        rows = sorted_rows(whole, topic)
        assert len(np.unique(rows[["market", "symbol", ORDER[topic]]])) == len(rows)


def test_the_figures_account_for_the_diffs_without_a_row(whole: Running) -> None:
    last = whole.kept.healths[-1]
    assert last.state == "stopped"
    assert last.figures["superseded"] == 2 + 2 + 4 + 6
    assert last.figures["duplicates"] == last.figures["dead_letters"] == last.figures["gaps_total"] == 0


def test_books_are_never_crossed_and_agree_with_the_best_quotes(whole: Running) -> None:
    books, quotes = whole.kept.rows("book"), whole.kept.rows("quotes")
    assert (books["bid_price"][:, 0] < books["ask_price"][:, 0]).all()
    compared = 0
    for market, symbol in {(int(row["market"]), bytes(row["symbol"])) for row in books[["market", "symbol"]]}:
        mine = books[(books["market"] == market) & (books["symbol"] == symbol)]
        best = quotes[(quotes["market"] == market) & (quotes["symbol"] == symbol)]
        newest = np.searchsorted(best["update_id"], mine["update_id"], "right") - 1
        known = newest >= 0
        newest, mine = newest[known], mine[known]
        for side in ("bid", "ask"):
            same = np.isclose(mine[f"{side}_price"][:, 0], best[f"{side}_price"][newest], rtol=1e-4, atol=0)
            assert same.all()
        exact = best["update_id"][newest] == mine["update_id"]
        for column in ("bid_price", "bid_qty", "ask_price", "ask_qty"):
            assert np.array_equal(mine[column][exact, 0], best[column][newest[exact]])
        compared += int(exact.sum())
    assert compared > 1_000


def test_every_partition_has_watermarks_that_rise_and_no_row_behind_one(whole: Running) -> None:
    assert set(whole.kept.watermarks) == {(topic, shard) for topic in TOPICS for shard in range(2)}
    for watermarks in whole.kept.watermarks.values():
        assert watermarks == sorted(watermarks)
        assert watermarks[-1] == WATERMARK_FINAL_NS
    for (topic, shard), frames in whole.kept.by_partition.items():
        promised = -(2**63)
        for rows, watermark_ns in zip(frames, whole.kept.watermarks[topic, shard], strict=True):
            assert not len(rows) or rows["effective_ns"].min() > promised
            promised = watermark_ns


def test_a_second_replay_gives_the_same_rows_whatever_the_frames_and_shards(
    short: list[Path], tmp_path: Path
) -> None:
    runs = [
        replayed(short, tmp_path / "a"),
        replayed(short, tmp_path / "b"),
        replayed(short, tmp_path / "c", frame_rows=7, shards=3, frame_wait_ms=0),
    ]
    for topic in ORDER:
        first, *others = (sorted_rows(run, topic) for run in runs)
        assert len(first) > 300
        for other in others:
            assert first.tobytes() == other.tobytes()
    assert not (tmp_path / "a" / "feed.json").exists()


def test_a_book_that_waits_stops_the_replay_instead_of_losing_diffs(
    short: list[Path], tmp_path: Path
) -> None:
    limits = replace(QUICK, waiting_diffs=10)
    held = replayed(short, tmp_path / "a", "slow_snapshot:*:count=2,wall_ms=300", limits=limits)
    free = replayed(short, tmp_path / "b")
    assert sorted_rows(held, "book").tobytes() == sorted_rows(free, "book").tobytes()
    assert len(held.kept.rows("gaps")) == 0
