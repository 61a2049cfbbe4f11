"""A private file: replaced whole or not at all, and readable by its owner alone."""

import os
from pathlib import Path


def replace(path: Path, body: bytes) -> None:
    """Put ``body`` in the place of a file at once, so that nobody reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(body)
    scratch.replace(path)
