"""What the tests of the ledger write: steps of an account with audit entries and child orders."""

from collections.abc import Sequence
from typing import Any

import msgspec

from genesis.connectors.ledger import Ledger, Outgoing, Saved
from genesis.operators.account.audit import Head, chained
from genesis.operators.account.outcomes import AuditEntry, ChildOrder

KEY = b"a" * 32
ACCOUNT = "main"


def child(number: int, head: Head, **changes: Any) -> ChildOrder:
    """Return a child order that was permitted when the chain ended at ``head``."""
    order = ChildOrder(
        id=f"child-{number}",
        event_ns=number,
        account_id=ACCOUNT,
        action="send",
        client_order_id=f"g-{number}",
        parent_id="p1",
        symbol="BTCUSDT",
        side="buy",
        order_type="limit",
        time_in_force="gtc",
        qty="0.001",
        limit_price="50000",
        stop_price="",
        tier="sniper",
        ledger_head=head.hash,
        expires_ns=10**18,
        permit="f" * 64,
    )
    return msgspec.structs.replace(order, **changes)


def outgoing(topic: str, record: Any) -> Outgoing:
    """Return a record as it goes into the outbox."""
    return Outgoing(topic=topic, id=record.id, body=msgspec.json.encode(record))


def entries(head: Head, count: int, account_id: str = ACCOUNT) -> list[AuditEntry]:
    """Return the next entries of a chain."""
    found: list[AuditEntry] = []
    for _ in range(count):
        body = f'{{"n":{head.number + 1}}}'
        entry = chained(KEY, head, account_id, head.number * 10, ("decision", body))
        found.append(entry)
        head = Head(entry.id, entry.number)
    return found


def end(before: Head, audit: Sequence[AuditEntry]) -> Head:
    """Return where a chain ends after these entries."""
    return Head(audit[-1].id, audit[-1].number) if audit else before


def step(ledger: Ledger, before: Head, *records: Outgoing, audit: int = 1, account_id: str = ACCOUNT) -> Head:
    """Commit a step with so many audit entries; its state names its end. Return the new end."""
    written = entries(before, audit, account_id)
    head = end(before, written)
    state = Saved(snapshot=f"state {head.number}".encode(), position=f"at {head.number}", head=head)
    ledger.commit(account_id, before=before, saved=state, audit=written, outbox=records)
    return head


def decided(ledger: Ledger, before: Head, number: int, **changes: Any) -> tuple[Head, ChildOrder]:
    """Commit a step that decides on a child order; return the new end and the order."""
    order = child(number, end(before, entries(before, 1)), **changes)
    return step(ledger, before, outgoing("child_orders", order)), order
