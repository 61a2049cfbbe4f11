"""Structured logs: one JSON object a line on standard error, fields in ECS names where one fits."""

import logging
import sys
from typing import cast

import structlog
from structlog.typing import EventDict

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(component: str, level: str = "info") -> None:
    """Send this process's logs to standard error under the name of its component."""

    def named(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["message"] = event.pop("event", "")
        event["service.name"] = f"genesis-{component}"
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
            structlog.processors.format_exc_info,
            named,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger that adds the name of the part that speaks."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger().bind(**{"log.logger": name}))
