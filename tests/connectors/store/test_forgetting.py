"""What a trader wants forgotten leaves the store: on the real engine, with rows of others beside it."""

from contextlib import closing
from pathlib import Path

import msgspec

from genesis.connectors.kafka import Message, Position
from genesis.connectors.store import migrate, tables
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.forgetting import forget
from genesis.operators import topics
from genesis.operators.account.events import AccountEvent
from genesis.operators.account.outcomes import FORGOTTEN, BehaviourRecord
from genesis.operators.topics import Topic

HOUR_NS = 3_600 * 10**9
NOON_NS = 1_700_000_000 * 10**9


def seen(at_ns: int, account: str = "main", what: str = "keys", value: float = 90.0) -> BehaviourRecord:
    return BehaviourRecord(
        id=f"{what}-{account}-{at_ns}", event_ns=at_ns, account_id=account, what=what, value=value,
        other=0.0, symbol="", client="c", session="s",
    )  # fmt: skip


def event(at_ns: int, kind: str) -> AccountEvent:
    return AccountEvent(
        id=f"{kind}-{at_ns}", event_ns=at_ns, role="trader", account_id="main", kind=kind, body="{}", seal="s"
    )


def test_all_that_was_seen_before_a_time_goes_and_nothing_else(tmp_path: Path) -> None:
    records: dict[Topic, list[msgspec.Struct]] = {
        topics.BEHAVIOUR: [
            seen(NOON_NS - HOUR_NS),
            seen(NOON_NS - 1),
            seen(NOON_NS + HOUR_NS),
            seen(NOON_NS - HOUR_NS, "other"),
        ],
        topics.ACCOUNT_EVENTS: [
            event(NOON_NS - HOUR_NS, "behaviour"),
            event(NOON_NS - HOUR_NS, "place_order"),
            event(NOON_NS + HOUR_NS, "behaviour"),
        ],
    }
    wish = seen(NOON_NS + 2 * HOUR_NS, what=FORGOTTEN, value=NOON_NS / 1e9)
    with Engine(tmp_path, "genesis") as engine, closing(engine.client()) as client:
        migrate.prepare(client, "genesis")
        written = {topic: tables.open_table(client, "genesis", topic) for topic in records}

        def write(topic: Topic, offset: int, record: msgspec.Struct) -> None:
            at = Position(0, "log-1", offset)
            written[topic].add(Message(topic, 0, at, msgspec.json.encode(record), [], restarted=False))
            written[topic].flush()

        def left(table: str) -> list[tuple[str, int]]:
            rows = client.query(f"SELECT id, event_ns FROM genesis.{table} ORDER BY event_ns, id").result_rows
            return [(str(name).split("-")[0], (at - NOON_NS) // HOUR_NS) for name, at in rows]

        for topic, each in records.items():
            for number, record in enumerate(each):
                write(topic, number + 1, record)
        assert forget(client, "genesis") == 0
        write(topics.BEHAVIOUR, 9, wish)
        assert forget(client, "genesis") == 3
        assert left("behaviour") == [("keys", -1), ("keys", 1), (FORGOTTEN, 2)]
        assert left("account_events") == [("place_order", -1), ("behaviour", 1)]
        assert client.query("SELECT account_id FROM genesis.behaviour WHERE event_ns < 1700000000000000000")\
            .result_rows == [("other",)]  # fmt: skip
        write(topics.BEHAVIOUR, 10, seen(NOON_NS - HOUR_NS))  # an older log is read again
        assert forget(client, "genesis") == 1
        assert forget(client, "genesis") == 0
