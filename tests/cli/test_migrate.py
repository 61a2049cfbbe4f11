"""`genesis migrate` makes a ledger once, and says what it did not look at."""

import subprocess
import sys
from pathlib import Path

from tests.system.running import environment


def migrate(**settings: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "genesis.cli.main", "migrate"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_ledger_is_made_once_and_stays(tmp_path: Path) -> None:
    first = migrate(data=tmp_path / "new")
    ledgers = {path: path.read_bytes() for path in tmp_path.rglob("ledger.db")}
    again = migrate(data=tmp_path / "new")
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert len(ledgers) == 1
    assert "topics were not looked at" in again.stdout


def test_an_address_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    said = migrate(data=tmp_path, ledger_url="mysql://me@host/genesis")
    assert said.returncode == 1
    assert "PostgreSQL" in said.stderr
