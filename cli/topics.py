"""`genesis topics`: what flows through the system, field by field with units."""

import json
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.cli.sql import rows_of
from genesis.connectors import run_file
from genesis.connectors.settings import Settings
from genesis.connectors.topic_docs import described
from genesis.operators import topics as registry


def topics(
    name: Annotated[str, typer.Argument(help="One topic, to see its fields.", show_default=False)] = "",
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """List the topics with schema, key, retention and partitions, or the fields of one with units.

    While the system runs, also how many rows of each are stored.

    Examples:

      genesis topics

      genesis topics trades

      genesis topics --json | jq '.topics[].name'
    """
    settings = options.configured(data)
    if name and name.removeprefix(registry.PREFIX) not in registry.BY_NAME:
        known = ", ".join(registry.BY_NAME)
        raise CommandError(f"there is no topic {name!r}; the topics are {known}")
    stored = _stored(settings)
    run = run_file.read(settings.data)
    shards = run.shards if run is not None and run.shards else settings.shards
    wanted = [registry.BY_NAME[name.removeprefix(registry.PREFIX)]] if name else list(registry.ALL)
    found = [{**described(topic, shards), "rows_stored": stored.get(topic.name)} for topic in wanted]
    if as_json:
        typer.echo(msgspec.json.format(json.dumps({"topics": found}), indent=2))
        return
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)
    console.print(_fields(found[0]) if name else _list(found))


def _stored(settings: Settings) -> dict[str, int]:
    """Return the rows of every table, from the engine's books; nothing when no system runs."""
    run = run_file.read(settings.data)
    if run is None or not run.store_url:
        return {}
    query = f"SELECT name, total_rows FROM system.tables WHERE database = '{settings.database}'"
    try:
        rows = rows_of(settings, query)
    except CommandError:
        return {}
    return {name: int(count) for name, count in rows if count is not None}


def _list(found: list[dict[str, Any]]) -> Table:
    table = _table("topic", "schema", "key", ">partitions", ">kept", ">rows stored", "what")
    for topic in found:
        kept = f"{topic['retention_days']} days" if topic["retention_days"] else "for ever"
        rows = "" if topic["rows_stored"] is None else f"{topic['rows_stored']:,}"
        key = ", ".join(topic["key"])
        table.add_row(topic["name"], topic["schema"], key, str(topic["partitions"]), kept, rows, topic["doc"])
    return table


def _fields(topic: dict[str, Any]) -> Table:
    table = _table("field", "type", "unit", "what")
    for field in topic["fields"]:
        codes = ", ".join(f"{name} {value}" for name, value in field["codes"].items())
        doc = field["doc"] + (f": {codes}" if codes else "")
        table.add_row(field["name"], field["type"], field["unit"], doc)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    return table
