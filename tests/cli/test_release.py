"""`genesis release` on a real broker: steps, their refusals, and two who step at the same time."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.connectors import settings as settings_of
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import ensure_topics
from genesis.connectors.release.control import opened
from genesis.operators.release import FIRST, ReleaseError, stepped
from tests.system.running import GENESIS, environment


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


def said(tmp_path: Path, broker: str, *words: str) -> tuple[int, str]:
    """Return status and words of `genesis release`."""
    done = subprocess.run(
        [*GENESIS, "release", *words],
        env=environment(broker=broker, data=tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_steps_are_taken_shown_and_refused(tmp_path: Path, broker: EmbeddedBroker) -> None:
    at = broker.bootstrap
    status, words = said(tmp_path, at, "status")
    assert status == 1
    assert "run `genesis migrate`" in words
    ensure_topics(at, 2)
    assert said(tmp_path, at, "start", "--reason", "trial") == (
        0,
        "blue has the signals; green computes beside it. Epoch 0.\n",
    )
    assert "promote it or roll it back first" in said(tmp_path, at, "start")[1]
    status, words = said(tmp_path, at, "promote", "--wait", "0", "--json")
    assert status == 1
    assert json.loads(words.splitlines()[-1])["reasons"] == ["0 reports of 10 have come"]
    shown = json.loads(said(tmp_path, at, "status", "--json")[1])
    assert (shown["phase"], shown["active"], shown["shadow"]) == ("shadow", "blue", "green")
    assert shown["reason"] == "trial"
    assert said(tmp_path, at, "rollback")[0] == 0
    assert "begin with `genesis release start`" in said(tmp_path, at, "promote")[1]


def test_without_a_broker_it_says_what_to_set(tmp_path: Path) -> None:
    status, words = said(tmp_path, "", "status")
    assert status == 1
    assert "GENESIS_BROKER is empty" in words


def test_of_two_who_step_at_once_the_second_is_told(tmp_path: Path, broker: EmbeddedBroker) -> None:
    ensure_topics(broker.bootstrap, 2)
    settings = settings_of.read(data=tmp_path, broker=broker.bootstrap, shards=2)
    first, second = opened(settings), opened(settings)
    first.write(settings, stepped(FIRST, "start", "mine", 1))
    with pytest.raises(ReleaseError, match="somebody else"):
        second.write(settings, stepped(FIRST, "start", "no, mine", 2))
    assert second.now == first.now
    assert second.now.reason == "mine"
    first.close()
    second.close()
