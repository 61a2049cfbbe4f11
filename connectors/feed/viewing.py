"""The view of the feed: beside the ticks, one small frame for screens five times a second.

A screen that read the ticks would cost the broker more than itself, since every small batch costs
the broker the same. What waits here is bounded: at ROWS_MAX ticks it is conflated to one row for
each instrument and second. While the broker takes nothing the view waits and conflates on; it is
the one topic whose rows may be joined instead of queued, because a screen shows the newest only.
"""

import time
from collections.abc import Callable

import numpy as np

from genesis.connectors.kafka import BrokerUnreachable, QueueFull
from genesis.operators import topics, view
from genesis.operators.arrays import Rows
from genesis.operators.records import VIEW, WATERMARK_FINAL_NS

EVERY_S = 0.2
"""Time between two frames."""

ROWS_MAX = 10_000
"""Ticks that wait at most before they are conflated: some megabytes, if all are books."""

SECONDS_KEPT = 64
"""Seconds of event time of which rows are kept while the broker takes nothing."""

MADE_BY: dict[str, Callable[[Rows], Rows]] = {
    "trades": view.of_trades,
    "quotes": view.of_quotes,
    "book": view.of_books,
}


class View:
    """Gathers what was sent, and sends the view of it.

    Parameters
    ----------
    send
        As ``FrameProducer.send``.
    """

    def __init__(self, send: Callable[[topics.Topic, int, Rows, int], None]) -> None:
        self._send = send
        self._ticks: dict[str, list[Rows]] = {name: [] for name in MADE_BY}
        self._tick_count = 0
        self._rows = VIEW.empty()
        self._due_s = 0.0

    def take(self, topic: topics.Topic, rows: Rows) -> None:
        """Note rows of a tick topic that were sent; gaps are not shown by the view."""
        if not rows.size or topic.name not in MADE_BY:
            return
        self._ticks[topic.name].append(rows)
        self._tick_count += rows.size
        if self._tick_count > ROWS_MAX:
            self._conflate()

    def offer(self, watermark_ns: int) -> bool:
        """Send a frame if one is due and there is anything to say; False when the broker took it not."""
        now_s = time.monotonic()
        is_final = watermark_ns == WATERMARK_FINAL_NS
        if not is_final and (now_s < self._due_s or not (self._tick_count or self._rows.size)):
            return True
        self._due_s = now_s + EVERY_S
        self._conflate()
        try:
            self._send(topics.VIEW, 0, self._rows, watermark_ns)
        except (QueueFull, BrokerUnreachable):
            return False
        self._rows = VIEW.empty()
        return True

    def _conflate(self) -> None:
        parts = [self._rows]
        for name, ticks in self._ticks.items():
            if ticks:
                parts.append(MADE_BY[name](np.concatenate(ticks)))
                ticks.clear()
        self._tick_count = 0
        rows = view.conflate(np.concatenate(parts))
        self._rows = rows[rows["second"] > rows["second"].max(initial=0) - SECONDS_KEPT]
