"""Processes that write to a ledger and are killed on the way; started by `test_crash`."""

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import event

from genesis.connectors.ledger import Ledger, LedgerConflict, Outgoing
from genesis.operators.account.audit import Head
from tests.connectors.ledger.lab import ACCOUNT, KEY, child, end, entries, outgoing, step


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def rows(number: int, order: Any) -> list[Outgoing]:
    """Return what a step puts into the outbox."""
    body = f'{{"event_ns":{number},"symbol":"BTCUSDT"}}'.encode()
    return [Outgoing(topic="positions", id=f"position-{number}", body=body), outgoing("child_orders", order)]


def write_step(ledger: Ledger, head: Head) -> Any:
    """Commit one step with one child order; return the order."""
    order = child(head.number + 1, end(head, entries(head, 1)))
    step(ledger, head, *rows(head.number + 1, order))
    return order


def watch(ledger: Ledger, deadly: int) -> None:
    """Kill this process at the ``deadly``-th of its moments: around statements and commits."""
    left = deadly

    def moment(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            die()

    engine = ledger._database._engine
    for name in ("before_cursor_execute", "after_cursor_execute", "commit", "rollback", "checkin"):
        event.listen(engine, name, moment)
    assert ledger._anchor is not None
    append = ledger._anchor.append

    def appended(account_id: str, head: Head) -> None:
        moment()
        append(account_id, head)
        moment()

    ledger._anchor.append = appended  # type: ignore[method-assign]


def step_and_record(url: str, anchor: Path, deadly: int) -> None:
    """Commit a step, then record its order and its outcome; end at the ``deadly``-th moment if it comes."""
    with Ledger.open(url, audit_key=KEY, anchor=anchor) as ledger:
        saved = ledger.load(ACCOUNT)
        watch(ledger, deadly)
        order = write_step(ledger, saved.head if saved is not None else Head())
        token = ledger.take_fence(ACCOUNT)
        ledger.record_order(token, order)
        ledger.record_outcome(token, order.client_order_id, "filled", 7, order.qty)
        ledger.mark_sent([each.number for each in ledger.unsent()])


def write_for_ever(url: str, anchor: Path, told: Connection) -> None:
    """Commit steps, and tell of each that was kept."""
    with Ledger.open(url, audit_key=KEY, anchor=anchor) as ledger:
        saved = ledger.load(ACCOUNT)
        head = saved.head if saved is not None else Head()
        while True:
            order = write_step(ledger, head)
            head = Head(order.ledger_head, head.number + 1)
            told.send(head.number)


def write_against_others(url: str, anchor: Path, steps: int) -> None:
    """Commit so many steps, loading the account again whenever another writer was quicker."""
    with Ledger.open(url, audit_key=KEY, anchor=anchor) as ledger:
        while steps:
            saved = ledger.load(ACCOUNT)
            try:
                write_step(ledger, saved.head if saved is not None else Head())
            except LedgerConflict:
                continue
            steps -= 1
