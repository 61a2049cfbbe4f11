"""`genesis positions`, `orders`, `pnl`, `why`, `audit verify`: from the ledger alone, calm without one."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from genesis.cli import audit, doctor, main, orders, pnl, positions, why
from genesis.cli.errors import CommandError
from genesis.connectors import keys, settings
from genesis.connectors.ledger import Ledger, LedgerError, NoLedger, Outgoing, Saved, open_ledger
from genesis.operators.account.audit import Head, chained
from genesis.operators.account.outcomes import (
    AccountStatus,
    ChildOrder,
    Decision,
    ParentOrder,
    PositionStatus,
)

NOON_NS = 1_700_000_000_000_000_000
COMMON: dict[str, Any] = {"event_ns": NOON_NS, "account_id": "main"}
PERMIT = "5ec4e7" * 10

app = typer.Typer()
for command in (positions.positions, orders.orders, pnl.pnl, why.why):
    app.command(command.__name__)(command)
app.add_typer(audit.app, name="audit")


def position(symbol: str, qty: str, realised: str, unrealised: str) -> PositionStatus:
    return PositionStatus(
        id=f"position-{symbol}",
        symbol=symbol,
        qty=qty,
        average_cost="50000.10",
        realised=realised,
        mark_price="51000.5" if unrealised else "",
        unrealised=unrealised,
        stop_price="49000.00",
        **COMMON,
    )


def parent(name: str, status: str) -> ParentOrder:
    return ParentOrder(
        id=f"{name}-{status}",
        parent_id=name,
        symbol="BTCUSDT",
        side="buy",
        algorithm="twap",
        status=status,
        reason="filled" if status == "ended" else "",
        qty="0.00400000",
        filled_qty="0.00100000",
        average_price="50000.1",
        children=1,
        strategy="",
        figures={"shortfall_bps": 1.5},
        **COMMON,
    )


STATUS = AccountStatus(
    id="status",
    tier="sniper",
    mode="active",
    tilt_level=0,
    equity="1012.3456789",
    cash="800.00",
    realised_day="2.25",
    pnl_day=12.3456,
    drawdown=0.0123,
    daily_budget=25.0,
    override_attempts=0,
    figures={},
    **COMMON,
)
REFUSAL = Decision(
    id="decision-1",
    cause="command-1",
    subject="place_order",
    accepted=False,
    code="DAILY_LOSS",
    sentence="The order was not placed. What is left of today's budget is kept for tomorrow.",
    figures={"lost_today": 24.5, "daily_loss_max": 25.0},
    **COMMON,
)


def child(head: Head) -> ChildOrder:
    return ChildOrder(
        id="child-1",
        action="send",
        client_order_id="g-1",
        parent_id="open",
        symbol="BTCUSDT",
        side="buy",
        order_type="limit",
        time_in_force="gtc",
        qty="0.00100000",
        limit_price="50000.10",
        stop_price="",
        tier="sniper",
        ledger_head=head.hash,
        expires_ns=NOON_NS,
        permit=PERMIT,
        **COMMON,
    )


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def written(data: Path) -> Iterator[Ledger]:
    """Give a ledger with something of everything, which another process has open."""
    configured = settings.read()
    key = keys.create_keys(configured)[keys.AUDIT]
    with open_ledger(configured, audit_key=key) as ledger:
        entry = chained(key, Head(), "main", NOON_NS, ("decision", "{}"))
        head = Head(entry.id, 1)
        order = child(head)
        records = {
            "positions": [
                position("ETHUSDT", "0.00000000", "-1.5", "0"),
                position("BTCUSDT", "0.00100000", "3.75", "1.0004"),
                position("SOLUSDT", "2.0", "0", ""),
            ],
            "parent_orders": [parent("open", "working"), parent("done", "ended")],
            "account": [STATUS],
            "decisions": [REFUSAL],
            "child_orders": [order],
        }
        outbox = [
            Outgoing(topic=topic, id=each.id, body=msgspec.json.encode(each))
            for topic, some in records.items()
            for each in some
        ]
        saved = Saved(snapshot=b"", position="1", head=head)
        ledger.commit("main", before=Head(), saved=saved, audit=[entry], outbox=outbox)
        token = ledger.take_fence("main")
        ledger.record_order(token, order)
        ledger.record_outcome(token, "g-1", "new", 4711, "0")
        ledger.refused_permit("main", "g-9", "BAD_PERMIT", "the permit is not for this quantity")
        yield ledger


def said(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output
    return str(result.stdout)


def told(*words: str, status: int = 0) -> Any:
    return json.loads(said(*words, "--json", status=status))


@pytest.mark.usefixtures("written")
class TestBooks:
    def test_positions_are_exact_for_scripts_and_short_for_people(self) -> None:
        found = told("positions")
        assert found["account"] == "main"
        assert [(each["symbol"], each["qty"]) for each in found["positions"]] == [
            ("BTCUSDT", "0.00100000"),
            ("SOLUSDT", "2.0"),
        ]
        assert [each["symbol"] for each in told("positions", "--all")["positions"]][1] == "ETHUSDT"
        shown = said("positions")
        for text in ("BTCUSDT", "0.001", "50000.1", "3.75", "1.00", "49000", "2023-11-14 22:13:20 UTC"):
            assert text in shown

    def test_orders_at_work_and_children_at_the_venue(self) -> None:
        found = told("orders")
        assert [each["parent_id"] for each in found["parents"]] == ["open"]
        (order,) = found["children"]
        assert (order["client_order_id"], order["status"], order["venue_order_id"]) == ("g-1", "new", 4711)
        assert [each["parent_id"] for each in told("orders", "--all")["parents"]] == ["done", "open"]
        assert len(told("orders", "--all", "--limit", "1")["parents"]) == 1
        assert "twap" in said("orders")
        assert "ended: filled" in said("orders", "--all")

    def test_no_command_shows_a_permit(self) -> None:
        for words in (["orders", "--all"], ["orders", "--all", "--json"], ["why", "--json"]):
            assert PERMIT not in said(*words)

    def test_profit_and_loss_add_up(self) -> None:
        found = told("pnl")
        assert (found["realised"], found["unrealised"]) == ("2.25", "1.0004")
        assert found["unmarked"] == ["SOLUSDT"]
        assert found["status"]["equity"] == "1012.3456789"
        shown = said("pnl")
        for text in ("1,012.35", "800.00", "1.23%", "sniper", "Not marked for want of a quote: SOLUSDT."):
            assert text in shown

    def test_why_tells_the_newest_refusal_with_its_figures(self) -> None:
        found = told("why")
        assert found["refusal"]["figures"] == {"lost_today": 24.5, "daily_loss_max": 25.0}
        assert found["refused_permits"][0]["code"] == "BAD_PERMIT"
        shown = said("why")
        assert shown.startswith("The order was not placed.")
        for text in ("DAILY_LOSS", "lost today", "24.5", "At the gateway", "g-9", "not for this quantity"):
            assert text in shown

    def test_an_account_that_the_ledger_does_not_have(self) -> None:
        for words in (["positions"], ["orders"], ["pnl"], ["why"]):
            with pytest.raises(CommandError, match="no account 'second': it has main"):
                said(*words, "--account", "second")

    def test_a_chain_as_it_was_written_ends_with_status_0(self) -> None:
        found = told("audit", "verify")
        assert found["intact"] is True
        assert [(each["entries"], each["anchored"]) for each in found["accounts"]] == [(1, 1)]
        assert "as it was written" in said("audit", "verify", "--account", "main")

    def test_an_edited_chain_ends_with_another_status(self, data: Path) -> None:
        with closing(sqlite3.connect(data / "ledger" / "ledger.db", isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER audit_no_update")
            connection.execute("""UPDATE audit SET body = '{"forged":1}'""")
        found = told("audit", "verify", status=1)
        assert found["intact"] is False
        shown = said("audit", "verify", status=1)
        assert "Account main: entry 1 was changed after it was written." in shown

    def test_a_ledger_that_was_removed_is_no_new_one(self, data: Path) -> None:
        for file in (data / "ledger").iterdir():
            file.unlink()
        with pytest.raises(CommandError, match="its anchor knows main: the ledger was removed"):
            said("audit", "verify")
        Ledger.open(f"sqlite:///{data}/ledger/ledger.db").close()
        assert "older copy" in said("audit", "verify", status=1)


def test_without_a_ledger_there_is_a_sentence_and_no_ledger_is_made(data: Path) -> None:
    for words in (["positions"], ["orders"], ["pnl"], ["why"]):
        with pytest.raises(NoLedger, match=r"there is no ledger at .* yet: `genesis up` makes it"):
            said(*words)
    with pytest.raises(keys.KeysError, match="there are no keys"):
        said("audit", "verify")
    keys.create_keys(settings.read())
    with pytest.raises(LedgerError, match="there is no ledger"):
        said("audit", "verify")
    assert not (data / "ledger").exists()


def test_a_ledger_without_an_account_is_calm(data: Path) -> None:
    configured = settings.read()
    keys.create_keys(configured)
    open_ledger(configured).close()
    with pytest.raises(CommandError, match="nobody has traded yet"):
        said("positions")
    assert "nothing to verify" in said("audit", "verify")


def test_the_doctor_looks_at_keys_and_ledger(data: Path, request: pytest.FixtureRequest) -> None:
    configured = settings.read()
    for check in (doctor.keys, doctor.ledger):
        assert (check(configured).state, "none yet" in check(configured).found) == (doctor.State.GOOD, True)
    request.getfixturevalue("written")
    assert f"{len(keys.NAMES)} at" in doctor.keys(configured).found
    assert "accounts: main" in doctor.ledger(configured).found
    (data / "keys" / "audit.key").chmod(0o644)
    assert doctor.keys(configured).state is doctor.State.BAD
    for file in (data / "ledger").iterdir():  # the write-ahead log has everything as well
        file.unlink()
    (data / "ledger" / "ledger.db").write_bytes(b"no database" * 1_000)
    assert doctor.ledger(configured).state is doctor.State.BAD


def test_the_failures_of_ledger_and_keys_are_sentences_on_the_command_line(data: Path) -> None:
    for error in (NoLedger("there is no ledger"), keys.KeysError("there are no keys"), keys.MissingKey("x")):
        assert main._sentence(error) == str(error)
    assert data.is_dir()
