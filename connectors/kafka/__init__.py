"""Kafka: frames in and out, with positions that survive restarts of either side."""

from genesis.connectors.kafka.consumer import FrameConsumer, Message, Position
from genesis.connectors.kafka.log import BrokerUnreachable, Log, ensure_topics
from genesis.connectors.kafka.producer import FrameProducer, QueueFull

__all__ = [
    "BrokerUnreachable",
    "FrameConsumer",
    "FrameProducer",
    "Log",
    "Message",
    "Position",
    "QueueFull",
    "ensure_topics",
]
