"""Signing: seals on the events of an account's log, and permits on its child orders.

A seal says that the role named made the event, a permit that the account fold allowed exactly this
order. Both are HMAC-SHA256 over the fields, each with its length before it, so that no two different
records have the same bytes. Comparing takes the same time whatever differs.
"""

import hmac
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec

from genesis.operators.account.events import ALLOWED, AccountEvent, Body, encode, kind_of
from genesis.operators.account.outcomes import ChildOrder

KEY_BYTES_MIN = 32
"""Shortest key that is taken."""

_packed = msgspec.msgpack.Encoder().encode  # each field with its length before it

_BLOCK_BYTES = 64

Keys = Mapping[str, bytes]
"""Keys by role; the fold has all, everybody else his own."""


def mac(key: bytes, *fields: str) -> str:
    """Return the HMAC-SHA256 of fields, hexadecimal.

    Raises
    ------
    ValueError
        When the key is too short.
    """
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(
            f"signing: a key must have at least {KEY_BYTES_MIN} bytes, had {len(key)}; make a new one"
        )
    inner, outer = _begun(key)
    inside, outside = inner.copy(), outer.copy()
    inside.update(_packed(fields))
    outside.update(inside.digest())
    return str(outside.hexdigest())


@lru_cache(maxsize=64)
def _begun(key: bytes) -> tuple[Any, Any]:
    """Return the two hashes of RFC 2104 with the key in them: begun once, copied for each record.

    `hmac.digest` looks its algorithm up at each call, which takes three times as long as hashing a record.
    """
    block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return sha256(bytes(byte ^ 0x36 for byte in block)), sha256(bytes(byte ^ 0x5C for byte in block))


def sealed(key: bytes, role: str, account_id: str, event_id: str, event_ns: int, body: Body) -> AccountEvent:
    """Return an event with its seal.

    >>> from genesis.operators.account.events import Flatten
    >>> event = sealed(b"k" * 32, "trader", "main", "e1", 5, Flatten())
    >>> refusal({"trader": b"k" * 32}, event), refusal({"trader": b"o" * 32}, event)
    ('', 'the seal is not that of role trader')
    """
    kind, text = kind_of(body), encode(body)
    seal = mac(key, "event", event_id, str(event_ns), account_id, role, kind, text)
    return AccountEvent(
        id=event_id, event_ns=event_ns, account_id=account_id, role=role, kind=kind, body=text, seal=seal
    )


def refusal(keys: Keys, event: AccountEvent) -> str:
    """Return why an event is not what it says, or nothing when it is."""
    key = keys.get(event.role)
    if key is None:
        return f"there is no role {event.role[:32]!r}"
    if event.kind not in ALLOWED.get(event.role, ()):
        return f"role {event.role} may not make {event.kind[:32]!r}"
    seal = mac(
        key, "event", event.id, str(event.event_ns), event.account_id, event.role, event.kind, event.body
    )
    if not hmac.compare_digest(seal.encode(), event.seal.encode()):
        return f"the seal is not that of role {event.role}"
    return ""


def permit(key: bytes, order: ChildOrder) -> str:
    """Return the permit of a child order: it holds for these fields alone."""
    *fields, _permit = msgspec.structs.astuple(order)
    return mac(key, "permit", *map(str, fields))


def is_permitted(key: bytes, order: ChildOrder) -> bool:
    """Say whether a child order carries the permit for exactly what it asks."""
    return hmac.compare_digest(permit(key, order).encode(), order.permit.encode())
