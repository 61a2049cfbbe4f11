"""Probes and metrics: what a process says of itself, over a real socket, and the registry behind the page."""

import json
import re
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest
from prometheus_client import REGISTRY as COLLECTED

from genesis.connectors import metrics, observing, probes
from genesis.connectors.settings import Settings, SettingsError
from genesis.operators import topics
from genesis.operators.account.outcomes import AccountStatus, Decision
from genesis.operators.records import DeadLetter, Health

START_S = 1_000.0


class Clock:
    """A steady clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = START_S

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(probes, "time", clock)
    return clock


@pytest.fixture
def state(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> probes.State:
    assert clock.now_s
    fresh = probes.State()
    for module in (probes, observing):
        monkeypatch.setattr(module, "STATE", fresh)
    return fresh


def started(state: probes.State) -> probes.State:
    state.is_started = True
    state.beat()
    return state


def test_it_is_ready_once_it_has_said_so_and_while_its_loop_comes_by(
    state: probes.State, clock: Clock
) -> None:
    assert state.reasons() == ["it is still starting"]
    assert started(state).reasons() == []
    clock.now_s += probes.PROGRESS_S + 1
    assert state.reasons() == ["its main loop has not come by for 16 s"]
    assert state.is_alive()
    clock.now_s += probes.ALIVE_S
    assert not state.is_alive()


def test_a_trouble_counts_after_a_while_and_not_when_it_is_over(state: probes.State, clock: Clock) -> None:
    started(state).trouble("broker", "the broker does not answer")
    assert not state.reasons()
    clock.now_s += probes.GRACE_S
    state.trouble("broker", "the broker does not answer")
    assert state.reasons() == ["the broker does not answer"]
    assert state.since_s("broker") == probes.GRACE_S
    state.clear("broker")
    assert not state.reasons()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda state: state.lag("archive", "trades", 1, probes.LAG_MESSAGES + 1),
            "archive is 50001 messages",
        ),
        (lambda state: setattr(state, "epoch_closed_s", 1.0), "recovery snapshot is 999 s old"),
        (lambda state: setattr(state, "heard_s", START_S - 31), "the venue has been silent for 31 s"),
        (lambda state: setattr(state, "health", "starting"), "it reports that it is starting"),
    ],
)
def test_each_reason_is_said(state: probes.State, change: Any, reason: str) -> None:
    change(started(state))
    (found,) = state.reasons()
    assert reason in found


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_paths_answer_over_a_socket_and_a_taken_port_is_a_sentence(state: probes.State) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        taken = Settings(metrics_port=port)
        with pytest.raises(SettingsError, match=f"feed cannot listen on 127.0.0.1:{port}"):
            probes.serve(taken, "feed")
    probes.serve(taken, "feed")
    status, body = ask(port, "/readyz")
    assert (status, json.loads(body)["reasons"]) == (503, ["it is still starting"])
    started(state)
    status, body = ask(port, "/readyz?verbose")
    assert (status, json.loads(body)["part"]) == (200, "feed")
    assert ask(port, "/livez")[0] == 200
    status, body = ask(port, "/metrics")
    assert status == 200
    assert 'genesis_ready{part="feed"} 1.0' in body
    assert ask(port, "/")[0] == 404


def value(name: str, **labels: str) -> float:
    return COLLECTED.get_sample_value(name, labels) or 0.0


def test_what_is_sent_is_counted(state: probes.State) -> None:
    common: dict[str, Any] = {"id": "1", "event_ns": 5, "account_id": "lab"}
    refused = Decision(
        cause="c", subject="place_order", accepted=False, code="MODE", sentence="Rest.", figures={}, **common
    )
    before = value("genesis_refusals_total", code="MODE")
    observing.sent(topics.DECISIONS, refused)
    assert value("genesis_refusals_total", code="MODE") == before + 1
    status = AccountStatus(
        tier="hunter", mode="reducing", tilt_level=2, equity="2500.5", cash="1", realised_day="0",
        pnl_day=-3.0, drawdown=0.02, daily_budget=97.0, override_attempts=1, figures={}, **common,
    )  # fmt: skip
    observing.sent(topics.ACCOUNT, status)
    assert value("genesis_account_tier", account="lab") == 1.0
    assert value("genesis_account_tilt_level", account="lab") == 2.0
    assert value("genesis_account_mode", account="lab", mode="reducing") == 1.0
    assert value("genesis_account_equity_quote", account="lab") == 2500.5
    letter = DeadLetter(
        id="1", recv_ns=1, source="lab", reason="too_odd", detail="x", payload="", payload_bytes=0
    )
    observing.sent(topics.DEAD_LETTERS, letter)
    assert value("genesis_dead_letters_total", reason="too_odd") == 1.0
    health = Health(
        id="1", recv_ns=1, component="archive", state="starting", detail="waits", figures={"lag_ms": 250.0}
    )
    observing.sent(topics.HEALTH, health)
    assert value("genesis_store_lag_seconds") == 0.25
    assert started(state).reasons() == ["waits"]


def test_the_registry_is_whole_and_in_base_units() -> None:
    ours = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in COLLECTED.collect()
        if family.name.startswith("genesis_")
    }
    assert ours == set(metrics.REGISTRY)
    for each in metrics.REGISTRY.values():
        assert re.fullmatch(r"genesis_[a-z0-9_]+", each.name)
        assert not re.search(r"_(ms|milliseconds|minutes|percent|kb|mb)(_|$)", each.name)
        assert each.help.endswith(".")
        assert (each.kind == "histogram") <= each.name.endswith("_seconds")
