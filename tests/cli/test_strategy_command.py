"""`genesis strategy` without a running system: what is wanted is kept, what cannot be is refused in words."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genesis.cli import strategy
from genesis.cli.errors import CommandError
from genesis.connectors import strategist


def run(*words: str) -> str:
    result = CliRunner().invoke(strategy.app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path))
    return tmp_path


def test_what_is_wanted_waits_for_the_next_start_is_listed_and_goes(data: Path) -> None:
    assert "starts with the next `genesis up`" in run("start", "pairs", "--set", "enter=2.5")
    run("start", "breakout")
    (first, second) = json.loads(run("list", "--json"))
    assert (first["name"], first["parameters"], first["state"]) == ("pairs", {"enter": "2.5"}, "waiting")
    assert second["name"] == "breakout"
    assert "enter=2.5" in run("list")
    run("start", "pairs", "--set", "enter=3")
    assert strategist.read_wanted(data).strategies["pairs"] == {"enter": "3"}
    assert run("stop", "pairs") == "pairs stops now.\n"
    assert list(strategist.read_wanted(data).strategies) == ["breakout"]
    assert run("stop") == "All strategies stop now.\n"
    assert "No strategy runs" in run("list")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("start", "luck"), "there is no strategy 'luck'; there are breakout, pairs"),
        (("start", "pairs", "--set", "enter=abc"), "strategy 'pairs': enter takes a number, and was 'abc'"),
        (("start", "pairs", "--set", "luck=1"), "strategy 'pairs' has no parameter 'luck'; it has "),
        (("start", "pairs", "--set", "enter"), "--set takes NAME=VALUE"),
        (("start", "pairs", "--set", "enter=nan"), "strategy 'pairs'"),
        (("start", "pairs", "--set", "notional=-3"), "strategy 'pairs'"),
        (("stop", "pairs"), "'pairs' does not run"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_nothing_is_wanted(
    data: Path, words: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError) as caught:
        CliRunner().invoke(strategy.app, list(words), catch_exceptions=False)
    assert sentence in str(caught.value)
    assert "Expected `" not in str(caught.value)
    assert not strategist.read_wanted(data).strategies


def test_a_broken_file_says_how_it_is_written_anew(data: Path) -> None:
    (data / "strategies.json").write_text("{nothing")
    with pytest.raises(Exception, match="`genesis strategy stop` writes it anew"):
        CliRunner().invoke(strategy.app, ["list"], catch_exceptions=False)
    run("stop")
    assert "No strategy runs" in run("list")
