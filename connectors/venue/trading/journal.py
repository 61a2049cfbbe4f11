"""The journal: what the exchange holds, kept in a file, so that a venue that was killed goes on where it was.

One line an action, written to the operating system before any answer or event leaves: whatever a client has
heard of is there after a crash of the process (not of the machine). A line that was cut off is dropped.
"""

import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from genesis.connectors.venue.trading.orders import Order

FILE_MODE = 0o600

Amounts = tuple[Decimal, Decimal]


class JournalError(ValueError):
    """The journal cannot be used; the message says where and why."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one action has changed: whole orders, and free and locked amounts by account and asset."""

    trade_id: int
    orders: list[Order] = []
    balances: dict[str, dict[str, Amounts]] = {}


class Journal:
    """A file of entries.

    Raises
    ------
    JournalError
        When the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
        except OSError as error:
            raise JournalError(f"state file {path}: {error.strerror}; choose another --state") from None

    def read(self) -> Iterable[Entry]:
        """Yield what was written, oldest first; cut off a last line that is not whole.

        Raises
        ------
        JournalError
            When a line within is damaged.
        """
        body = self._path.read_bytes()
        whole = body.rfind(b"\n") + 1
        if whole < len(body):
            os.ftruncate(self._file, whole)
        for number, line in enumerate(body[:whole].splitlines(), 1):
            try:
                yield msgspec.json.decode(line, type=Entry)
            except msgspec.DecodeError as error:
                raise JournalError(f"state file {self._path}, line {number}: {error}; remove it") from None

    def write(self, entry: Entry) -> None:
        """Append what an action has changed."""
        os.write(self._file, msgspec.json.encode(entry) + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
