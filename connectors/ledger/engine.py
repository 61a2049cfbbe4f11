"""Engine: a ledger's database opened, made private, brought up to date, and its transactions.

SQLite keeps a write-ahead log and syncs it to the disk at every commit (WAL, synchronous=FULL): what was
committed outlives a power cut. PostgreSQL keeps its usual isolation, read committed; see `tables`.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from genesis.connectors.ledger.errors import LedgerError, NoLedger, explain
from genesis.connectors.ledger.tables import REVISION

BUSY_TIMEOUT_MS = 5_000
"""Longest that a transaction waits for another process."""

LOCKED_PAUSE_S = 0.01
"""Between two looks at a new file that another process is making ready."""

CONNECT_TIMEOUT_S = 10
"""Longest that PostgreSQL may take to answer."""

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",  # a file that somebody edited cannot make functions run
    "journal_size_limit=67108864",  # bytes that the log keeps after it was long
)

_FILE = "sqlite:///"
_WRITES = "genesis_writes"
_MIGRATION_LOCK = 7_317_604_288  # any number; all processes must use the same


class Database:
    """One ledger's database. ``where`` names it in sentences and has no password."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        address = _address(url)
        self.where = address.database or "" if _is_sqlite(address) else address.render_as_string()
        self.is_sqlite = _is_sqlite(address)
        if self.is_sqlite:
            _make_private(Path(address.database or ""), create)
        self._engine = _engine(address)
        # What a reader sees must belong together, although it takes several statements.
        isolation = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = self._engine.execution_options(**isolation)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        try:
            self._prepare(create)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the ledger and changes nothing."""
        with self._transaction(self._reader) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose statements are kept together, or not at all when the block raises."""
        with self._transaction(self._writer) as connection:
            yield connection

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise explain(error, self.where) from None

    def _prepare(self, create: bool) -> None:
        with self.reading() as connection:
            found = _revision(connection)
        if found == REVISION:
            return
        if found is not None and found > REVISION:
            raise LedgerError(
                f"the ledger at {self.where} was written by a newer GENESIS (schema {found}, known here is "
                f"{REVISION}): install that one or a newer one"
            )
        if not create:
            raise NoLedger(
                f"the ledger at {self.where} is empty or of an older GENESIS: `genesis up` makes it ready"
            )
        from genesis.connectors.ledger import migrations  # alembic is not needed by those who find it ready

        with self.writing() as connection:
            if not self.is_sqlite:  # there BEGIN IMMEDIATE has locked the file
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            migrations.upgrade(connection)


def _address(url: str) -> URL:
    if url.startswith(_FILE):  # a folder may have any letter in its name, a question mark too
        path = url.removeprefix(_FILE)
        if path in ("", ":memory:"):
            raise LedgerError("the ledger must be in a file: use sqlite:////folder/ledger.db")
        return URL.create("sqlite", database=path)
    try:
        address = make_url(url)
    except ArgumentError:
        raise LedgerError(
            "the address of the ledger cannot be read: it looks like sqlite:////folder/ledger.db or "
            "postgresql+psycopg://user@host/database"
        ) from None
    if address.drivername.partition("+")[0] != "postgresql":
        raise LedgerError(
            f"the ledger can be in SQLite or PostgreSQL, not in {address.drivername!r}: use "
            "sqlite:////folder/ledger.db or postgresql+psycopg://user@host/database"
        )
    return address.set(drivername="postgresql+psycopg")


def _is_sqlite(address: URL) -> bool:
    return address.get_backend_name() == "sqlite"


def _make_private(path: Path, create: bool) -> None:
    """Make the file before SQLite does, so that nobody else may ever read it; its companions follow it."""
    if not create:
        if not path.is_file():
            raise NoLedger(f"there is no ledger at {path} yet: `genesis up` makes it")
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)


def _engine(address: URL) -> Engine:
    if not _is_sqlite(address):
        return create_engine(
            address,
            pool_size=1,
            max_overflow=1,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": f"-c lock_timeout={BUSY_TIMEOUT_MS} -c timezone=UTC",
            },
        )
    engine = create_engine(address, connect_args={"timeout": BUSY_TIMEOUT_MS / 1_000.0})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: `_begin_sqlite` does
    deadline_s = time.monotonic() + BUSY_TIMEOUT_MS / 1_000.0
    for pragma in PRAGMAS:
        while True:
            try:
                connection.execute(f"PRAGMA {pragma}").close()
                break
            except sqlite3.OperationalError as error:
                # While a new file is changed over to WAL, SQLite lets nobody wait: so we do.
                if "locked" not in str(error) or time.monotonic() > deadline_s:
                    raise
                time.sleep(LOCKED_PAUSE_S)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that read first could find that it may not write any more.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
