"""A supervised process: ready lines, logs, deaths, restarts with growing pauses, crash loops."""

import os
import select
import signal
import sys
from pathlib import Path

import pytest

from genesis.cli.child import CRASH_LOOP_DEATHS, Child

READY = 'import json; print(json.dumps({"ready": {"port": 7}}), flush=True); '


def child(logs: Path, program: str) -> Child:
    return Child("part", lambda: [sys.executable, "-c", program], dict, logs)


def test_what_it_says_when_ready_is_returned_and_the_rest_goes_to_the_log(tmp_path: Path) -> None:
    part = child(tmp_path, READY + "print('hello'); import sys; print('bad news', file=sys.stderr)")
    part.start()
    assert part.await_ready(20) == {"port": 7}
    assert part.process is not None
    part.process.wait(20)
    part.stop(5)
    text = (tmp_path / "part.log").read_text()
    assert "bad news" in text


def test_one_that_ends_before_it_is_ready_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    part = child(tmp_path, "import sys; sys.exit('genesis: the data folder is held by another')")
    part.start()
    assert part.await_ready(20) is None
    assert part.exited() == 1
    assert part.last_words() == "the data folder is held by another"


def test_pauses_between_restarts_grow_and_a_crash_loop_is_named(tmp_path: Path) -> None:
    part = child(tmp_path, "raise SystemExit(3)")
    pauses = []
    for _ in range(CRASH_LOOP_DEATHS):
        part.start()
        assert part.process is not None
        part.process.wait(20)
        assert part.exited() == 3
        part.schedule_restart()
        pauses.append(part.pause_s)
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]
    assert part.state == "crash loop"
    assert part.exited() is None, "a death is noticed once"


def test_stop_ends_one_that_does_not_listen(tmp_path: Path) -> None:
    part = child(
        tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "signal.pause()"
    )
    part.start()
    assert part.await_ready(20) == {"port": 7}
    part.stop(0.2)
    assert part.process is not None
    assert part.process.poll() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_it_dies_with_the_supervisor_even_when_that_is_killed(tmp_path: Path) -> None:
    inner = READY + "import signal; signal.pause()"
    program = (
        "import sys; from pathlib import Path; from genesis.cli.child import Child; "
        f"c = Child('part', lambda: [sys.executable, '-c', {inner!r}], dict, "
        f"Path({str(tmp_path)!r})); c.start(); c.await_ready(20); "
        'print(\'{"ready": {"pid": %d}}\' % c.process.pid, flush=True); import signal; signal.pause()'
    )
    parent = child(tmp_path / "..", program)
    parent.start()
    facts = parent.await_ready(30)
    assert facts is not None
    grandchild = os.pidfd_open(facts["pid"])
    assert parent.process is not None
    parent.process.kill()
    ended = select.poll()
    ended.register(grandchild, select.POLLIN)
    assert ended.poll(20_000), "the grandchild outlived its supervisor"
    os.close(grandchild)
