"""The view is sent now and then, waits while the broker takes nothing, and stays small."""

import numpy as np
import pytest

from genesis.connectors.feed import viewing
from genesis.connectors.kafka import QueueFull
from genesis.operators import records, topics
from genesis.operators.records import WATERMARK_FINAL_NS


class Broker:
    """Stands in for the producer, whose queue a test cannot fill at a chosen moment."""

    def __init__(self) -> None:
        self.sent: list[np.ndarray] = []
        self.is_full = False

    def send(self, topic: topics.Topic, partition: int, rows: np.ndarray, watermark_ns: int) -> None:
        if self.is_full:
            raise QueueFull("full")
        assert (topic, partition) == (topics.VIEW, 0)
        self.sent.append(rows)


def trades(count: int, second: int = 0) -> np.ndarray:
    rows = records.TRADE.empty(count)
    rows["symbol"], rows["market"], rows["event_ns"] = b"BTCUSDT", 1, second * 1_000_000_000
    return rows


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_between_two_frames_ticks_wait_and_the_end_waits_for_nothing(broker: Broker) -> None:
    view = viewing.View(broker.send)
    view.take(topics.TRADES, trades(3))
    assert view.offer(1)
    view.take(topics.TRADES, trades(2))
    assert view.offer(2)  # not due
    assert [rows["trade_count"].tolist() for rows in broker.sent] == [[3]]
    assert view.offer(WATERMARK_FINAL_NS)
    assert [rows["trade_count"].tolist() for rows in broker.sent] == [[3], [2]]


def test_what_the_broker_did_not_take_is_conflated_and_sent_later(broker: Broker) -> None:
    view = viewing.View(broker.send)
    broker.is_full = True
    for second in (7, 7, 8):
        view.take(topics.TRADES, trades(2, second))
        assert not view.offer(WATERMARK_FINAL_NS)
    broker.is_full = False
    assert view.offer(WATERMARK_FINAL_NS)
    (rows,) = broker.sent
    assert rows[["second", "trade_count"]].tolist() == [(7, 4), (8, 2)]


def test_what_waits_is_bounded(broker: Broker) -> None:
    view = viewing.View(broker.send)
    broker.is_full = True
    for second in range(200):
        view.take(topics.TRADES, trades(viewing.ROWS_MAX // 2 + 1, second))
        view.offer(WATERMARK_FINAL_NS)
    broker.is_full = False
    view.offer(WATERMARK_FINAL_NS)
    assert broker.sent[0].size == viewing.SECONDS_KEPT
    assert int(broker.sent[0]["second"].max()) == 199


def test_gaps_are_not_in_the_view(broker: Broker) -> None:
    view = viewing.View(broker.send)
    view.take(topics.GAPS, records.GAP.empty(1))
    assert view.offer(1)
    assert broker.sent == []
