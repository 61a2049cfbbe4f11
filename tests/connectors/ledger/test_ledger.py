"""The ledger's promises, on SQLite and on PostgreSQL: one step or none, one writer, nothing forgotten."""

import stat
from pathlib import Path

import msgspec
import pytest
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError

from genesis.connectors.ledger import (
    Ledger,
    LedgerConflict,
    LedgerError,
    LedgerFull,
    NoLedger,
    Outgoing,
    Saved,
    outbox,
)
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import Decision, ParentOrder, PositionStatus
from tests.connectors.ledger.lab import ACCOUNT, KEY, decided, end, entries, step


def raw(url: str) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(url)


def record(topic: str, name: str, body: bytes = b"{}") -> Outgoing:
    return Outgoing(topic=topic, id=name, body=body)


def test_what_was_committed_is_loaded_by_the_next_process(ledger: Ledger, url: str) -> None:
    assert ledger.load(ACCOUNT) is None
    head = Head()
    for _ in range(5):
        head = step(ledger, head, audit=2)
    with Ledger.open(url, audit_key=KEY) as other:
        assert other.load(ACCOUNT) == Saved(snapshot=b"state 10", position="at 10", head=head)
        assert other.audit_entries(ACCOUNT) == entries(Head(), 10)
        assert other.audit_entries(ACCOUNT, after=8, limit=1) == entries(Head(), 10)[8:9]
        assert other.accounts() == [ACCOUNT]


def test_accounts_do_not_meet(ledger: Ledger) -> None:
    first = step(ledger, Head(), record("decisions", "a"))
    second = step(ledger, Head(), record("decisions", "b"), account_id="second")
    step(ledger, first)
    saved = ledger.load("second")
    assert saved is not None
    assert saved.head == second
    assert [each.account_id for each in ledger.unsent()] == [ACCOUNT, "second"]


def test_a_step_over_another_state_than_the_stored_one_is_refused(ledger: Ledger, url: str) -> None:
    head = step(ledger, Head())
    with Ledger.open(url, audit_key=KEY) as other:
        other.load(ACCOUNT)
        step(ledger, head, record("decisions", "kept"))
        with pytest.raises(LedgerConflict, match="only one may write"):
            step(other, head, record("decisions", "lost"))
    assert [each.id for each in ledger.unsent()] == ["kept"]


def test_a_second_writer_is_noticed_even_when_no_audit_entry_was_written(ledger: Ledger, url: str) -> None:
    head = step(ledger, Head())
    with Ledger.open(url, audit_key=KEY) as other:
        other.load(ACCOUNT)
        step(ledger, head, audit=0)
        with pytest.raises(LedgerConflict):
            step(other, head, audit=0)


def test_two_writers_cannot_both_begin_an_account(ledger: Ledger, url: str) -> None:
    with Ledger.open(url, audit_key=KEY) as other:
        assert other.load(ACCOUNT) is None
        step(ledger, Head())
        with pytest.raises(LedgerConflict):
            step(other, Head())


def test_a_step_whose_audit_entries_do_not_follow_is_a_defect_that_writes_nothing(ledger: Ledger) -> None:
    head = step(ledger, Head())
    audit = entries(head, 3)
    saved = Saved(snapshot=b"", position="", head=end(head, audit))
    for wrong in (audit[1:], audit[:2], [audit[1], audit[0], audit[2]], []):
        with pytest.raises(ValueError, match="audit entry"):
            ledger.commit(ACCOUNT, before=head, saved=saved, audit=wrong, outbox=[])
    assert ledger.audit_entries(ACCOUNT) == entries(Head(), 1)


def test_a_step_that_fails_half_way_leaves_nothing(ledger: Ledger) -> None:
    head = step(ledger, Head(), record("decisions", "first"))
    with pytest.raises(msgspec.DecodeError):
        step(ledger, head, record("decisions", "second"), record("decisions", "third", b"{not json"))
    assert [each.id for each in ledger.unsent()] == ["first"]
    assert ledger.audit_entries(ACCOUNT) == entries(Head(), 1)
    step(ledger, head)


