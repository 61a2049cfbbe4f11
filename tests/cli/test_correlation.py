"""`genesis correlation`: the newest matrix, what it was before, and its repair."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from genesis.cli import correlation as command
from genesis.cli.errors import CommandError
from genesis.connectors.store import migrate, tables
from genesis.connectors.store.engine import Engine
from genesis.operators import topics
from tests.connectors.store import samples

SECOND_NS = 10**9
END_NS = 1_700_000_000 * SECOND_NS
IMPOSSIBLE = {("AAA", "BBB"): 0.9, ("AAA", "CCC"): -0.9, ("BBB", "CCC"): 0.9}
"""Three correlations that no three series have together."""

app = typer.Typer()
app.command("correlation")(command.correlation)


def rows_at(sample_ns: int, half_life_s: int, pairs: dict[tuple[str, str], float]) -> np.ndarray:
    rows = topics.CORRELATION.rows.empty(len(pairs))
    rows["sample_ns"], rows["half_life_ns"], rows["interval_ns"] = (
        sample_ns,
        half_life_s * SECOND_NS,
        SECOND_NS,
    )
    rows["market_a"] = rows["market_b"] = 1
    rows["symbol_a"], rows["symbol_b"] = ([pair[side].encode() for pair in pairs] for side in (0, 1))
    rows["correlation"], rows["effective_count"] = list(pairs.values()), 50.0
    return rows


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path))
    before = dict.fromkeys(IMPOSSIBLE, 0.5)
    with Engine(tmp_path, "genesis") as engine, closing(engine.client()) as client:
        migrate.prepare(client, "genesis")
        table = tables.open_table(client, "genesis", topics.CORRELATION)
        parts = [rows_at(END_NS - 400 * SECOND_NS, 60, before), rows_at(END_NS, 60, IMPOSSIBLE)]
        parts.append(rows_at(END_NS, 300, before | {("AAA", "BBB"): np.nan}))
        table.add(samples.message(topics.CORRELATION, np.concatenate(parts), 0))
        table.flush()


def said(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("filled")
def test_the_newest_matrix_of_the_shortest_half_life_is_shown_with_its_change() -> None:
    text = said()
    assert "+0.90" in text
    assert "-0.90" in text
    assert "3 instruments, half-life 60 s" in text
    assert "in 400 s: 0.733" in text  # (0.4 + 1.4 + 0.4) / 3
    assert "--repaired" in text


@pytest.mark.usefixtures("filled")
def test_a_repaired_matrix_is_semidefinite_and_says_how_far_it_is() -> None:
    plain, mended = (json.loads(said("--json", *words)) for words in ((), ("--repaired",)))
    assert plain["least_eigenvalue"] < -0.5
    assert plain["distance"] is None
    matrix = np.array(mended["correlation"])
    assert np.linalg.eigvalsh(matrix)[0] > -1e-12
    assert mended["distance"] == pytest.approx(np.linalg.norm(matrix - np.array(plain["correlation"])))


@pytest.mark.usefixtures("filled")
def test_what_is_undefined_stays_undefined() -> None:
    found = json.loads(said("--json", "--half-life", "300", "--repaired"))
    assert found["correlation"][0][1] is None
    assert found["change"] is None
    assert "–" in said("--half-life", "300")


@pytest.mark.usefixtures("filled")
def test_a_half_life_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(CommandError, match="there are 60, 300 s"):
        said("--half-life", "7")
