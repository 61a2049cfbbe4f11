"""Orders: what the gateway puts down before it sends, and what became of it.

Law: an order goes out only after `record` has returned. It locks the fence's row, so that no later holder
of the fence is between; the client order id is a primary key, so nobody records it twice; and the ledger
must have decided on exactly this order, so that a permit alone, stolen key or not, is not enough.
"""

import time
from decimal import Decimal

import msgspec
from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from genesis.connectors.ledger import outbox
from genesis.connectors.ledger.errors import AlreadyRecorded, FenceLost, UnknownDecision
from genesis.connectors.ledger.records import RECORDED, TERMINAL, RecordedOrder, RefusedPermit
from genesis.connectors.ledger.statements import (
    ADD_ORDER,
    CHANGE_ORDER,
    COUNTER,
    ENTRY_WITH_HASH,
    HOLD_FENCE,
    ORDER,
    ORDER_BODY,
)
from genesis.connectors.ledger.tables import FENCES, ORDERS, REFUSED_PERMITS, TRADES
from genesis.operators.account.audit import GENESIS
from genesis.operators.account.outcomes import ChildOrder

REFUSED_PERMITS_MAX = 10_000
"""Refused child orders that are kept apart; further ones are counted together under the id OTHERS."""

OTHERS = "others"

_children = msgspec.json.Decoder(ChildOrder)


def take_fence(connection: Connection, name: str) -> int:
    """Return a new token for a fence; all earlier ones of that name are void."""
    if not name:
        raise ValueError("ledger: a fence must have a name, was empty; use that of the account")
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    first = dialect.insert(FENCES).values(name=COUNTER, token=0).on_conflict_do_nothing()
    connection.execute(first)
    connection.execute(update(FENCES).where(FENCES.c.name == COUNTER).values(token=FENCES.c.token + 1))
    counted = connection.execute(select(FENCES.c.token).where(FENCES.c.name == COUNTER)).scalar_one()
    statement = dialect.insert(FENCES).values(name=name, token=counted)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"token": statement.excluded.token})
    )
    return int(counted)


HALT_PREFIX = "halt:"
"""Begins the name of the fence that an account's halt is."""


def hold(connection: Connection, token: int, account_id: str) -> None:
    """Keep the fence of an account until the transaction ends.

    Raises
    ------
    FenceLost
        When a later holder has taken it.
    UnknownDecision
        When the token is of another account's fence.
    """
    name = connection.execute(HOLD_FENCE, {"token": token}).scalar()
    if name is None:
        halted = select(FENCES.c.token).where(FENCES.c.name == HALT_PREFIX + account_id)
        by_switch = abs(int(connection.execute(halted).scalar() or 0)) > token
        why = "the kill switch was used" if by_switch else "another gateway has taken over"
        raise FenceLost(f"{why} (token {token} is void): this gateway sends nothing any more")
    if name != account_id:
        raise UnknownDecision(f"the gateway of account {name!r} has nothing to do with {account_id!r}")


def record(connection: Connection, token: int, order: ChildOrder) -> None:
    """Put down the id of an order that is about to be sent.

    Raises
    ------
    FenceLost, UnknownDecision, AlreadyRecorded
        See `Ledger.record_order`.
    """
    hold(connection, token, order.account_id)
    if order.action != "send":
        raise ValueError(f"ledger: only orders that are sent are recorded, was {order.action!r}")
    body = connection.execute(ORDER_BODY, {"client_order_id": order.client_order_id}).scalar()
    if body is not None and _children.decode(body) == order:
        raise AlreadyRecorded(
            f"order {order.client_order_id!r} was recorded before and may have been sent: ask the venue"
        )
    if body is not None:
        raise UnknownDecision(f"order {order.client_order_id!r} differs from the one recorded under its id")
    check_decision(connection, order)
    now_ns = time.time_ns()
    connection.execute(
        ADD_ORDER,
        {
            "client_order_id": order.client_order_id,
            "account_id": order.account_id,
            "body": msgspec.json.encode(order),
            "token": token,
            "recorded_ns": now_ns,
            "status": RECORDED,
            "is_open": True,
            "venue_order_id": -1,
            "filled_qty": "0",
            "changed_ns": now_ns,
        },
    )


def check_decision(connection: Connection, order: ChildOrder) -> None:
    """Raise `UnknownDecision` unless the ledger decided on exactly this child order."""
    told = {"account_id": order.account_id, "hash": order.ledger_head}
    if order.ledger_head != GENESIS and connection.execute(ENTRY_WITH_HASH, told).first() is None:
        raise UnknownDecision(
            f"order {order.client_order_id!r} names an audit entry that account {order.account_id!r} lacks"
        )
    if not outbox.decided(connection, order):
        raise UnknownDecision(
            f"order {order.client_order_id!r} is not among what account {order.account_id!r} decided"
        )


