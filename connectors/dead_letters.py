"""Dead letters: what could not be used, kept with the reason, while everything else goes on."""

import base64
import hashlib

from genesis.operators.records import DeadLetter

PAYLOAD_BYTES_MAX = 65_536
"""Most bytes of the offending message that are kept; its true size is in ``payload_bytes``."""


def dead_letter(source: str, reason: str, detail: str, payload: bytes, recv_ns: int) -> DeadLetter:
    """Return the dead letter for a message; the same message from the same place has the same id.

    Parameters
    ----------
    source
        Where it came from: a stream, or topic/partition/offset.
    reason
        A stable code such as ``malformed_json``.
    detail
        A sentence for a person.
    payload
        The message as it came; text is kept as text, the rest as base64 after ``base64:``.
    recv_ns
        When it was received, ns since the epoch.
    """
    digest = hashlib.blake2b(
        b"\0".join((source.encode(), reason.encode(), b"%d" % recv_ns, payload)), digest_size=12
    )
    kept = payload[:PAYLOAD_BYTES_MAX]
    try:
        text = kept.decode()
    except UnicodeDecodeError:
        text = "base64:" + base64.b64encode(kept).decode()
    return DeadLetter(
        id=digest.hexdigest(),
        recv_ns=recv_ns,
        source=source,
        reason=reason,
        detail=detail,
        payload=text,
        payload_bytes=len(payload),
    )
