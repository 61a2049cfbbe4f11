"""`genesis sql` and `genesis topics`: with a running system, without one, and with none at all."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from genesis.cli import sql as sql_command
from genesis.cli import topics as topics_command
from genesis.cli.errors import CommandError
from genesis.connectors import run_file
from genesis.connectors.store import migrate, tables
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.http import StoreServer
from genesis.operators import topics
from tests.connectors.store import samples

app = typer.Typer()
app.command("sql")(sql_command.sql)
app.command("topics")(topics_command.topics)


def fill(engine: Engine) -> None:
    with closing(engine.client()) as client:
        migrate.prepare(client, "genesis")
        table = tables.open_table(client, "genesis", topics.TRADES)
        table.add(samples.message(topics.TRADES, samples.rows(topics.TRADES, 1_500), 0))
        table.flush()


@pytest.fixture(params=["running", "stopped"])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a data folder with a filled store, held by a running system or by nobody."""
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path))
    with Engine(tmp_path, "genesis") as engine:
        fill(engine)
        if request.param == "running":
            with closing(StoreServer(engine)) as server:
                run = run_file.RunFile(pid=os.getpid(), broker="", store_url=server.url, shards=4)
                run_file.write(tmp_path, run)
                yield tmp_path
                return
    yield tmp_path


def said(*words: str, text: str | None = None) -> str:
    result = CliRunner().invoke(app, list(words), input=text, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("data")
class TestSql:
    """Both ways to the store give the same."""

    def test_a_table_for_people(self) -> None:
        lines = said("sql", "SELECT count(), 60000000000 AS interval_ns, 0.1 + 0.2 AS price").splitlines()
        assert lines[0].split() == ["count()", "interval_ns", "price"]
        assert lines[2].split() == ["1", "60", "s", "0.3"]

    def test_a_long_table_ends_and_says_so(self) -> None:
        lines = said("sql", "SELECT trade_id FROM trades ORDER BY 1").splitlines()
        assert len(lines) == 2 + sql_command.TABLE_ROWS_MAX + 1
        assert "the first 1,000 rows" in lines[-1]

    def test_other_formats_give_everything(self) -> None:
        assert len(said("sql", "SELECT trade_id FROM trades", "-f", "csv").splitlines()) == 1_501
        assert json.loads(said("sql", "SELECT 5 AS a", "--json"))["data"] == [{"a": 5}]
        assert json.loads(said("sql", "SELECT 5 AS a", "--format", "JSONCompact"))["data"] == [[5]]
        assert said("sql", "SELECT 5 AS a FORMAT TSV") == "5\n"

    def test_the_statement_may_come_from_standard_input(self) -> None:
        assert said("sql", "-", "-f", "tsv", text="SELECT 7 AS a") == "a\n7\n"

    def test_nothing_is_said_of_nothing(self) -> None:
        assert "trade_id" in said("sql", "SELECT trade_id FROM trades WHERE 0")

    @pytest.mark.parametrize(
        ("statement", "sentence"),
        [
            ("SELECT nope", "Unknown expression identifier `nope`"),
            ("SELECT * FROM nope", "Unknown table expression identifier 'nope'"),
            ("DROP TABLE trades", "This connection only reads"),
            ("SELEC 1", "Syntax error"),
        ],
    )
    def test_an_error_is_one_sentence(self, statement: str, sentence: str) -> None:
        with pytest.raises(CommandError, match=sentence) as failed:
            said("sql", statement)
        assert "\n" not in str(failed.value)
        assert "DB::Exception" not in str(failed.value)


def test_without_a_store_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        CommandError, match=r"there is no store in .*: `genesis up` or `genesis replay` makes one"
    ):
        said("sql", "SELECT 1", "--data", str(tmp_path))


def test_a_store_that_does_not_answer_is_named(tmp_path: Path) -> None:
    run = run_file.RunFile(pid=os.getpid(), broker="", store_url="http://127.0.0.1:9", shards=1)
    run_file.write(tmp_path, run)
    with pytest.raises(CommandError, match=r"the store at http://127.0.0.1:9 does not answer"):
        said("sql", "SELECT 1", "--data", str(tmp_path))


def test_a_store_held_by_a_process_that_does_not_serve_yet_is_named(tmp_path: Path) -> None:
    import subprocess
    import sys

    hold = (
        "import sys; from pathlib import Path; from genesis.connectors.store.engine import Engine\n"
        "engine = Engine(Path(sys.argv[1]), 'genesis'); print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", hold, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CommandError, match=f"is open in process {holder.pid}"):
            said("sql", "SELECT 1", "--data", str(tmp_path))
        holder.kill()


def test_topics_are_listed_with_what_is_stored(data: Path) -> None:
    running = run_file.read(data) is not None
    listed = json.loads(said("topics", "--json"))["topics"]
    assert [topic["name"] for topic in listed] == [topic.name for topic in topics.ALL]
    trades = listed[0]
    assert trades["partitions"] == (4 if running else 2)
    assert trades["rows_stored"] == (1_500 if running else None)
    assert {field["name"] for field in trades["fields"]} == {
        field.name for field in topics.TRADES.rows.fields
    }
    assert "trade.v1" in said("topics")


def test_one_topic_is_shown_with_units_and_codes() -> None:
    shown = said("topics", "genesis.bars")
    assert "quote asset" in shown
    assert "spot 1, usdm 2, coinm 3" in shown


def test_an_unknown_topic_is_answered_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match=r"there is no topic 'tades'; the topics are trades, quotes"):
        said("topics", "tades")
