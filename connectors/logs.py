"""Structured logs: one JSON object a line on standard error, in the shape of the Elastic Common Schema.

Base fields have their ECS names (dotted, as ECS loggers write them), what is our own begins with
``genesis.``. ``trace.id`` is the id of the event in an account's log by which something began: a command's,
from its decision through child orders to executions, or a market record's, where a stop sold by it.
``event.id`` is of one line alone, so that a store which is sent a line twice keeps it once. Secrets stay out
by construction: fields named like one, values registered as one, and whatever looks like a key.
"""

import itertools
import logging
import os
import re
import secrets
import sys
from importlib.metadata import version
from typing import Any, cast

import structlog
from structlog.typing import EventDict

from genesis.operators.account.outcomes import ChildOrder, Decision, Fill

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

ECS_VERSION = "8.11.0"

TRACE = "trace.id"

ECS_FIELDS = frozenset(
    {
        *(
            "@timestamp",
            "message",
            "ecs.version",
            "log.level",
            "log.logger",
            "service.name",
            "service.version",
        ),
        *(
            "process.pid",
            "trace.id",
            "event.id",
            "event.action",
            "event.outcome",
            "error.message",
            "error.stack_trace",
        ),
    }
)
"""Fields that are written under these names; every other one begins with ``genesis.``."""

HIDDEN = "…"
"""What a secret is written as."""

_SECRET_NAME = re.compile(
    r"(secret|passw|token$|_token|api_?key|private_?key|signature|permit$|seal$|authoriz)", re.IGNORECASE
)
_SECRET_SHAPE = re.compile(
    r"""
    (?<![0-9A-Za-z]) (?: [0-9a-f]{64} | [0-9A-Za-z]{64} ) (?![0-9A-Za-z])   # MACs, keys of an exchange
    | (?<=://) [^/\s:@]+ : [^/\s@]+ (?=@)                                    # user and password in an address
    | (?<=signature=) [^&\s"']+
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY-----.*?-----END\ [A-Z\ ]*PRIVATE\ KEY-----
    """,
    re.VERBOSE | re.DOTALL,
)
_known: set[str] = set()


class _Ids:
    """Ids of the lines of one process: random bytes of its own, and a number that counts from 1."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        return f"{self._process}-{next(self._numbers):x}"


_ids = _Ids()
os.register_at_fork(after_in_child=_ids.renew)


def hide(secret: str) -> None:
    """Keep a value out of all that this process logs from now on.

    >>> hide("correct horse")
    >>> without_secrets("said correct horse")
    'said …'
    """
    if len(secret) >= 8:  # a shorter one would hit words
        _known.add(secret)


def without_secrets(value: Any) -> Any:
    """Return a value as it may be logged.

    >>> without_secrets({"api_key": "k", "url": "http://me:pass@host/x", "hash": "ab" * 32})
    {'api_key': '…', 'url': 'http://…@host/x', 'hash': '…'}
    """
    if isinstance(value, str):
        for secret in _known:
            value = value.replace(secret, HIDDEN)
        return _SECRET_SHAPE.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {
            key: HIDDEN if _SECRET_NAME.search(str(key)) else without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [without_secrets(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else without_secrets(str(value))


def configure(component: str, level: str = "info") -> None:
    """Send this process's logs to standard error under the name of its component."""
    base: dict[str, Any] = {
        "ecs.version": ECS_VERSION,
        "service.name": f"genesis-{component}",
        "service.version": version("genesis-stream"),
    }

    def shaped(_logger: object, _method: str, event: EventDict) -> EventDict:
        found: dict[str, Any] = {
            "@timestamp": event.pop("@timestamp"),
            "log.level": event.pop("level"),
            "message": event.pop("event", ""),
        }
        found |= base | {"process.pid": os.getpid(), "event.id": _ids.next()}
        stack = event.pop("exception", None)
        if stack is not None:
            found["error.stack_trace"] = stack
        for key, value in event.items():
            found[key if key in ECS_FIELDS else f"genesis.{key}"] = value
        return cast("EventDict", without_secrets(found))

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
            structlog.processors.format_exc_info,
            shaped,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger that adds the name of the part that speaks."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger().bind(**{"log.logger": name}))


def outcome(log: structlog.typing.FilteringBoundLogger, record: object) -> None:
    """Log what an account decided, asked for or traded, under the trace of what began it."""
    match record:
        case Decision():
            fields = {
                "event.action": record.subject,
                "event.outcome": "success" if record.accepted else "failure",
            }
            log.info("decided", **{TRACE: record.cause}, **fields, code=record.code, sentence=record.sentence)
        case ChildOrder():
            log.info(
                "child order decided",
                **{TRACE: record.parent_id, "event.action": record.action},
                client_order_id=record.client_order_id,
                symbol=record.symbol,
                side=record.side,
                qty=record.qty,
            )
        case Fill():
            log.info(
                "filled",
                **{TRACE: record.parent_id},
                client_order_id=record.client_order_id,
                symbol=record.symbol,
                side=record.side,
                qty=record.qty,
                price=record.price,
            )
