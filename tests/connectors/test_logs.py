"""Logs: the shape that Elastic's schema asks for, traces, and nothing secret whatever is logged."""

import io
import json
import os
import sys
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from genesis.connectors import logs
from genesis.operators.account.outcomes import Decision, Fill

SECRET = "hunter2-and-a-half"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    logs.configure("test")
    yield out  # type: ignore[misc]
    structlog.reset_defaults()


def logged(lines: io.StringIO) -> dict[str, Any]:
    return dict(json.loads(lines.getvalue().splitlines()[-1]))


def test_every_field_is_one_of_the_schema_or_our_own(lines: io.StringIO) -> None:
    try:
        raise ValueError("a reason")
    except ValueError:
        logs.get("part").warning("said", exc_info=True, symbol="BTCUSDT", lag=3, **{logs.TRACE: "e1"})
    found = logged(lines)
    assert {name for name in found if not name.startswith("genesis.")} <= logs.ECS_FIELDS
    assert list(found)[:3] == ["@timestamp", "log.level", "message"]
    assert (found["log.level"], found["message"], found["log.logger"]) == ("warning", "said", "part")
    assert (found["service.name"], found["trace.id"], found["genesis.lag"]) == ("genesis-test", "e1", 3)
    assert "ValueError: a reason" in found["error.stack_trace"]


def test_a_command_and_what_came_of_it_have_one_trace(lines: io.StringIO) -> None:
    common = {"event_ns": 1, "account_id": "main", "parent_id": "e7"}
    decision = Decision(
        id="e7/1", cause="e7", subject="place_order", accepted=True, code="OK", sentence="At work.",
        figures={}, **common,
    )  # fmt: skip
    fill = Fill(
        id="f", client_order_id="c", symbol="A", side="buy", trade_id=1, qty="1", price="2", commission="0",
        commission_asset="A", realised="0", is_maker=False, arrival_price=2.0, shortfall_bps=0.0, **common,
    )  # fmt: skip
    for record in (decision, fill):
        logs.outcome(logs.get("account"), record)
    assert [json.loads(line)["trace.id"] for line in lines.getvalue().splitlines()] == ["e7", "e7"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"said {SECRET} aloud", SECRET),
        ("a permit " + "ab" * 32, "ab" * 32),
        ("key " + "Zx9" * 21 + "Q", "Zx9" * 21),
        ("postgresql://genesis:opensesame@db/ledger", "opensesame"),
        ("GET /order?signature=feedc0de&x=1", "feedc0de"),
        ("-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----", "MIIabc"),
    ],
)
def test_what_is_secret_is_hidden_wherever_it_stands(lines: io.StringIO, text: str, hidden: str) -> None:
    logs.hide(SECRET)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logs.get("part").error(
            text, exc_info=True, detail=[text, {"deep": (text,)}], object=RuntimeError(text)
        )
    assert hidden not in lines.getvalue()
    assert logs.HIDDEN in lines.getvalue()


@given(
    name=st.sampled_from(["secret", "api_key", "apiKey", "password", "token", "permit", "signature", "seal"]),
    value=st.text(min_size=1, max_size=20),
)
def test_a_field_named_like_a_secret_is_never_shown(name: str, value: str) -> None:
    assert logs.without_secrets({"outer": {name: value}}) == {"outer": {name: logs.HIDDEN}}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text("abc xyz 12", max_size=30), st.lists))
def test_what_is_not_secret_is_left_as_it_is(value: Any) -> None:
    assert logs.without_secrets(value) == value


def test_every_line_has_an_id_of_its_own_in_a_forked_process_too(lines: io.StringIO) -> None:
    log = logs.get("part")
    log.info("one")
    receiver, sender = os.pipe()
    if (child := os.fork()) == 0:
        try:
            log.info("two")
            os.write(sender, logged(lines)["event.id"].encode())
        finally:
            os._exit(0)
    os.close(sender)
    os.waitpid(child, 0)
    log.info("three")
    ids = [json.loads(line)["event.id"] for line in lines.getvalue().splitlines()]
    ids.append(os.read(receiver, 100).decode())
    assert len(set(ids)) == 3
    assert len({each.partition("-")[0] for each in ids}) == 2
