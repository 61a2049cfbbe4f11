"""The store's HTTP interface: as ClickHouse's for real clients, for reading only, for this machine only."""

import gzip
import http.client
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote, urlencode

import clickhouse_connect
import lz4.frame
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, StreamFailureError

from genesis.connectors.store import migrate, reading, responses, tables
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.http import StoreServer
from genesis.operators import topics
from tests.connectors.store import samples


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """Give one server for all tests here: what they write is in other tables than what they read."""
    with Engine(tmp_path_factory.mktemp("store"), "genesis") as engine, closing(engine.client()) as client:
        migrate.prepare(client, "genesis")
        table = tables.open_table(client, "genesis", topics.TRADES)
        table.add(samples.message(topics.TRADES, samples.rows(topics.TRADES, 1_000), 0))
        table.flush()
        with closing(StoreServer(engine)) as made:
            yield made


@pytest.fixture
def reader(server: StoreServer) -> Iterator[Client]:
    made = clickhouse_connect.get_client(host="127.0.0.1", port=server.server_port, database="genesis")
    yield made
    made.close()


def ask(
    server: StoreServer, query: str = "", *, body: bytes | None = None, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Send one request; ``query`` is the URL's part behind the question mark."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/?{query}", body, named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def select(server: StoreServer, statement: str, **fields: str) -> bytes:
    status, _, body = ask(server, urlencode(fields), body=statement.encode())
    assert status == 200, body
    return body


def test_a_statement_may_be_in_the_url_in_the_body_or_in_both(server: StoreServer) -> None:
    assert ask(server, f"query={quote('SELECT 1')}", method="GET")[2] == b"1\n"
    assert ask(server, body=b"SELECT 2")[2] == b"2\n"
    assert ask(server, f"query={quote('SELECT 3 +')}", body=b"4")[2] == b"7\n"


def test_ping_and_unknown_paths(server: StoreServer) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)) as connection:
        for path, status, text in (("/ping", 200, b"Ok.\n"), ("/nope", 404, b"There is no handle /nope\n")):
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (status, text)
        connection.request("HEAD", "/")
        assert connection.getresponse().status == 200


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("CSVWithNames", b'"a","b"\n1,"x"\n'),
        ("TabSeparatedWithNamesAndTypes", b"a\tb\nUInt8\tString\n1\tx\n"),
        ("JSONEachRow", b'{"a":1,"b":"x"}\n'),
        ("RowBinary", b"\x01\x01x"),
        ("Values", b"(1,'x')"),
    ],
)
def test_the_format_comes_from_the_statement_the_url_or_a_header(
    server: StoreServer, form: str, expected: bytes
) -> None:
    statement = "SELECT 1 AS a, 'x' AS b"
    for found in (
        ask(server, body=f"{statement} FORMAT {form}".encode()),
        ask(server, f"default_format={form}", body=statement.encode()),
        ask(server, body=statement.encode(), X_ClickHouse_Format=form),
    ):
        assert found[2] == expected
        assert found[1]["X-ClickHouse-Format"] == form


def test_a_long_answer_has_its_header_once(server: StoreServer) -> None:
    lines = select(server, "SELECT number AS n FROM numbers(300000) FORMAT CSVWithNames").splitlines()
    assert lines == [b'"n"', *(b"%d" % number for number in range(300_000))]


def test_an_empty_answer_still_has_its_header(server: StoreServer) -> None:
    assert select(server, "SELECT 1 AS a WHERE 0 FORMAT CSVWithNames") == b'"a"\n'
    assert json.loads(select(server, "SELECT 1 AS a WHERE 0 FORMAT JSON"))["rows"] == 0


def test_parameters_are_values_and_never_sql(server: StoreServer) -> None:
    tricky = "it's\\t'; DROP TABLE trades"
    assert select(server, "SELECT {x:String} = 'it\\'s\\t\\'; DROP TABLE trades'", param_x=tricky) == b"1\n"
    assert select(server, "SELECT count() FROM {t:Identifier}", param_t="trades") == b"1000\n"


def test_the_database_can_be_chosen(server: StoreServer) -> None:
    assert select(server, "SELECT currentDatabase()") == b"genesis\n"
    assert select(server, "SELECT currentDatabase()", database="system") == b"system\n"
    assert ask(server, body=b"SELECT currentDatabase()", X_ClickHouse_Database="system")[2] == b"system\n"


