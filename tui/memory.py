"""Memory: what a dashboard remembers from one time to the next: commands, and that the first steps are taken.

Both are files that only their owner can read, in the data folder. Words that were typed into the journal or
after ``because`` are never in them: `commands.line.remembered` leaves them out. A file that cannot be read or
written is as if there were none.
"""

import re
import secrets
from contextlib import suppress
from pathlib import Path

from genesis.connectors import private_file
from genesis.tui.commands.line import HISTORY_MAX
from genesis.tui.text import clean

BYTES_MAX = 100_000


class Memory:
    """The files.

    Parameters
    ----------
    folder
        Where they are; None to remember nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def history(self) -> tuple[str, ...]:
        """Return the commands of the times before, the newest last."""
        if self._folder is None:
            return ()
        try:
            with (self._folder / "history").open("rb") as file:
                text = file.read(BYTES_MAX).decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(clean(line) for line in text.splitlines() if line.strip())[-HISTORY_MAX:]

    def keep(self, history: tuple[str, ...]) -> None:
        """Remember commands."""
        self._write("history", "".join(f"{line}\n" for line in history))

    def is_first(self) -> bool:
        """Say whether nobody has taken the first steps here yet."""
        return self._folder is not None and not (self._folder / "welcomed").exists()

    def welcomed(self) -> None:
        """Remember that the first steps were taken, or left."""
        self._write("welcomed", "")

    def client(self) -> str:
        """Return the random name by which this machine and user are known to the account."""
        if self._folder is None:
            return ""
        path = self._folder / "client"
        with suppress(OSError):
            found = path.read_text()
            if re.fullmatch("[0-9a-f]{16}", found):
                return found
        made = secrets.token_hex(8)
        self._write("client", made)
        return made

    def _write(self, name: str, text: str) -> None:
        if self._folder is not None:
            with suppress(OSError):
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                private_file.replace(self._folder / name, text.encode())
