"""The migrations end where the code begins: the same tables, in both databases, by the newest version."""

from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from genesis.connectors.ledger import Ledger, migrations, tables


def without_indexes(_object: Any, _name: str | None, kind: str, *_: Any) -> bool:
    return kind != "index"


def test_the_newest_version_is_the_one_that_the_code_knows() -> None:
    assert migrations.scripts().get_current_head() == tables.REVISION
    assert len(migrations.scripts().get_heads()) == 1


def test_the_migrated_tables_are_those_of_the_code(ledger: Ledger, url: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        options = {"include_object": without_indexes, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_the_questions_of_the_hot_path_use_an_index(sqlite_url: str) -> None:
    Ledger.open(sqlite_url).close()
    engine = sqlalchemy.create_engine(sqlite_url)
    questions = {
        "outbox_unsent": "SELECT * FROM outbox WHERE outbox.sent = 0 ORDER BY number LIMIT 5",
        "outbox_children": "SELECT body FROM outbox WHERE client_order_id = 'x' AND client_order_id != ''",
        "orders_open": "SELECT * FROM orders WHERE account_id = 'main' AND is_open = 1",
        "audit_id": "SELECT number FROM audit WHERE account_id = 'main' AND id = 'x'",
    }
    with engine.connect() as connection:
        for index, question in questions.items():
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {question}")).all()
            assert index in str(plan), plan
    engine.dispose()


def test_a_ledger_that_is_up_to_date_needs_no_migration_again(
    ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upgraded(_: object) -> None:
        raise AssertionError("migrated again")

    monkeypatch.setattr(migrations, "upgrade", upgraded)
    Ledger.open(url).close()
    Ledger.open(url, create=False).close()
