"""Checks: may this child order be sent? By its permit, its account, its form and its time. Pure."""

import re
from typing import NamedTuple

from genesis.connectors.gateway import wire
from genesis.operators.account import signing
from genesis.operators.account.outcomes import ChildOrder

CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
SYMBOL = re.compile(r"[A-Z0-9]{2,32}")


class Refusal(NamedTuple):
    """Why a child order is not sent."""

    code: str
    detail: str


def refusal_of(key: bytes, account_id: str, order: ChildOrder) -> Refusal | None:
    """Return why nothing may be done about this child order, whatever the time; None when it may.

    The permit comes first: what it does not cover says nothing about who sent it.
    """
    if not signing.is_permitted(key, order):
        return Refusal("PERMIT", "the permit is not that of the account fold for exactly this order")
    if order.account_id != account_id:
        return Refusal("ACCOUNT", f"this gateway does not serve account {order.account_id[:64]!r}")
    if order.action not in ("send", "cancel"):
        return Refusal("MALFORMED", f"there is no action {order.action[:32]!r}")
    if not CLIENT_ORDER_ID.fullmatch(order.client_order_id) or not SYMBOL.fullmatch(order.symbol):
        return Refusal("MALFORMED", "no venue takes this client order id or symbol")
    if order.action == "send":
        try:
            wire.order_params(order)
        except wire.NotUnderstood as error:
            return Refusal("MALFORMED", str(error))
    return None


def is_expired(order: ChildOrder, now_ns: int) -> bool:
    """Say whether the permit is void by the account's clock."""
    return now_ns > order.expires_ns
