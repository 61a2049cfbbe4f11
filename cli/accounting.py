"""Accounting for a replay: what the recordings hold, against what the store and dead letters hold.

What is expected is counted from the files themselves, by ids, and not taken from any part of the
pipeline, so that no part can vouch for itself.
"""

import gzip
import json
import urllib.request
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import msgspec

from genesis.cli.errors import CommandError
from genesis.cli.supervisor import Supervisor
from genesis.operators import topics
from genesis.operators.records import Market

TABLE_OF = {
    "trade": ("trades", "trade_id"),
    "bookTicker": ("quotes", "update_id"),
    "depth": ("book", "update_id"),
}
"""Table and id column by the first word of a stream's name."""


class Ids(NamedTuple):
    """The rows of one stream that recordings hold: how many different ones, from which id to which."""

    rows: int
    first: int
    last: int


class _Data(msgspec.Struct):
    s: str = ""
    t: int = 0
    u: int = 0


class _Line(msgspec.Struct):
    stream: str = ""
    data: _Data | None = None
    lastUpdateId: int = 0  # noqa: N815 - the venue's name


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay did. Times in the unit of the name."""

    recordings: list[str]
    messages: int
    ticks: int
    superseded: int
    stored: dict[str, int]
    gaps: int
    dead_letters: int
    seconds: float
    throughput_messages_per_s: float
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    restarts: dict[str, int]
    faults: list[str]


def forget(data: Path) -> None:
    """Remove what an earlier replay said of its end."""
    (data / "archive.json").unlink(missing_ok=True)


def complete(data: Path) -> bool:
    """Say whether the archive has stored everything up to the final watermark."""
    try:
        return bool(json.loads((data / "archive.json").read_bytes())["complete"])
    except (OSError, ValueError, KeyError):
        return False


def lines_of(recording: Path) -> Iterator[bytes]:
    """Yield the messages of a recording, without their receive times, as far as it can be read."""
    with recording.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    with gzip.open(recording) if packed else recording.open("rb") as source:
        try:
            for line in source:
                yield line.partition(b" ")[2]
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return


def expected(recordings: list[Path]) -> tuple[dict[tuple[str, str, str], Ids], int, int]:
    """Return the ids by (market, symbol, table), the number of messages, and of superseded diffs.

    A diff that ends at or before its symbol's snapshot is contained in the snapshot.
    """
    found: dict[tuple[str, str, str], array[int]] = {}
    messages = superseded = 0
    for recording in recordings:
        market = next((m.name.lower() for m in Market if f"_{m.name.lower()}_" in recording.name), None)
        diffs: dict[str, list[int]] = {}
        snapshot = 0
        for text in lines_of(recording):
            try:
                line = msgspec.json.decode(text, type=_Line)
            except msgspec.MsgspecError:
                continue
            messages += 1
            snapshot = snapshot or line.lastUpdateId
            kind = line.stream.partition("@")[2].partition("@")[0]
            if line.data is None or kind not in TABLE_OF:
                continue
            if kind == "depth":
                diffs.setdefault(line.data.s, []).append(line.data.u)
            else:
                key = (market or "", line.data.s, TABLE_OF[kind][0])
                found.setdefault(key, array("q")).append(line.data.t or line.data.u)
        for symbol, updates in diffs.items():
            for update in updates:
                if update > snapshot:
                    found.setdefault((market or "", symbol, "book"), array("q")).append(update)
                else:
                    superseded += 1
    ids = {key: Ids(len(set(numbers)), min(numbers), max(numbers)) for key, numbers in found.items()}
    return ids, messages, superseded


def ask(store_url: str, query: str) -> list[list[Any]]:
    """Return the rows of a query to the store.

    Raises
    ------
    CommandError
        With the store's own words when it refuses.
    """
    request = urllib.request.Request(f"{store_url}/", data=f"{query} FORMAT JSONCompact".encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return list(json.load(answer)["data"])
    except HTTPError as error:
        raise CommandError(
            f"the store refused a question: {error.read().decode(errors='replace')[:300]}"
        ) from None


def take(system: Supervisor, recordings: list[Path], seconds: float, damage: str) -> Summary:
    """Return the summary of a finished replay, with a fault for every row that is nowhere.

    ``damage`` is why a recording could not be read to its end, or nothing.
    """
    url, database = system.store_url, system.settings.database
    want, messages, superseded = expected(recordings)
    names = [topic.name for topic in topics.ARCHIVED]
    stored = {name: int(ask(url, f"SELECT count() FROM {database}.{name}")[0][0]) for name in names}
    faults = []
    ticks = 0
    for (market, symbol, table), ids in want.items():
        column = next(column for name, column in TABLE_OF.values() if name == table)
        where = f"symbol = '{symbol}' AND market = '{market}' AND {column} BETWEEN {ids.first} AND {ids.last}"
        have = int(ask(url, f"SELECT count() FROM {database}.{table} WHERE {where}")[0][0])
        ticks += min(have, ids.rows)
        if have < ids.rows:
            faults.append(f"{ids.rows - have} of {ids.rows} rows of {market} {symbol} are not in {table}")
    missing = sum(ids.rows for ids in want.values()) - ticks
    refused = f"SELECT countIf(startsWith(source, 'feed')) FROM {database}.dead_letters"
    if missing <= int(ask(url, refused)[0][0]):
        faults = []
    p50_ms, p99_ms = _latency(url, database)
    return Summary(
        recordings=[str(recording) for recording in recordings],
        messages=messages,
        ticks=ticks,
        superseded=superseded,
        stored=stored,
        gaps=int(ask(url, f"SELECT countIf(revision = 0) FROM {database}.gaps")[0][0]),
        dead_letters=stored["dead_letters"],
        seconds=round(seconds, 3),
        throughput_messages_per_s=round(messages / seconds, 1),
        latency_p50_ms=p50_ms,
        latency_p99_ms=p99_ms,
        restarts={name: child.restarts for name, child in system.children.items() if child.restarts},
        faults=[*faults, *([damage] if damage else [])],
    )


def _latency(url: str, database: str) -> tuple[float | None, float | None]:
    """Return the newest tick-to-signal figures that the archive has reported."""
    figures = "figures['tick_to_signal_p50_ms'], figures['tick_to_signal_p99_ms']"
    where = "component = 'archive' AND mapContains(figures, 'tick_to_signal_p50_ms')"
    found = ask(url, f"SELECT {figures} FROM {database}.health WHERE {where} ORDER BY recv_ns DESC LIMIT 1")
    return (found[0][0], found[0][1]) if found else (None, None)


def as_text(summary: Summary) -> str:
    """Return the summary for a person."""
    rows = [
        ("messages", f"{summary.messages:,} in {len(summary.recordings)} recordings"),
        ("ticks", f"{summary.ticks:,} stored, {summary.superseded:,} depth updates contained in snapshots"),
        ("gaps", f"{summary.gaps:,}"),
        ("dead letters", f"{summary.dead_letters:,}"),
        ("throughput", f"{summary.throughput_messages_per_s:,.0f} messages/s over {summary.seconds:,.1f} s"),
    ]
    if summary.latency_p50_ms is not None:
        latency = f"p50 {summary.latency_p50_ms:,.1f} ms, p99 {summary.latency_p99_ms:,.1f} ms"
        rows.append(("latency", f"{latency} from tick to signal"))
    if summary.restarts:
        rows.append(("restarts", ", ".join(f"{name} {count}" for name, count in summary.restarts.items())))
    rows += [(f"rows in {name}", f"{count:,}") for name, count in summary.stored.items()]
    verdict = "Every row is accounted for." if not summary.faults else "Not every row is accounted for:"
    return "\n".join([*(f"{name:<22}{text}" for name, text in rows), "", verdict])
