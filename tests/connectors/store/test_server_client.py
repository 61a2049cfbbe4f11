"""The writers through clickhouse-connect's HTTP client, as against a ClickHouse server.

The server here is a stand-in: it hands statements and their data to the embedded engine as they
come. It shows that what is sent is right, not that a server of another version takes it.
"""

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from clickhouse_connect.driver.exceptions import OperationalError

from genesis.connectors import settings
from genesis.connectors.kafka import Message, Position
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.errors import StoreBusy, explain
from genesis.connectors.store.opening import open_store
from genesis.connectors.store.tables import Stored, open_table
from genesis.operators import topics
from genesis.operators.records import Health, RowSchema
from tests.connectors.store import samples

TRANSPORT = ("query", "database", "client_protocol_version", "wait_end_of_query", "query_id", "session_id")


class StandIn(BaseHTTPRequestHandler):
    """Runs what comes on a connection of its own."""

    connect: Any = None
    seen: list[dict[str, str]]
    deaf = False
    """Do what was asked, then break the connection instead of saying so."""
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        fields = dict(parse_qsl(urlsplit(self.path).query))
        self.seen.append(fields)
        body = self._body()
        statement = fields.get("query", "")
        connection = type(self).connect()
        try:
            connection.query(f"USE {fields.get('database', 'default')}")
            parameters = {name[6:]: value for name, value in fields.items() if name.startswith("param_")}
            if "INSERT" in (statement or body[:6].decode(errors="replace")) and "FORMAT" in statement:
                head, _, form = statement.partition(" FORMAT ")
                with connection.send_insert(head, form.strip()) as inserting:
                    inserting.append(body)
                    inserting.finish()
                if type(self).deaf:
                    self.close_connection = True
                    return
                answer = b""
            else:
                text = "\n".join(part for part in (statement, body.decode()) if part)
                answer = connection.query(text, "TabSeparated", params=parameters).bytes() or b""
            self._answer(200, answer)
        except Exception as error:  # noqa: BLE001 - it goes to the client, as a server's would
            self._answer(500, str(error).encode())
        finally:
            connection.close()

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, *_: Any) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Format", "TabSeparated")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[settings.Settings]:
    with Engine(tmp_path, "default") as engine:
        StandIn.connect = staticmethod(lambda: engine._chdb.connect(engine._address({})))
        StandIn.seen, StandIn.deaf = [], False
        with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield settings.read(store_url=f"http://127.0.0.1:{server.server_port}", data=tmp_path)
            server.shutdown()


def test_the_archive_writes_to_a_server_by_the_same_code(configured: settings.Settings) -> None:
    with open_store(configured) as store, closing(store.connect()) as client:
        assert store.url == configured.store_url
        for topic in topics.ARCHIVED:
            if isinstance(topic.schema, RowSchema):
                table = open_table(client, "genesis", topic)
                rows = samples.rows(topic, 200)
                table.add(samples.message(topic, rows, 4))
                assert table.flush() == Stored(200, 0), topic.name
                table.add(samples.message(topic, rows, 5))
                assert table.flush() == Stored(0, 200), topic.name
                assert table.positions([0]) == {0: Position(0, "log-1", 4)}
        health = Health(id="a", recv_ns=1, component="feed", state="ok", detail="", figures={"lag_ms": 0.5})
        table = open_table(client, "genesis", topics.HEALTH)
        message = Message(
            topics.HEALTH, 0, Position(0, "log-1", 2), msgspec.json.encode(health), [], restarted=False
        )
        for expected in (Stored(1, 0), Stored(0, 1)):
            table.add(message)
            assert table.flush() == expected
    inserts = [
        fields
        for fields in StandIn.seen
        if "INSERT" in fields.get("query", "") and "RowBinary" in fields["query"]
    ]
    assert inserts
    assert all(fields["max_insert_threads"] == "1" for fields in inserts), "settings must reach the server"


def test_an_insert_of_which_the_answer_was_lost_is_not_made_again(configured: settings.Settings) -> None:
    with open_store(configured) as store, closing(store.connect()) as client:
        table = open_table(client, "genesis", topics.TRADES)
        table.add(samples.message(topics.TRADES, samples.rows(topics.TRADES, 50), 1))
        StandIn.deaf = True
        with pytest.raises(OperationalError) as lost:
            table.flush()
        StandIn.deaf = False
        assert isinstance(explain(lost.value, store.where), StoreBusy)
        assert table.flush() == Stored(0, 50)
        assert table.count() == 50
