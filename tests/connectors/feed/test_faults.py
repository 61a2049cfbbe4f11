"""Each fault of the venue: what the feed does, what it publishes, and that nothing is lost silently.

The feed, the simulated venue and the sockets between them are real. After every fault the rows are
compared with those of a run without it: what is missing must lie in a published gap of its stream.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from genesis.connectors.feed.venue import FeedError
from genesis.connectors.venue.websocket import Timing
from genesis.operators.records import GapReason
from tests.connectors.feed.honesty import assert_honest, gaps_of, open_gaps, reasons
from tests.connectors.feed.running import QUICK, Running, replayed

SEQUENCE, DISCONNECT, SILENCE = (
    {GapReason.SEQUENCE},
    {GapReason.DISCONNECT},
    {GapReason.SILENCE},
)


@pytest.fixture(scope="module")
def reference(short: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Running:
    return replayed(short, tmp_path_factory.mktemp("reference"))


def figures(running: Running) -> dict[str, float]:
    return running.kept.healths[-1].figures


@pytest.mark.parametrize("how", ["abort", "1000", "1001"])
def test_a_lost_connection_is_a_gap_of_its_streams_and_is_opened_again(
    short: list[Path], tmp_path: Path, reference: Running, how: str
) -> None:
    run = replayed(short, tmp_path, f"disconnect:usdm/*:after=2000,how={how},miss=200", speed=20.0)
    assert_honest(run, reference)
    assert reasons(run) == dict.fromkeys(("trades", "quotes", "book"), DISCONNECT)
    assert {int(gap["market"]) for gap in run.kept.rows("gaps")} == {2}
    assert open_gaps(run) == []
    assert figures(run)["connects_total"] == 3
    (trades,) = gaps_of(run, "trades")
    assert trades["first_missing_id"] <= trades["last_missing_id"]


def test_repeated_disconnects_are_met_with_pauses_and_each_is_a_gap(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    run = replayed(short, tmp_path, "disconnect:spot/*:after=600,times=3,miss=20")
    assert_honest(run, reference)
    assert len(gaps_of(run, "quotes")) == 3
    assert open_gaps(run) == []


def test_refused_handshakes_are_tried_again(short: list[Path], tmp_path: Path, reference: Running) -> None:
    run = replayed(short, tmp_path, "refuse:*:count=4")
    assert_honest(run, reference)
    assert reasons(run) == {}
    assert run.server.faults.describe()[0]["spent"]


def test_a_gap_in_the_diffs_resyncs_that_book_alone(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    run = replayed(short, tmp_path, "gap:usdm/ETHUSDT@depth:after=100,count=5")
    assert_honest(run, reference)
    assert reasons(run) == {"book": SEQUENCE}
    (gap,) = gaps_of(run, "book")
    assert gap["symbol"] == b"ETHUSDT"
    assert gap["first_missing_id"] < gap["last_missing_id"]
    assert open_gaps(run) == []
    assert figures(run)["resyncs"] == 1
    spot = run.kept.rows("book")["market"] == 1
    assert spot.sum() == (reference.kept.rows("book")["market"] == 1).sum()


def test_missing_trades_are_a_gap_with_exactly_their_ids(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    run = replayed(short, tmp_path, "gap:spot/BTCUSDT@trade:after=50,count=3")
    assert_honest(run, reference)
    assert reasons(run) == {"trades": SEQUENCE}
    (gap,) = gaps_of(run, "trades")
    assert gap["last_missing_id"] - gap["first_missing_id"] == 2
    assert open_gaps(run) == []


def test_repeats_are_dropped(short: list[Path], tmp_path: Path, reference: Running) -> None:
    faults = [f"duplicate:{target}:after=20,count=5" for target in ("*@trade", "*@bookTicker", "*@depth")]
    run = replayed(short, tmp_path, *faults)
    assert_honest(run, reference)
    assert reasons(run) == {}
    assert figures(run)["duplicates"] == 15
    for topic in ("trades", "quotes", "book"):
        assert len(run.kept.rows(topic)) == len(reference.kept.rows(topic))


def test_trades_and_quotes_out_of_order_are_late_rows_without_a_gap(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    faults = [f"out_of_order:usdm/ETHUSDT@{stream}:after=40,by=3" for stream in ("trade", "bookTicker")]
    run = replayed(short, tmp_path, *faults)
    assert_honest(run, reference)
    assert reasons(run) == {}
    for topic in ("trades", "quotes"):
        assert len(run.kept.rows(topic)) == len(reference.kept.rows(topic))


def test_diffs_out_of_order_resync_the_book(short: list[Path], tmp_path: Path, reference: Running) -> None:
    run = replayed(short, tmp_path, "out_of_order:usdm/ETHUSDT@depth:after=40,by=2")
    assert_honest(run, reference)
    assert reasons(run) == {"book": SEQUENCE}
    assert open_gaps(run) == []


def test_a_silent_stream_is_a_gap_until_it_speaks_and_its_socket_is_replaced(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    run = replayed(short, tmp_path, "silence:usdm/ETHUSDT@bookTicker:after=500,for_ms=20000")
    assert_honest(run, reference)
    assert reasons(run) == {"quotes": SILENCE}
    (gap,) = gaps_of(run, "quotes")
    assert 19e9 < gap["end_ns"] - gap["start_ns"] < 22e9
    assert open_gaps(run) == []


def test_a_socket_that_is_silent_from_the_start_is_replaced(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    limits = replace(QUICK, silence_s=0.3)
    run = replayed(short, tmp_path, "silence:*:until=reconnect", limits=limits)
    assert_honest(run, reference)
    assert figures(run)["connects_total"] >= 3


def test_a_socket_that_falls_silent_is_given_up_and_its_streams_have_a_gap(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    limits = replace(QUICK, silence_s=0.5)
    run = replayed(short, tmp_path, "silence:spot/*:after=500,until=reconnect", limits=limits)
    assert_honest(run, reference)
    assert reasons(run)
    assert all(found == SILENCE for found in reasons(run).values())
    assert open_gaps(run) == []


def test_unreadable_messages_are_dead_letters_and_disturb_nothing_else(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    faults = [
        "malformed:spot/BTCUSDT@trade:after=20,count=3,keep=1",
        "unknown_symbol:usdm/ETHUSDT@bookTicker:after=20,count=2",
    ]
    run = replayed(short, tmp_path, *faults)
    assert_honest(run, reference)
    assert reasons(run) == {}
    assert (
        sorted(letter.reason for letter in run.kept.letters)
        == ["malformed_json"] * 3 + ["unknown_symbol"] * 2
    )
    assert figures(run)["connects_total"] == 2
    assert figures(run)["dead_letters"] == 5


def test_a_malformed_message_that_replaces_a_trade_is_a_dead_letter_and_a_gap(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    run = replayed(short, tmp_path, "malformed:spot/BTCUSDT@trade:after=20")
    assert_honest(run, reference)
    assert [letter.reason for letter in run.kept.letters] == ["malformed_json"]
    assert reasons(run) == {"trades": SEQUENCE}


@pytest.mark.parametrize(
    "fault",
    [
        "429:depth:count=2,retry_after_s=1",
        "418:depth:count=1,retry_after_s=1",
        "slow_snapshot:*:count=2,wall_ms=600",
        "stale_snapshot:*:count=2",
    ],
)
def test_a_snapshot_that_comes_late_costs_no_row(
    short: list[Path], tmp_path: Path, reference: Running, fault: str
) -> None:
    run = replayed(short, tmp_path, fault)
    assert_honest(run, reference)
    assert reasons(run) == {}
    assert len(run.kept.rows("book")) == len(reference.kept.rows("book"))


def test_after_429_nothing_is_asked_until_the_time_that_the_venue_named(
    short: list[Path], tmp_path: Path
) -> None:
    run = replayed(short, tmp_path, "429:spot/depth:count=1,retry_after_s=1")
    fault = run.server.faults.describe()[0]
    assert fault["affected"] == 1
    assert fault["seen"] == 2, "one refused, one answered, none in between"


def test_an_announced_shutdown_costs_no_row(short: list[Path], tmp_path: Path, reference: Running) -> None:
    run = replayed(short, tmp_path, "shutdown:*:after=600,grace=5000", speed=10.0)
    assert_honest(run, reference)
    assert reasons(run) == {}
    assert figures(run)["connects_total"] == 4
    for topic in ("trades", "quotes", "book"):
        assert len(run.kept.rows(topic)) == len(reference.kept.rows(topic))


def test_a_socket_is_replaced_before_its_life_ends_and_no_row_is_lost(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    limits = replace(QUICK, life_s=0.4)
    run = replayed(short, tmp_path, speed=15.0, timing=Timing(life_s=30.0), limits=limits)
    assert_honest(run, reference)
    assert reasons(run) == {}
    assert figures(run)["connects_total"] >= 6


def test_an_unannounced_cut_is_a_gap(short: list[Path], tmp_path: Path, reference: Running) -> None:
    run = replayed(short, tmp_path, "cut:usdm/*:after=1500")
    assert_honest(run, reference)
    assert all(found == DISCONNECT for found in reasons(run).values())
    assert open_gaps(run) == []


def test_a_pause_of_the_whole_venue_is_no_gap(short: list[Path], tmp_path: Path, reference: Running) -> None:
    run = replayed(short, tmp_path, "stall:*:after=1000,wall_ms=700")
    assert_honest(run, reference)
    assert reasons(run) == {}


def test_missing_exchange_information_is_asked_for_again(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    run = replayed(short, tmp_path, "exchange_info_down:*:count=3")
    assert_honest(run, reference)
    assert reasons(run) == {}


def test_the_exchange_information_of_last_time_serves_while_the_venue_has_none(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    replayed(short, tmp_path)
    run = replayed(short, tmp_path, "exchange_info_down:*:count=1000")
    assert_honest(run, reference)


def test_an_instrument_that_does_not_exist_is_refused_with_a_sentence(
    short: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(FeedError, match="spot:NOSUCH is unknown at the venue"):
        replayed(short, tmp_path, symbols="spot:NOSUCH")


def test_all_faults_at_once_leave_an_honest_feed(
    short: list[Path], tmp_path: Path, reference: Running
) -> None:
    run = replayed(
        short,
        tmp_path,
        "disconnect:usdm/*:after=1000,miss=50",
        "disconnect:spot/*:after=700,how=1001",
        "gap:*@depth:after=60,count=2,times=3",
        "gap:*@trade:after=90,count=2,times=2",
        "duplicate:*:after=150,count=3,times=4",
        "out_of_order:*@bookTicker:after=33,times=3",
        "malformed:*:after=444,times=2",
        "stale_snapshot:*:count=1",
        "refuse:*:count=1",
    )
    assert_honest(run, reference)
    assert open_gaps(run) == []
