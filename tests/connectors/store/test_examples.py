"""Every example in docs/store.md does what it says."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from genesis.connectors.store import migrate, tables
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.http import StoreServer
from genesis.connectors.store.reading import Answer
from genesis.operators import topics
from genesis.operators.records import RowSchema
from tests.connectors.store import samples

PAGE = Path(__file__).parents[3] / "docs" / "store.md"


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("store"), "genesis") as made, closing(made.client()) as client:
        migrate.prepare(client, "genesis")
        for topic in topics.ARCHIVED:
            if isinstance(topic.schema, RowSchema):
                table = tables.open_table(client, "genesis", topic)
                table.add(samples.message(topic, samples.rows(topic, 500), 0))
                table.flush()
        yield made


@pytest.mark.parametrize("statement", examples("sql"), ids=lambda text: text.split("\n")[0][:50])
def test_queries_run(engine: Engine, statement: str) -> None:
    list(Answer(engine, statement, default_format="CSVWithNames"))


def test_python_runs(engine: Engine) -> None:
    (example,) = examples("python")
    with closing(StoreServer(engine)) as server:
        found: dict[str, object] = {}
        exec(example.replace("8123", str(server.server_port)), found)
    assert list(found["prices"]) == ["event_time", "price"]  # type: ignore[call-overload]


def test_no_row_is_too_many(engine: Engine) -> None:
    (statement,) = (each for each in examples("sql") if "rows_too_many" in each)
    assert b"".join(Answer(engine, statement)) == b"0\n"
