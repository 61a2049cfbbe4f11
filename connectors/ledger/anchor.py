"""Anchor: where the audit chains ended and when, outside of the ledger's own file.

Law: lines are appended after the commit that they are of, never before, so the chains always reach at
least as far as their anchor; who compares looks at the anchor first. A chain that does not reach so far was
cut off, or the ledger is an older copy. Put the
folder on another disk or host: who can write to both can cut both.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from genesis.operators.account.audit import Head
from genesis.operators.account.signing import mac

FILE = "anchors.jsonl"

TAIL_BYTES = 1 << 16
"""How far from its end the newest line of an account is looked for before the whole file is read."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One anchor: at this time the chain of the account ended here."""

    account_id: str
    number: int
    head: str
    time_ns: int  # our clock
    seal: str  # HMAC over the rest


class Anchor:
    """The anchor file of a folder. A line takes some 250 bytes, one for each commit with audit entries."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.path = folder / FILE
        self._key = key

    def append(self, account_id: str, head: Head) -> None:
        """Put down where the chain of an account ends now.

        It is handed to the system, not synced: a power cut may take the newest lines, and never more.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = Line(
            account_id=account_id, number=head.number, head=head.hash, time_ns=time.time_ns(), seal=""
        )
        line = msgspec.json.encode(msgspec.structs.replace(told, seal=self._seal(told)))
        # An appended write of this size is not mixed with another process's.
        file = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            os.write(file, line + b"\n")
        finally:
            os.close(file)

    def size(self) -> int:
        """Return how many bytes there are now."""
        return self.path.stat().st_size if self.path.exists() else 0

    def newest(self, account_id: str, size: int | None = None) -> Line | None:
        """Return the newest line of an account that is ours; damaged ones are passed over.

        With ``size`` what was appended behind so many bytes is not looked at.
        """
        size = self.size() if size is None else size
        for first in (max(0, size - TAIL_BYTES), 0):
            found = [line for _, line in self._lines(first, size) if line and line.account_id == account_id]
            if found:
                return max(found, key=lambda line: line.number)
        return None

    def accounts(self) -> list[str]:
        """Return the names of all accounts that have a line."""
        return sorted({line.account_id for _, line in self._lines(0, self.size()) if line is not None})

    def lines(self, size: int) -> Iterator[tuple[int, Line | None]]:
        """Yield the lines of the first bytes, numbered from 1; None for one that is damaged or forged."""
        return self._lines(0, size)

    def _lines(self, first: int, size: int) -> Iterator[tuple[int, Line | None]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(first)
            left = size - first
            for number, text in enumerate(file, 1):
                if left <= 0:
                    return
                left -= len(text)
                yield number, self._read(text)

    def _read(self, text: bytes) -> Line | None:
        try:
            line = msgspec.json.decode(text, type=Line)
        except msgspec.MsgspecError:
            return None
        return line if line.seal == self._seal(line) else None

    def _seal(self, line: Line) -> str:
        fields = (line.account_id, str(line.number), line.head, str(line.time_ns))
        return mac(self._key, "anchor", *fields)
