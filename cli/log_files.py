"""Log files of a supervised system: cut at a size, numbered, and the oldest gone before a cap is passed.

Parts append to their file by a handle that they keep, so a full file is copied and then emptied: what is
written in the microseconds between the last look and the emptying is lost, which a log can bear.
"""

import os
import shutil
from pathlib import Path

FILE_BYTES_MAX = 32_000_000
"""A log file larger than this is set aside as ``.log.1``, and what was there becomes ``.log.2``, ….."""


def rotate(folder: Path, cap_bytes: int, file_bytes: int = FILE_BYTES_MAX) -> int:
    """Set aside what is full, and delete the oldest beyond ``cap_bytes`` in all; return how many went."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > file_bytes:
            _set_aside(log)
    older = sorted(folder.glob("*.log.*"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    in_all = sum(path.stat().st_size for path in (*older, *folder.glob("*.log")))
    gone = 0
    for path in older:
        if in_all <= cap_bytes:
            break
        in_all -= path.stat().st_size
        path.unlink()
        gone += 1
    return gone


def _set_aside(log: Path) -> None:
    numbers = sorted(
        (int(path.suffix[1:]) for path in log.parent.glob(f"{log.name}.*") if path.suffix[1:].isdigit()),
        reverse=True,
    )
    for number in numbers:
        log.with_name(f"{log.name}.{number}").rename(log.with_name(f"{log.name}.{number + 1}"))
    with log.open("rb") as source, log.with_name(f"{log.name}.1").open("wb") as kept:
        shutil.copyfileobj(source, kept)
        while rest := source.read():
            kept.write(rest)
        os.truncate(log, 0)
