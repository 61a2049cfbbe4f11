"""Bring the store's schema to what the registry of topics says, whatever it was before."""

import zlib
from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from genesis.connectors.store import views
from genesis.connectors.store.errors import StoreError
from genesis.connectors.store.schema import Table, literal, quoted, table_of
from genesis.operators import topics


def tables() -> tuple[Table, ...]:
    """Return the tables of all topics, in the registry's order."""
    return tuple(table_of(topic) for topic in topics.ARCHIVED)


def prepare(client: Client, database: str) -> None:
    """Create the database, its tables and its views, or add what they lack.

    Raises
    ------
    StoreError
        When a table has a column of another type, so that its rows would be lost or misread.
    """
    client.command(f"CREATE DATABASE IF NOT EXISTS {quoted(database)}", use_database=False)
    for table in tables():
        _prepare_table(client, database, table)
    for group in views.GROUPS:
        _prepare_views(client, database, group)


def _prepare_table(client: Client, database: str, table: Table) -> None:
    found = _columns(client, database, table.name)
    if not found:
        client.command(table.create(database))
        return
    name = f"{quoted(database)}.{quoted(table.name)}"
    for column in table.columns:
        if column.name not in found:
            client.command(f"ALTER TABLE {name} ADD COLUMN {column.ddl}")
        elif found[column.name] != column.type:
            raise StoreError(
                f"column {column.name!r} of table {database}.{table.name} is {found[column.name]}, "
                f"this version writes {column.type}: convert or rename the table, or choose another database"
            )


def _prepare_views(client: Client, database: str, group: tuple[views.View, ...]) -> None:
    """Create views that belong together, or replace them all when one is not as it should be."""
    marks = {view.name: f"{view.doc} [{zlib.crc32(repr(group).encode()):08x}]" for view in group}
    found = _pairs(
        client.query(
            "SELECT name, comment FROM system.tables "
            "WHERE database = {db:String} AND name IN {names:Array(String)}",
            {"db": database, "names": list(marks)},
        ).result_rows
    )
    if found == marks:
        return
    for view in reversed(group):
        client.command(f"DROP {view.kind.split()[-1]} IF EXISTS {quoted(database)}.{quoted(view.name)}")
    for view in group:
        client.command(f"{view.create(database)}\nCOMMENT {literal(marks[view.name])}")


def _columns(client: Client, database: str, table: str) -> dict[str, str]:
    """Return the types of a table's columns by name; empty when there is no such table."""
    rows = client.query(
        "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String}",
        {"database": database, "table": table},
    ).result_rows
    return _pairs(rows)


def _pairs(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    return {row[0]: row[1] for row in rows}
