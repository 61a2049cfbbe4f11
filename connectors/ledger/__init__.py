"""The ledger: the truth about every account, in SQLite or PostgreSQL."""

from genesis.connectors.ledger.errors import (
    AlreadyRecorded,
    FenceLost,
    LedgerBusy,
    LedgerConflict,
    LedgerError,
    LedgerFull,
    LedgerTampered,
    LedgerUnreachable,
    NoLedger,
    UnknownDecision,
)
from genesis.connectors.ledger.ledger import Ledger
from genesis.connectors.ledger.opening import open_ledger
from genesis.connectors.ledger.records import Outgoing, RecordedOrder, RefusedPermit, Saved

__all__ = [
    "AlreadyRecorded",
    "FenceLost",
    "Ledger",
    "LedgerBusy",
    "LedgerConflict",
    "LedgerError",
    "LedgerFull",
    "LedgerTampered",
    "LedgerUnreachable",
    "NoLedger",
    "Outgoing",
    "RecordedOrder",
    "RefusedPermit",
    "Saved",
    "UnknownDecision",
    "open_ledger",
]
