"""No statement writes, reaches beyond the store, or loosens its own limits, however it is spelt."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from genesis.connectors.store.engine import Engine
from genesis.connectors.store.reading import Answer, QueryError

WRITES = """
INSERT INTO trades (trade_id) VALUES (1)
INSERT INTO trades (trade_id) SELECT 1
INSERT INTO trades FORMAT JSONEachRow {"trade_id": 1}
INSERT INTO trades FROM INFILE '{folder}/in.csv' FORMAT CSV
INSERT INTO FUNCTION file('{folder}/out.csv', 'CSV', 'a Int8') SELECT 1
INSERT INTO FUNCTION url('http://127.0.0.1:{port}/', 'CSV', 'a Int8') SELECT 1
CREATE TABLE t (a Int8) ENGINE = Memory
CREATE TEMPORARY TABLE t (a Int8)
CREATE TABLE t ENGINE = MergeTree ORDER BY () AS SELECT 1
CREATE VIEW v AS SELECT 1
CREATE MATERIALIZED VIEW v ENGINE = Memory AS SELECT 1
CREATE DATABASE d
CREATE FUNCTION f AS x -> x
CREATE NAMED COLLECTION c AS a = 1
CREATE USER u
CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(0)
DROP TABLE trades
DROP DATABASE genesis
DROP VIEW bars_1d
TRUNCATE TABLE trades
ALTER TABLE trades DELETE WHERE 1
ALTER TABLE trades UPDATE qty = 0 WHERE 1
ALTER TABLE trades DROP PARTITION ALL
ALTER TABLE trades ADD COLUMN x Int8
ALTER TABLE trades MODIFY TTL inserted_at + INTERVAL 1 SECOND
ALTER TABLE trades FREEZE
DELETE FROM trades WHERE 1
UPDATE trades SET qty = 0 WHERE 1
OPTIMIZE TABLE trades FINAL
RENAME TABLE trades TO t
EXCHANGE TABLES trades AND quotes
DETACH TABLE trades
ATTACH TABLE trades
UNDROP TABLE trades
BACKUP TABLE trades TO File('{folder}/backup')
RESTORE TABLE trades FROM File('{folder}/backup')
KILL QUERY WHERE 1
KILL MUTATION WHERE 1
SYSTEM SHUTDOWN
SYSTEM KILL
SYSTEM FLUSH LOGS
SYSTEM STOP MERGES
SYSTEM DROP MARK CACHE
SYSTEM RELOAD CONFIG
SET readonly = 0
SET max_memory_usage = 0
SET param_x = 1
SET ROLE ALL
USE system
GRANT ALL ON *.* TO default
REVOKE ALL ON *.* FROM default
BEGIN TRANSACTION
COMMIT
SELECT 1; DROP TABLE trades
SELECT 1 INTO OUTFILE '{folder}/out.csv'
SELECT 1 INTO OUTFILE '{folder}/out.csv' AND STDOUT FORMAT CSV
SELECT 1 INTO/**/OUTFILE '{folder}/out.csv' APPEND
EXPLAIN SELECT 1 INTO OUTFILE '{folder}/out.csv'
WITH 1 AS x INSERT INTO trades (trade_id) SELECT x
EXECUTE AS default SELECT 1
SELECT 1 PARALLEL WITH DROP TABLE trades
"""

REACHES = """
SELECT file('{folder}/secret')
SELECT `file`('{folder}/secret')
SELECT "file"('{folder}/secret')
SELECT FILE('{folder}/secret')
SELECT file/* */('{folder}/secret')
SELECT 1 AS `'`, file('{folder}/secret') AS `'`
SELECT 'it''s', file('{folder}/secret'), ''''
SELECT '\\\\', file('{folder}/secret')
SELECT arrayMap(x -> file(x), ['{folder}/secret'])
SELECT * APPLY file FROM (SELECT '{folder}/secret' AS x)
SELECT * APPLY(file) FROM (SELECT '{folder}/secret' AS x)
WITH (SELECT file('{folder}/secret')) AS x SELECT x
EXPLAIN SYNTAX SELECT file('{folder}/secret')
SELECT * FROM file('{folder}/secret', 'LineAsString')
SELECT * FROM '{folder}/secret'
SELECT * FROM `{folder}/secret`
SELECT * FROM default.`{folder}/secret`
DESCRIBE TABLE file('{folder}/secret', 'LineAsString')
SELECT * FROM filesystem('{folder}')
SELECT * FROM executable('cat {folder}/secret', 'LineAsString', 'a String')
SELECT * FROM sqlite('{folder}/secret', 't')
SELECT * FROM sqlite('{folder}/made', 't')
SELECT * FROM `sqlite`('{folder}/made', 't')
SELECT * FROM SQLite /* */ ('{folder}/made', 't')
DESCRIBE sqlite('{folder}/made', 't')
SELECT * FROM url('http://127.0.0.1:{port}/x', 'LineAsString')
SELECT * FROM s3('http://127.0.0.1:{port}/bucket/x', 'LineAsString')
SELECT * FROM gcs('http://127.0.0.1:{port}/bucket/x', 'LineAsString')
SELECT * FROM hdfs('hdfs://127.0.0.1:{port}/x', 'LineAsString', 'a String')
SELECT * FROM deltaLake('http://127.0.0.1:{port}/bucket/x/')
SELECT * FROM iceberg('http://127.0.0.1:{port}/bucket/x/')
SELECT * FROM icebergLocal('{folder}')
SELECT * FROM remote('127.0.0.1:{port}', 'system.one')
SELECT * FROM remoteSecure('127.0.0.1:{port}', 'system.one')
SELECT * FROM mysql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')
SELECT * FROM postgresql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')
SELECT * FROM mongodb('127.0.0.1:{port}', 'a', 'b', 'c', 'd', 'x Int8')
SELECT * FROM redis('127.0.0.1:{port}', 'k', 'k String, v String')
SELECT * FROM jdbc('jdbc:x://127.0.0.1:{port}', 'a', 'b')
SELECT * FROM odbc('DSN=x', 'a', 'b')
SELECT * FROM ytsaurus('http://127.0.0.1:{port}', '//t', 'x', 'a Int8')
SELECT * FROM bigquery('a', 'b', 'c')
SELECT * FROM arrowstream('x')
SELECT * FROM Python(secret)
SELECT * FROM python(secret)
SELECT * FROM eval('SELECT 1')
SELECT * FROM eval('DROP TABLE trades')
SELECT * FROM dictionary('d')
SELECT aiGenerate('x', 'y')
SELECT AIGenerate('x', 'y')
SELECT * FROM system.stack_trace
SELECT addressToLine(0)
SELECT reverseDNSQuery('127.0.0.1')
"""

LOOSENS = """
SELECT 1 SETTINGS readonly = 0
SELECT 1 SETTINGS readonly = 2
SELECT 1 SETTINGS max_memory_usage = 0
SELECT 1 SETTINGS max_execution_time = 0
SELECT 1 SETTINGS max_threads = 64
SELECT 1 SETTINGS allow_introspection_functions = 1
SELECT * FROM (SELECT 1 SETTINGS readonly = 0)
SELECT * FROM (SELECT getSetting('max_memory_usage') SETTINGS max_memory_usage = 0)
SELECT (SELECT 1 SETTINGS max_execution_time = 0)
WITH x AS (SELECT 1 SETTINGS max_threads = 64) SELECT * FROM x
SELECT 1 UNION ALL SELECT 2 SETTINGS readonly = 0
SELECT 1 FORMAT CSV SETTINGS readonly = 0
SELECT groupArray(number) FROM numbers(200000000)
SELECT count() FROM numbers(10000000000000) SETTINGS max_execution_time = 1000000
"""

READS = """
SELECT 1
SELECT count() FROM trades
WITH 2 AS x SELECT x
(SELECT 1) UNION ALL (SELECT 2)
FROM trades SELECT count()
SELECT 'file' AS payload, 'INTO OUTFILE', 'DROP TABLE trades'
SELECT profile FROM (SELECT 1 AS profile)
SELECT * FROM numbers(3) FORMAT JSON
SHOW TABLES
SHOW CREATE TABLE trades
DESCRIBE TABLE trades
DESC trades
EXISTS TABLE trades
EXPLAIN SELECT 1
EXPLAIN PLAN indexes = 1 SELECT * FROM trades WHERE symbol = 'BTCUSDT'
SELECT name FROM system.columns WHERE table = 'trades'
SELECT * FROM merge('genesis', '^trades$') LIMIT 1
SELECT * FROM system.parts LIMIT 1
SELECT name, value, readonly FROM system.settings LIMIT 1
"""


def statements(text: str) -> list[str]:
    return text.strip().splitlines()


class Listener:
    """Something that would notice if the engine went out to it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.visited = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visited.set()
            visitor.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Client]]:
    from genesis.connectors.store import migrate

    with Engine(tmp_path_factory.mktemp("store"), "genesis") as engine:
        client = engine.client()
        migrate.prepare(client, "genesis")
        client.command("INSERT INTO genesis.trades (trade_id) VALUES (7)")
        yield engine, client
        client.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with closing(Listener()) as made:
        yield made


def spelt(statement: str, folder: Path, port: int) -> str:
    return statement.replace("{folder}", str(folder)).replace("{port}", str(port))


def refused(engine: Engine, statement: str) -> str:
    with pytest.raises(QueryError) as error:
        list(Answer(engine, statement))
    return str(error.value)


def state(client: Client) -> object:
    found = client.query(
        "SELECT name, uuid, total_rows, create_table_query FROM system.tables "
        "WHERE database = 'genesis' ORDER BY name"
    )
    functions = client.query("SELECT count() FROM system.functions WHERE origin != 'System'")
    databases = client.query("SELECT name FROM system.databases ORDER BY name")
    return found.result_rows, functions.result_rows, databases.result_rows


@pytest.mark.parametrize("statement", statements(WRITES))
def test_nothing_is_written(
    store: tuple[Engine, Client], tmp_path: Path, listener: Listener, statement: str
) -> None:
    engine, client = store
    (tmp_path / "in.csv").write_text("1\n")
    before = state(client)
    refused(engine, spelt(statement, tmp_path, listener.port))
    assert state(client) == before
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
    assert not listener.visited.is_set()


@pytest.mark.parametrize("statement", statements(REACHES))
def test_nothing_beyond_the_store_is_reached(
    store: tuple[Engine, Client], tmp_path: Path, listener: Listener, statement: str
) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    said = refused(store[0], spelt(statement, tmp_path, listener.port))
    assert "hunter2" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert not listener.visited.is_set()


@pytest.mark.parametrize("statement", statements(LOOSENS))
def test_no_limit_is_loosened(store: tuple[Engine, Client], statement: str) -> None:
    assert refused(store[0], statement)


@pytest.mark.parametrize("name", ["system.stack_trace", "stack_trace"])
def test_names_given_as_parameters_are_looked_at_too(store: tuple[Engine, Client], name: str) -> None:
    with pytest.raises(QueryError, match="READONLY"):
        Answer(store[0], "SELECT * FROM {t:Identifier}", database="system", parameters={"t": name})


@pytest.mark.parametrize("statement", statements(READS))
def test_what_only_reads_is_answered(store: tuple[Engine, Client], statement: str) -> None:
    assert b"".join(Answer(store[0], statement))


def test_every_table_function_of_the_engine_stays_inside(
    store: tuple[Engine, Client], tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, client = store
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("hunter2\n")
    arguments = (
        f"'http://127.0.0.1:{listener.port}/bucket/x'",
        f"'http://127.0.0.1:{listener.port}/bucket/x', 'LineAsString'",
        f"'127.0.0.1:{listener.port}', 'a', 'b', 'c', 'd'",
        f"'127.0.0.1:{listener.port}', 'system', 'one'",
        f"'{tmp_path}/secret'",
        f"'{tmp_path}/secret', 'LineAsString'",
        f"'cat {tmp_path}/secret', 'LineAsString', 'a String'",
        "'default', 'system.one'",
    )
    before = state(client)
    for (name,) in client.query("SELECT name FROM system.table_functions").result_rows:
        for given in arguments:
            try:
                answer = b"".join(Answer(engine, f"SELECT * FROM {name}({given}) LIMIT 10"))
            except QueryError as error:
                answer = str(error).encode()
            assert b"hunter2" not in answer, (name, given)
            assert not listener.visited.is_set(), (name, given)
            assert [path.name for path in tmp_path.iterdir()] == ["secret"], (name, given)
    assert state(client) == before
