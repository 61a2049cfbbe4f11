"""Tables of the store, made from the registry of topics: one table a topic, one column a field.

A frame is ClickHouse RowBinary as it is, so a table's *wire columns* are the fields of the frame,
in order. Where the stored type is another one, the wire column is EPHEMERAL: it exists only while
a row is being inserted, under the field's name with ``_`` before it.
"""

from enum import IntEnum
from typing import Any, NamedTuple, get_origin, get_type_hints

import msgspec
import numpy as np

from genesis.operators.records import PADDING, Field, RowSchema
from genesis.operators.topics import OUTCOMES, Topic

LOG_ID_BYTES = 24
"""Room for a Kafka topic id, which is 22 characters of base64."""

DURATIONS = frozenset({"interval_ns", "half_life_ns", "quiet_ns"})
"""Fields in ns that are lengths of time; every other one in ns is a time and gets a calendar twin."""

LOG_FIELDS = (
    Field("log_offset", "<i8", "offset of the message that brought this row, in its log"),
    Field("log_generation", "<u4", "generation of the topic that log_offset counts in"),
    Field("log_partition", "<u4", "partition of the topic that log_offset counts in"),
    Field("log_id", f"S{LOG_ID_BYTES}", "incarnation of the log that log_offset counts in"),
)
"""Where a row came from; the archive finds its own position in these."""

INSERTED_AT = "inserted_at"

WIDE_ROW_BYTES = 300
"""Rows wider than this are read and merged in smaller portions, which takes half the memory."""

RECORD_ORDER = {
    "dead_letters": ("id",),
    "health": ("component", "recv_ns", "id"),
    "account_events": ("account_id", "id"),
} | {topic.name: ("account_id", "event_ns", "id") for topic in OUTCOMES}
"""Sorting key of the JSON topics' tables; ``id`` alone is the row's identity."""

_SCALARS = {"<i8": "Int64", "<f8": "Float64", "i1": "Int8", "<u4": "UInt32"}
_RECORD_TYPES: dict[Any, str] = {str: "String", int: "Int64", float: "Float64", bool: "Bool"}
_FEW_VALUES = frozenset(
    {
        "component",
        "state",
        "source",
        "reason",
        "account_id",
        "role",
        "kind",
        "subject",
        "code",
        "symbol",
        "side",
        "phase",
        "what",
        "client",
        "session",
    }
    | {"action", "order_type", "time_in_force", "algorithm", "status", "strategy", "tier", "mode"}
)


class Column(NamedTuple):
    """One column of a table. ``kind`` is empty, DEFAULT, ALIAS or EPHEMERAL."""

    name: str
    type: str
    doc: str
    kind: str = ""
    expression: str = ""
    codec: str = ""

    @property
    def ddl(self) -> str:
        """The column as CREATE TABLE and ADD COLUMN take it."""
        parts = [quoted(self.name), self.type, self.kind, self.expression]
        parts += [f"COMMENT {literal(self.doc)}", f"CODEC({self.codec})" if self.codec else ""]
        return " ".join(part for part in parts if part)


