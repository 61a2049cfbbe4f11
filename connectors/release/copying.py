"""Copying: a consistent copy of a market flow's snapshots, taken while it runs.

The flow may write while it is copied: SQLite's own backup sees one committed state of each part.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from genesis.connectors.settings import SettingsError

PAGES = 1_024
"""Pages copied between two looks at whether the source has changed."""


def copy(source: Path, target: Path) -> int:
    """Copy the snapshots of one data folder into another; return how many bytes that were.

    It is whole or not there: the folder appears under its name when everything is in it.

    Raises
    ------
    SettingsError
        When there are none to copy, or the target has some already.
    """
    origin, goal = source / "recovery" / "market", target / "recovery" / "market"
    if not (origin / "layout.json").exists():
        raise SettingsError(f"there are no snapshots in {origin}: start the market flow there first")
    if goal.exists():
        raise SettingsError(f"{goal} has snapshots already: remove that folder to copy them anew")
    fresh = goal.with_suffix(".copy")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for part in sorted(origin.glob("part-*.sqlite3")):
        with closing(sqlite3.connect(part)) as here, closing(sqlite3.connect(fresh / part.name)) as there:
            here.backup(there, pages=PAGES)
    shutil.copy(origin / "layout.json", fresh)
    fresh.rename(goal)
    return sum(file.stat().st_size for file in goal.iterdir())
