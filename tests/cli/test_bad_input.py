"""Bad input gets a sentence that says what to do, a status that is not 0, and no traceback."""

import gzip
import socket
import subprocess
from pathlib import Path

import pytest

from tests.system.running import GENESIS, environment

pytestmark = pytest.mark.timeout(330)


def run(*words: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*GENESIS, *words],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def refused(result: "subprocess.CompletedProcess[str]", *words: str) -> None:
    said = result.stderr + result.stdout
    assert result.returncode != 0, said
    assert "Traceback" not in said
    assert "defect" not in said
    for word in words:
        assert word in said


def test_an_unknown_option_is_refused_with_a_hint() -> None:
    refused(run("up", "--hedless"), "--hedless")


def test_an_unknown_command_is_refused() -> None:
    refused(run("fly"), "fly")


def test_a_misspelt_setting_is_refused_by_name(tmp_path: Path) -> None:
    refused(run("up", "--headless", "--data", str(tmp_path), shrads=2), "GENESIS_SHRADS", "doctor --settings")


def test_a_recording_that_is_not_there_is_refused_before_anything_starts(tmp_path: Path) -> None:
    refused(
        run("replay", str(tmp_path / "none.gz"), "--data", str(tmp_path / "data")),
        "no recording",
        "genesis record",
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", "inf"])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: str) -> None:
    file = tmp_path / "binance_spot_x.txt"
    file.write_text("")
    refused(run("replay", str(file), "--speed", speed), "--speed")


def test_a_symbol_that_the_venue_does_not_have_is_refused_with_what_it_has(
    tmp_path: Path, recordings: Path
) -> None:
    file = recordings / "raw_ws" / "binance_spot_btcusdt_20240808.txt.gz"
    result = run("replay", str(file), "--data", str(tmp_path), "--symbols", "spot:DOGEUSDT")
    refused(result, "spot:DOGEUSDT is unknown")


def test_a_truncated_recording_is_played_as_far_as_it_goes_and_said_to_be_damaged(
    tmp_path: Path, recordings: Path
) -> None:
    whole = (recordings / "raw_ws" / "binance_spot_btcusdt_20240808.txt.gz").read_bytes()
    file = tmp_path / "binance_spot_btcusdt.txt.gz"
    file.write_bytes(whole[: len(whole) // 3])
    result = run("replay", str(file), "--data", str(tmp_path / "data"))
    refused(result, "binance_spot_btcusdt.txt.gz")
    assert "rows in trades" in result.stdout, "what could be read is stored and counted"


def test_a_recording_that_is_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "binance_spot_btcusdt.txt.gz"
    file.write_bytes(gzip.compress(b"dear diary\n"))
    refused(run("replay", str(file), "--data", str(tmp_path / "data")), "line 1")


def test_a_port_in_use_is_said_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(run("venue", "--synthetic", "2", "--port", str(port)), str(port), "--port")


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(run("up", "--headless", "--data", str(tmp_path / "file" / "data")), "--data")


def test_sql_that_is_not_sql_is_refused_in_the_stores_words(tmp_path: Path) -> None:
    refused(run("sql", "SELEC 1", "--data", str(tmp_path)))


def test_every_command_has_examples_in_its_help() -> None:
    plain = ("up", "replay", "tui", "venue", "record", "sql", "topics", "correlation", "doctor", "keys")
    for command in (*plain, "run"):
        result = run(command, "--help")
        assert result.returncode == 0, command
        assert "xample" in result.stdout, command
