"""Memory: give back the code of the embedded engine that is not in use."""

import ctypes
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MADV_DONTNEED = 4

RELEASE_EVERY_S = 60.0
"""How often code pages are let go; what is in use comes back from the kernel's cache at once."""

_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +(\S.*)?$")


def release_code(library: str) -> int:
    """Let go of a library's code pages; the kernel maps those that are used again from its cache.

    While it is loaded the engine touches some 170 MB of its code and tables once, for relocation
    and registration, of which it later uses a part. Only mappings that nobody can write and that
    hold no private page are let go, so nothing can be lost.

    Parameters
    ----------
    library
        Part of the file's name.

    Returns
    -------
    int
        Bytes let go; 0 where this is not possible (it is on Linux).
    """
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    released = 0
    for start, size, resident in _clean_mappings(library):
        if libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), MADV_DONTNEED) == 0:
            released += resident
    return released


@contextmanager
def releasing(library: str) -> Iterator[None]:
    """Let go of a library's code pages now and every RELEASE_EVERY_S, for the length of a block.

    Ten minutes of merges and queries had brought 110 MB of them back.
    """
    ending = threading.Event()

    def release() -> None:
        while True:
            release_code(library)
            if ending.wait(RELEASE_EVERY_S):
                return

    thread = threading.Thread(target=release, name="releasing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _clean_mappings(library: str) -> list[tuple[int, int, int]]:
    """Return start, size and resident bytes of a library's mappings without private or written pages."""
    found: list[tuple[int, int, int]] = []
    facts: dict[str, int] = {}
    span = (0, 0)
    for line in [*Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines(), "0-0 r--p 0 0 0  end"]:
        header = _MAPPING.match(line)
        if header is None:
            name, _, value = line.partition(":")
            facts[name] = int(value.split()[0]) if value.strip()[:1].isdigit() else 0
            continue
        dirty = facts.get("Anonymous", 1) or facts.get("Private_Dirty", 1) or facts.get("Shared_Dirty", 1)
        if span[1] and not dirty:
            found.append((*span, 1024 * facts.get("Rss", 0)))
        start, end, rights, path = header.groups()
        wanted = library in (path or "") and "w" not in rights
        span = (int(start, 16), int(end, 16) - int(start, 16)) if wanted else (0, 0)
        facts = {}
    return found
