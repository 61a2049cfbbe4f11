"""`genesis sql`: ask the store, whether the system runs or not."""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from typing import Annotated, Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import run_file
from genesis.connectors.settings import Settings

FORMATS = {
    "csv": "CSVWithNames",
    "tsv": "TabSeparatedWithNames",
    "json": "JSON",
    "jsonl": "JSONEachRow",
}
"""Short names of formats; every other one is ClickHouse's own, such as Parquet."""

TABLE_FORMAT = "JSONCompactEachRowWithNamesAndTypes"

TABLE_ROWS_MAX = 1_000
"""A table on the terminal ends here; the other formats give everything."""

PIECE_BYTES = 1 << 16
TIMEOUT_S = 600.0


class Reply(NamedTuple):
    """What the store answers: the format that it chose, and the answer in pieces."""

    format: str
    pieces: Iterable[bytes]


def sql(
    query: Annotated[str, typer.Argument(help="One statement; - reads it from standard input.")],
    form: Annotated[
        str, typer.Option("--format", "-f", help="table, csv, tsv, json, jsonl, or any format of ClickHouse.")
    ] = "table",
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Ask the store a question in ClickHouse's SQL, whether the system runs or not.

    Tables have the topics' names (`genesis topics`); the store can only be read.

    Examples:

      genesis sql "SELECT symbol, count() FROM trades GROUP BY symbol"

      genesis sql "SELECT open_time, close FROM bars_latest WHERE interval_ns = 60e9" --format csv

      genesis sql "SHOW TABLES" --json

      genesis sql "SELECT * FROM quotes" --format Parquet > quotes.parquet
    """
    settings = options.configured(data)
    text = sys.stdin.read() if query == "-" else query
    chosen = "json" if as_json else form
    with asked(settings, text, FORMATS.get(chosen, TABLE_FORMAT if chosen == "table" else chosen)) as reply:
        if chosen == "table" and reply.format == TABLE_FORMAT:
            _print_table(reply.pieces)
            return
        for piece in reply.pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@contextmanager
def asked(settings: Settings, query: str, default_format: str) -> Iterator[Reply]:
    """Ask the running system's store, else the configured server, else the store in the data folder.

    Raises
    ------
    CommandError
        In the store's words when it refuses, or saying that there is no store.
    """
    run = run_file.read(settings.data)
    url = run.store_url if run is not None and run.store_url else settings.store_url
    with (
        _by_http(settings, url, query, default_format)
        if url
        else _by_hand(settings, query, default_format) as reply
    ):
        yield reply


def rows_of(settings: Settings, query: str) -> list[list[Any]]:
    """Return the rows that a query gives, as `asked` has them."""
    with asked(settings, query, "JSONCompact") as reply:
        rows: list[list[Any]] = json.loads(b"".join(reply.pieces))["data"]
    return rows


@contextmanager
def _by_http(settings: Settings, url: str, query: str, default_format: str) -> Iterator[Reply]:
    fields = urlencode({"database": settings.database, "default_format": default_format})
    request = Request(f"{url}/?{fields}", data=query.encode())
    if settings.store_url:
        request.add_header("X-ClickHouse-User", settings.store_user)
        request.add_header("X-ClickHouse-Key", settings.store_password.get_secret_value())
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:
            form = answer.headers.get("X-ClickHouse-Format") or default_format
            yield Reply(form, iter(lambda: answer.read(PIECE_BYTES), b""))
    except HTTPError as error:
        raise CommandError(_first_sentence(error.read().decode(errors="replace"))) from None
    except HTTPException:
        raise CommandError("the store broke off its answer: the statement failed on the way") from None
    except URLError as error:
        raise CommandError(f"the store at {url} does not answer ({error.reason}): is it running?") from None


@contextmanager
def _by_hand(settings: Settings, query: str, default_format: str) -> Iterator[Reply]:
    from genesis.connectors.store.engine import Engine, folder_in
    from genesis.connectors.store.errors import StoreError
    from genesis.connectors.store.reading import Answer, QueryError

    if not folder_in(settings.data).is_dir():
        raise CommandError(
            f"there is no store in {settings.data}: `genesis up` or `genesis replay` makes one"
        )
    try:
        with (
            Engine(settings.data, settings.database) as engine,
            closing(Answer(engine, query, default_format=default_format)) as answer,
        ):
            yield Reply(answer.format, answer)
    except StoreError as error:
        raise CommandError(str(error)) from None
    except QueryError as error:
        raise CommandError(_first_sentence(str(error))) from None


def _first_sentence(text: str) -> str:
    from genesis.connectors.store.errors import first_sentence

    return first_sentence(text)


def _print_table(pieces: Iterable[bytes]) -> None:
    lines = _lines(pieces)
    names, types = (json.loads(next(lines, "[]")) for _ in range(2))
    if not names:
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, kind in zip(names, types, strict=True):
        table.add_column(name, justify="right" if _is_number(kind) else "left", overflow="fold")
    for line in itertools.islice(lines, TABLE_ROWS_MAX):
        values = zip(names, types, json.loads(line), strict=True)
        table.add_row(*(readable(name, kind, value) for name, kind, value in values))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=10_000)
    console.print(table)
    if next(lines, None) is not None:
        console.print(f"… the first {TABLE_ROWS_MAX:,} rows; --format csv gives all")


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)
    if rest:
        yield rest.decode()


def _is_number(kind: str) -> bool:
    bare = kind.removeprefix("Nullable(").removeprefix("LowCardinality(")
    return bare.startswith(("Int", "UInt", "Float", "Decimal"))


def readable(name: str, kind: str, value: Any) -> str:
    """Return a value for a person: times and durations in ns with their unit, numbers without noise.

    >>> readable("interval_ns", "Int64", 60_000_000_000), readable("event_ns", "Int64", 1723161253937000000)
    ('60 s', '2024-08-08 23:54:13.937')
    >>> readable("price", "Float64", 0.1 + 0.2), readable("count()", "UInt64", 172198)
    ('0.3', '172,198')
    >>> readable("trade_id", "Int64", 172198), readable("correlation", "Float64", None)
    ('172198', 'nan')
    """
    if value is None:
        return "nan" if kind.startswith("Float") else ""
    if isinstance(value, bool | str):
        return _without_zeros(value) if kind.startswith("DateTime64") else str(value)
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, int):
        if name.endswith("_ns"):
            return _time(value)
        return str(value) if name.lower().endswith("id") else f"{value:,}"
    return json.dumps(value)


def _without_zeros(text: object) -> str:
    head, point, tail = str(text).partition(".")
    return f"{head}{point}{tail}".rstrip("0").rstrip(".") if point else head


def _time(value_ns: int) -> str:
    """Return a time, or a duration when it is too small for one."""
    if abs(value_ns) >= 10**17:
        from datetime import UTC, datetime

        seconds, rest_ns = divmod(value_ns, 10**9)
        try:
            day = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
        except (OverflowError, ValueError, OSError):
            return str(value_ns)
        return _without_zeros(f"{day}.{rest_ns:09d}")
    for unit, size_ns in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if abs(value_ns) >= size_ns:
            return f"{value_ns / size_ns:,.10g} {unit}"
    return f"{value_ns} ns"
