"""kill -9 at every moment: after it the ledger has a step whole or not at all, and goes on."""

import itertools
import multiprocessing
import random
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from genesis.connectors.ledger import Ledger, LedgerError, LedgerUnreachable
from genesis.connectors.ledger.anchor import Anchor
from genesis.operators.account.audit import Head
from tests.connectors.ledger import doomed
from tests.connectors.ledger.lab import ACCOUNT, KEY, entries, step
from tests.postgres_server import Postgres

TIMEOUT_S = 30.0
MOMENTS_MAX = 120  # a step with its order has fewer

# A server forks the processes that are killed: it has the modules loaded, and no threads of ours.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.connectors.ledger.doomed"])


def run(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    process = processes.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def whole(url: str, anchor: Path) -> int:
    """Check that all steps up to some number are in the ledger whole, and nothing else; return the number."""
    with Ledger.open(url, audit_key=KEY, anchor=anchor) as ledger:
        ledger.send_again()
        saved = ledger.load(ACCOUNT)
        sent = ledger.unsent(100_000)
        number = saved.head.number if saved is not None else 0
        audit = ledger.audit_entries(ACCOUNT, limit=100_000)
        assert audit == entries(Head(), number)
        assert saved is None or saved.snapshot == f"state {number}".encode()
        expected = [name for n in range(1, number + 1) for name in (f"position-{n}", f"child-{n}")]
        assert [each.id for each in sent] == expected
        newest = [msgspec.json.decode(each)["event_ns"] for each in ledger.latest(ACCOUNT, "positions")]
        assert newest == ([number] if number else [])
        assert ledger.audit_report(ACCOUNT).faults == [] or not number
        recorded = {each.order.client_order_id for each in ledger.recorded_orders(ACCOUNT, 100_000)}
        pending = {each.client_order_id for each in ledger.pending_children(ACCOUNT)}
        assert recorded.isdisjoint(pending)
        assert recorded | pending == {f"g-{n}" for n in range(1, number + 1)}
        anchored = Anchor(anchor, KEY).newest(ACCOUNT)
        assert (anchored.number if anchored is not None else 0) == number, "loading made it good"
        return number


@pytest.mark.timeout(180)
def test_a_process_killed_at_any_statement_leaves_a_step_whole_or_not_at_all(
    url: str, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchors"
    Ledger.open(url, audit_key=KEY).close()
    found = []
    for deadly in range(MOMENTS_MAX):
        process = run(doomed.step_and_record, url, anchor, deadly)
        process.join(TIMEOUT_S)
        found.append(whole(url, anchor))
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    else:
        pytest.fail(f"more than {MOMENTS_MAX} moments")
    assert found == sorted(found)
    assert found[0] == 0, "killed before anything was written"
    kept = [after - before for before, after in itertools.pairwise(found)]
    assert set(kept) == {0, 1}
    assert len(found) > 20


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(6))
def test_a_process_killed_at_a_random_moment_has_kept_all_that_it_told(
    sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    told_before = 0
    for _ in range(3):
        receiver, sender = processes.Pipe(duplex=False)
        process = run(doomed.write_for_ever, sqlite_url, tmp_path / "anchors", sender)
        sender.close()
        told = told_before
        for _ in range(chance.randint(1, 40)):
            assert receiver.poll(TIMEOUT_S)
            told = receiver.recv()
        for _ in range(chance.randint(0, 3_000)):  # somewhere inside of a later step
            pass
        process.kill()
        process.join(TIMEOUT_S)
        while receiver.poll(0):
            try:
                told = receiver.recv()
            except EOFError:
                break
        assert whole(sqlite_url, tmp_path / "anchors") >= told
        told_before = told


@pytest.mark.timeout(120)
def test_two_writers_in_two_processes_write_one_chain(url: str, tmp_path: Path) -> None:
    Ledger.open(url, audit_key=KEY).close()
    writers = [run(doomed.write_against_others, url, tmp_path / "anchors", 20) for _ in range(2)]
    for writer in writers:
        writer.join(TIMEOUT_S)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert whole(url, tmp_path / "anchors") == 40


@pytest.mark.timeout(120)
def test_processes_that_open_a_new_ledger_at_once_all_find_it_ready(url: str, tmp_path: Path) -> None:
    writers = [run(doomed.write_against_others, url, tmp_path / "anchors", 3) for _ in range(4)]
    for writer in writers:
        writer.join(TIMEOUT_S)
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert whole(url, tmp_path / "anchors") == 12


def test_a_database_that_goes_away_is_told_and_found_again(postgres: Postgres) -> None:
    url = postgres.new_database()
    with Ledger.open(url, audit_key=KEY) as ledger:
        head = step(ledger, Head())
        postgres.stop()
        try:
            with pytest.raises(LedgerUnreachable, match="is the database running"):
                step(ledger, head)
            with pytest.raises(LedgerError):
                ledger.load(ACCOUNT)
        finally:
            postgres.start()
        head = step(ledger, head)
        saved = ledger.load(ACCOUNT)
        assert saved is not None
        assert saved.head == head
