"""Previewing: what a command would lead to, by the account's newest state in the ledger.

The state is read as it lies there, to be shown alone: whoever decides loads it with its seal checked. The
account's own process is not asked, so that no question ever holds up a decision. It keeps its state at least
once a second, and at once when it decided something.
"""

import secrets
import time
from types import TracebackType

import msgspec

from genesis.connectors.ledger import Ledger, LedgerError, open_ledger
from genesis.connectors.settings import Settings
from genesis.operators.account import preview as previews
from genesis.operators.account import signing
from genesis.operators.account.events import Command, Role
from genesis.operators.account.preview import Preview


class NoPreviewError(RuntimeError):
    """Nothing can be said of a command now; the message says why."""


class Previewer:
    """One who looks at what commands would lead to.

    Parameters
    ----------
    settings
        Where the ledger is, and which account.
    key
        The trader's key: a preview is of a command as he would send it.
    """

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._settings, self._key = settings, key
        self._ledger: Ledger | None = None

    def preview(self, command: Command) -> Preview:
        """Return what a command would lead to.

        Raises
        ------
        NoPreviewError
            When the ledger has no such account yet, or it is of another version.
        LedgerError
            When the ledger cannot be read.
        """
        account = self._settings.account
        try:
            if self._ledger is None:
                self._ledger = open_ledger(self._settings, create=False)
            snapshot = self._ledger.snapshot(account)
        except LedgerError:
            self.close()
            raise
        if snapshot is None:
            raise NoPreviewError(f"the ledger has no account {account!r} yet. Start with `genesis up`")
        name = f"preview-{secrets.token_hex(8)}"
        event = signing.sealed(self._key, Role.TRADER, account, name, time.time_ns(), command)
        try:
            return previews.preview(snapshot, {Role.TRADER: self._key}, event)
        except msgspec.MsgspecError:
            raise NoPreviewError(f"the state of account {account!r} is of another version") from None

    def close(self) -> None:
        """Let go of the ledger."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def __enter__(self) -> "Previewer":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
