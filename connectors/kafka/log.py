"""The log behind a topic: its incarnation and, on the embedded broker, its generations.

*Incarnation.* A topic that is created anew has another id. Offsets mean nothing without it: the
embedded broker forgets everything when it stops, and begins at 0 again.

*Generations.* The embedded broker keeps everything in memory and frees it only when a topic is
deleted. So its topics roll: ``genesis.trades``, then ``genesis.trades.1``, ``genesis.trades.2``, …
The last message of a generation, in each partition, carries the header ``next`` with the number of
the following one. An old generation is deleted when the readers that must not miss anything have
released it (they commit an offset in a later one). On Apache Kafka, which has retention, there is
only generation 0.
"""

import itertools
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from genesis.connectors.settings import SettingsError
from genesis.operators import topics
from genesis.operators.topics import Topic

NEXT_HEADER = "next"
"""Header of the last message of a generation: the number of the next one."""

GENERATIONS_KEPT = 2
"""Finished generations of a topic that are kept beside the current one."""

REQUEST_TIMEOUT_S = 5.0
"""Longest wait for the broker's answer to one request about topics."""


class BrokerUnreachable(ConnectionError):
    """The broker did not answer in time; the message says where it was looked for."""


def name_at(topic: Topic, generation: int) -> str:
    """Return the name on the broker of one generation of a topic.

    >>> name_at(topics.TRADES, 0), name_at(topics.TRADES, 3)
    ('genesis.trades', 'genesis.trades.3')
    """
    return topic.full_name if generation == 0 else f"{topic.full_name}.{generation}"


def _quiet(_error: KafkaError) -> None:
    """Take librdkafka's own notices off the terminal: every request reports its failure itself."""


def client_config(bootstrap: str, name: str) -> dict[str, Any]:
    """Return what every client of the broker has in common."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": f"genesis-{name}",
        "log_level": 0,
        "error_cb": _quiet,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 500,
        "socket.timeout.ms": 10_000,
        "topic.metadata.propagation.max.ms": 60_000,
    }


class Log:
    """Questions and orders about topics. One admin connection, made when first needed."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient(client_config(bootstrap, f"{name}-admin"))

    def names(self, timeout_s: float = REQUEST_TIMEOUT_S) -> set[str]:
        """Return the names of all topics on the broker.

        Raises
        ------
        BrokerUnreachable
            When there is no answer within ``timeout_s``.
        """
        try:
            return set(self._admin.list_topics(timeout=timeout_s).topics)
        except KafkaException as error:
            raise BrokerUnreachable(
                f"no answer from the broker at {self.bootstrap}: {error.args[0].str()}. "
                "Start it, or set GENESIS_BROKER to where it is"
            ) from None

    def generations(
        self, wanted: Iterable[Topic], timeout_s: float = REQUEST_TIMEOUT_S
    ) -> dict[str, list[int]]:
        """Return the existing generations of each topic, ascending, by the topic's short name."""
        names = self.names(timeout_s)
        found: dict[str, list[int]] = {}
        for topic in wanted:
            prefix = topic.full_name + "."
            later = [
                int(name[len(prefix) :])
                for name in names
                if name.startswith(prefix) and name[len(prefix) :].isdigit()
            ]
            found[topic.name] = sorted(later + ([0] if topic.full_name in names else []))
        return found

    def ids(self, names: Iterable[str], timeout_s: float = REQUEST_TIMEOUT_S) -> dict[str, str]:
        """Return the incarnation of each topic by its broker name; a missing topic is left out.

        Raises
        ------
        BrokerUnreachable
            When there is no answer within ``timeout_s``.
        """
        found = {}
        wanted = list(names)
        if not wanted:
            return {}
        answers = self._admin.describe_topics(TopicCollection(wanted), request_timeout=timeout_s)
        for name, answer in answers.items():
            try:
                found[name] = str(answer.result().topic_id)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise BrokerUnreachable(
                        f"no answer from the broker at {self.bootstrap}: {error.args[0].str()}"
                    ) from None
        return found

    def create(self, topic: Topic, generation: int, shards: int) -> None:
        """Create one generation of a topic; one that exists is left as it is.

        Raises
        ------
        BrokerUnreachable
            When the broker cannot be asked, or refuses.
        """
        partitions = shards if topic.sharded else 1
        for_ever = {"retention.ms": "-1"} if topic is topics.RELEASE else {}  # who writes is never forgotten
        new = NewTopic(name_at(topic, generation), partitions, 1, config=for_ever)
        for answer in self._admin.create_topics([new], request_timeout=REQUEST_TIMEOUT_S).values():
            try:
                answer.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise BrokerUnreachable(
                        f"the broker at {self.bootstrap} did not create {new.topic}: {error.args[0].str()}"
                    ) from None

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics; one that is already gone is no error."""
        gone = list(names)
        if not gone:
            return
        for answer in self._admin.delete_topics(gone, request_timeout=REQUEST_TIMEOUT_S).values():
            try:
                answer.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise BrokerUnreachable(
                        f"the broker at {self.bootstrap} did not delete a topic: {error.args[0].str()}"
                    ) from None


def ensure_topics(bootstrap: str, shards: int, *, timeout_s: float = 30.0) -> None:
    """Create every topic of the registry that has no generation yet, waiting for the broker.

    Raises
    ------
    BrokerUnreachable
        When the broker does not answer within ``timeout_s``.
    SettingsError
        When a topic exists with another number of partitions than ``shards``.
    """
    log = Log(bootstrap, "setup")
    existing = log.generations(topics.ALL, timeout_s)
    for topic in topics.ALL:
        if not existing[topic.name]:
            log.create(topic, 0, shards)
    _check_partitions(log, existing, shards)


def _check_partitions(log: Log, existing: dict[str, list[int]], shards: int) -> None:
    found = log._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics  # noqa: SLF001
    for topic, generation in itertools.chain.from_iterable(
        ((topic, generation) for generation in existing[topic.name]) for topic in topics.ALL
    ):
        have, want = len(found[name_at(topic, generation)].partitions), shards if topic.sharded else 1
        if have != want:
            raise SettingsError(
                f"topic {name_at(topic, generation)} has {have} partitions, but GENESIS_SHARDS asks for "
                f"{want}: set GENESIS_SHARDS to what is there, or start with empty topics"
            )
