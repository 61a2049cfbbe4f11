"""Statements that come from outside: which may run, and in which format they answer.

The engine itself refuses to write: readers are opened with ``readonly=1``. But it is a program in
this process and trusts its user with this machine's files (``file()``, ``INTO OUTFILE``) and with
other queries (``KILL QUERY``). So a statement is first parsed and written anew by the engine's own
formatter, without comments and with one spelling for everything, and that text is what is looked
at and what is run.
"""

import re
from typing import Any, NamedTuple

from genesis.connectors.store.schema import literal

QUERY_BYTES_MAX = 262_144
"""Longest statement, as on a ClickHouse server (max_query_size)."""

DEFAULT_FORMAT = "TabSeparated"

SYNTAX_ERROR = 62
READONLY = 164
QUERY_TOO_LARGE = 307

ALLOWED_OPENINGS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN", "CHECK"})
"""First words of statements that only read."""

REFUSED_WORDS = frozenset(
    {"file", "filesystem", "python", "arrowstream", "eval", "stack_trace", "outfile", "infile"}
    | {f"ai{what}" for what in ("generate", "classify", "extract", "translate", "redact", "filter", "embed")}
    | {"aisimilarity"}
)
"""What reaches beyond the store: this machine's files, this process's objects and threads, other hosts.
Refused wherever they are not inside a string. So is a SETTINGS clause: in a subquery the engine takes
settings that it refuses elsewhere."""

_NUMBERS = ("numbers", "numbers_mt", "zeros", "zeros_mt", "primes", "generateseries", "generate_series")
_INSPECTION = ("mergetreeindex", "mergetreeprojection", "mergetreeanalyzeindexes")
TABLE_FUNCTIONS = frozenset(
    {
        *_NUMBERS,
        *_INSPECTION,
        "generaterandom",
        "null",
        "values",
        "sqlstandardvalues",
        "format",
        "view",
        "merge",
    }
)
"""Table functions that stay inside. Some others do harm before the engine checks the right to call them:
``sqlite`` makes the file it is asked for. So every other one that the engine knows is refused by name."""

_CALLS = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)[`"]?\s*\(""")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMAT = re.compile(r" FORMAT `?(\w+)`?(?: SETTINGS .*)?$", re.DOTALL)


class Refused(Exception):
    """A statement is not run. ``code`` and ``name`` are ClickHouse's for the case."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message} ({name})")
        self.code = code


class Statement(NamedTuple):
    """A statement that may run: its text as the engine writes it, and the format of its answer."""

    text: str
    format: str


def refused_functions(reader: Any) -> frozenset[str]:
    """Return the table functions of this engine that may not be called, in small letters."""
    known = reader.query("SELECT lower(name) FROM system.table_functions", "TSVRaw").bytes().decode()
    return frozenset(known.split()) - TABLE_FUNCTIONS


def read(
    reader: Any, text: str, default_format: str = DEFAULT_FORMAT, refused: frozenset[str] = frozenset()
) -> Statement:
    """Return the statement in a text.

    Parameters
    ----------
    reader
        A connection of the engine, to parse with.
    text
        One statement, as it came.
    default_format
        Format of the answer when the statement names none.
    refused
        What ``refused_functions`` returned for this engine.

    Raises
    ------
    Refused
        When there is no statement, or one that may do more than read the store.
    Exception
        The engine's own, when it cannot parse the text.
    """
    if not text.strip():
        raise Refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Empty query.")
    if len(text.encode()) > QUERY_BYTES_MAX:
        raise Refused(QUERY_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"A query has up to {QUERY_BYTES_MAX} bytes.")
    if "\0" in text:
        raise Refused(SYNTAX_ERROR, "SYNTAX_ERROR", "A query holds no NUL characters.")
    formatted = reader.query(f"SELECT formatQuerySingleLine({literal(text)})", "RawBLOB").bytes().decode()
    _check_opening(formatted)
    bare = _QUOTED.sub(_without_strings, formatted)
    check_words(bare)
    for name in _CALLS.findall(bare):
        if name.lower() in refused:
            raise Refused(READONLY, "READONLY", f"{name} reaches beyond the store and is refused.")
    found = _FORMAT.search(formatted)
    return Statement(formatted, found[1] if found else default_format)


def check_words(bare: str) -> None:
    """Refuse words, outside of strings, that reach beyond the store."""
    for word in _WORDS.findall(bare):
        if word == "SETTINGS":  # the keyword; names such as system.settings are written in small letters
            raise Refused(READONLY, "READONLY", "Settings cannot be modified in readonly mode.")
        if word.lower() in REFUSED_WORDS:
            raise Refused(READONLY, "READONLY", f"{word} reaches beyond the store and is refused.")


def _check_opening(formatted: str) -> None:
    opening = _WORDS.search(formatted)
    if opening is None or opening[0].upper() not in ALLOWED_OPENINGS:
        raise Refused(
            READONLY, "READONLY", "This connection only reads: SELECT, SHOW, DESCRIBE, EXISTS, EXPLAIN."
        )


def _without_strings(quoted: re.Match[str]) -> str:
    return "''" if quoted[0].startswith("'") else quoted[0]
