"""What an HTTP request to the store says: where it comes from, its statement, its parameters."""

import gzip
import zlib
from email.message import Message
from io import BufferedIOBase
from typing import NamedTuple
from urllib.parse import urlsplit

from genesis.connectors.store import statement
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.reading import QueryError
from genesis.connectors.store.schema import literal

BODY_BYTES_MAX = 2 * statement.QUERY_BYTES_MAX
"""Longest request body, before and after it is unpacked."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_ANSWER_FIELDS = ("query", "database", "default_format", "query_id", "stacktrace")
_USER_FIELDS = ("user", "password", "quota_key", "role")
_SESSION_FIELDS = ("session_id", "session_timeout", "session_check", "close_session")
_PACKING_FIELDS = ("compress", "decompress", "enable_http_compression", "http_zlib_compression_level")
_HTTP_FIELDS = (
    "wait_end_of_query",
    "buffer_size",
    "client_protocol_version",
    "cancel_http_readonly_queries_on_client_close",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
)
TRANSPORT_FIELDS = {*_ANSWER_FIELDS, *_USER_FIELDS, *_SESSION_FIELDS, *_PACKING_FIELDS, *_HTTP_FIELDS}
"""Fields of the URL that concern the way of the answer, or nothing here; every other one is a setting."""


class BadRequest(Exception):
    """A request is refused before its statement is looked at. ``unread``: its body was not read."""

    def __init__(self, status: int, code: int, name: str, message: str, *, unread: bool = False) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message} ({name})")
        self.status = status
        self.unread = unread


class Query(NamedTuple):
    """A statement and how its answer is wanted."""

    text: str
    database: str
    default_format: str
    parameters: dict[str, str]
    accepts: tuple[str, ...]
    id: str


def check_origin(headers: "Message[str, str]") -> None:
    """Refuse a request that a web page from elsewhere may have made.

    Raises
    ------
    BadRequest
        When it names a host that is not loopback, or another origin.
    """
    host = headers.get("Host", "")
    origin = headers.get("Origin", "")
    foreign = headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if not _is_loopback(f"//{host}") or (origin and not _is_loopback(origin)) or foreign:
        shown = origin or host or "nobody"
        message = f"This store answers only to programs on this machine, not to {shown[:200]!r}."
        raise BadRequest(403, 497, "ACCESS_DENIED", message)


def _is_loopback(address: str) -> bool:
    try:
        return urlsplit(address).hostname in LOOPBACK
    except ValueError:
        return False


def query_of(fields: dict[str, str], body: bytes, headers: "Message[str, str]") -> Query:
    """Return the query of a request: the statement may be in the URL, in the body, or begun and ended so."""
    if headers.get("Content-Type", "").startswith("multipart/"):
        raise BadRequest(400, 36, "BAD_ARGUMENTS", "External data is not taken by a store that only reads.")
    if fields.get("decompress", "0") not in ("", "0") or fields.get("compress", "0") not in ("", "0"):
        raise BadRequest(400, 36, "BAD_ARGUMENTS", "Use Content-Encoding and Accept-Encoding to compress.")
    try:
        parts = [part for part in (fields.get("query", ""), body.decode()) if part]
    except UnicodeDecodeError:
        raise BadRequest(400, 62, "SYNTAX_ERROR", "The statement is not UTF-8 text.") from None
    wanted = [part.split(";")[0].strip() for part in headers.get("Accept-Encoding", "").split(",")]
    compress = fields.get("enable_http_compression", "0") not in ("", "0")
    default = fields.get("default_format") or headers.get("X-ClickHouse-Format") or statement.DEFAULT_FORMAT
    return Query(
        text="\n".join(parts),
        database=fields.get("database") or headers.get("X-ClickHouse-Database") or "",
        default_format=default,
        parameters={name[6:]: value for name, value in fields.items() if name.startswith("param_")},
        accepts=tuple(wanted) if compress else (),
        id=fields.get("query_id", ""),
    )


def check_settings(engine: Engine, fields: dict[str, str]) -> None:
    """Refuse settings in the URL, as a ClickHouse server does for a user who only reads.

    Raises
    ------
    QueryError
        Naming the first setting that is not as it is anyway.
    """
    wanted = {k: v for k, v in fields.items() if k not in TRANSPORT_FIELDS and not k.startswith("param_")}
    if not wanted:
        return
    reader = engine.reader({})
    try:
        names = ", ".join(map(literal, wanted))
        rows = reader.query(
            f"SELECT name, value FROM system.settings WHERE name IN ({names})", "TSVRaw"
        ).bytes()
    finally:
        reader.close()
    present = dict(line.split("\t", 1) for line in rows.decode().splitlines())
    for name, value in wanted.items():
        if name not in present:
            raise QueryError(f"Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)")
        if present[name] != value:
            raise QueryError(
                f"Code: 164. DB::Exception: Cannot modify '{name}' setting in readonly mode. (READONLY)"
            )


def read_body(stream: BufferedIOBase, headers: "Message[str, str]") -> bytes:
    """Return the body of a request, unpacked.

    Raises
    ------
    BadRequest
        When it is longer than a statement can be, or not packed as it says.
    """
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        packed = _read_chunks(stream)
    else:
        size = _whole_number(headers.get("Content-Length", "0"), 10)
        _check_size(size)
        packed = stream.read(size)
    return _unpack(packed, headers.get("Content-Encoding", "identity").lower())


def _read_chunks(stream: BufferedIOBase) -> bytes:
    parts: list[bytes] = []
    total = 0
    while size := _whole_number(stream.readline(1_000).split(b";")[0].decode("latin-1"), 16):
        total += size
        _check_size(total)
        parts.append(stream.read(size))
        stream.readline(16)
    while stream.readline(1_000).strip():
        continue
    return b"".join(parts)


def _whole_number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if number < 0:
        raise BadRequest(400, 36, "BAD_ARGUMENTS", "The length of the body is not a number.", unread=True)
    return number


def _check_size(size: int) -> None:
    if size > BODY_BYTES_MAX:
        message = f"A request has up to {BODY_BYTES_MAX} bytes."
        raise BadRequest(413, 307, "QUERY_IS_TOO_LARGE", message, unread=True)


def _unpack(packed: bytes, encoding: str) -> bytes:
    try:
        if encoding in ("identity", ""):
            return packed
        if encoding == "gzip":
            return _bounded(zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, BODY_BYTES_MAX + 1))
        if encoding == "deflate":
            return _bounded(zlib.decompressobj().decompress(packed, BODY_BYTES_MAX + 1))
        if encoding == "lz4":
            import lz4.frame  # type: ignore[import-untyped]

            return _bounded(lz4.frame.LZ4FrameDecompressor().decompress(packed, BODY_BYTES_MAX + 1))
    except (zlib.error, gzip.BadGzipFile, RuntimeError):
        raise BadRequest(400, 36, "BAD_ARGUMENTS", f"The body is not {encoding}.") from None
    raise BadRequest(400, 36, "BAD_ARGUMENTS", f"Unknown Content-Encoding {encoding[:40]!r}.")


def _bounded(body: bytes) -> bytes:
    _check_size(len(body))
    return body
