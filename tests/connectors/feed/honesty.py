"""What must hold after any fault: nothing is missing but what gaps speak of, nothing is there twice."""

import numpy as np

from genesis.operators.records import GAP, StreamKind
from tests.connectors.feed.running import Running

SLACK_NS = 1_000_000
"""Spot quotes have no time of their own; the estimate moves a little when messages are missing."""

TOPICS = {"trades": "trade_id", "quotes": "update_id", "book": "update_id"}
KINDS = {"trades": StreamKind.TRADES, "quotes": StreamKind.QUOTES, "book": StreamKind.BOOK}


def ids(rows: np.ndarray, topic: str) -> np.ndarray:
    return rows[["market", "symbol", TOPICS[topic]]].astype(
        [("market", "i1"), ("symbol", "S16"), ("id", "i8")], copy=True
    )


def gaps_of(running: Running, topic: str) -> list[np.void]:
    """Return the gaps of a topic, each once: closed if it was closed."""
    rows = running.kept.rows("gaps")
    newest = {}
    for row in rows[rows["stream"] == KINDS[topic]]:
        key = (int(row["market"]), bytes(row["symbol"]), int(row["start_ns"]))
        assert int(row["revision"]) == (key in newest), "a gap is published open, then closed, each once"
        newest[key] = row
    return list(newest.values())


def assert_honest(running: Running, reference: Running) -> None:
    """Compare with a run without faults."""
    for topic, column in TOPICS.items():
        have, want = running.kept.rows(topic), reference.kept.rows(topic)
        have_ids, want_ids = ids(have, topic), ids(want, topic)
        assert len(np.unique(have_ids)) == len(have_ids), f"a row of {topic} is there twice"
        assert np.isin(have_ids, want_ids).all(), f"a row of {topic} that the venue never sent"
        missing = want[~np.isin(want_ids, have_ids)]
        gaps = gaps_of(running, topic)
        unexplained = [row for row in missing if not _is_explained(row, gaps)]
        if topic == "book":
            unexplained = [row for row in unexplained if not _is_before_the_first(row, have)]
        found = f"{len(unexplained)} of {len(missing)} missing {topic} rows are in no gap"
        assert len(unexplained) <= len(running.kept.letters), found
        common = [name for name in want.dtype.names if name not in ("effective_ns", "recv_ns")]
        left, right = (np.sort(rows, order=["market", "symbol", column]) for rows in (have, want))
        right = right[np.isin(ids(right, topic), have_ids)]
        if topic == "trades":
            assert all(np.array_equal(left[name], right[name]) for name in common), "a trade has changed"
    assert_promises_kept(running)


def _is_explained(row: np.void, gaps: list[np.void]) -> bool:
    mine = [gap for gap in gaps if gap["symbol"] == row["symbol"] and gap["market"] == row["market"]]
    event_ns = row["event_ns"]
    return any(
        gap["start_ns"] - SLACK_NS <= event_ns
        and (not gap["revision"] or event_ns <= gap["end_ns"] + SLACK_NS)
        for gap in mine
    )


def _is_before_the_first(row: np.void, rows: np.ndarray) -> bool:
    """Say whether a diff came before its book was known: then the snapshot holds it."""
    mine = rows[(rows["market"] == row["market"]) & (rows["symbol"] == row["symbol"])]
    return len(mine) > 0 and bool(row["update_id"] < mine["update_id"].min())


def assert_promises_kept(running: Running) -> None:
    for key, frames in running.kept.by_partition.items():
        promised = -(2**63)
        watermarks = running.kept.watermarks[key]
        assert watermarks == sorted(watermarks), f"a watermark of {key} falls"
        for rows, watermark_ns in zip(frames, watermarks, strict=True):
            assert not len(rows) or rows["effective_ns"].min() > promised, f"a row of {key} breaks a promise"
            promised = watermark_ns


def open_gaps(running: Running) -> list[np.void]:
    """Return the gaps that were never closed."""
    return [gap for topic in TOPICS for gap in gaps_of(running, topic) if not gap["revision"]]


def reasons(running: Running) -> dict[str, set[int]]:
    """Return the reasons of the gaps of each topic that has some."""
    rows = running.kept.rows("gaps")
    assert rows.dtype == GAP.dtype
    found = {
        topic: {int(reason) for reason in rows[rows["stream"] == kind]["reason"]}
        for topic, kind in KINDS.items()
    }
    return {topic: reason for topic, reason in found.items() if reason}
