"""Audit: a chain of entries, each keyed and holding the hash of the one before.

Law: who has the chain and the key can tell whether an entry was changed, taken out, put in or moved,
up to the newest; that the newest are still there, only an anchor outside can say (`connectors.ledger`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from genesis.operators.account.outcomes import AuditEntry
from genesis.operators.account.signing import mac

GENESIS = "0" * 64
"""What the first entry of a chain has as the hash before it."""


class Head(NamedTuple):
    """Where a chain ends."""

    hash: str = GENESIS
    number: int = 0  # entries so far


def chained(key: bytes, head: Head, account_id: str, event_ns: int, record: tuple[str, str]) -> AuditEntry:
    """Return the next entry of a chain; ``record`` is what it records, and its JSON.

    >>> first = chained(b"k" * 32, Head(), "main", 5, ("decision", "{}"))
    >>> second = chained(b"k" * 32, Head(first.id, 1), "main", 6, ("decision", "{}"))
    >>> list(faults(b"k" * 32, [first, second])), len(list(faults(b"k" * 32, [second])))
    ([], 1)
    """
    subject, body = record
    number = head.number + 1
    return AuditEntry(
        id=mac(key, "audit", head.hash, str(number), account_id, str(event_ns), subject, body),
        event_ns=event_ns,
        account_id=account_id,
        number=number,
        previous=head.hash,
        subject=subject,
        body=body,
    )


def faults(key: bytes, entries: Iterable[AuditEntry]) -> Iterable[str]:
    """Yield a sentence for each entry of one account's chain that is not what it should be."""
    head = Head()
    for entry in entries:
        before = Head(entry.previous, entry.number - 1)
        expected = chained(key, before, entry.account_id, entry.event_ns, (entry.subject, entry.body))
        if entry.number != head.number + 1:
            yield f"entry {head.number + 1} is missing; the chain goes on with entry {entry.number}"
        elif entry.previous != head.hash:
            yield f"entry {entry.number} does not follow the one before it"
        if expected.id != entry.id:
            yield f"entry {entry.number} was changed after it was written"
        head = Head(entry.id, entry.number)
