"""The venue as a command: it says when it is ready, stops cleanly, and fails in one sentence."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.connectors.venue.fault_kinds import KINDS, faults_table
from tests.connectors.venue.venues import SPOT_FILES

ROOT = Path(__file__).parents[3]
VENUE = (sys.executable, "-m", "genesis.cli.main", "venue")
STOP_S = 10.0


@pytest.fixture
def venue() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    process = subprocess.Popen(
        (*VENUE, "--port", "0", "--synthetic", "3"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process, json.loads(process.stdout.readline())["ready"]["venue_url"]
    process.kill()
    process.communicate()


def failed(*options: str) -> str:
    done = subprocess.run(
        (*VENUE, "--port", "0", *options), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    (sentence,) = done.stderr.strip().splitlines()
    assert sentence.startswith("genesis: ")
    return sentence


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_stops_cleanly(
    venue: tuple["subprocess.Popen[str]", str], number: signal.Signals
) -> None:
    process, url = venue
    with urllib.request.urlopen(f"{url}/api/v3/exchangeInfo", timeout=10) as answer:
        assert len(json.load(answer)["symbols"]) == 3
    process.send_signal(number)
    _, said = process.communicate(timeout=STOP_S)
    assert process.returncode == 0
    assert f"synthetic market of 3 symbols, seed 1 at {url}" in said
    assert "Traceback" not in said


def test_a_port_in_use_is_named(venue: tuple["subprocess.Popen[str]", str]) -> None:
    port = venue[1].rpartition(":")[2]
    assert f"127.0.0.1:{port} is in use; stop what listens there or choose another --port" in failed(
        "--port", port
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--replay", "absent.gz"), "absent.gz: cannot be read (No such file or directory); check the path"),
        (("--fault", "gap:NOSUCH@depth"), "fault gap: unknown symbol 'NOSUCH'"),
        (("--fault", "gip"), "unknown kind 'gip'"),
        (("--wait-for", "spot/nosuch@trade"), "there is no stream 'spot/nosuch@trade' to wait for"),
        (("--speed", "fast"), "--speed takes a positive number or the word max, was 'fast'"),
        (("--synthetic", "0"), "symbols must be from 1 to 200, was 0"),
        (("--start", "soon"), "--start takes now or a time"),
    ],
)
def test_bad_options_are_told_in_one_sentence(options: tuple[str, ...], sentence: str) -> None:
    assert sentence in failed(*options)


def test_a_recording_that_ends_early_makes_the_exit_status_1(recordings: Path, tmp_path: Path) -> None:
    whole = (recordings / "raw_ws" / SPOT_FILES[0]).read_bytes()
    path = tmp_path / SPOT_FILES[0]
    path.write_bytes(whole[:40_000])
    command = (*VENUE, "--port", "0", "--no-wait", "--replay", str(path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "the source ended early" in line:
                break
        assert "the gzip file is cut off here" in line
        process.terminate()
        process.communicate(timeout=STOP_S)
        assert process.returncode == 1


def test_help_has_examples_and_lists_every_fault() -> None:
    shown = subprocess.run((*VENUE, "--help"), capture_output=True, text=True, check=True).stdout
    assert "genesis venue --replay btcusdt.txt.gz" in shown
    faults = subprocess.run((*VENUE, "--fault", "help"), capture_output=True, text=True, check=True).stdout
    for kind in KINDS.values():
        assert kind.example in faults


def test_the_manual_has_the_table_of_faults() -> None:
    assert faults_table() in (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