def test_the_outbox_keeps_its_order_and_forgets_what_was_sent(ledger: Ledger) -> None:
    head = step(ledger, Head(), *(record("decisions", f"d{n}") for n in range(5)))
    step(ledger, head, *(record("audit", f"a{n}", f'{{"n":{n}}}'.encode()) for n in range(3)))
    waiting = ledger.unsent(6)
    assert [each.id for each in waiting] == ["d0", "d1", "d2", "d3", "d4", "a0"]
    assert waiting[5].topic == "audit"
    assert waiting[5].body == b'{"n":0}'
    ledger.mark_sent([each.number for each in waiting])
    ledger.mark_sent([waiting[0].number, 10**9])
    ledger.mark_sent([])
    assert [each.id for each in ledger.unsent()] == ["a1", "a2"]
    assert ledger.send_again() == 6
    assert len(ledger.unsent()) == 8


def test_sent_rows_go_in_the_end_and_needed_child_orders_stay(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SENT_ROWS_KEPT", 10)
    monkeypatch.setattr(outbox, "PRUNE_ROWS", 1)
    head, waiting = decided(ledger, Head(), 1)
    head, done = decided(ledger, head, 2)
    head, working = decided(ledger, head, 3)
    token = ledger.take_fence(ACCOUNT)
    for order in (done, working):
        ledger.record_order(token, order)
    ledger.record_outcome(token, done.client_order_id, "filled", 7, "0.001")
    for n in range(30):
        head = step(ledger, head, record("decisions", f"d{n}"))
    ledger.mark_sent([each.number for each in ledger.unsent()])
    assert ledger.send_again() == 12
    assert [each.id for each in ledger.unsent()][:3] == [waiting.id, working.id, "d20"]


def test_the_newest_record_of_each_position_parent_order_and_refusal_is_kept(ledger: Ledger) -> None:
    def position(symbol: str, n: int) -> Outgoing:
        status = PositionStatus(
            id=f"{symbol}-{n}",
            event_ns=n,
            account_id=ACCOUNT,
            symbol=symbol,
            qty=str(n),
            average_cost="1",
            realised="0",
            mark_price="",
            unrealised="",
            stop_price="",
        )
        return Outgoing(topic="positions", id=status.id, body=msgspec.json.encode(status))

    def decision(n: int, *, accepted: bool) -> Outgoing:
        made = Decision(
            id=f"d{n}",
            event_ns=n,
            account_id=ACCOUNT,
            cause="c",
            subject="place_order",
            accepted=accepted,
            code="X",
            sentence="",
            figures={},
        )
        return Outgoing(topic="decisions", id=made.id, body=msgspec.json.encode(made))

    head = step(ledger, Head(), position("BTC", 1), position("ETH", 2), position("BTC", 3))
    head = step(ledger, head, position("ETH", 4), decision(5, accepted=False), decision(6, accepted=True))
    step(ledger, head, decision(7, accepted=False), decision(8, accepted=True))
    found = [msgspec.json.decode(each, type=PositionStatus) for each in ledger.latest(ACCOUNT, "positions")]
    assert [(each.symbol, each.qty) for each in found] == [("BTC", "3"), ("ETH", "4")]
    (refusal,) = ledger.latest(ACCOUNT, "decisions")
    assert msgspec.json.decode(refusal, type=Decision).id == "d7"
    assert ledger.latest("nobody", "positions") == []


def test_ended_parent_orders_are_forgotten_and_working_ones_are_not(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ENDED_KEPT", 3)
    monkeypatch.setattr(outbox, "PRUNE_ROWS", 1)

    def parent(n: int, status: str) -> Outgoing:
        order = ParentOrder(
            id=f"p{n}-{status}",
            event_ns=n,
            account_id=ACCOUNT,
            parent_id=f"p{n}",
            symbol="BTC",
            side="buy",
            algorithm="one",
            status=status,
            reason="",
            qty="1",
            filled_qty="0",
            average_price="",
            children=0,
            strategy="",
            figures={},
        )
        return Outgoing(topic="parent_orders", id=order.id, body=msgspec.json.encode(order))

    step(ledger, Head(), parent(0, "working"), *(parent(n, "ended") for n in range(1, 9)))
    ledger.mark_sent([each.number for each in ledger.unsent()])
    found = [msgspec.json.decode(each, type=ParentOrder) for each in ledger.latest(ACCOUNT, "parent_orders")]
    assert [each.parent_id for each in found] == ["p0", "p6", "p7", "p8"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET body = '{}'",
        "DELETE FROM audit",
        "UPDATE orders SET body = 'x'",
        "UPDATE orders SET client_order_id = 'x'",
        "DELETE FROM orders",
        "DELETE FROM refused_permits",
        "DELETE FROM fences",
    ],
)
def test_the_database_itself_refuses_to_change_what_is_kept(ledger: Ledger, url: str, statement: str) -> None:
    _, order = decided(ledger, Head(), 1)
    token = ledger.take_fence(ACCOUNT)
    ledger.record_order(token, order)
    ledger.refused_permit(ACCOUNT, "x", "BAD_PERMIT", "forged")
    engine = raw(url)
    with engine.connect() as connection, pytest.raises(DatabaseError, match="never changed or removed"):
        connection.execute(sqlalchemy.text(statement))
    if engine.dialect.name == "postgresql":
        table = statement.split()[2 if statement.startswith("DELETE") else 1]
        with engine.connect() as connection, pytest.raises(DatabaseError, match="never changed or removed"):
            connection.execute(sqlalchemy.text(f"TRUNCATE {table}"))
    engine.dispose()


def test_a_ledger_of_a_newer_release_is_not_touched(ledger: Ledger, url: str) -> None:
    engine = raw(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LedgerError, match="written by a newer GENESIS"):
        Ledger.open(url, audit_key=KEY)


def test_a_reader_makes_no_ledger(url: str) -> None:
    with pytest.raises(NoLedger, match="genesis up"):
        Ledger.open(url, create=False)


def test_without_the_audit_key_nothing_is_loaded_or_committed(url: str) -> None:
    with Ledger.open(url) as ledger:
        with pytest.raises(LedgerError, match="without the audit key"):
            ledger.load(ACCOUNT)
        with pytest.raises(LedgerError, match="without the audit key"):
            step(ledger, Head())


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("mysql://root:s3cret@host/x", "SQLite or PostgreSQL"),
        ("nonsense s3cret", "cannot be read"),
        ("sqlite:///", "must be in a file"),
        ("sqlite:///:memory:", "must be in a file"),
        ("postgresql://genesis:s3cret@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_a_bad_address_is_explained_without_its_password(address: str, sentence: str) -> None:
    with pytest.raises(LedgerError, match=sentence) as caught:
        Ledger.open(address, audit_key=KEY)
    assert "s3cret" not in str(caught.value)


def test_the_file_belongs_to_its_owner_alone_whatever_its_folder_is_called(tmp_path: Path) -> None:
    path = tmp_path / "what? 100% & more" / "ledger.db"
    with Ledger.open(f"sqlite:///{path}", audit_key=KEY) as ledger:
        step(ledger, Head())
        files = sorted(path.parent.iterdir())
        assert [each.name for each in files] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
        assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_full_disk_gives_a_sentence_and_the_ledger_goes_on_when_there_is_room(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, audit_key=KEY) as ledger:
        head = step(ledger, Head(), record("decisions", "first"))
        engine = ledger._database._engine
        engine.dispose()
        limit = 0

        @event.listens_for(engine, "connect")
        def set_limit(connection: object, _record: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {limit}")  # type: ignore[attr-defined]

        limit = 1  # SQLite takes it for the present size
        with pytest.raises(LedgerFull, match="Free some space"):
            step(ledger, head, record("decisions", "lost", b'{"x":"' + b"x" * 2_000_000 + b'"}'))
        engine.dispose()
        limit = 1_000_000
        step(ledger, head, record("decisions", "second"))
        assert [each.id for each in ledger.unsent()] == ["first", "second"]


def test_a_file_that_is_no_database_gives_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database at all" * 1_000)
    with pytest.raises(LedgerError, match="newest backup"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db", audit_key=KEY)
