"""Writers of the store's tables: messages wait here for a while, then go in as one block.

Law: a row is in its table at most once, whatever is offered how often. Before a block goes in, the
table is asked which of its identities it already has; the block is then one insert, one part, all
or nothing. Nothing about progress is kept anywhere else: where to read on is a question to the rows.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import numpy as np
from clickhouse_connect.driver.client import Client

from genesis.connectors import frames
from genesis.connectors.frames import Frame, FrameError
from genesis.connectors.kafka import Message, Position
from genesis.connectors.store import keys
from genesis.connectors.store.keys import Rows
from genesis.connectors.store.schema import INSERTED_AT, LOG_FIELDS, Table, quoted, table_of
from genesis.operators.records import RowSchema
from genesis.operators.topics import Topic

SLACK_NS = 500_000_000
"""Identities are looked for this far around the batch's own times. Spot quotes carry no venue time,
so that two connections may stamp one update a fraction of a second apart."""

SPANS_MAX = 8
"""A batch whose times lie far apart is asked for in at most so many spans."""

POSITION_HOURS = (1, 24, 192)
"""Positions are looked for in the rows of so many hours before the newest row, the next span only when
a partition was not found. None older: brokers keep messages for a week. Without one a partition is
read from its oldest message."""

EMPTY = "''"
"""An empty string in SQL."""

INSERT_SETTINGS = {
    "max_insert_block_size": 4_000_000,  # one block, so one part, so all or nothing
    "min_insert_block_size_rows": 4_000_000,
    "min_insert_block_size_bytes": 1 << 30,
    "max_insert_threads": 1,
}


class Stored(NamedTuple):
    """What one flush did: rows that went in, and rows that were there already."""

    rows: int
    repeats: int


class StoreTable(ABC):
    """What writers of frames and of records have in common."""

    def __init__(self, client: Client, database: str, topic: Topic) -> None:
        self.topic = topic
        self.table: Table = table_of(topic)
        self.rows_waiting = 0
        self.bytes_waiting = 0
        self._client = client
        self._name = f"{quoted(database)}.{quoted(topic.name)}"
        self._places: list[tuple[int, Position]] = []
        self._sizes: list[int] = []

    def positions(self, partitions: Iterable[int]) -> dict[int, Position]:
        """Return where to read on in these partitions, as far as the rows themselves tell.

        That is the message of the newest row itself, not the one after it: its watermark, which may
        be the final one, is not stored.
        """
        wanted = set(partitions)
        found: dict[int, Position] = {}
        for hours in POSITION_HOURS:
            if found.keys() >= wanted:
                break
            since = f"(SELECT max({INSERTED_AT}) FROM {self._name}) - INTERVAL {hours} HOUR"
            rows = self._client.query(
                "SELECT log_partition, argMax((log_generation, log_id, log_offset), "
                f"({INSERTED_AT}, log_generation, log_offset)) FROM {self._name} "
                f"WHERE {INSERTED_AT} >= {since} GROUP BY log_partition"
            ).result_rows
            found = {partition: Position(*place) for partition, place in rows}
        return {partition: found[partition] for partition in wanted & found.keys()}

    def count(self) -> int:
        """Return how many rows the table has."""
        return int(self._client.query(f"SELECT count() FROM {self._name}").result_rows[0][0])

    @abstractmethod
    def add(self, message: Message) -> Frame | None:
        """Take a message; return its frame, or None for a record.

        Raises
        ------
        FrameError
            When the message is not what its topic carries; nothing of it is kept.
        """

    @abstractmethod
    def flush(self) -> Stored:
        """Store what waits. When this fails everything still waits, and may be flushed again."""

    def _took(self, message: Message, rows: int) -> None:
        self._places.append((message.partition, message.position))
        self._sizes.append(rows)
        self.rows_waiting += rows
        self.bytes_waiting += len(message.value)

    def _clear(self) -> None:
        self._places.clear()
        self._sizes.clear()
        self.rows_waiting = self.bytes_waiting = 0

    def _insert(self, block: bytes, form: str) -> None:
        """Insert a block, as a stream.

        Bytes clickhouse-connect would send again by itself when the connection breaks, without the
        question whether the rows are there already.
        """
        columns, stream = list(self.table.wire), io.BytesIO(block)
        self._client.raw_insert(self._name, columns, stream, settings=dict(INSERT_SETTINGS), fmt=form)


class RowTable(StoreTable):
    """The table of a topic of frames."""

    def __init__(self, client: Client, database: str, topic: Topic) -> None:
        super().__init__(client, database, topic)
        assert isinstance(topic.schema, RowSchema)
        assert self.table.dtype is not None
        self._schema = topic.schema
        self._wide = self.table.dtype
        self._key = keys.key_dtype(self._schema.dtype, self._schema.key)
        self._codes = {f.name: _code_map(f.codes) for f in self._schema.fields if f.codes is not None}
        self._frames: list[Rows] = []

    def add(self, message: Message) -> Frame:
        """Take a frame; see ``StoreTable.add``."""
        frame = frames.decode(self._schema, message.value, message.headers)
        if frame.rows.size:
            for name, known in self._codes.items():
                values = frame.rows[name]
                if not known[values.view(np.uint8)].all():
                    strange = values[~known[values.view(np.uint8)]][0]
                    raise FrameError(
                        "unknown_code", f"field {name} of {self._schema.tag} has no code {strange}"
                    )
            self._frames.append(frame.rows)
            self._took(message, frame.rows.size)
        return frame

    def flush(self) -> Stored:
        """Store the rows that wait and are new; see ``StoreTable.flush``."""
        offered = self.rows_waiting
        if not offered:
            return Stored(0, 0)
        rows = np.concatenate(self._frames)
        identities = keys.keys_of(rows, self._key)
        fresh = keys.fresh(identities, self._known(rows[self._schema.order]))
        stored = int(np.count_nonzero(fresh))
        if stored:
            wide = self._with_log(rows)
            self._insert((wide if stored == offered else wide[fresh]).tobytes(), "RowBinary")
        self._frames.clear()
        self._clear()
        return Stored(stored, offered - stored)

    def _with_log(self, rows: Rows) -> Rows:
        """Return the rows with where they came from behind each, as the table's insert wants them."""
        wide = np.empty(rows.size, self._wide)
        width = rows.dtype.itemsize
        wide.view(np.uint8).reshape(rows.size, -1)[:, :width] = rows.view(np.uint8).reshape(rows.size, -1)
        logs = np.array(
            [(at.offset - 1, at.generation, part, at.log_id.encode()) for part, at in self._places],
            [(field.name, field.format) for field in LOG_FIELDS],
        )
        for name in logs.dtype.names or ():
            wide[name] = np.repeat(logs[name], self._sizes)
        return wide

    def _known(self, times: "np.ndarray[Any, np.dtype[np.int64]]") -> Rows:
        """Return the identities that the table has in the times of a batch."""
        order = quoted(self._schema.order)
        spans = [f"{order} BETWEEN {low} AND {high}" for low, high in spans_of(times)]
        columns = [self._key_column(name) for name in self._key.names or ()]
        found = self._client.raw_query(
            f"SELECT {', '.join(columns)} FROM {self._name} WHERE {' OR '.join(spans)}", fmt="RowBinary"
        )
        return np.frombuffer(found, self._key)

    def _key_column(self, name: str) -> str:
        kind = self._key[name]
        if kind.kind in "SV":
            return f"toFixedString({quoted(name) if kind.kind == 'S' else EMPTY}, {kind.itemsize})"
        return f"CAST({quoted(name)} AS Int{8 * kind.itemsize})"


