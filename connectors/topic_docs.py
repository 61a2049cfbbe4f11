"""Reference of the topics, made from the registry: docs/topics.md and docs/asyncapi.yaml.

``python -m genesis.connectors.topic_docs`` writes them into ``docs`` of the folder it is started
in; with ``--check`` it fails when they are not current.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from genesis.operators import topics
from genesis.operators.records import PADDING, Field, RowSchema
from genesis.operators.topics import Topic

UNITS = {
    "_ns": "ns",
    "_ms": "ms",
    "_s": "s",
    "_bps": "basis points",
    "_hz": "1/s",
    "_qty": "base asset",
    "_notional": "quote asset",
    "_price": "quote asset",
    "_bytes": "bytes",
}
"""Units by the end of a field's name."""

BARE_UNITS = {
    "price": "quote asset",
    "qty": "base asset",
    "notional": "quote asset",
    **dict.fromkeys(("open", "high", "low", "close", "vwap"), "quote asset"),
}
"""Units of fields whose whole name says it."""

FRAME_HEADERS = {
    "watermark_ns": "no later frame of this partition holds a row that counts at or before this",
    "sent_ns": "when the frame was sent, by the producer's clock, ns since the epoch",
    "cause_ns": "for a signal: sent_ns of the newest frame it was computed from, 0 for none",
}
"""The headers of a frame beside its schema; decimal numbers."""

_JSON_TYPES = {"f": "number", "i": "integer", "u": "integer", "S": "string"}
_PYTHON_TYPES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


class FieldDoc(NamedTuple):
    """One field for a reader. ``type`` is numpy's for rows and JSON's for records."""

    name: str
    type: str
    json_type: str
    unit: str
    doc: str
    codes: dict[str, int]
    length: int


def fields_of(topic: Topic) -> list[FieldDoc]:
    """Return the fields of a topic, in order."""
    if isinstance(topic.schema, RowSchema):
        return [_of_row(field) for field in topic.schema.fields]
    hints = get_type_hints(topic.schema, include_extras=True)
    return [_of_record(name, hint) for name, hint in hints.items()]


def key_of(topic: Topic) -> tuple[str, ...]:
    """Return the fields that identify a row or record of a topic."""
    return topic.schema.key if isinstance(topic.schema, RowSchema) else ("id",)


def described(topic: Topic, shards: int) -> dict[str, Any]:
    """Return all that is known of a topic, ready for JSON."""
    rows = isinstance(topic.schema, RowSchema)
    return {
        "name": topic.name,
        "topic": topic.full_name,
        "doc": topic.doc,
        "schema": topic.tag,
        "encoding": "packed rows" if rows else "JSON",
        "row_bytes": topic.rows.dtype.itemsize if rows else None,
        "key": list(key_of(topic)),
        "partitions": shards if topic.sharded else 1,
        "retention_days": topic.ttl_days,
        "fields": [field._asdict() for field in fields_of(topic)],
    }


def unit_of(name: str) -> str:
    """Return the unit that a field's name ends in, empty for a pure number or a text.

    >>> unit_of("half_life_ns"), unit_of("close"), unit_of("symbol")
    ('ns', 'quote asset', '')
    """
    if name in BARE_UNITS:
        return BARE_UNITS[name]
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")


def _of_row(field: Field) -> FieldDoc:
    kind = np.dtype(field.format)
    shown = f"{kind.name} × {field.length}" if field.length else kind.name
    if kind.kind == "S":
        shown = f"text, {kind.itemsize} bytes"
    codes = {code.name.lower(): int(code) for code in field.codes} if field.codes else {}
    return FieldDoc(
        field.name, shown, _JSON_TYPES[kind.kind], unit_of(field.name), field.doc, codes, field.length
    )


def _of_record(name: str, hint: Any) -> FieldDoc:
    doc, bare = "", hint
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta):
            doc, bare = meta.description or "", get_args(hint)[0]
    kind = {dict: "object", list: "array"}.get(get_origin(bare)) or _PYTHON_TYPES[bare]
    return FieldDoc(name, kind, kind, unit_of(name), doc, {}, 0)


def markdown() -> str:
    """Return docs/topics.md."""
    parts = [
        "# Topics\n\n",
        "Every topic is described once, in `operators/topics.py`; this page, `asyncapi.yaml`, the codec\n",
        "and the tables of the store are made from there. A table has the topic's name without `genesis.`\n",
        "and, beside the fields below, where each row came from (`log_id`, `log_generation`,\n",
        "`log_partition`, `log_offset`), when it was stored (`inserted_at`), and a calendar time for every\n",
        "time in ns (`event_time` for `event_ns`); see [the store](store.md).\n\n",
        "A *frame* is one message: any number of rows, little-endian, packed in the order below, and\n",
        "nothing else. Its headers are `schema`, `watermark_ns`, `sent_ns` and `cause_ns` (see\n",
        "`connectors/frames.py`). Arrays are that many numbers in a row; texts are padded with zero bytes;\n",
        "`NaN` means undefined.\n\n",
        "| topic | schema | key | partitions | kept | what |\n|---|---|---|---|---|---|\n",
    ]
    for topic in topics.ALL:
        kept = f"{topic.ttl_days} days after storing" if topic.ttl_days else "for ever"
        kept = kept if topic in topics.ARCHIVED else "not stored"
        parts.append(
            f"| [`{topic.full_name}`](#{topic.full_name.replace('.', '')}) | `{topic.tag}` "
            f"| {', '.join(f'`{name}`' for name in key_of(topic))} "
            f"| {'one a shard' if topic.sharded else '1'} | {kept} | {topic.doc} |\n"
        )
    return "".join([*parts, *map(_section, topics.ALL)])


