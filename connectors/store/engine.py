"""The embedded store: ClickHouse inside this process, opened by one process at a time and kept small.

The engine takes server settings from a file only, so one is written beside the data. Its defaults
are for a server of its own: gigabytes of caches, a pool of threads for everything.
"""

import fcntl
import functools
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlencode

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from genesis.connectors.store import statement
from genesis.connectors.store.errors import StoreError, StoreLocked, explain

MEBIBYTE = 1 << 20

SERVER_SETTINGS = {
    "max_server_memory_usage": 640 * MEBIBYTE,  # inserts and merges need some 50, the rest is for queries
    "mark_cache_size": 8 * MEBIBYTE,
    "index_mark_cache_size": 1 * MEBIBYTE,
    "primary_index_cache_size": 8 * MEBIBYTE,
    "query_condition_cache_size": 1 * MEBIBYTE,
    "compiled_expression_cache_size": 1 * MEBIBYTE,
    "uncompressed_cache_size": 0,
    "mmap_cache_size": 16,
    "background_pool_size": 1,
    "background_schedule_pool_size": 1,
    "background_schedule_pool_initial_size": 1,
    "background_message_broker_schedule_pool_size": 1,
    "background_buffer_flush_schedule_pool_size": 1,
    "max_thread_pool_free_size": 4,
    "max_io_thread_pool_size": 4,
    "max_active_parts_loading_thread_pool_size": 2,
    "max_outdated_parts_loading_thread_pool_size": 1,
}
"""What keeps the engine small; sizes in bytes."""

TABLE_SETTINGS = {
    "old_parts_lifetime": 60,  # seconds that a merged part stays on disk and in memory, instead of 480
}
"""Defaults for all tables of the embedded engine."""

LOCK_FILE = "store.lock"
FOLDER = "store"


def folder_in(data: Path) -> Path:
    """Return where the store of a data folder is."""
    return data / FOLDER


class Engine:
    """An open embedded store. Use as a context manager, or call ``close``.

    Parameters
    ----------
    data
        The data folder of the system.
    database
        Database that statements mean when they name none.

    Raises
    ------
    StoreLocked
        When another process has it open.
    StoreError
        When it cannot be opened.
    """

    def __init__(self, data: Path, database: str) -> None:
        self.path = Path(os.path.realpath(folder_in(data)))
        self.database = database
        self._lock = _lock(data)
        try:
            self._prepare()
            with _without_pyarrow():
                import chdb

                self._chdb: Any = chdb
                self._keeper = self._chdb.connect(self._address({}))
        except Exception as error:
            self._lock.close()
            raise explain(error, str(self.path)) from error

    def client(self) -> Client:
        """Return a new client that may write."""
        options = {"config-file": str(self._config_file)}
        return clickhouse_connect.get_client(interface="chdb", path=str(self.path), chdb_options=options)

    def reader(self, limits: dict[str, int]) -> Any:
        """Return a new chDB connection that can only read, within limits that no query can change."""
        return self._chdb.connect(self._address({**limits, "readonly": 1}))

    def stop_statements(self) -> None:
        """Have every statement that runs now end with an error, apart from this one."""
        self._keeper.query("KILL QUERY WHERE query_id != queryID() ASYNC FORMAT Null")

    @functools.cached_property
    def refused_functions(self) -> frozenset[str]:
        """Table functions of this engine that a statement from outside may not call."""
        return statement.refused_functions(self._keeper)

    def close(self) -> None:
        """Close the store; others may open it then."""
        self._keeper.close()
        tempfile.tempdir = self._tempdir
        self._lock.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _config_file(self) -> Path:
        return self.path / "engine.xml"

    def _address(self, options: dict[str, int]) -> str:
        return f"{self.path}?{urlencode({'config-file': str(self._config_file), **options})}"

    def _prepare(self) -> None:
        """Write the settings file, and empty the folder through which inserted rows pass."""
        incoming = self.path / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        for left_over in incoming.iterdir():
            left_over.unlink()
        self._tempdir, tempfile.tempdir = tempfile.tempdir, str(incoming)
        settings = "".join(map(_element, SERVER_SETTINGS.items()))
        tables = _element(("merge_tree", "".join(map(_element, TABLE_SETTINGS.items()))))
        self._config_file.write_text(_element(("clickhouse", settings + tables)), encoding="utf-8")


def _element(item: tuple[str, object]) -> str:
    return f"<{item[0]}>{item[1]}</{item[0]}>\n"


def _lock(data: Path) -> IO[str]:
    """Take the lock of a data folder's store; it falls with the process, however that ends."""
    data.mkdir(parents=True, exist_ok=True)
    file = (data / LOCK_FILE).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = _holder(file)
        file.close()
        raise StoreLocked(
            f"the store in {data} is open in {holder}: stop that process, "
            "or choose another data folder with --data"
        ) from None
    file.truncate(0)
    file.write(json.dumps({"pid": os.getpid(), "command": " ".join(sys.argv)}))
    file.flush()
    return file


def _holder(file: IO[str]) -> str:
    try:
        file.seek(0)
        found = json.loads(file.read())
        return f"process {found['pid']} ({found['command']})"
    except (ValueError, KeyError):
        return "another process"


@contextmanager
def _without_pyarrow() -> Iterator[None]:
    """Import without pyarrow, which chDB would load only to have it, for 26 MB of memory."""
    hidden = "pyarrow" not in sys.modules
    if hidden:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        yield
    except ImportError as error:
        raise StoreError(
            "the embedded store is not installed: `pip install 'genesis-stream[embedded]'`, "
            "or set GENESIS_STORE_URL to a ClickHouse server"
        ) from error
    finally:
        if hidden:
            del sys.modules["pyarrow"]
