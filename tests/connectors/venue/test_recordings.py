"""Recordings: what is learnt from them, how they merge, and how damage is reported."""

import gzip
import json
from pathlib import Path

import pytest

from genesis.connectors.venue.recording import RecordingError, RecordingSource, open_recordings
from genesis.connectors.venue.source import Kind, Message
from genesis.operators.records import Market
from tests.connectors.venue.venues import SPOT_FILES, USDM_FILES, all_streams, run, running, until_end

TRADE = (
    '{"stream":"%s@trade","data":{"e":"trade","E":5,"s":"%s","t":1,'
    '"p":"0.50","q":"2","T":5,"m":true,"M":true}}'
)
BTC = TRADE % ("btcusdt", "BTCUSDT")
PU_DIFF = (
    '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":5,"T":5,"s":"BTCUSDT",'
    '"U":1,"u":2,"pu":0,"b":[],"a":[]}}'
)
KLINE = '{"e":"kline","s":"BTCUSDT","k":{}}'
UNSURE = BTC.replace(',"M":true', "")
BAD_DIFF = PU_DIFF.replace('"U":1', '"U":"x"').replace('"pu":0,', "")
SNAPSHOT = '{"lastUpdateId":7,"bids":[["1.0","1"]],"asks":[["2.0","1"]]}'


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def read(source: RecordingSource) -> tuple[list[Message], RecordingError | None]:
    messages = []
    try:
        for message in source:
            messages.append(message)  # noqa: PERF402 - what came before the error counts
    except RecordingError as error:
        return messages, error
    return messages, None


def test_instruments_show_the_increments_of_their_prices(recordings: Path) -> None:
    source = open_recordings([str(recordings / "raw_ws" / name) for name in (*SPOT_FILES, *USDM_FILES)])
    found = {each.name: (each.base, each.quote, each.tick_e8, each.step_e8) for each in source.instruments}
    assert found == {
        "spot/BTCUSDT": ("BTC", "USDT", 1_000_000, 1_000),
        "spot/ETHUSDT": ("ETH", "USDT", 1_000_000, 10_000),
        "usdm/BTCUSDT": ("BTC", "USDT", 10_000_000, 100_000),
        "usdm/ETHUSDT": ("ETH", "USDT", 1_000_000, 100_000),
    } | {"spot/BTCUSDT": ("BTC", "USDT", 1_000_000, found["spot/BTCUSDT"][3])}
    assert 1_000 % found["spot/BTCUSDT"][3] == 0
    assert {key.kind for key in source.streams} == {Kind.TRADE, Kind.QUOTE, Kind.DIFF}
    assert source.start_ns == 1_723_161_253_937_085_768


def test_messages_of_equal_time_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    first = write(tmp_path / "binance_spot_a.txt", f"5 {BTC}", f"7 {BTC}")
    second = write(tmp_path / "binance_usdm_b.txt", f"5 {BTC}", f"6 {BTC}", f"7 {BTC}")
    messages, error = read(open_recordings([first, second]))
    assert error is None
    spot, usdm = Market.SPOT, Market.USDM
    assert [(m.recv_ns, m.market) for m in messages] == [
        (5, spot),
        (5, usdm),
        (6, usdm),
        (7, spot),
        (7, usdm),
    ]
    messages, _ = read(open_recordings([second, first]))
    assert [m.market for m in messages] == [usdm, spot, usdm, usdm, spot]


def test_plain_text_and_unusual_spacing_are_read_too(tmp_path: Path) -> None:
    spaced = json.dumps(json.loads(BTC), indent=None, separators=(" , ", " : "))
    name = write(tmp_path / "binance_spot_x", f"1 {spaced}")
    ((message,), _) = read(open_recordings([name]))
    assert json.loads(message.payload) == json.loads(BTC)["data"]


@pytest.mark.parametrize(
    ("line", "market"),
    [
        (PU_DIFF, Market.USDM),
        (BTC, Market.SPOT),
        (TRADE.replace(',"M":true', "") % ("btcusd_perp", "BTCUSD_PERP"), Market.COINM),
        (TRADE.replace(',"M":true', "") % ("btcusdt_240927", "BTCUSDT_240927"), Market.USDM),
    ],
)
def test_the_market_is_found_in_the_messages(tmp_path: Path, line: str, market: Market) -> None:
    assert open_recordings([write(tmp_path / "x.txt", f"1 {line}")]).instruments[0].market == market


def test_a_market_that_does_not_show_is_asked_for(tmp_path: Path) -> None:
    name = write(tmp_path / "x.txt", f"1 {UNSURE}")
    with pytest.raises(RecordingError, match="neither its name nor its messages say which market"):
        open_recordings([name])
    assert open_recordings([f"coinm={name}"]).instruments[0].market == Market.COINM