class Table(NamedTuple):
    """A table: its columns in order, its sorting key and how long rows stay.

    ``wire`` names the columns that an insert brings; ``dtype`` is their layout (None for JSON).
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    ttl_days: int
    wire: tuple[str, ...]
    dtype: np.dtype[np.void] | None

    def create(self, database: str) -> str:
        """Return the CREATE TABLE statement.

        The sorting key begins with the instrument; the spans let a question about a time skip the rest.
        Partitions are weeks of insertion where rows expire, so that whole parts can be dropped, and
        months elsewhere. One insert is one partition, thus one part, thus all or nothing.
        """
        parts = [column.ddl for column in self.columns]
        times = [name for name in self.order if _is_time(name)]
        parts += [
            f"INDEX {name}_span {quoted(name)} TYPE minmax GRANULARITY 1" for name in (*times, INSERTED_AT)
        ]
        columns = ",\n    ".join(parts)
        period = "toMonday" if self.ttl_days else "toStartOfMonth"
        clauses = [
            "ENGINE = ReplacingMergeTree",
            f"PARTITION BY {period}({INSERTED_AT})",
            f"ORDER BY ({', '.join(map(quoted, self.order))})",
        ]
        if self.ttl_days:
            clauses.append(f"TTL {INSERTED_AT} + INTERVAL {self.ttl_days} DAY")
        clauses.append("SETTINGS " + ", ".join(self._settings()))
        clauses.append(f"COMMENT {literal(self.doc)}")
        name = f"{quoted(database)}.{quoted(self.name)}"
        return f"CREATE TABLE IF NOT EXISTS {name}\n(\n    {columns}\n)\n" + "\n".join(clauses)

    def _settings(self) -> list[str]:
        settings = ["min_bytes_for_wide_part = 33554432"]
        if self.dtype is not None and self.dtype.itemsize > WIDE_ROW_BYTES:
            settings.append("index_granularity = 1024")
        return [*settings, "ttl_only_drop_parts = 1"] if self.ttl_days else settings


def quoted(name: str) -> str:
    """Return an identifier as SQL takes it."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text: str) -> str:
    r"""Return a string as SQL takes it.

    >>> print(literal("Kish's"))
    'Kish\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def table_of(topic: Topic) -> Table:
    """Return the table in which the messages of a topic end up."""
    return _row_table(topic, topic.schema) if isinstance(topic.schema, RowSchema) else _record_table(topic)


def order_of(schema: RowSchema) -> tuple[str, ...]:
    """Return the sorting key: the row's identity, with its time before the last part of it.

    >>> from genesis.operators.records import BAR, TRADE
    >>> order_of(TRADE)
    ('market', 'symbol', 'event_ns', 'trade_id')
    >>> order_of(BAR)
    ('market', 'symbol', 'interval_ns', 'open_ns', 'revision')
    """
    if schema.order in schema.key:
        return schema.key
    return (*schema.key[:-1], schema.order, schema.key[-1])


def _row_table(topic: Topic, schema: RowSchema) -> Table:
    fields = (*schema.fields, *LOG_FIELDS)
    columns = [column for field in fields for column in _columns(field)]
    padding = schema.dtype.fields and schema.dtype.fields.get(PADDING)
    if padding:
        columns.append(Column(PADDING, f"FixedString({padding[0].itemsize})", "unused", "EPHEMERAL"))
    layout = [(name, schema.dtype[name]) for name in schema.dtype.names or ()]
    layout += [(field.name, np.dtype(field.format)) for field in LOG_FIELDS]
    wire_names = {name: _wire_name(field) for field in fields for name in (field.name,)}
    return Table(
        name=topic.name,
        doc=f"{topic.doc} Schema {topic.tag}.",
        columns=(*columns, _inserted_at()),
        order=order_of(schema),
        ttl_days=topic.ttl_days,
        wire=tuple(wire_names.get(name, name) for name, _ in layout),
        dtype=np.dtype(layout),
    )


def _record_table(topic: Topic) -> Table:
    assert not isinstance(topic.schema, RowSchema)
    hints = get_type_hints(topic.schema, include_extras=True)
    columns = [_record_column(name, hint) for name, hint in hints.items()]
    times = [_calendar(column.name) for column in columns if column.name.endswith("_ns")]
    logs = [column for field in LOG_FIELDS for column in _columns(field, wire=False)]
    return Table(
        name=topic.name,
        doc=f"{topic.doc} Schema {topic.tag}.",
        columns=(*columns, *times, *logs, _inserted_at()),
        order=RECORD_ORDER[topic.name],
        ttl_days=topic.ttl_days,
        wire=(*hints, *(field.name for field in LOG_FIELDS)),
        dtype=None,
    )


def _columns(field: Field, *, wire: bool = True) -> list[Column]:
    """Return the columns that one field needs: as stored, and as it arrives or reads where that differs."""
    name, stored, on_wire = field.name, _stored_type(field), _wire_name(field)
    if on_wire == name or not wire:
        found = [Column(name, stored, field.doc, codec=_codec(field))]
        return [*found, _calendar(name)] if _is_time(name) else found
    raw = Column(on_wire, f"FixedString({_wire_bytes(field)})", f"{name} as it arrives", "EPHEMERAL")
    read = f"reinterpret({on_wire}, 'Array(Float64)')" if field.length else f"toStringCutToZero({on_wire})"
    return [raw, Column(name, stored, field.doc, "DEFAULT", read, _codec(field))]


def _wire_name(field: Field) -> str:
    return f"_{field.name}" if field.length or field.format.startswith("S") else field.name


def _wire_bytes(field: Field) -> int:
    return np.dtype(field.format).itemsize * max(field.length, 1)


def _stored_type(field: Field) -> str:
    if field.codes is not None:
        return _enum(field.codes)
    if field.format.startswith("S"):
        return "LowCardinality(String)"
    scalar = _SCALARS[field.format]
    return f"Array({scalar})" if field.length else scalar


def _enum(codes: type[IntEnum]) -> str:
    return (
        "Enum8(" + ", ".join(f"{literal(code.name.lower())} = {code.value}" for code in sorted(codes)) + ")"
    )


def _codec(field: Field) -> str:
    """Return how a column is packed: times and ids grow slowly along the sorting key, so by difference."""
    return "Delta, ZSTD(1)" if field.format == "<i8" else "ZSTD(1)"


def _is_time(name: str) -> bool:
    return name.endswith("_ns") and name not in DURATIONS


def _calendar(name: str) -> Column:
    doc = f"{name} as a calendar time, UTC; computed when read"
    expression = f"fromUnixTimestamp64Nano({quoted(name)}, 'UTC')"
    return Column(name.removesuffix("_ns") + "_time", "DateTime64(9, 'UTC')", doc, "ALIAS", expression)


def _inserted_at() -> Column:
    doc = "when the row was stored, by the store's clock; retention counts from here"
    return Column(INSERTED_AT, "DateTime('UTC')", doc, "DEFAULT", "now()", "Delta, ZSTD(1)")


def _record_column(name: str, hint: Any) -> Column:
    doc, bare = "", hint
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta):
            doc, bare = meta.description or "", hint.__origin__
    if get_origin(bare) is dict:
        return Column(name, "Map(LowCardinality(String), Float64)", doc, codec="ZSTD(1)")
    if get_origin(bare) is list:
        return Column(name, "Array(String)", doc, codec="ZSTD(1)")
    kind = _RECORD_TYPES[bare]
    return Column(name, f"LowCardinality({kind})" if name in _FEW_VALUES else kind, doc, codec="ZSTD(1)")
