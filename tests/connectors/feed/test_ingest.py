"""Ingest on recorded messages and on hand-made ones: rows, repeats, holes, late and unreadable messages."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from genesis.connectors.feed.gaps import OpenGap
from genesis.operators.records import GapReason, Market, StreamKind
from tests.connectors.feed.offline import LATENESS_NS, OfflineFeed, lines

MS_NS = 1_000_000
T0_MS = 1_700_000_000_000


def trade(number: int, at_ms: int = T0_MS, symbol: str = "BTCUSDT", **changes: object) -> bytes:
    data = {"e": "trade", "E": at_ms, "T": at_ms, "s": symbol, "t": number, "p": "2.5", "q": "0.1", "m": True}
    return msgspec.json.encode({"stream": f"{symbol.lower()}@trade", "data": data | changes})


def quote(number: int, symbol: str = "BTCUSDT") -> bytes:
    data = {"u": number, "s": symbol, "b": "1.5", "B": "3", "a": "1.6", "A": "4"}
    return msgspec.json.encode({"stream": f"{symbol.lower()}@bookTicker", "data": data})


def diff(first: int, last: int, at_ms: int = T0_MS, bids: object = (), asks: object = ()) -> bytes:
    data = {"e": "depthUpdate", "E": at_ms, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return msgspec.json.encode({"stream": "btcusdt@depth@100ms", "data": data})


@pytest.fixture
def feed() -> OfflineFeed:
    return OfflineFeed(Market.SPOT, ["BTCUSDT"])


@pytest.mark.parametrize(
    ("name", "market", "trades", "quotes", "book"),
    [
        ("binance_spot_btcusdt_20240808", Market.SPOT, 9_757, 28_040, 3_449),
        ("binance_spot_ethusdt_20240808", Market.SPOT, 6_106, 24_077, 3_432),
        ("binance_usdm_btcusdt_20240808", Market.USDM, 21_313, 66_089, 6_547),
        ("binance_usdm_ethusdt_20240808", Market.USDM, 14_076, 53_992, 6_580),
    ],
)
def test_a_recording_becomes_rows_without_gap_or_letter(
    recordings: Path, name: str, market: Market, trades: int, quotes: int, book: int
) -> None:
    symbol = "BTCUSDT" if "btc" in name else "ETHUSDT"
    feed = OfflineFeed(market, [symbol])
    for recv_ns, raw in lines(recordings / "raw_ws" / f"{name}.txt.gz"):
        if raw.startswith(b'{"lastUpdateId"'):
            assert feed.snapshot(symbol, raw, recv_ns)
        else:
            feed.message(raw, recv_ns)
    feed.ingest.close_holes()
    counts = [len(feed.rows(topic)) for topic in ("trades", "quotes", "book", "gaps")]
    assert counts == [trades, quotes, book, 0]
    assert feed.letters == []
    rows = feed.rows("book")
    assert (rows["bid_price"][:, 0] < rows["ask_price"][:, 0]).all()
    assert (np.diff(rows["bid_price"], axis=1) < 0).all()
    assert (np.diff(rows["ask_price"], axis=1) > 0).all()
    best = feed.rows("quotes")
    newest = np.searchsorted(best["update_id"], rows["update_id"], "right") - 1
    same = best["update_id"][newest] == rows["update_id"]
    assert same.sum() > 50 or market is Market.USDM
    for side in ("bid", "ask"):
        assert np.array_equal(rows[f"{side}_price"][same, 0], best[f"{side}_price"][newest[same]])


def test_no_row_counts_behind_a_watermark_that_was_sent(recordings: Path) -> None:
    feed = OfflineFeed(Market.SPOT, ["BTCUSDT"], frame_rows=7)
    for recv_ns, raw in lines(recordings / "raw_ws" / "binance_spot_btcusdt_20240808.txt.gz"):
        if not raw.startswith(b'{"lastUpdateId"'):
            feed.message(raw, recv_ns)
    for name in ("trades", "quotes"):
        promised = -(2**63)
        for frame, watermark_ns in zip(feed.kept.frames[name], feed.kept.watermarks[name, 0], strict=True):
            assert not len(frame) or frame["effective_ns"].min() > promised
            promised = watermark_ns


def test_a_repeated_trade_is_dropped_and_one_out_of_order_is_a_row_without_a_gap(feed: OfflineFeed) -> None:
    for number in (1, 2, 4, 4, 2, 3, 5):
        feed.message(trade(number), T0_MS * MS_NS)
    feed.ingest.close_holes()
    assert feed.rows("trades")["trade_id"].tolist() == [1, 2, 4, 3, 5]
    assert len(feed.rows("gaps")) == 0
    assert feed.ingest.duplicates == 2


def test_missing_trades_are_a_gap_with_their_ids_once_they_have_had_time_to_come(feed: OfflineFeed) -> None:
    feed.message(trade(1), 0)
    feed.message(trade(5, T0_MS + 10), 0)
    assert len(feed.rows("gaps")) == 0
    feed.message(trade(6, T0_MS + 1_500), 0)
    opened, closed = feed.rows("gaps")
    assert (opened["first_missing_id"], opened["last_missing_id"]) == (2, 4)
    assert (opened["start_ns"], opened["end_ns"], opened["revision"]) == (T0_MS * MS_NS, 0, 0)
    assert (closed["end_ns"], closed["revision"]) == ((T0_MS + 10) * MS_NS, 1)
    assert opened["reason"] == GapReason.SEQUENCE
    assert opened["stream"] == StreamKind.TRADES


def test_a_late_trade_counts_just_after_the_watermark(feed: OfflineFeed) -> None:
    feed.message(trade(1, T0_MS), 0)
    feed.message(trade(2, T0_MS - 5_000), 0)
    first, late = feed.rows("trades")
    assert first["effective_ns"] == first["event_ns"]
    assert late["effective_ns"] == first["event_ns"] - LATENESS_NS + 1


def test_an_untimed_quote_waits_for_the_clock_and_is_stamped_in_the_venues_time(feed: OfflineFeed) -> None:
    feed.message(quote(7), T0_MS * MS_NS - 30)
    assert len(feed.rows("quotes")) == 0
    feed.message(trade(1, T0_MS + 1_270), T0_MS * MS_NS)
    (row,) = feed.rows("quotes")
    assert row["event_ns"] == (T0_MS + 1_270) * MS_NS - 30
    assert row["recv_ns"] == T0_MS * MS_NS - 30


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{not json", "malformed_json"),
        (b"", "malformed_json"),
        (b"[1, 2]", "malformed_json"),
        (trade(1, symbol="DOGEUSDT"), "unknown_symbol"),
        (trade(1, p="many"), "unexpected_shape"),
        (trade(1, p="nan"), "bad_value"),
        (trade(1, p="0"), "bad_value"),
        (trade(1, q="-1"), "bad_value"),
        (trade(1, q="inf"), "bad_value"),
        (trade(1, s="ETHUSDT"), "bad_value"),
        (trade(1, T0_MS * 1_000), "bad_value"),
        (trade(1, T=T0_MS + 60_000), "bad_value"),
        (diff(5, 4), "bad_value"),
        (diff(4, 5, bids=[["0", "1"]]), "bad_value"),
        (diff(4, 5, bids=[["1", "-1"]]), "bad_value"),
        (diff(4, 5, bids=[["one", "1"]]), "unexpected_shape"),
        (trade(1, t=None), "unexpected_shape"),
        (b'{"stream":"btcusdt@kline_1m","data":{"e":"kline"}}', "unknown_message"),
        (b'{"e":"somethingElse"}', "unknown_message"),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter_and_disturbs_nothing(
    feed: OfflineFeed, raw: bytes, reason: str
) -> None:
    feed.message(trade(1), 0)
    feed.message(raw, 0)
    feed.message(trade(2), 0)
    assert [found for found, _ in feed.letters] == [reason]
    assert feed.rows("trades")["trade_id"].tolist() == [1, 2]
    assert len(feed.rows("gaps")) == 0


def test_a_shutdown_notice_and_the_answer_to_a_subscription_are_no_dead_letters(feed: OfflineFeed) -> None:
    feed.message(b'{"result":null,"id":1}', 0)
    feed.message(b'{"e":"serverShutdown","E":1}', 0)
    assert feed.letters == []
    assert feed.ingest.shutdown_announced


def test_a_hole_in_the_diffs_begins_the_book_again_and_publishes_the_gap(feed: OfflineFeed) -> None:
    snapshot = b'{"lastUpdateId":10,"bids":[["1.0","5"]],"asks":[["2.0","5"]]}'
    feed.message(diff(9, 11, bids=[["1.1", "1"]]), 0)
    assert feed.snapshot("BTCUSDT", snapshot, 0)
    feed.message(diff(12, 12), 0)
    feed.message(diff(15, 16, T0_MS + 200), 0)
    assert len(feed.asked) == 2
    later = b'{"lastUpdateId":15,"bids":[["1.2","5"]],"asks":[["2.0","5"]]}'
    assert feed.snapshot("BTCUSDT", later, 0)
    assert feed.rows("book")["update_id"].tolist() == [11, 12, 16]
    assert feed.rows("book")["bid_price"][:, 0].tolist() == [1.1, 1.1, 1.2]
    opened, closed = feed.rows("gaps")
    assert (opened["first_missing_id"], opened["last_missing_id"]) == (13, 14)
    assert closed["end_ns"] == (T0_MS + 200) * MS_NS


def test_a_snapshot_older_than_the_diffs_is_refused_and_another_is_asked_for(feed: OfflineFeed) -> None:
    feed.message(diff(20, 22), 0)
    assert not feed.snapshot("BTCUSDT", b'{"lastUpdateId":10,"bids":[],"asks":[]}', 0)
    assert feed.snapshot("BTCUSDT", b'{"lastUpdateId":21,"bids":[],"asks":[]}', 0)
    assert feed.rows("book")["update_id"].tolist() == [22]


def test_silence_of_one_stream_is_a_gap_until_it_speaks_again(feed: OfflineFeed) -> None:
    for step in range(100):
        feed.message(trade(step, T0_MS + 1_000 * step), (T0_MS + 1_000 * step) * MS_NS)
        if step < 25 or step > 90:
            feed.message(quote(step), (T0_MS + 1_000 * step) * MS_NS)
    opened, closed = feed.rows("gaps")
    assert (opened["reason"], opened["stream"]) == (GapReason.SILENCE, StreamKind.QUOTES)
    assert opened["start_ns"] == (T0_MS + 24_000) * MS_NS
    assert closed["end_ns"] == (T0_MS + 91_000) * MS_NS


def test_a_quote_without_one_side_has_no_price_there(feed: OfflineFeed) -> None:
    feed.message(trade(1), 0)
    feed.message(quote(2).replace(b'"b":"1.5"', b'"b":"0.00000000"'), 0)
    (row,) = feed.rows("quotes")
    assert np.isnan(row["bid_price"])
    assert row["ask_price"] == 1.6


def test_a_venue_that_counts_anew_is_followed_and_the_break_is_a_gap(feed: OfflineFeed) -> None:
    for number, at_ms in ((500, T0_MS), (501, T0_MS + 10), (1, T0_MS + 5_000), (2, T0_MS + 7_000)):
        feed.message(trade(number, at_ms), 0)
    assert feed.rows("trades")["trade_id"].tolist() == [500, 501, 1, 2]
    opened, closed = feed.rows("gaps")
    assert (opened["start_ns"], closed["end_ns"]) == ((T0_MS + 10) * MS_NS, (T0_MS + 5_000) * MS_NS)


def test_a_late_quote_is_told_from_a_repeat(feed: OfflineFeed) -> None:
    feed.message(trade(1), 0)
    for number in (5, 9, 7, 9, 7, 5):
        feed.message(quote(number), 0)
    assert feed.rows("quotes")["update_id"].tolist() == [5, 9, 7]
    assert feed.ingest.duplicates == 3


def test_a_book_whose_sides_overlap_is_begun_again_and_never_shown(feed: OfflineFeed) -> None:
    feed.message(diff(9, 11), 0)
    assert feed.snapshot("BTCUSDT", b'{"lastUpdateId":10,"bids":[["1.0","5"]],"asks":[["2.0","5"]]}', 0)
    feed.message(diff(12, 12, bids=[["2.0", "1"]]), 0)
    assert feed.rows("book")["update_id"].tolist() == [11]
    assert len(feed.asked) == 2
    assert feed.rows("gaps")["reason"].tolist() == [GapReason.SEQUENCE]


def test_an_unreadable_diff_leaves_the_book_as_it_was(feed: OfflineFeed) -> None:
    feed.message(diff(9, 11), 0)
    assert feed.snapshot("BTCUSDT", b'{"lastUpdateId":10,"bids":[["1.0","5"]],"asks":[["2.0","5"]]}', 0)
    feed.message(diff(12, 12, bids=[["-1", "1"]]), 0)
    feed.message(diff(12, 13, bids=[["1.5", "1"]]), 0)
    assert feed.rows("book")["update_id"].tolist() == [11, 13]
    assert len(feed.rows("gaps")) == 0


def test_too_many_waiting_diffs_are_given_up_with_a_gap_and_hold_nothing_back() -> None:
    feed = OfflineFeed(Market.SPOT, ["BTCUSDT"], waiting_max=4)
    book = feed.ingest.books["BTCUSDT"]
    for number in range(10, 13):
        feed.message(diff(number, number), 0)
    assert book.held_ns is not None
    feed.message(diff(13, 13), 0)
    assert book.held_ns is None
    feed.message(diff(14, 14, T0_MS + 50), 0)
    assert feed.snapshot("BTCUSDT", b'{"lastUpdateId":13,"bids":[["1.0","5"]],"asks":[["2.0","5"]]}', 0)
    opened, closed = feed.rows("gaps")
    assert opened["reason"] == GapReason.SNAPSHOT
    assert (opened["start_ns"], closed["end_ns"]) == (T0_MS * MS_NS, (T0_MS + 50) * MS_NS)
    assert feed.rows("book")["update_id"].tolist() == [14]


def test_an_expected_gap_is_published_with_the_first_row_or_not_at_all(feed: OfflineFeed) -> None:
    stream = feed.ingest.tickers["BTCUSDT"].trades
    feed.gaps.expect(stream, OpenGap(T0_MS * MS_NS, GapReason.FEED_RESTART))
    feed.message(trade(1, T0_MS - 1_000), 0)
    assert len(feed.rows("gaps")) == 0
    feed.gaps.expect(stream, OpenGap(T0_MS * MS_NS, GapReason.FEED_RESTART))
    feed.message(trade(2, T0_MS + 1_000), 0)
    assert feed.rows("gaps")["revision"].tolist() == [0, 1]


def test_an_expected_gap_that_no_row_ends_is_published_open_at_the_end(feed: OfflineFeed) -> None:
    stream = feed.ingest.tickers["BTCUSDT"].trades
    feed.gaps.expect(stream, OpenGap(T0_MS * MS_NS, GapReason.FEED_RESTART))
    feed.gaps.publish_all(feed.ingest.now)
    assert feed.rows("gaps")["revision"].tolist() == [0]
