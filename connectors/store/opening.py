"""Opening the store: embedded with its HTTP interface, or a ClickHouse server; the rest is one code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from genesis.connectors.settings import Settings
from genesis.connectors.store import migrate, views
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.errors import StoreError, explain
from genesis.connectors.store.http import StoreServer
from genesis.connectors.store.memory import releasing


class Store(NamedTuple):
    """An open store: a function that returns a new client that may write, and where others may read."""

    connect: Callable[[], Client]
    url: str
    where: str


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the store of these settings, its schema brought up to date, and close it in the end.

    Raises
    ------
    StoreError
        When it cannot be opened; a `StoreLocked` when another process has it open.
    """
    if settings.store_url:
        store = Store(lambda: _server_client(settings), settings.store_url, settings.store_url)
        _prepare(store, settings.database)
        yield store
        return
    with Engine(settings.data, settings.database) as engine:
        _prepare(Store(engine.client, "", str(engine.path)), settings.database)
        server = _serve(engine, settings.store_port)
        try:
            with releasing("_chdb"):
                yield Store(engine.client, server.url, str(engine.path))
        finally:
            server.close()


def _serve(engine: Engine, port: int) -> StoreServer:
    try:
        return StoreServer(engine, port)
    except OSError as error:
        raise StoreError(
            f"port {port} for the store is in use by another program: "
            "set GENESIS_STORE_PORT to another one, or to 0 for any that is free"
        ) from error


def _prepare(store: Store, database: str) -> None:
    try:
        client = store.connect()
        try:
            migrate.prepare(client, database)
            views.heal(client, database)
        finally:
            client.close()
    except StoreError:
        raise
    except Exception as error:
        raise explain(error, store.where) from error


def _server_client(settings: Settings) -> Client:
    address = urlsplit(settings.store_url)
    secure = address.scheme == "https"
    return clickhouse_connect.get_client(
        host=address.hostname,
        port=address.port or (8443 if secure else 8123),
        secure=secure,
        username=settings.store_user,
        password=settings.store_password.get_secret_value(),
        autogenerate_session_id=False,
    )