def _section(topic: Topic) -> str:
    encoding = "JSON, one record a message"
    if isinstance(topic.schema, RowSchema):
        size = topic.schema.dtype.itemsize
        spare = topic.schema.dtype[PADDING].itemsize if PADDING in (topic.schema.dtype.names or ()) else 0
        padding = f", the last {spare} unused" if spare else ""
        encoding = f"frames of {size}-byte rows{padding}"
    lines = [f"\n## {topic.full_name}\n\n{topic.doc} Schema `{topic.tag}`, {encoding}.\n\n"]
    lines.append("| field | type | unit | meaning |\n|---|---|---|---|\n")
    for field in fields_of(topic):
        codes = ", ".join(f"{value} {name}" for name, value in field.codes.items())
        doc = f"{field.doc}: {codes}" if codes else field.doc
        lines.append(f"| `{field.name}` | {field.type} | {field.unit} | {doc} |\n")
    return "".join(lines)


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "GENESIS topics",
            "version": "1.0.0",
            "description": "Ticks, signals and reports on Kafka. Made from operators/topics.py.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/octet-stream",
        "channels": {topic.name: _channel(topic) for topic in topics.ALL},
        "operations": {
            f"receive_{topic.name}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": topic.doc,
            }
            for topic in topics.ALL
        },
        "components": {
            "messages": {_message_name(topic): _message(topic) for topic in topics.ALL},
            "schemas": {_message_name(topic): _payload(topic) for topic in topics.ALL},
        },
    }


def _message_name(topic: Topic) -> str:
    return topic.tag.replace(".", "_")


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.full_name,
        "description": topic.doc,
        "messages": {_message_name(topic): {"$ref": f"#/components/messages/{_message_name(topic)}"}},
        "bindings": {"kafka": {"topic": topic.full_name, "bindingVersion": "0.5.0"}},
        "x-partitions": "one a shard" if topic.sharded else "1",
        "x-key": list(key_of(topic)),
        "x-retention-days": topic.ttl_days,
    }


def _message(topic: Topic) -> dict[str, Any]:
    rows = isinstance(topic.schema, RowSchema)
    headers: dict[str, Any] = {"schema": {"type": "string", "const": topic.tag}}
    if rows:
        headers |= {
            "watermark_ns": {
                "type": "string",
                "description": "no later frame of this partition counts up to here",
            },
            "sent_ns": {
                "type": "string",
                "description": "when it was sent, producer's clock, ns since the epoch",
            },
            "cause_ns": {"type": "string", "description": "sent_ns of the frame that caused it, 0 for none"},
        }
    return {
        "name": topic.tag,
        "contentType": "application/octet-stream" if rows else "application/json",
        "summary": "Any number of packed little-endian rows." if rows else "One JSON record.",
        "headers": {"type": "object", "properties": headers},
        "payload": {"$ref": f"#/components/schemas/{_message_name(topic)}"},
    }


def _payload(topic: Topic) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "description": topic.doc,
        "properties": {field.name: _property(field) for field in fields_of(topic)},
        "required": [field.name for field in fields_of(topic)],
    }
    if isinstance(topic.schema, RowSchema):
        schema["description"] = f"One row of a frame, {topic.schema.dtype.itemsize} bytes. {topic.doc}"
        schema["x-row-bytes"] = topic.schema.dtype.itemsize
    return schema


def _property(field: FieldDoc) -> dict[str, Any]:
    found: dict[str, Any] = {"type": field.json_type, "description": field.doc, "x-type": field.type}
    if field.unit:
        found["x-unit"] = field.unit
    if field.codes:
        found["enum"] = list(field.codes.values())
        found["x-codes"] = field.codes
    if field.length:
        item = {"type": found.pop("type")}
        found = {"type": "array", "items": item, "minItems": field.length, "maxItems": field.length, **found}
    return found


def _asyncapi_page() -> str:
    text = msgspec.yaml.encode(asyncapi()).decode()
    return f"# Generated by `make docs`; do not edit.\n{text}"


def _markdown_page() -> str:
    return f"<!-- Generated by `make docs`; do not edit. -->\n\n{markdown()}"


PAGES: dict[str, Callable[[], str]] = {"topics.md": _markdown_page, "asyncapi.yaml": _asyncapi_page}
"""The generated pages, by their name in docs."""


def stale(folder: Path) -> list[str]:
    """Return which pages in a folder are not what the registry says."""
    return [
        name
        for name, page in PAGES.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != page()
    ]


def main() -> int:
    """Write the pages, or with ``--check`` say which are not current; return the exit status."""
    folder = Path("docs")
    names = stale(folder)
    if "--check" in sys.argv[1:]:
        if names:
            sys.stderr.write(f"Not current in docs: {', '.join(names)}. `make docs` renews them.\n")
        return 1 if names else 0
    for name in names:
        (folder / name).write_text(PAGES[name](), encoding="utf-8")
        sys.stdout.write(f"docs/{name}: written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
