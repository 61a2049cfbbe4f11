"""ClickHouse's HTTP interface to the embedded store, for reading only, on loopback only.

What a ClickHouse client needs and no more: ``GET`` and ``POST`` of one statement, ``/ping``,
formats, parameters, compression, exceptions as the server writes them. `curl`, clickhouse-connect
and `genesis sql` work as against a server.

A web page must not read the store through its visitor's browser, not even by giving its own name
our address (DNS rebinding): requests that name another host or come from another origin are refused.
"""

import contextlib
import json
import secrets
import socket
import socketserver
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from genesis.connectors.store import requests, responses
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.reading import Answer, QueryError
from genesis.connectors.store.requests import BadRequest

HOST = "127.0.0.1"

QUERIES_MAX = 4
"""Statements that run at the same time; further ones wait."""

QUERY_WAIT_S = 30.0
"""How long a statement waits for its turn before it is refused."""

CONNECTIONS_MAX = 64
"""Open connections; further ones are closed at once."""

CLOSE_S = 10.0
"""Longest wait for the statements that run when the store is closed."""

IDLE_S = 300.0
"""A connection that says nothing for so long is closed."""


class StoreServer(ThreadingHTTPServer):
    """Serves an open store on a loopback port until closed.

    Parameters
    ----------
    engine
        The open store.
    port
        0 for any free one; see ``url``.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, engine: Engine, port: int = 0) -> None:
        self.engine = engine
        self.version, self.timezone = self._facts()
        self.turns = threading.BoundedSemaphore(QUERIES_MAX)
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()
        super().__init__((HOST, port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.1,), name="store-http", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{HOST}:{self.server_address[1]}"

    def close(self) -> None:
        """End all connections and what runs on them.

        A thread that was still inside the engine while the process ends would take it down with a
        fault, so all of them are waited for.
        """
        self.shutdown()
        self.server_close()
        deadline_s = time.monotonic() + CLOSE_S
        while self._open and time.monotonic() < deadline_s:
            with contextlib.suppress(Exception):  # the engine may be past it, on a full disk for instance
                self.engine.stop_statements()
            for connection in list(self._open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._ended.wait(0.1)
            self._ended.clear()

    def server_bind(self) -> None:
        """Bind without the search for this machine's name that http.server makes."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or close it when there are too many."""
        if len(self._open) < CONNECTIONS_MAX:
            self._open.add(request)
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)
            self._ended.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client has gone away in the middle."""

    def _facts(self) -> list[str]:
        reader = self.engine.reader({})
        try:
            found = reader.query("SELECT version(), timezone()", "TabSeparated").bytes().decode()
        finally:
            reader.close()
        return list(found.rstrip("\n").split("\t"))


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: StoreServer
    protocol_version = "HTTP/1.1"
    server_version = "genesis-store"
    sys_version = ""
    timeout: ClassVar[float] = IDLE_S

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a POST."""
        self._serve()

    def do_HEAD(self) -> None:
        """Answer a HEAD, as ClickHouse does: only whether somebody is here."""
        self._send_text(200, b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Keep quiet."""

    def _serve(self) -> None:
        try:
            body = requests.read_body(self.rfile, self.headers)
            requests.check_origin(self.headers)
            url = urlsplit(self.path)
            if url.path == "/ping":
                self._send_text(200, b"Ok.\n")
            elif url.path != "/":
                self._send_text(404, f"There is no handle {url.path}\n".encode())
            else:
                fields = dict(parse_qsl(url.query, keep_blank_values=True))
                self._query(requests.query_of(fields, body, self.headers), fields)
        except BadRequest as error:
            self.close_connection = self.close_connection or error.unread
            self._send_error(QueryError(str(error)), error.status)
        except QueryError as error:
            self._send_error(error, responses.status_of(error.code))

    def _query(self, query: requests.Query, fields: dict[str, str]) -> None:
        if not self.server.turns.acquire(timeout=QUERY_WAIT_S):
            message = (
                "Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)"
            )
            self._send_error(QueryError(message), 503)
            return
        try:
            requests.check_settings(self.server.engine, fields)
            answer = Answer(
                self.server.engine,
                query.text,
                database=query.database,
                default_format=query.default_format,
                parameters=query.parameters,
            )
            self._send_answer(answer, query)
        finally:
            self.server.turns.release()

    def _send_answer(self, answer: Answer, query: requests.Query) -> None:
        tag = secrets.token_hex(8)
        squeeze = responses.compressor(query.accepts)
        self.send_response(200)
        self._send_common(query.id or str(uuid.uuid4()))
        self.send_header("Content-Type", responses.content_type(answer.format))
        self.send_header("X-ClickHouse-Format", answer.format)
        self.send_header("X-ClickHouse-Exception-Tag", tag)
        self.send_header("X-ClickHouse-Summary", json.dumps({k: str(v) for k, v in answer.summary.items()}))
        if squeeze is not None:
            self.send_header("Content-Encoding", squeeze.name)
        chunked = self.request_version != "HTTP/1.0"
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
        self.end_headers()
        body = responses.Body(self.wfile, squeeze, chunked=chunked)
        try:
            for piece in answer:
                body.write(piece)
            body.finish()
        except QueryError as error:
            self.close_connection = True
            body.write(responses.late_exception(str(error), tag))
            body.flush()
        finally:
            answer.close()

    def _send_error(self, error: QueryError, status: int) -> None:
        text = str(error)
        if "(version " not in text:
            text = f"{text} (version {self.server.version})"
        self._send_text(status, f"{text}\n".encode(), code=error.code)

    def _send_text(self, status: int, text: bytes, code: int = 0) -> None:
        self.send_response(status)
        self._send_common("")
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(text)))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def _send_common(self, query_id: str) -> None:
        self.send_header("X-ClickHouse-Server-Display-Name", "genesis")
        self.send_header("X-ClickHouse-Timezone", self.server.timezone)
        self.send_header("X-Content-Type-Options", "nosniff")
        if query_id:
            self.send_header("X-ClickHouse-Query-Id", query_id)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that is not even HTTP as we speak it."""
        self.close_connection = True
        self._send_text(code, f"{message or explain or 'bad request'}\n".encode())
