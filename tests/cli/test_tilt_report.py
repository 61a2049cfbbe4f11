"""`genesis tilt`: how the trader stands, from the ledger; the week's report, from the store."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from genesis.cli import tilt
from genesis.connectors import settings
from genesis.connectors.kafka import Message, Position
from genesis.connectors.ledger import Outgoing, Saved, open_ledger
from genesis.connectors.store import migrate, tables
from genesis.connectors.store.engine import Engine
from genesis.operators import topics
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import AccountStatus, BehaviourRecord, Fill, TiltStatus

NOON_NS = 1_700_000_000_000_000_000
MINUTE_NS = 60 * 10**9
COMMON: dict[str, Any] = {"account_id": "main"}


def told(at_ns: int, level: int, phase: str = "free") -> TiltStatus:
    return TiltStatus(
        id=f"tilt-{at_ns}",
        event_ns=at_ns,
        level=level,
        score=2.5,
        calibrated=True,
        phase=phase,
        until_ns=at_ns + 5 * MINUTE_NS if phase == "resting" else 0,
        missing=["5 min", "the checklist"] if phase == "resting" else [],
        debt=3 if phase == "resting" else 0,
        names=["reentry"],
        signs=["An order comes 6 s after a loss; usual is 900 s."],
        sentence="Trading rests for a while.",
        **COMMON,
    )


def sold(at_ns: int, realised: str) -> Fill:
    return Fill(
        id=f"fill-{at_ns}",
        event_ns=at_ns,
        client_order_id="c",
        parent_id="p",
        symbol="BTCUSDT",
        side="sell",
        trade_id=at_ns,
        qty="0.001",
        price="50000",
        commission="0",
        commission_asset="USDT",
        realised=realised,
        is_maker=False,
        arrival_price=50000.0,
        shortfall_bps=0.0,
        **COMMON,
    )


def seen(at_ns: int, what: str, value: float) -> BehaviourRecord:
    return BehaviourRecord(
        id=f"{what}-{at_ns}",
        event_ns=at_ns,
        what=what,
        value=value,
        other=0.0,
        symbol="",
        client="",
        session="",
        **COMMON,
    )


STATUS = AccountStatus(
    id="status",
    event_ns=NOON_NS + 60 * MINUTE_NS,
    tier="sniper",
    mode="active",
    tilt_level=3,
    equity="1000",
    cash="1000",
    realised_day="0",
    pnl_day=0.0,
    drawdown=0.0,
    daily_budget=25.0,
    override_attempts=0,
    figures={},
    **COMMON,
)


def run(*words: str) -> str:
    result = CliRunner().invoke(tilt.app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path))
    records = {
        topics.ACCOUNT: [STATUS],
        topics.TILT: [told(NOON_NS, 0), told(NOON_NS + 30 * MINUTE_NS, 3, "resting")],
        topics.EXECUTIONS: [
            sold(NOON_NS + MINUTE_NS, "2.5"),
            sold(NOON_NS + 31 * MINUTE_NS, "-4"),
            sold(NOON_NS + 32 * MINUTE_NS, "-1.5"),
        ],
        topics.BEHAVIOUR: [
            seen(NOON_NS + 25 * MINUTE_NS, "chart", 1.0),
            seen(NOON_NS + 26 * MINUTE_NS, "keys", 90.0),
            seen(NOON_NS + 31 * MINUTE_NS, "sold", -0.004),
            seen(NOON_NS + 36 * MINUTE_NS - 1, "sold", -0.001),
        ],
    }
    with Engine(tmp_path, "genesis") as engine, closing(engine.client()) as client:
        migrate.prepare(client, "genesis")
        for topic, each in records.items():
            table = tables.open_table(client, "genesis", topic)
            for number, record in enumerate(each):
                body, position = msgspec.json.encode(record), Position(0, "log-1", number + 1)
                table.add(Message(topic, 0, position, body, [], restarted=False))
            table.flush()
    return tmp_path


def test_results_are_told_apart_by_level_and_what_came_before_losses_is_counted(stored: Path) -> None:
    found = json.loads(run("report", "--json"))
    assert found["by_level"] == [
        {"level": 0, "sales": 1, "realised": 2.5, "with_profit": 1},
        {"level": 3, "sales": 2, "realised": -5.5, "with_profit": 0},
    ]
    assert found["losses"] == 2
    assert found["before_losses"] == [{"what": "keys", "losses": 2}, {"what": "chart", "losses": 1}]
    assert [each["signs"] for each in found["changes"]] == [["reentry"], ["reentry"]]
    text = run("report", "--picture", str(stored / "week.svg"))
    assert "-5.50" in text
    assert "before a sale with a loss (2 of them)" in text
    assert (stored / "week.svg").read_text().startswith("<?xml")


def test_how_the_trader_stands_is_read_from_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENESIS_DATA", str(tmp_path))
    with open_ledger(settings.read(), audit_key=b"k" * 32) as ledger:
        record = told(NOON_NS, 3, "resting")
        outgoing = Outgoing(topic="tilt", id=record.id, body=msgspec.json.encode(record), account_id="main")
        before = Head()
        ledger.commit(
            "main",
            before=before,
            saved=Saved(snapshot=b"", position="", head=before),
            audit=[],
            outbox=[outgoing],
        )
    text = run("status")
    assert text.startswith("Level 3: Trading rests for a while.")
    assert "An order comes 6 s after a loss" in text
    assert "5 min, the checklist" in text
    assert json.loads(run("status", "--json"))["tilt"]["debt"] == 3
