"""What a replay must account for is counted from the recordings alone."""

import gzip
import json
from pathlib import Path

from genesis.cli import accounting
from genesis.cli.accounting import Ids


def line(stream: str, **data: object) -> str:
    return f"1 {json.dumps({'stream': stream, 'data': data})}\n"


def recording(folder: Path, *lines: str, name: str = "binance_spot_btcusdt.txt.gz") -> Path:
    path = folder / name
    with gzip.open(path, "wt") as target:
        target.writelines(lines)
    return path


def test_rows_are_counted_by_id_so_that_a_repeat_is_one_row(tmp_path: Path) -> None:
    trades = [line("btcusdt@trade", s="BTCUSDT", t=t) for t in (7, 8, 8, 9, 7)]
    found, messages, _ = accounting.expected([recording(tmp_path, *trades)])
    assert found == {("spot", "BTCUSDT", "trades"): Ids(3, 7, 9)}
    assert messages == 5


def test_two_recordings_of_one_stream_are_one_stream(tmp_path: Path) -> None:
    parts = [
        recording(tmp_path, *(line("btcusdt@bookTicker", s="BTCUSDT", u=u) for u in ids), name=name)
        for name, ids in (("a_usdm_1.txt.gz", (1, 2)), ("a_usdm_2.txt.gz", (2, 3)))
    ]
    found, _, _ = accounting.expected(parts)
    assert found == {("usdm", "BTCUSDT", "quotes"): Ids(3, 1, 3)}


def test_diffs_that_the_snapshot_contains_need_not_be_stored(tmp_path: Path) -> None:
    diffs = [line("btcusdt@depth@100ms", s="BTCUSDT", u=u) for u in (4, 5, 6, 9)]
    snapshot = '1 {"lastUpdateId": 5, "bids": [], "asks": []}\n'
    found, messages, superseded = accounting.expected([recording(tmp_path, *diffs[:2], snapshot, *diffs[2:])])
    assert found == {("spot", "BTCUSDT", "book"): Ids(2, 6, 9)}
    assert (messages, superseded) == (5, 2)


def test_a_line_that_is_no_message_is_not_expected_as_a_row(tmp_path: Path) -> None:
    path = recording(tmp_path, "1 {broken\n", line("btcusdt@trade", s="BTCUSDT", t=1))
    assert accounting.expected([path])[0] == {("spot", "BTCUSDT", "trades"): Ids(1, 1, 1)}