def test_requests_leave_nothing_behind(server: StoreServer) -> None:
    select(server, "SELECT 1", database="system", param_x="1")
    assert select(server, "SELECT currentDatabase()") == b"genesis\n"
    assert ask(server, body=b"SELECT {x:Int8}")[0] == 400


@pytest.mark.parametrize(
    ("statement", "status", "code"),
    [
        ("SELECT * FROM nope", 404, 60),
        ("SELECT nope", 404, 47),
        ("SELEC 1", 400, 62),
        ("", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT 1 FORMAT Nope", 404, 73),
        ("SELECT {x:Int8}", 400, 456),
        ("INSERT INTO trades (trade_id) VALUES (1)", 500, 164),
    ],
)
def test_errors_are_as_clickhouse_writes_them(
    server: StoreServer, statement: str, status: int, code: int
) -> None:
    found, headers, body = ask(server, body=statement.encode())
    assert (found, headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert b"(version " in body


@pytest.mark.parametrize("encoding", ["gzip", "lz4", "zstd", "deflate"])
def test_answers_are_packed_as_asked(server: StoreServer, encoding: str) -> None:
    statement = b"SELECT number FROM numbers(100000)"
    plain = ask(server, body=statement)[2]
    _, headers, packed = ask(server, "enable_http_compression=1", body=statement, Accept_Encoding=encoding)
    assert headers["Content-Encoding"] == encoding
    assert len(packed) < len(plain)
    assert "Content-Encoding" not in ask(server, body=statement, Accept_Encoding=encoding)[1]


def test_statements_may_come_packed(server: StoreServer) -> None:
    for encoding, pack in (("gzip", gzip.compress), ("lz4", lz4.frame.compress)):
        assert ask(server, body=pack(b"SELECT 5"), Content_Encoding=encoding)[2] == b"5\n"
    assert ask(server, body=b"nonsense", Content_Encoding="gzip")[0] == 400
    bomb = gzip.compress(b" " * 10_000_000)
    assert ask(server, body=bomb, Content_Encoding="gzip")[0] == 413


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_clickhouse_connect_works_as_with_a_server(server: StoreServer, compress: Any) -> None:
    with closing(
        clickhouse_connect.get_client(host="127.0.0.1", port=server.server_port, compress=compress)
    ) as reader:
        reader.database = "genesis"
        assert reader.command("SELECT count() FROM trades") == 1_000
        assert "trades" in str(reader.command("SHOW TABLES"))
        found = reader.query("SELECT trade_id, symbol, market, side FROM trades ORDER BY trade_id LIMIT 2")
        assert found.column_names == ("trade_id", "symbol", "market", "side")
        assert [row[0] for row in found.result_rows] == [0, 1]
        bound = reader.query(
            "SELECT {a:Array(String)}, {b:DateTime}", {"a": ["x'", "\\"], "b": "2024-01-02 03:04:05"}
        )
        assert bound.result_rows[0][0] == ["x'", "\\"]
        frame = reader.query_df("SELECT event_time, price FROM trades ORDER BY event_time LIMIT 10")
        assert list(frame.columns) == ["event_time", "price"]
        assert len(frame) == 10


def test_clickhouse_connect_streams_an_answer_of_any_size(reader: Client) -> None:
    rows = 0
    with reader.query_row_block_stream("SELECT number, toString(number) FROM numbers(2000000)") as blocks:
        for block in blocks:
            rows += len(block)
    assert rows == 2_000_000


def test_an_error_on_the_way_reaches_the_client(reader: Client) -> None:
    statement = "SELECT throwIf(number = 900000) FROM numbers(2000000)"
    with (
        pytest.raises(StreamFailureError, match="throwIf"),
        reader.query_row_block_stream(statement) as blocks,
    ):
        for _ in blocks:
            pass
    assert reader.query("SELECT 1").result_rows == [(1,)]


def test_curl_reads_and_sees_a_broken_answer(server: StoreServer) -> None:
    def curl(statement: str) -> "subprocess.CompletedProcess[bytes]":
        words = ["curl", "-sS", server.url, "--data-binary", "@-"]
        return subprocess.run(words, input=statement.encode(), capture_output=True, check=False, timeout=60)

    try:
        assert curl("SELECT count() FROM trades").stdout == b"1000\n"
    except FileNotFoundError:
        pytest.skip("curl is not installed")
    broken = curl("SELECT throwIf(number = 900000) FROM numbers(2000000)")
    assert broken.returncode != 0
    assert b"__exception__" in broken.stdout


def test_a_document_too_large_is_refused_with_a_reason(
    server: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "DOCUMENT_BYTES_MAX", 1_000_000)
    status, _, body = ask(server, body=b"SELECT number FROM numbers(1000000) FORMAT JSON")
    assert status == 500
    assert b"Limit for result exceeded" in body


def test_reading_goes_on_while_rows_are_written(server: StoreServer, reader: Client) -> None:
    client = server.engine.client()
    table = tables.open_table(client, "genesis", topics.QUOTES)
    failures: list[Exception] = []

    def write() -> None:
        try:
            for seed in range(15):
                table.add(samples.message(topics.QUOTES, samples.rows(topics.QUOTES, 500, seed), seed))
                table.flush()
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    while writer.is_alive():
        counts.append(int(str(reader.command("SELECT count() FROM quotes"))))
    writer.join()
    assert not failures
    assert counts == sorted(counts)
    assert all(count % 500 == 0 for count in counts), "a block was seen in part"
    assert reader.command("SELECT count() FROM quotes") == 7_500
    client.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "10.0.0.1", "", "127.0.0.1.evil.example"]
)
def test_a_foreign_host_name_is_refused(server: StoreServer, host: str) -> None:
    status, _, body = ask(server, body=b"SELECT 1", Host=host)
    assert status == 403
    assert b"answers only to programs on this machine" in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:99"])