def test_other_streams_are_passed_on_under_their_name(tmp_path: Path) -> None:
    other = f'{{"stream":"btcusdt@kline_1m","data":{KLINE}}}'
    name = write(tmp_path / "binance_spot_x.txt", f"1 {BTC}", f"2 {other}")
    messages, _ = read(open_recordings([name]))
    assert messages[1] == Message(
        2, Market.SPOT, Kind.OTHER, "btcusdt@kline_1m", KLINE.encode(), "btcusdt@kline_1m"
    )

    async def test() -> None:
        async with (
            running(replay=(name,)) as venue,
            venue.connect("/stream?genesis=replay&streams=btcusdt@trade/btcusdt@kline_1m") as socket,
        ):
            events = await until_end(socket)
            assert [event["stream"] for event in events[:2]] == ["btcusdt@trade", "btcusdt@kline_1m"]
            assert events[-1]["data"]["counts"]["spot"]["other"] == 1

    run(test)


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        ((f"1 {BTC}", "2 {nonsense"), 2, "not a message of Binance"),
        ((f"1 {BTC}", f"2 {BTC[:40]}"), 2, "not a message of Binance"),
        ((f"1 {BTC}", "hello"), 2, "expected '<recv_ns> <json>'"),
        ((f"1 {BTC}", '2 {"result":null}'), 2, "neither a combined-stream frame nor a depth snapshot"),
        ((f"2 {BTC}", f"1 {BTC}"), 2, "lies before that of the line above"),
        ((f"1 {BTC}", f"2 {TRADE % ('btcusdt', 'ETHUSDT')}"), 2, "carries a message of symbol 'ETHUSDT'"),
        ((f"1 {BTC}", f"2 {TRADE % ('nosuch', 'NOSUCH')}"), 2, "unknown symbol 'NOSUCH'"),
        ((f"1 {BTC}", f"2 {PU_DIFF}"), 2, "has a 'pu'"),
        (
            (f"1 {BTC}", f"2 {TRADE % ('ethusdt', 'ETHUSDT')}", f"3 {SNAPSHOT}"),
            3,
            "nothing that says of which symbol",
        ),
        (
            (f"1 {BTC}", f"2 {BAD_DIFF}"),
            2,
            "not a message of Binance",
        ),
        ((f"1 {BTC}", '2 {"lastUpdateId":7,"bids":3}'), 2, "not a message of Binance"),
    ],
)
def test_damage_is_reported_with_its_line_after_all_before_it_was_read(
    tmp_path: Path, lines: tuple[str, ...], line: int, problem: str
) -> None:
    name = write(tmp_path / "binance_spot_x.txt", *lines)
    messages, error = read(open_recordings([name]))
    assert len(messages) == line - 1
    assert error is not None
    assert error.line == line
    assert problem in str(error)
    assert f"{name}, line {line}: " in str(error)
    assert "; " in str(error), "what to do"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no message"),
        (b"\x1f\x8b\x08garbage", "the gzip file is"),
        (b"# Notes\n", "expected '<recv_ns> <json>'"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "binance_spot_x.gz"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=problem):
        open_recordings([str(path)])


def test_missing_and_doubled_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        open_recordings([str(tmp_path / "absent.gz")])
    name = write(tmp_path / "binance_spot_x.txt", f"1 {BTC}")
    with pytest.raises(RecordingError, match="is named twice"):
        open_recordings([name, f"spot={name}"])


def test_an_unknown_symbol_after_the_first_lines_ends_the_play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genesis.connectors.venue.recording_file.PEEK_LINES", 2)
    name = write(tmp_path / "binance_spot_x.txt", *[f"1 {BTC}"] * 3, f"2 {TRADE % ('ethusdt', 'ETHUSDT')}")
    messages, error = read(open_recordings([name]))
    assert len(messages) == 3
    assert "unknown symbol 'ETHUSDT'" in str(error)


def test_a_truncated_recording_is_played_to_where_it_is_cut_off(recordings: Path, tmp_path: Path) -> None:
    whole = (recordings / "raw_ws" / SPOT_FILES[1]).read_bytes()
    path = tmp_path / SPOT_FILES[1]
    path.write_bytes(whole[: len(whole) // 8])
    try:
        with gzip.open(path) as lines:
            readable = 0
            for _ in lines:
                readable += 1
    except EOFError:
        pass

    async def test() -> None:
        async with running(replay=(str(path),)) as venue:
            async with venue.connect("/stream?genesis=replay&" + all_streams(venue.server)) as socket:
                *events, end = await until_end(socket)
            assert f"{path}, line {readable + 1}: the gzip file is cut off here" in end["data"]["error"]
            assert sum(end["data"]["counts"]["spot"].values()) == readable
            assert len(events) == readable - 1  # but for the snapshot
            status = await venue.status()
            assert (status["state"], status["finished"]) == ("failed", True)
            assert status["error"] == end["data"]["error"]

    run(test)
