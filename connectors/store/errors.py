"""What can go wrong with the store, in sentences that say what happened and what to do."""

from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

NOT_ENOUGH_SPACE = 243
UNREACHABLE_CODES = frozenset({209, 210})  # SOCKET_TIMEOUT, NETWORK_ERROR
BUSY_CODES = frozenset({159, 202, 241, 242, 252, 319, 425})
"""ClickHouse errors that pass by themselves: timeouts, too many queries or parts, memory, a replica."""

_FULL_SIGNS = ("No space left on device", "Disk quota exceeded", "File too large")


class StoreError(RuntimeError):
    """The store cannot do what was asked; the message is for a person."""


class StoreLocked(StoreError):
    """Another process has the embedded store open."""


class StoreFull(StoreError):
    """The disk has no room for more rows."""


class StoreBusy(StoreError):
    """The store refuses for the moment; the same request may succeed later."""


def explain(error: Exception, where: str) -> StoreError:
    """Return the error of ClickHouse, or of the system under it, as one of ours.

    >>> type(explain(OSError(28, "No space left on device"), "/data/store")).__name__
    'StoreFull'
    """
    text = str(error).strip()
    code = getattr(error, "code", None)
    if code == NOT_ENOUGH_SPACE or any(sign in text for sign in _FULL_SIGNS):
        return StoreFull(
            f"the disk of the store at {where} is full: free some space and start again; "
            "nothing is lost, reading goes on behind the newest stored row"
        )
    unreachable = code is None and isinstance(error, OperationalError | ConnectionError)
    if code in BUSY_CODES or code in UNREACHABLE_CODES or unreachable:
        return StoreBusy(f"the store at {where} is busy or cannot be reached: {first_sentence(text)}")
    if isinstance(error, ClickHouseError):
        return StoreError(f"the store at {where} refused: {first_sentence(text)}")
    return StoreError(f"the store at {where} failed: {first_sentence(text) or type(error).__name__}")


def first_sentence(text: str) -> str:
    """Return ClickHouse's message without code, version and stack.

    >>> first_sentence("Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE) (version 26.9)")
    'Table x does not exist.'
    """
    line = text.partition("\n")[0]
    while "DB::Exception: " in line:
        line = line.partition("DB::Exception: ")[2]
    line = line.partition(" (version ")[0].rstrip()
    if line.endswith(")"):
        head, _, tail = line.rpartition(" (")
        line = head if tail[:-1].replace("_", "").isupper() else line
    return line
