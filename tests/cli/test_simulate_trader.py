"""`genesis simulate-trader`: a readable day, the same as JSON, and a picture."""

import json
from pathlib import Path

from typer.testing import CliRunner

from genesis.cli import main

app = main._application()
SHORT = ["simulate-trader", "--persona", "revenge", "--seed", "8", "--learned", "0"]


def test_a_day_is_printed_in_the_order_of_its_time(tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    done = CliRunner().invoke(app, [*SHORT, "--bad", "--picture", str(picture)])
    assert done.exit_code == 0, done.output
    times = [
        line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and ":" in line[:8]
    ]
    assert times
    assert times == sorted(times)
    assert "highest level" in done.stdout
    assert picture.read_text().startswith("<?xml")


def test_the_same_person_and_seed_give_the_same_days_as_json() -> None:
    first, second = (CliRunner().invoke(app, [*SHORT, "--days", "2", "--json"]) for _ in range(2))
    assert first.stdout == second.stdout
    found = json.loads(first.stdout)
    assert [day["day"] for day in found["days"]] == [0, 1]


def test_an_unknown_persona_is_a_sentence() -> None:
    done = CliRunner().invoke(app, ["simulate-trader", "--persona", "angry"])
    assert done.exit_code == 2
    assert "revenge" in done.output
