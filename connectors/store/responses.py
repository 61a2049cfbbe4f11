"""How the store's HTTP answers look: status, content type, compression, late exceptions."""

import zlib
from collections.abc import Iterable
from io import BufferedIOBase
from typing import Any, NamedTuple

BAD_REQUEST = frozenset({6, 26, 27, 36, 38, 41, 43, 53, 62, 69, 72, 117, 130, 131, 167, 168, 427, 456, 457})
NOT_FOUND = frozenset({46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 511})
STATUS_BY_CODE = {
    **dict.fromkeys(BAD_REQUEST, 400),
    **dict.fromkeys(NOT_FOUND, 404),
    497: 403,
    159: 408,
    307: 413,
    48: 501,
    202: 503,
}
"""HTTP status by ClickHouse's error number; 500 for the others."""

CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "TSVWithNames": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONLines": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
}

CHUNK_BYTES_MAX = 1 << 16
"""Pieces are packed and sent at most so many bytes at a time."""


class Compressor(NamedTuple):
    """A way to pack an answer: its name in HTTP, and an object that packs piece by piece."""

    name: str
    packer: Any

    def pack(self, piece: bytes) -> bytes:
        """Return packed bytes, perhaps none yet."""
        return bytes(self.packer.compress(piece))

    def end(self) -> bytes:
        """Return the last packed bytes."""
        return bytes(self.packer.flush())


class _Lz4:
    """lz4's compressor with a beginning of its own, so that it packs like the others."""

    def __init__(self) -> None:
        import lz4.frame  # type: ignore[import-untyped]

        self._frame = lz4.frame.LZ4FrameCompressor()
        self._opening = self._frame.begin()

    def compress(self, piece: bytes) -> bytes:
        opening, self._opening = self._opening, b""
        return bytes(opening + self._frame.compress(piece))

    def flush(self) -> bytes:
        opening, self._opening = self._opening, b""
        return bytes(opening + self._frame.flush())


def status_of(code: int) -> int:
    """Return the HTTP status with which ClickHouse reports an error."""
    return STATUS_BY_CODE.get(code, 500)


def content_type(form: str) -> str:
    """Return the content type of a format."""
    return CONTENT_TYPES.get(form, "text/plain; charset=UTF-8")


def compressor(accepts: Iterable[str]) -> Compressor | None:
    """Return the best compressor that a client accepts, None when there is none."""
    accepted = set(accepts)
    if "lz4" in accepted:
        return Compressor("lz4", _Lz4())
    if "zstd" in accepted and (zstd := _zstd()) is not None:
        return Compressor("zstd", zstd)
    if "gzip" in accepted:
        return Compressor("gzip", zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16))
    if "deflate" in accepted:
        return Compressor("deflate", zlib.compressobj(1))
    return None


def _zstd() -> Any:
    try:
        from backports import zstd
    except ImportError:
        return None
    return zstd.ZstdCompressor(level=1)


def late_exception(message: str, tag: str) -> bytes:
    """Return an exception as ClickHouse writes it into an answer that has begun."""
    text = message.encode()
    mark = tag.encode()
    return b"\r\n__exception__\r\n%b\r\n%b\n%d %b\r\n__exception__\r\n" % (mark, text, len(text) + 1, mark)


class Body:
    """Writes the body of an answer, packed and in chunks where asked."""

    def __init__(self, stream: BufferedIOBase, squeeze: Compressor | None, *, chunked: bool) -> None:
        self._stream, self._squeeze, self._chunked = stream, squeeze, chunked

    def write(self, piece: bytes) -> None:
        """Send a piece."""
        view = memoryview(piece)
        for start in range(0, len(view), CHUNK_BYTES_MAX):
            part = bytes(view[start : start + CHUNK_BYTES_MAX])
            self._send(part if self._squeeze is None else self._squeeze.pack(part))

    def flush(self) -> None:
        """Send what the packer still holds, without saying that the answer is complete."""
        if self._squeeze is not None:
            self._send(self._squeeze.end())

    def finish(self) -> None:
        """End the answer."""
        self.flush()
        if self._chunked:
            self._stream.write(b"0\r\n\r\n")

    def _send(self, part: bytes) -> None:
        if part:
            self._stream.write(b"%x\r\n%b\r\n" % (len(part), part) if self._chunked else part)
