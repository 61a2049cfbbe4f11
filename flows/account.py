"""Account flow: an account's log in, what its fold decides out, by way of the ledger.

Wiring only; what is decided is in `operators.account.fold`. There is one writer for an account: this
process, which is why the flow has one source partition and no keyed step. It uses no recovery folder
either: state, position in the log, audit and outbox are one transaction of the ledger, and only what that
has kept goes to the topics. A batch that decided nothing is kept with the next that does, or within a
second.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import bytewax.operators as op
import msgspec
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from genesis.connectors import keys as keys_of
from genesis.connectors import logs, probes, process
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.kafka import FrameConsumer, FrameProducer, Message, Position, ensure_topics
from genesis.connectors.ledger import Ledger, LedgerError, Outgoing, Saved, open_ledger
from genesis.connectors.ledger.opening import anchor_of
from genesis.connectors.settings import Settings, SettingsError
from genesis.operators import topics
from genesis.operators.account import execution, fold, state
from genesis.operators.account.desk import FoldKeys, Outcome
from genesis.operators.account.events import AccountEvent, Role
from genesis.operators.account.state import Account
from genesis.operators.records import DeadLetter, Health
from genesis.operators.tilt import watch
from genesis.operators.tilt.observations import OBSERVATION

POLL_MESSAGES = 1_000
FETCH_WAIT_EMBEDDED_MS, FETCH_WAIT_MS = 10, 100
"""How long a broker may hold a fetch; the embedded one always uses all of it."""

POLL_EVERY = timedelta(milliseconds=1)

COMMIT_EVERY_S = 1.0
"""Longest time that a step without a decision waits for its transaction."""

HEALTH_EVERY_S = 1.0

_decoder = msgspec.json.Decoder(AccountEvent)
_PART = (topics.ACCOUNT_EVENTS.name, 0)


class Step(NamedTuple):
    """What came of a batch: records that the ledger has kept, and letters about what could not be read."""

    sent: list[Outgoing]
    letters: list[DeadLetter]


class Writer:
    """The one writer of an account."""

    def __init__(self, ledger: Ledger, keys: FoldKeys, account_id: str) -> None:
        self._ledger, self._keys = ledger, keys
        saved = ledger.load(account_id)
        self.account = Account(account_id) if saved is None else state.decoded(saved.snapshot)
        self.position: Position | None = None
        if saved is not None and saved.position:
            self.position = Position(*msgspec.json.decode(saved.position))
        self._kept = self.account.head
        self._waiting: list[Outcome] = []
        self._committed_s = time.monotonic()
        self._is_dirty = False
        self._newest_sent = 0
        self._marks: list[int] = []
        self.events = 0

    def fold(self, messages: list[Message]) -> Step:
        """Fold messages; return what may go out now."""
        found, letters = [], []
        for message in messages:
            if message.restarted:
                self._send_again()
            try:
                found.append(_decoder.decode(message.value))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                where = f"{topics.ACCOUNT_EVENTS.full_name}/0/{message.position.offset - 1}"
                letters.append(
                    dead_letter(where, "malformed_event", str(error), message.value, time.time_ns())
                )
            self.position = message.position
        self.events += len(found)
        outcomes = fold.fold(self.account, self._keys, found)
        self._waiting += outcomes
        self._is_dirty = self._is_dirty or bool(messages)
        urgent = any(outcome.topic == "audit" for outcome in outcomes)
        late = time.monotonic() - self._committed_s > COMMIT_EVERY_S
        return Step(self._commit() if self._is_dirty and (urgent or late) else [], letters)

    def _send_again(self) -> None:
        """Begin the outbox anew: the broker lost what it had."""
        self._ledger.send_again()
        self._newest_sent, self._marks = 0, []

    def _commit(self) -> list[Outgoing]:
        account, position = self.account, self.position
        saved = Saved(
            snapshot=state.encoded(account),
            position=msgspec.json.encode(position).decode() if position is not None else "",
            head=account.head,
        )
        audit = [outcome.record for outcome in self._waiting if outcome.topic == "audit"]
        outbox = [
            Outgoing(
                topic=topic,
                id=record.id,  # type: ignore[attr-defined]
                body=msgspec.json.encode(record),
                account_id=account.account_id,
            )
            for topic, record in self._waiting
        ]
        self._ledger.commit(account.account_id, before=self._kept, saved=saved, audit=audit, outbox=outbox)  # type: ignore[arg-type]
        self._kept, self._waiting, self._is_dirty = account.head, [], False
        self._committed_s = time.monotonic()
        return self.unsent()

    def unsent(self) -> list[Outgoing]:
        """Return what the ledger has kept and this process has not handed out."""
        rows = [row for row in self._ledger.unsent() if row.number > self._newest_sent]
        if rows:
            self._newest_sent = rows[-1].number
        return rows

    def confirmed(self, numbers: list[int]) -> None:
        """Note what the broker has; the ledger is told about once a second."""
        self._marks += numbers

    def mark(self) -> None:
        """Tell the ledger what was sent."""
        if self._marks:
            self._ledger.mark_sent(self._marks)
            self._marks = []

    def close(self) -> None:
        """Keep what is folded, and let go of the ledger."""
        if self._is_dirty:
            self._commit()
        self.mark()
        self._ledger.close()


class _Bench:
    """What source, step and sink share."""

    def __init__(self, settings: Settings) -> None:
        ring = keys_of.open_keys(settings)
        fold_keys = FoldKeys({role: ring[role] for role in Role}, ring[keys_of.PERMIT], ring[keys_of.AUDIT])
        ledger = open_ledger(settings, audit_key=ring[keys_of.AUDIT])
        self.writer = Writer(ledger, fold_keys, settings.account)
        self.stopping = process.stop_on_signals()
        self.consumer = FrameConsumer(
            settings.broker,
            {_PART: self.writer.position},
            fetch_wait_ms=FETCH_WAIT_EMBEDDED_MS if settings.embedded_broker else FETCH_WAIT_MS,
            name="account",
        )
        self.producer = FrameProducer.of(settings, "account")
        self.log = logs.get("account")
        self._seen_s = self._events = 0

    def look_after(self) -> None:
        """Serve the producer; about once a second tell ledger, broker and health how it goes."""
        self.producer.poll()
        now_s = time.monotonic()
        if now_s - self._seen_s < HEALTH_EVERY_S:
            return
        rate = (self.writer.events - self._events) / (now_s - self._seen_s)
        self._seen_s, self._events = now_s, self.writer.events  # type: ignore[assignment]
        if not self.producer.flush(0.0):
            self.writer.mark()
        self.consumer.release({_PART: self.writer.position})
        account, now_ns = self.writer.account, time.time_ns()
        self.producer.send_record(
            topics.HEALTH,
            Health(
                id=f"account-{now_ns}",
                recv_ns=now_ns,
                component="account",
                state="ok" if account.is_open and account.connected else "starting",
                detail="" if account.is_open else "waits for the venue's balances",
                figures={
                    "events_per_s": rate,
                    "working": float(len(account.working)),
                    "positions": float(len(account.portfolio.positions)),
                    "audit_entries": float(account.head_number),
                },
            ),
        )


class AccountSource(DynamicSource[list[Message]]):
    """Reads the account's log."""

    def __init__(self, bench: _Bench) -> None:
        self._bench = bench

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> "_Source":
        """Return the one partition."""
        return _Source(self._bench)


