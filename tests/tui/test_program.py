"""The real program in a pseudo-terminal: keys, sizes, colours, a broker that dies, and a clean end."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import FrameProducer, QueueFull, ensure_topics
from genesis.connectors.kafka.log import BrokerUnreachable
from genesis.operators.records import RowSchema
from genesis.tui import picture
from genesis.tui.terminal import Session
from tests.tui.rehearsal import SHARDS, Rehearsal

ROOT = Path(__file__).parents[2]
REHEARSAL = [sys.executable, "-m", "tests.tui.rehearsal"]
LEAVE_ALTERNATE_SCREEN = b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?25h"
UP, DOWN = "\x1b[A", "\x1b[B"

pytestmark = pytest.mark.timeout(120)


def environment(**changes: str) -> dict[str, str]:
    described = ("NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE")
    kept = {n: v for n, v in os.environ.items() if n not in described and not n.startswith("GENESIS_")}
    return kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)} | changes


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(REHEARSAL, (80, 24), environment()) as opened:
        opened.wait("BTCUSDT")
        opened.type("1")
        opened.wait("GENESIS · overview")
        yield opened


def assert_left_cleanly(session: Session) -> None:
    """Assert that the program ended well and gave the terminal back as it was."""
    assert session.finish() == 0
    assert session.settings == session.settings_before
    assert LEAVE_ALTERNATE_SCREEN in session.written
    assert session.written.rfind(SHOW_CURSOR) > session.written.rfind(b"\x1b[?25l")
    assert b"Traceback" not in session.written


def test_keys_lead_through_the_screens_and_out(session: Session) -> None:
    session.type("2")
    session.wait("half-life")
    session.type("l")
    session.wait("‹5 min›")
    session.type("\t")
    session.wait("GENESIS · feed")
    session.type("?")
    session.wait("shorter half-life")
    session.type("\x1b")
    session.wait("watermark lag")
    session.type("1" + DOWN)
    session.wait("› AVAXUSDT")
    session.type(UP + "/eth")
    session.wait("show: eth_")
    session.type("\r")
    lines = session.wait("of 16 match")
    assert not any("BTCUSDT" in line for line in lines)
    session.type("q")
    assert_left_cleanly(session)


def test_the_account_comes_first_and_function_keys_lead_through_its_screens(session: Session) -> None:
    for key, title, words in (
        (picture.FUNCTION_KEYS[1], "· risk", "Daily budget"),
        (picture.FUNCTION_KEYS[2], "· results", "By hour"),
        (picture.FUNCTION_KEYS[3], "· tier", "What Strategist asks for"),
        (picture.FUNCTION_KEYS[4], "· journal", "As it went"),
        (picture.FUNCTION_KEYS[0], "GENESIS · Hunter ─", "Budget left today"),
    ):
        session.type(key)
        lines = session.wait(words)
        assert title in lines[0]
    assert "$" in "".join(session.lines())
    session.type("q")
    assert_left_cleanly(session)


def test_space_holds_the_display_and_says_so(session: Session) -> None:
    session.type(" ")
    session.wait("held for 1 s")
    session.type(" ")
    session.wait("· feed 1")
    session.type("q")
    assert_left_cleanly(session)


def test_a_storm_of_sizes_ends_in_a_correct_screen(session: Session) -> None:
    for i in range(150):
        session.resize(60 + i * 7 % 150, 15 + i * 11 % 60)
        session.read(0.0)
    session.resize(60, 20)
    session.wait("80 columns")
    session.resize(120, 40)
    lines = session.wait(lambda seen: "moves with" in "".join(seen) and seen[-1].endswith("┘"))
    assert lines[0].startswith("┌─ GENESIS · overview")
    assert {(line[0], line[-1]) for line in lines[1:-1]} == {("│", "│")}
    session.type("q")
    assert_left_cleanly(session)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(session: Session, number: signal.Signals) -> None:
    session.process.send_signal(number)
    assert_left_cleanly(session)


def test_a_terminal_that_takes_nothing_keeps_no_key_waiting(session: Session) -> None:
    session.resize(200, 60)
    waiting = threading.Event()
    waiting.wait(
        3.0
    )  # nobody reads meanwhile: the pseudo-terminal is full, and the program must not be stuck
    session.type("2")
    session.wait("GENESIS · correlation")
    assert len(session.written) < 400_000
    session.type("q")
    assert_left_cleanly(session)


def test_without_colours_nothing_is_coloured() -> None:
    with Session(REHEARSAL, (80, 24), environment(NO_COLOR="1")) as session:
        session.wait("BTCUSDT")
        session.type("q")
        assert_left_cleanly(session)
        for colour in (b"[3%d", b";3%d", b"[9%d", b"38;5"):
            assert not any(colour.replace(b"%d", b"%d" % n) in session.written for n in range(8))


def test_sixteen_colours_are_enough() -> None:
    with Session(REHEARSAL, (80, 24), environment(TERM="linux")) as session:
        session.wait("BTCUSDT")
        session.type("q")
        assert_left_cleanly(session)
        assert b"38;5" not in session.written


def test_a_locale_without_unicode_gets_plain_ascii() -> None:
    with Session(REHEARSAL, (80, 24), environment(LC_ALL="C")) as session:
        lines = session.wait("BTCUSDT")
        assert lines[0].startswith("+- GENESIS . Hunter --")
        assert all(line.isascii() for line in lines)
        session.type("q")
        assert_left_cleanly(session)


def test_a_terminal_that_cannot_place_text_is_told_so() -> None:
    with Session(REHEARSAL, (80, 24), environment(TERM="dumb")) as session:
        assert session.finish() == 2
        assert b"cannot place text" in session.written


def test_no_terminal_is_told_so() -> None:
    ended = subprocess.run(
        REHEARSAL, check=False, env=environment(), cwd=ROOT, capture_output=True, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == 2
    assert ended.stderr == b"the dashboard needs a terminal; `genesis sql` answers without one\n"


def test_nothing_to_attach_to_is_told_with_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "genesis.cli.main", "tui", "--data", str(tmp_path)]
    with Session(command, (120, 24), environment()) as session:
        assert session.finish(30.0) == 1
        assert b"nothing is running in" in session.written
        assert b"genesis up --data" in session.written


class Pump:
    """Produces a made-up market to a broker, at its own pace, through anything that happens to it."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = FrameProducer(bootstrap, SHARDS, embedded=True, name="rehearsal")
        self._rehearsal = Rehearsal(6, 2)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Pump":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        i = 0
        while not self._stopping.wait(0.1):
            try:
                self._step(i)
            except (QueueFull, BrokerUnreachable):
                continue
            i += 1

    def _step(self, i: int) -> None:
        for said in self._rehearsal.step(i):
            if isinstance(said.topic.schema, RowSchema):
                rows = np.frombuffer(said.value, said.topic.rows.dtype)
                self._producer.send(said.topic, said.partition, rows, int(dict(said.headers)["watermark_ns"]))
            self._producer.poll()


