"""Outbox: records on their way to the topics, and the newest of each for who asks the ledger.

What was sent stays for a while, because an embedded broker that ends takes with it what its readers had
not read yet: the newest SENT_ROWS_KEPT rows can be sent again. Child orders stay until they have ended.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update

from genesis.connectors.ledger.records import Outgoing
from genesis.connectors.ledger.statements import ADD_OUTGOING, CHILD_BODIES, IS_CHILD, PUT_LATEST, UNSENT
from genesis.connectors.ledger.tables import LATEST, ORDERS, OUTBOX
from genesis.operators.account.outcomes import ChildOrder

CHILD_ORDERS = "child_orders"

SENT_ROWS_KEPT = 10_000
"""Rows of the outbox that stay after they were sent; some minutes of a busy account."""

PRUNE_ROWS = 1_000
"""Old rows go whenever so many have come."""

ENDED_KEPT = 1_000
"""Ended parent orders of an account that `genesis orders` can still show."""

REFUSED = "refused"
"""Key under which the newest refusal is kept."""

_NUMBERS_AT_ONCE = 500  # SQLite takes 999 parameters where it is old


class _Facts(msgspec.Struct, frozen=True):
    """What the ledger must know of a record; each is in some of them."""

    event_ns: int = 0
    symbol: str = ""
    parent_id: str = ""
    status: str = ""
    accepted: bool = True
    action: str = ""
    client_order_id: str = ""


class _Place(NamedTuple):
    key: str
    ended: bool = False


_facts = msgspec.json.Decoder(_Facts)
_children = msgspec.json.Decoder(ChildOrder)


def put(connection: Connection, account_id: str, outgoing: Sequence[Outgoing]) -> None:
    """Write records into the outbox, and the newest of each key into ``latest``."""
    rows, newest = [], {}
    for each in outgoing:
        facts = _facts.decode(each.body)
        is_child = each.topic == CHILD_ORDERS
        rows.append(
            {
                "account_id": account_id,
                "topic": each.topic,
                "id": each.id,
                "action": facts.action if is_child else "",
                "client_order_id": facts.client_order_id if is_child else "",
                "body": each.body,
                "sent": False,
            }
        )
        place = _place(each.topic, facts)
        if place is not None:
            newest[each.topic, place.key] = {
                "account_id": account_id,
                "topic": each.topic,
                "key": place.key,
                "event_ns": facts.event_ns,
                "ended": place.ended,
                "body": each.body,
            }
    connection.execute(ADD_OUTGOING, rows)
    if newest:
        connection.execute(PUT_LATEST[connection.dialect.name], list(newest.values()))


def unsent(connection: Connection, limit: int) -> list[Outgoing]:
    """Return the oldest rows that nobody has marked as sent."""
    return [
        Outgoing(topic=row.topic, id=row.id, body=row.body, number=row.number, account_id=row.account_id)
        for row in connection.execute(UNSENT, {"most": limit})
    ]


def mark_sent(connection: Connection, numbers: Sequence[int]) -> None:
    """Mark rows as sent; repeats and unknown numbers change nothing."""
    for first in range(0, len(numbers), _NUMBERS_AT_ONCE):
        some = numbers[first : first + _NUMBERS_AT_ONCE]
        connection.execute(update(OUTBOX).where(OUTBOX.c.number.in_(some)).values(sent=True))


def send_again(connection: Connection) -> int:
    """Let everything that is still kept count as unsent; return how many rows that are."""
    return connection.execute(update(OUTBOX).where(OUTBOX.c.sent).values(sent=False)).rowcount


def prune(connection: Connection) -> None:
    """Remove what was sent and is not needed any more."""
    newest = connection.execute(select(func.max(OUTBOX.c.number))).scalar() or 0
    closed = exists().where(and_(ORDERS.c.client_order_id == OUTBOX.c.client_order_id, ~ORDERS.c.is_open))
    connection.execute(
        delete(OUTBOX).where(
            OUTBOX.c.sent,
            OUTBOX.c.number <= newest - SENT_ROWS_KEPT,
            or_(OUTBOX.c.client_order_id == "", closed),
        )
    )
    ended = and_(LATEST.c.topic == "parent_orders", LATEST.c.ended)
    for account_id in connection.execute(select(LATEST.c.account_id).distinct()).scalars().all():
        mine = and_(ended, LATEST.c.account_id == account_id)
        newest_first = select(LATEST.c.event_ns).where(mine).order_by(LATEST.c.event_ns.desc())
        floor = connection.execute(newest_first.offset(ENDED_KEPT).limit(1)).scalar()
        if floor is not None:
            connection.execute(delete(LATEST).where(mine, LATEST.c.event_ns <= floor))


def latest(connection: Connection, account_id: str, topic: str) -> list[bytes]:
    """Return the newest record of each key, oldest first."""
    query = select(LATEST.c.body).where(LATEST.c.account_id == account_id, LATEST.c.topic == topic)
    return list(connection.execute(query.order_by(LATEST.c.event_ns, LATEST.c.key)).scalars())


def decided(connection: Connection, order: ChildOrder) -> bool:
    """Say whether the outbox holds exactly this child order."""
    told = {"client_order_id": order.client_order_id, "account_id": order.account_id, "id": order.id}
    bodies = connection.execute(CHILD_BODIES, told).scalars()
    return any(_children.decode(body) == order for body in bodies)


def pending(connection: Connection, account_id: str, action: str) -> list[ChildOrder]:
    """Return child orders that may still have to be carried out, oldest first.

    Of the action ``send`` those whose id is not recorded, of ``cancel`` those whose order has not ended.
    """
    same = ORDERS.c.client_order_id == OUTBOX.c.client_order_id
    done = exists().where(same) if action == "send" else exists().where(and_(same, ~ORDERS.c.is_open))
    query = select(OUTBOX.c.body).where(
        IS_CHILD,
        OUTBOX.c.account_id == account_id,
        OUTBOX.c.topic == CHILD_ORDERS,
        OUTBOX.c.action == action,
        ~done,
    )
    bodies = connection.execute(query.order_by(OUTBOX.c.number)).scalars()
    return [_children.decode(body) for body in bodies]


def _place(topic: str, facts: _Facts) -> _Place | None:
    """Return under which key the newest record is kept; None when it is not."""
    match topic:
        case "positions":
            return _Place(facts.symbol)
        case "account" | "tilt":
            return _Place("")
        case "parent_orders":
            return _Place(facts.parent_id, facts.status == "ended")
        case "decisions" if not facts.accepted:
            return _Place(REFUSED)
    return None
