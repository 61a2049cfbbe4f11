"""A copy of snapshots is whole while the source is written; what cannot be is refused with a remedy."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from genesis.connectors.release.copying import copy
from genesis.connectors.settings import SettingsError


def written(folder: Path, rows: int) -> None:
    market = folder / "recovery" / "market"
    market.mkdir(parents=True)
    (market / "layout.json").write_text("{}")
    with closing(sqlite3.connect(market / "part-0.sqlite3")) as base, base:
        base.execute("CREATE TABLE snaps (number INTEGER)")
        base.executemany("INSERT INTO snaps VALUES (?)", [(i,) for i in range(rows)])


def test_a_copy_holds_what_was_committed_and_no_more(tmp_path: Path) -> None:
    written(tmp_path / "blue", 1_000)
    with closing(sqlite3.connect(tmp_path / "blue/recovery/market/part-0.sqlite3")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM snaps")
        assert copy(tmp_path / "blue", tmp_path / "green") > 0
        writer.rollback()
    with closing(sqlite3.connect(tmp_path / "green/recovery/market/part-0.sqlite3")) as base:
        assert base.execute("SELECT count(*) FROM snaps").fetchone() == (1_000,)
    assert (tmp_path / "green/recovery/market/layout.json").exists()


def test_what_cannot_be_copied_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="start the market flow there first"):
        copy(tmp_path / "blue", tmp_path / "green")
    written(tmp_path / "blue", 1)
    copy(tmp_path / "blue", tmp_path / "green")
    with pytest.raises(SettingsError, match="remove that folder to copy them anew"):
        copy(tmp_path / "blue", tmp_path / "green")