class _Source(StatelessSourcePartition[list[Message]]):
    def __init__(self, bench: _Bench) -> None:
        self._bench = bench
        self._awake: datetime | None = None

    def next_batch(self) -> Iterable[list[Message]]:
        """Return what has come; nothing too, so that what waits is kept in time."""
        if self._bench.stopping.is_set():
            raise StopIteration
        found = self._bench.consumer.poll(POLL_MESSAGES)
        self._bench.look_after()
        self._awake = None if found else datetime.now(UTC) + POLL_EVERY
        return [found]

    def next_awake(self) -> datetime | None:
        """Return when to look again."""
        return self._awake


class OutcomeSink(DynamicSink[Step]):
    """Sends what the ledger has kept."""

    def __init__(self, bench: _Bench) -> None:
        self._bench = bench

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> "_Sink":
        """Return the one partition."""
        return _Sink(self._bench)


class _Sink(StatelessSinkPartition[Step]):
    def __init__(self, bench: _Bench) -> None:
        self._bench = bench

    def write_batch(self, items: list[Step]) -> None:
        """Send records in the order of the outbox."""
        producer, writer = self._bench.producer, self._bench.writer
        for step in items:
            for letter in step.letters:
                producer.send_record(topics.DEAD_LETTERS, letter)
            for row in step.sent:
                topic = topics.BY_NAME[row.topic]
                record = msgspec.json.decode(row.body, type=topic.schema)
                producer.send_record(topic, record)
                logs.outcome(self._bench.log, record)
            writer.confirmed([row.number for row in step.sent])
        producer.poll()


def add_account(flow: Dataflow, bench: _Bench) -> None:
    """Add the steps of the account flow to a dataflow."""
    events = op.input("log", flow, AccountSource(bench))
    steps = op.map("fold", events, bench.writer.fold)
    some = op.filter("some", steps, lambda step: bool(step.sent or step.letters))
    op.output("outcomes", some, OutcomeSink(bench))


def compile_kernels() -> None:
    """Compile what orders are cut with and what watches for tilt, or load it from its cache."""
    from decimal import Decimal

    rules = state.Rules("A", "A", "B", Decimal(1), Decimal(1), Decimal(1), Decimal(10**6), Decimal(1), True)
    one = Decimal(1)
    view = state.View(Decimal(99), Decimal(101), one, one, 0, False, 0)
    for algorithm in ("one", "twap", "vwap", "pov", "iceberg", "shortfall"):
        wanted = execution.Wanted(
            algorithm, "", 1, Decimal(1_000), Decimal(0), algorithm, False, 60, 3, 1, 0, "", 0
        )  # fmt: skip
        working = execution.planned(wanted, rules, view, 0, 0.0)
        execution.on_market(working, rules, view, one, 1)
    watch.observe(watch.fresh(), np.zeros(1, OBSERVATION))


def main(settings: Settings) -> int:
    """Run the account flow until the process is asked to end; return its exit status.

    Raises
    ------
    SettingsError
        When no broker is named.
    """
    if not settings.broker:
        raise SettingsError("GENESIS_BROKER is empty: the account flow needs the address of a broker")
    log = logs.get("account")
    process.warm_up(compile_kernels)
    probes.serve(settings, "account")
    ensure_topics(settings.broker, settings.shards)
    try:
        bench = _Bench(settings)
    except (LedgerError, keys_of.KeysError) as error:
        raise SettingsError(str(error)) from None
    for row in bench.writer.unsent():
        topic = topics.BY_NAME[row.topic]
        bench.producer.send_record(topic, msgspec.json.decode(row.body, type=topic.schema))
        bench.writer.confirmed([row.number])
    flow = Dataflow("account")
    add_account(flow, bench)
    process.announce_ready()
    log.info("started", account=settings.account, ledger_anchor=str(anchor_of(settings)))
    cli_main(flow)  # type: ignore[no-untyped-call]
    bench.producer.flush(5.0)
    bench.writer.close()
    log.info("stopped")
    return 0
