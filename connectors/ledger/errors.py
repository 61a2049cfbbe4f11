"""What can go wrong with the ledger, in sentences that say what happened and what to do."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError


class LedgerError(RuntimeError):
    """The ledger cannot do what was asked; the message is for a person."""


class NoLedger(LedgerError):
    """There is no ledger yet."""


class LedgerBusy(LedgerError):
    """Another process kept the ledger for too long; the same call may succeed later."""


class LedgerFull(LedgerError):
    """The disk has no room; nothing of the transaction was kept."""


class LedgerUnreachable(LedgerError):
    """The database does not answer. Whether a transaction on its way was kept, only `load` can say."""


class LedgerTampered(LedgerError):
    """What is stored is not what was written: somebody edited it, or put an older copy in its place."""


class LedgerConflict(LedgerError):
    """Another writer changed the account meanwhile; nothing of the transaction was kept."""


class FenceLost(LedgerError):
    """A later holder took the fence; whoever has this token must stop."""


class AlreadyRecorded(LedgerError):
    """The client order id is known: the order may have been sent, so ask the venue about it."""


class UnknownDecision(LedgerError):
    """The ledger did not decide on this order."""


_FULL = ("disk is full", "No space left", "could not extend file", "Disk quota", "disk quota")
_BUSY = ("database is locked", "database table is locked", "lock timeout", "deadlock detected")
_DAMAGED = ("malformed", "not a database", "no such table", "does not exist")
_UNREACHABLE = ("connection", "server closed", "timeout expired", "terminating", "SSL", "starting up")


def explain(error: SQLAlchemyError, where: str) -> LedgerError:
    """Return an error of the database as one of ours; ``where`` names the ledger, without a password.

    >>> from sqlalchemy.exc import OperationalError
    >>> type(explain(OperationalError("", None, Exception("database or disk is full")), "ledger.db")).__name__
    'LedgerFull'
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = str(cause).strip().partition("\n")[0] or type(cause).__name__
    if any(sign in said for sign in _FULL):
        return LedgerFull(
            f"the disk of the ledger at {where} is full: nothing was kept of the last step, and nothing is "
            "sent without it. Free some space; it goes on by itself"
        )
    if any(sign in said for sign in _BUSY):
        return LedgerBusy(
            f"the ledger at {where} is kept busy by another process: nothing was kept of the last step. "
            "See whether a second `genesis` or a database tool has it open"
        )
    if "disk I/O error" in said:
        return LedgerError(
            f"the disk of the ledger at {where} could not be read or written: nothing was kept of the last "
            "step. See whether it is over its quota, gone or failing"
        )
    if any(sign in said for sign in _DAMAGED):
        return LedgerError(
            f"the ledger at {where} cannot be read ({said}): take the newest backup, and let "
            "`genesis audit verify` compare it with its anchor"
        )
    gone = isinstance(error, DBAPIError) and error.connection_invalidated
    if gone or any(sign in said for sign in _UNREACHABLE):
        return LedgerUnreachable(f"the ledger at {where} does not answer ({said}): is the database running?")
    return LedgerError(f"the ledger at {where} refused: {said}")