class RecordTable(StoreTable):
    """The table of a topic of JSON records; ``id`` alone is a row's identity."""

    def __init__(self, client: Client, database: str, topic: Topic) -> None:
        super().__init__(client, database, topic)
        assert not isinstance(topic.schema, RowSchema)
        self._decoder = msgspec.json.Decoder(topic.schema)
        self._records: list[msgspec.Struct] = []

    def add(self, message: Message) -> None:
        """Take a record; see ``StoreTable.add``."""
        tag = dict(message.headers).get("schema", self.topic.tag.encode()).decode(errors="replace")
        if tag != self.topic.tag:
            raise FrameError("unknown_schema", f"expected schema {self.topic.tag}, the message says {tag}")
        try:
            record = self._decoder.decode(message.value)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise FrameError("malformed_record", f"not a {self.topic.tag} record: {error}") from None
        self.keep(record, message)

    def keep(self, record: msgspec.Struct, message: Message) -> None:
        """Take a record as the content of a message."""
        self._records.append(record)
        self._took(message, 1)

    def flush(self) -> Stored:
        """Store the records that wait and are new; see ``StoreTable.flush``."""
        offered = self.rows_waiting
        if not offered:
            return Stored(0, 0)
        seen = self._known()
        lines = []
        for record, (part, at) in zip(self._records, self._places, strict=True):
            row = msgspec.structs.asdict(record)
            if row["id"] in seen:
                continue
            seen.add(row["id"])
            log = {"log_offset": at.offset - 1, "log_generation": at.generation, "log_partition": part}
            lines.append(msgspec.json.encode({**row, **log, "log_id": at.log_id}))
        if lines:
            self._insert(b"\n".join(lines), "JSONEachRow")
        self._records.clear()
        self._clear()
        return Stored(len(lines), offered - len(lines))

    def _known(self) -> set[str]:
        """Return which ids of the batch the table has."""
        rows = [msgspec.structs.asdict(record) for record in self._records]
        parameters = {"ids": [row["id"] for row in rows]}
        where = "id IN {ids:Array(String)}"
        times = [name for name in self.table.order if name.endswith("_ns")]
        for name in times:
            values = [row[name] for row in rows]
            where += f" AND {name} BETWEEN {min(values)} AND {max(values)}"
        found = self._client.query(f"SELECT id FROM {self._name} WHERE {where}", parameters)
        return {row[0] for row in found.result_rows}


def open_table(client: Client, database: str, topic: Topic) -> StoreTable:
    """Return the writer for a topic's table."""
    kind = RowTable if isinstance(topic.schema, RowSchema) else RecordTable
    return kind(client, database, topic)


def spans_of(times: "np.ndarray[Any, np.dtype[np.int64]]") -> list[tuple[int, int]]:
    """Return the spans of time, at most SPANS_MAX, that cover the times with SLACK_NS around them.

    >>> spans_of(np.array([90_000_000_000, 5_000_000_000, 6_000_000_000]))
    [(4500000000, 6500000000), (89500000000, 90500000000)]
    """
    ordered = np.sort(times)
    steps = np.diff(ordered)
    widest = np.argsort(steps)[-(SPANS_MAX - 1) :] if steps.size else steps
    cuts = np.sort(widest[steps[widest] > 2 * SLACK_NS])
    firsts = [0, *(int(cut) + 1 for cut in cuts)]
    lasts = [*(int(cut) for cut in cuts), ordered.size - 1]
    return [
        (int(ordered[first]) - SLACK_NS, int(ordered[last]) + SLACK_NS)
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _code_map(codes: type[Any]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Return which of the 256 values of a byte are codes, shape ``(256,)``."""
    known = np.zeros(256, np.bool_)
    known[[code.value % 256 for code in codes]] = True
    return known
