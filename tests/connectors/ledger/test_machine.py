"""The ledger against a model in dictionaries: any sequence of calls, with processes that come and go."""

import itertools
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from genesis.connectors.ledger import (
    AlreadyRecorded,
    FenceLost,
    Ledger,
    LedgerConflict,
    Outgoing,
    UnknownDecision,
    engine,
)
from genesis.connectors.ledger.records import TERMINAL
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import ChildOrder
from tests.connectors.ledger.lab import KEY, child, end, entries, outgoing, step

ACCOUNTS = ("main", "second")
STATUSES = ("new", "partially_filled", "filled", "canceled", "rejected", "expired")

accounts = st.sampled_from(ACCOUNTS)
whichever = st.integers(0, 10**6)


class LedgerMachine(RuleBasedStateMachine):
    """Two processes, `a` and `b`, share one ledger; either may end and start again at any time."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="genesis-ledger-"))
        self.ledgers = {name: self.opened() for name in "ab"}
        self.heads = dict.fromkeys(ACCOUNTS, Head())
        self.versions = dict.fromkeys(ACCOUNTS, 0)
        self.seen: dict[tuple[str, str], int] = {}  # version of an account that a process last saw
        self.outbox: list[list[Any]] = []  # account, id, sent
        self.decided: dict[str, ChildOrder] = {}
        self.recorded: dict[str, list[Any]] = {}  # status, filled quantity
        self.trades: dict[tuple[str, str], int] = {}
        self.fences: dict[str, int] = {}
        self.tokens: list[tuple[str, int]] = []
        self.names = itertools.count(1)

    def opened(self) -> Ledger:
        url = f"sqlite:///{self.folder}/ledger.db"
        return Ledger.open(url, audit_key=KEY, anchor=self.folder / "anchors")

    def teardown(self) -> None:
        if hasattr(self, "ledgers"):
            for ledger in self.ledgers.values():
                ledger.close()
            shutil.rmtree(self.folder)

    @rule(process=st.sampled_from("ab"))
    def restart(self, process: str) -> None:
        self.ledgers[process].close()
        self.ledgers[process] = self.opened()
        self.seen = {key: version for key, version in self.seen.items() if key[0] != process}

    @rule(process=st.sampled_from("ab"), account_id=accounts)
    def load(self, process: str, account_id: str) -> None:
        saved = self.ledgers[process].load(account_id)
        assert (saved.head if saved is not None else Head()) == self.heads[account_id]
        assert (saved is None) == (self.versions[account_id] == 0)
        self.seen[process, account_id] = self.versions[account_id]

    @rule(
        process=st.sampled_from("ab"),
        account_id=accounts,
        audit=st.integers(0, 3),
        children=st.integers(0, 2),
    )
    def commit(self, process: str, account_id: str, audit: int, children: int) -> None:
        ledger, before = self.ledgers[process], self.heads[account_id]
        head = end(before, entries(before, audit, account_id))
        made = [child(next(self.names), head, account_id=account_id) for _ in range(children)]
        rows = [outgoing("child_orders", each) for each in made]
        rows.append(Outgoing(topic="decisions", id=f"d{next(self.names)}", body=b"{}"))
        if self.seen.get((process, account_id), self.versions[account_id]) != self.versions[account_id]:
            with pytest.raises(LedgerConflict):
                step(ledger, before, *rows, audit=audit, account_id=account_id)
            return
        self.heads[account_id] = step(ledger, before, *rows, audit=audit, account_id=account_id)
        self.versions[account_id] += 1
        self.seen[process, account_id] = self.versions[account_id]
        self.outbox += [[account_id, each.id, False] for each in rows]
        self.decided |= {each.client_order_id: each for each in made}

    @rule(process=st.sampled_from("ab"), limit=st.integers(1, 5))
    def send_some(self, process: str, limit: int) -> None:
        waiting = [row for row in self.outbox if not row[2]][:limit]
        found = self.ledgers[process].unsent(limit)
        assert [(each.account_id, each.id) for each in found] == [(row[0], row[1]) for row in waiting]
        self.ledgers[process].mark_sent([each.number for each in found])
        for row in waiting:
            row[2] = True

    @rule(process=st.sampled_from("ab"))
    def send_again(self, process: str) -> None:
        assert self.ledgers[process].send_again() == sum(row[2] for row in self.outbox)
        for row in self.outbox:
            row[2] = False

    @rule(process=st.sampled_from("ab"), name=accounts)
    def take_fence(self, process: str, name: str) -> None:
        token = self.ledgers[process].take_fence(name)
        assert all(token > earlier for _, earlier in self.tokens)
        self.fences[name] = token
        self.tokens.append((name, token))

    def token(self, which: int, account_id: str) -> tuple[int, type[Exception] | None]:
        """Return one of the tokens there ever were, and what it leads to for an account."""
        if not self.tokens:
            return 1, FenceLost
        name, token = self.tokens[-1 - which % min(3, len(self.tokens))]
        if self.fences[name] != token:
            return token, FenceLost
        return token, None if name == account_id else UnknownDecision

    @rule(process=st.sampled_from("ab"), which=whichever, order=whichever, forged=st.booleans())
    def record_order(self, process: str, which: int, order: int, forged: bool) -> None:
        if not self.decided:
            return
        name = sorted(self.decided)[order % len(self.decided)]
        wanted = self.decided[name]
        token, wrong = self.token(which, wanted.account_id)
        if forged:
            wanted = child(
                0, Head(), id=wanted.id, client_order_id=name, qty="9", account_id=wanted.account_id
            )
        ledger = self.ledgers[process]
        if wrong is not None:
            with pytest.raises(wrong):
                ledger.record_order(token, wanted)
        elif forged:
            with pytest.raises(UnknownDecision):
                ledger.record_order(token, wanted)
        elif name in self.recorded:
            with pytest.raises(AlreadyRecorded):
                ledger.record_order(token, wanted)
        else:
            ledger.record_order(token, wanted)
            self.recorded[name] = ["recorded", "0"]

    @rule(
        process=st.sampled_from("ab"),
        which=whichever,
        order=whichever,
        status=st.sampled_from(STATUSES),
        filled=st.sampled_from(["0", "0.0", "0.0005", "0.001"]),
    )
    def record_outcome(self, process: str, which: int, order: int, status: str, filled: str) -> None:
        ledger = self.ledgers[process]
        if not self.recorded:
            with pytest.raises(UnknownDecision):
                ledger.record_outcome(1, "nobody", status, 5, filled)
            return
        name = sorted(self.recorded)[order % len(self.recorded)]
        token, wrong = self.token(which, self.decided[name].account_id)
        if wrong is not None:
            with pytest.raises(wrong):
                ledger.record_outcome(token, name, status, 5, filled)
            return
        ledger.record_outcome(token, name, status, 5, filled)
        now = self.recorded[name]
        if Decimal(filled) >= Decimal(now[1]) and (status in TERMINAL or now[0] not in TERMINAL):
            self.recorded[name] = [status, filled]

    @rule(process=st.sampled_from("ab"), which=whichever, account_id=accounts, trade_id=st.integers(0, 9))
    def record_trade(self, process: str, which: int, account_id: str, trade_id: int) -> None:
        token, wrong = self.token(which, account_id)
        if wrong is not None:
            with pytest.raises(wrong):
                self.ledgers[process].record_trade(token, account_id, "BTCUSDT", trade_id)
            return
        self.ledgers[process].record_trade(token, account_id, "BTCUSDT", trade_id)
        key = account_id, "BTCUSDT"
        self.trades[key] = max(trade_id, self.trades.get(key, 0))

    @invariant()
    def both_processes_see_what_the_model_has(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        for ledger in self.ledgers.values():
            for account_id in ACCOUNTS:
                self.compare(ledger, account_id)

    def compare(self, ledger: Ledger, account_id: str) -> None:
        mine = {name for name, order in self.decided.items() if order.account_id == account_id}
        recorded = {name: told for name, told in self.recorded.items() if name in mine}
        found = ledger.recorded_orders(account_id, 10_000)
        assert {each.order.client_order_id: [each.status, each.filled_qty] for each in found} == recorded
        at_work = {each.order.client_order_id for each in ledger.open_orders(account_id)}
        assert at_work == {name for name, told in recorded.items() if told[0] not in TERMINAL}
        pending = [each.client_order_id for each in ledger.pending_children(account_id)]
        assert pending == [name for name in self.decided if name in mine and name not in self.recorded]
        trades = {symbol: newest for (owner, symbol), newest in self.trades.items() if owner == account_id}
        assert ledger.last_trade_ids(account_id) == trades
        number = self.heads[account_id].number
        assert ledger.audit_entries(account_id, limit=10_000) == entries(Head(), number, account_id)
        assert ledger.audit_report(account_id).faults == [] or self.versions[account_id] == 0


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is killed here, so nothing has to be on the disk; `test_crash` has that."""
    hasty = tuple(each.replace("synchronous=FULL", "synchronous=OFF") for each in engine.PRAGMAS)
    monkeypatch.setattr(engine, "PRAGMAS", hasty)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