def test_names_of_this_machine_are_accepted(server: StoreServer, host: str) -> None:
    assert ask(server, body=b"SELECT 1", Host=host)[0] == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example", "file://"]
)
def test_a_foreign_web_page_is_refused(server: StoreServer, origin: str) -> None:
    assert ask(server, body=b"SELECT 1", Origin=origin)[0] == 403


def test_a_page_that_only_navigates_here_is_refused(server: StoreServer) -> None:
    assert ask(server, "query=SELECT+1", method="GET", Sec_Fetch_Site="cross-site")[0] == 403
    assert ask(server, "query=SELECT+1", method="GET", Sec_Fetch_Site="none")[0] == 200


def raw(server: StoreServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def test_what_is_not_http_gets_an_answer_and_harms_nobody(server: StoreServer) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    assert b"Bad request" in raw(server, b"\x00\x01\x02\r\n\r\n")
    assert b" 400 " in raw(server, head + b"Content-Length: -5\r\n\r\n")
    assert b" 400 " in raw(server, head + b"Content-Length: many\r\n\r\n")
    assert b" 413 " in raw(server, head + b"Content-Length: 99999999999\r\n\r\n")
    assert b" 501 " in raw(server, b"PATCH / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    chunked = head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert raw(server, chunked + b"6\r\nSELECT\r\n2\r\n 8\r\n0\r\n\r\n").endswith(b"2\r\n8\n\r\n0\r\n\r\n")
    assert b" 413 " in raw(server, chunked + b"fffffff\r\n")
    old = b"GET /?query=SELECT+9 HTTP/1.0\r\nHost: localhost\r\n\r\n"
    assert raw(server, old).endswith(b"\r\n\r\n9\n")
    assert select(server, "SELECT 1") == b"1\n"


def test_a_client_that_leaves_in_the_middle_stops_its_statement(server: StoreServer) -> None:
    request = b"SELECT number FROM system.numbers"
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
            head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(request)
            connection.sendall(head + request)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
    assert select(server, "SELECT 1") == b"1\n"


def test_every_error_number_has_one_status() -> None:
    assert not responses.BAD_REQUEST & responses.NOT_FOUND


def test_settings_in_the_url_are_refused_unless_they_change_nothing(server: StoreServer) -> None:
    for name, value, code in (("readonly", "0", 164), ("max_threads", "64", 164), ("no_such", "1", 115)):
        status, headers, body = ask(server, urlencode({name: value}), body=b"SELECT 1")
        assert status != 200, body
        assert headers["X-ClickHouse-Exception-Code"] == str(code)
    assert ask(server, "join_use_nulls=0", body=b"SELECT 1")[0] == 200


def test_clickhouse_connect_cannot_write(reader: Client) -> None:
    with pytest.raises(ClickHouseError):
        reader.insert("trades", [[1]], column_names=["trade_id"])
    with pytest.raises(ClickHouseError):
        reader.command("DROP TABLE trades")
    assert reader.command("SELECT count() FROM trades") == 1_000
