"""Answers: one statement from outside, run by the engine within limits, its answer passed on in pieces.

Formats without an end or a second header are streamed block by block, so that an answer of any size
takes little memory. The others (JSON, Parquet, …) are one document and thus limited in size.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from genesis.connectors.store import statement
from genesis.connectors.store.engine import MEBIBYTE, Engine
from genesis.connectors.store.schema import quoted

DOCUMENT_BYTES_MAX = 64 * MEBIBYTE
"""Largest answer, uncompressed, in a format that cannot be streamed."""

LIMITS = {
    "max_execution_time": 600,  # seconds, the reader's own slowness included
    "max_memory_usage": 256 * MEBIBYTE,
    "max_bytes_before_external_group_by": 96 * MEBIBYTE,
    "max_bytes_before_external_sort": 96 * MEBIBYTE,
    "max_threads": 2,
    "allow_introspection_functions": 0,
}
"""What one statement may use; no statement can change these."""

HEADER_LINES = {
    **dict.fromkeys(
        ("Native", "RowBinary", "Null", "CSV", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw"), 0
    ),
    **dict.fromkeys(("JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow", "JSONStringsEachRow"), 0),
    **dict.fromkeys(("TabSeparatedWithNames", "TSVWithNames", "CSVWithNames"), 1),
    **dict.fromkeys(("TabSeparatedWithNamesAndTypes", "TSVWithNamesAndTypes", "CSVWithNamesAndTypes"), 2),
    "JSONCompactEachRowWithNames": 1,
    "JSONCompactEachRowWithNamesAndTypes": 2,
}
"""Formats that can be streamed, and how many lines at the beginning of each block are a header."""

_IDENTIFIER = re.compile(r":\s*Identifier\s*}")
_REPEATED_CODE = re.compile(r"^.*?((?:Code: \d+\. DB::Exception: )*)(Code: \d+\. DB::Exception: )", re.DOTALL)


class QueryError(Exception):
    """A statement failed; the message is ClickHouse's."""

    def __init__(self, text: str) -> None:
        found = _REPEATED_CODE.match(text)
        super().__init__(text[found.start(2) :].strip() if found else text.strip())

    @property
    def code(self) -> int:
        """ClickHouse's number of the error, 1001 (STD_EXCEPTION) when it gave none."""
        found = re.match(r"Code: (\d+)\.", str(self))
        return int(found[1]) if found else 1001


class Answer:
    """The answer of one statement, in pieces. Close it, or read it to its end.

    Parameters
    ----------
    engine
        The open store.
    text
        One statement.
    database, default_format
        What a statement means that names none.
    parameters
        Values of ``{name:Type}`` placeholders, escaped as in TabSeparated.

    Raises
    ------
    QueryError
        When the statement is refused or fails before its first piece.
    """

    def __init__(
        self,
        engine: Engine,
        text: str,
        *,
        database: str = "",
        default_format: str = statement.DEFAULT_FORMAT,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.summary: dict[str, int] = {}
        self._reader = engine.reader(LIMITS)
        self._stream: Any = None
        try:
            self._statement = statement.read(self._reader, text, default_format, engine.refused_functions)
            values = dict(parameters or {})
            if _IDENTIFIER.search(self._statement.text):
                statement.check_words(" ".join(values.values()))
            self._run(engine, database or engine.database, values)
        except Exception as error:
            self.close()
            raise QueryError(str(error)) from error

    @property
    def format(self) -> str:
        """Name of the answer's format."""
        return self._statement.format

    @property
    def streamed(self) -> bool:
        """True when pieces come as the engine finds them."""
        return self._stream is not None

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces.

        Raises
        ------
        QueryError
            When the statement fails on the way.
        """
        try:
            if self._first:
                yield self._first
            header = b"\n".join(self._first.split(b"\n", self._header_lines)[: self._header_lines])
            while self._stream is not None and (piece := self._next()):
                if header and piece.startswith(header):
                    piece = piece[len(header) + 1 :]
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Stop the statement if it still runs, and let its memory go."""
        stream, self._stream = self._stream, None
        reader, self._reader = self._reader, None
        with suppress(Exception):
            if stream is not None:
                stream.close()
        if reader is not None:
            reader.close()

    def _run(self, engine: Engine, database: str, values: dict[str, str]) -> None:
        text, form = self._statement
        self._header_lines = HEADER_LINES.get(form, 0)
        use = f"USE {quoted(database)}"
        if form in HEADER_LINES and text.startswith(("SELECT ", "WITH ")):
            self._reader.query(use)
            self._stream = self._reader.send_query(text, form, params=values)
            self._first = self._next()
            if self._first or not self._header_lines:
                return
        self.close()
        self._reader = engine.reader({**LIMITS, "max_result_bytes": DOCUMENT_BYTES_MAX})
        self._reader.query(use)
        found = self._reader.query(text, form, params=values)
        self._first = found.bytes() or b""
        self.summary = {"read_rows": found.rows_read(), "read_bytes": found.bytes_read()}

    def _next(self) -> bytes:
        """Return the next piece of the stream, empty at its end."""
        try:
            while (found := self._stream.fetch()) is not None:
                if piece := found.bytes():
                    return bytes(piece)
        except Exception as error:
            raise QueryError(str(error)) from error
        return b""
