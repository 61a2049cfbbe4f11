"""Opening: where the ledger and its anchor of these settings are."""

from pathlib import Path

from genesis.connectors.ledger.ledger import Ledger
from genesis.connectors.settings import Settings


def url_of(settings: Settings) -> str:
    """Return the address of the ledger; it may hold a password."""
    given = settings.ledger_url.get_secret_value()
    return given or f"sqlite:///{(settings.data / 'ledger' / 'ledger.db').resolve()}"


def anchor_of(settings: Settings) -> Path:
    """Return the folder of the anchor."""
    return Path(settings.anchor) if settings.anchor else settings.data / "anchors"


def open_ledger(settings: Settings, *, audit_key: bytes = b"", create: bool = True) -> Ledger:
    """Open the ledger of these settings; who has the audit key writes and compares its anchor too.

    Raises
    ------
    LedgerError
        When it cannot be opened, or, with ``create`` false, when there is none yet.
    """
    anchor = anchor_of(settings) if audit_key else None
    return Ledger.open(url_of(settings), audit_key=audit_key, anchor=anchor, create=create)