def record_outcome(
    connection: Connection, token: int, client_order_id: str, outcome: tuple[str, int, str]
) -> None:
    """Put down status, venue's id and filled quantity of a recorded order; what is older changes nothing."""
    status, venue_order_id, filled_qty = outcome
    row = connection.execute(ORDER, {"client_order_id": client_order_id}).first()
    if row is None:
        raise UnknownDecision(f"order {client_order_id!r} was never recorded")
    hold(connection, token, row.account_id)
    is_open = status not in TERMINAL
    if (is_open and not row.is_open) or Decimal(filled_qty) < Decimal(row.filled_qty):
        return
    values = {
        "of_order": client_order_id,
        "status": status,
        "is_open": is_open,
        "venue_order_id": venue_order_id if venue_order_id >= 0 else row.venue_order_id,
        "filled_qty": filled_qty,
        "changed_ns": time.time_ns(),
    }
    connection.execute(CHANGE_ORDER, values)


def recorded(connection: Connection, account_id: str, *, open_only: bool, limit: int) -> list[RecordedOrder]:
    """Return recorded orders of an account, oldest first: the open ones, or the newest ``limit`` of all."""
    query = select(ORDERS).where(ORDERS.c.account_id == account_id)
    if open_only:
        query = query.where(ORDERS.c.is_open)
    query = query.order_by(ORDERS.c.recorded_ns.desc(), ORDERS.c.client_order_id)
    if limit:
        query = query.limit(limit)
    return [_recorded(row) for row in reversed(connection.execute(query).all())]


def _recorded(row: "Row[tuple[object, ...]]") -> RecordedOrder:
    return RecordedOrder(
        order=_children.decode(row.body),
        status=row.status,
        is_open=row.is_open,
        venue_order_id=row.venue_order_id,
        filled_qty=row.filled_qty,
        token=row.token,
        recorded_ns=row.recorded_ns,
        changed_ns=row.changed_ns,
    )


def record_trade(connection: Connection, token: int, account_id: str, symbol: str, trade_id: int) -> None:
    """Put down the newest trade that was handed on; an older one changes nothing."""
    hold(connection, token, account_id)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(TRADES).values(account_id=account_id, symbol=symbol, trade_id=trade_id)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["account_id", "symbol"],
            set_={"trade_id": statement.excluded.trade_id},
            where=TRADES.c.trade_id < statement.excluded.trade_id,
        )
    )


def last_trade_ids(connection: Connection, account_id: str) -> dict[str, int]:
    """Return the newest trade that was handed on, by symbol."""
    query = select(TRADES.c.symbol, TRADES.c.trade_id).where(TRADES.c.account_id == account_id)
    return {row.symbol: row.trade_id for row in connection.execute(query.order_by(TRADES.c.symbol))}


def refused_permit(
    connection: Connection, account_id: str, client_order_id: str, code: str, detail: str
) -> None:
    """Count a child order that the gateway refused; the same one again raises its count."""
    mine = REFUSED_PERMITS.c.account_id == account_id
    known = mine & (REFUSED_PERMITS.c.client_order_id == client_order_id) & (REFUSED_PERMITS.c.code == code)
    if connection.execute(select(REFUSED_PERMITS.c.code).where(known)).first() is None:
        kept = connection.execute(select(func.count()).select_from(REFUSED_PERMITS).where(mine)).scalar_one()
        if kept >= REFUSED_PERMITS_MAX:
            client_order_id, detail = OTHERS, f"beyond the first {REFUSED_PERMITS_MAX}"
    now_ns = time.time_ns()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(REFUSED_PERMITS).values(
        account_id=account_id,
        client_order_id=client_order_id,
        code=code,
        detail=detail,
        count=1,
        first_ns=now_ns,
        last_ns=now_ns,
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["account_id", "client_order_id", "code"],
            set_={"count": REFUSED_PERMITS.c.count + 1, "last_ns": statement.excluded.last_ns},
        )
    )


def refused_permits(connection: Connection, account_id: str) -> list[RefusedPermit]:
    """Return the child orders of an account that the gateway refused, the newest last."""
    query = select(REFUSED_PERMITS).where(REFUSED_PERMITS.c.account_id == account_id)
    query = query.order_by(REFUSED_PERMITS.c.last_ns, REFUSED_PERMITS.c.client_order_id)
    return [msgspec.convert(row, RefusedPermit) for row in connection.execute(query).mappings()]