def test_a_lost_broker_is_said_calmly_and_found_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "genesis.cli.main", "run", "dashboard"]
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, SHARDS, timeout_s=20.0)
        settings = environment(GENESIS_DATA=str(tmp_path), GENESIS_BROKER=broker.bootstrap)
        with Session(command, (80, 24), settings) as session, Pump(broker.bootstrap):
            session.wait("Three panels, always in the same place")
            session.type("\x1b")
            session.wait("No word from an account yet")
            session.type("1")
            session.wait("BTCUSDT", 40.0)
            session.wait(lambda lines: "live" in lines[0])
            broker.kill()
            session.wait("no word from the broker for")
            session.wait(lambda lines: " s old " in lines[0])
            broker.start()
            ensure_topics(broker.bootstrap, SHARDS, timeout_s=20.0)
            session.wait(lambda lines: "live" in lines[0] and "BTCUSDT" in "".join(lines), 40.0)
            session.type("q")
            assert_left_cleanly(session)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_inside_tmux_the_frame_is_whole(tmp_path: Path) -> None:
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", os.devnull]
    variables = environment()
    shell = " ".join(REHEARSAL)
    start = [
        *tmux,
        "new-session",
        "-d",
        "-x",
        "100",
        "-y",
        "30",
        f"cd {ROOT} && {shell}; echo left with $?; cat",
    ]
    subprocess.run(start, env=variables, check=True)
    with Session([*tmux, "attach"], (100, 30), variables) as session:
        try:
            session.wait("BTCUSDT")
            session.type("3")
            session.wait("GENESIS · feed")
            session.type("q")
            session.wait("left with 0")
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)


def test_a_picture_is_drawn_from_the_real_program(session: Session) -> None:
    drawn = picture.take(session, "2", "correlation")
    assert drawn.startswith("<svg ")
    assert "half-life" in drawn
    assert "#87af87" not in drawn, "nothing on this screen is a gain"
    assert "#87af87" in picture.take(session, "1", "overview") or "+0." not in "".join(session.lines())
    session.type("q")
    assert_left_cleanly(session)
