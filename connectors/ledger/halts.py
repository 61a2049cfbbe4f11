"""Halts: the kill switch's mark on an account, which outlives every process and forbids to send.

It is a fence of a name of its own, so that whoever halts an account also has a number of it.
"""

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from genesis.connectors.ledger import orders
from genesis.connectors.ledger.tables import FENCES


class Halt(NamedTuple):
    """The newest halt of an account.

    Numbers and tokens come from one counter: a gateway's token that is lower was voided by the halt.
    """

    number: int  # 0 when there was none
    stands: bool  # False when it was lifted, and when there was none


def halt(connection: Connection, account_id: str) -> int:
    """Halt an account and void the token of its gateway; return the number of the halt."""
    orders.take_fence(connection, account_id)
    return orders.take_fence(connection, orders.HALT_PREFIX + account_id)


def newest(connection: Connection, account_id: str) -> Halt:
    """Return the newest halt of an account."""
    query = select(FENCES.c.token).where(FENCES.c.name == orders.HALT_PREFIX + account_id)
    token = int(connection.execute(query).scalar() or 0)
    return Halt(abs(token), token > 0)


def lift(connection: Connection, account_id: str) -> None:
    """Lift a halt; none is fine, too."""
    # The row stays, with its number: fences are never removed, and a token below 1 is nobody's.
    halted = (FENCES.c.name == orders.HALT_PREFIX + account_id) & (FENCES.c.token > 0)
    connection.execute(update(FENCES).where(halted).values(token=-FENCES.c.token))
