"""`genesis stress-test` without a system: a sentence, and nothing is told to anybody."""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from genesis.cli import stress_test
from genesis.cli.errors import CommandError
from genesis.cli.main import _application
from genesis.connectors import keys, settings
from genesis.connectors.keys import KeysError, create_keys
from genesis.connectors.ledger import Saved, open_ledger
from genesis.operators.account import state
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import AuditEntry
from tests.operators.account.lab import KEYS, Lab


def asked(data: Path, *words: str) -> Result:
    """Return how the command ended."""
    return CliRunner().invoke(_application(), ["stress-test", "--data", str(data), *words])


def test_without_a_running_system_nobody_can_judge(tmp_path: Path) -> None:
    found = asked(tmp_path)
    assert isinstance(found.exception, CommandError)
    assert "no system is running" in str(found.exception)


def test_without_keys_nothing_is_read(tmp_path: Path) -> None:
    assert isinstance(asked(tmp_path, "--dry-run").exception, KeysError)


@pytest.mark.parametrize("words", [("--dry-run",), ("--dry-run", "--json")])
def test_a_look_shows_every_crash_and_tells_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    place = settings.read(data=tmp_path)
    create_keys(place)
    (keys.folder_of(place) / "audit.key").write_bytes(KEYS.audit)  # of the laboratory's chain
    lab = Lab()
    saved = Saved(snapshot=state.encoded(lab.account), position="", head=lab.account.head)
    chain = [each.record for each in lab.outcomes if isinstance(each.record, AuditEntry)]
    with open_ledger(place, audit_key=KEYS.audit) as ledger:
        ledger.commit("main", before=Head(), saved=saved, audit=chain, outbox=[])
    found = asked(tmp_path, *words)
    assert found.exit_code == 0, found.output
    for crash in stress_test.CRASHES:
        assert crash in found.output or crash.replace("_", " ") in found.output
