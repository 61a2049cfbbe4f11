"""The audit chain: whatever is done to the stored rows, to the file or to the anchor is found and told."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from genesis.connectors.ledger import Ledger, LedgerTampered, chain
from genesis.connectors.ledger.anchor import Anchor
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import AuditEntry
from tests.connectors.ledger.lab import ACCOUNT, KEY, entries, outgoing, step

ENTRIES = 20


class Place(NamedTuple):
    """A ledger of ENTRIES entries, one each step, that nobody has open."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def anchor(self) -> Path:
        return self.folder / "anchors"

    def open(self) -> Ledger:
        return Ledger.open(f"sqlite:///{self.file}", audit_key=KEY, anchor=self.anchor)

    def edit(self, *statements: str) -> None:
        """Change rows as somebody would who has the file and `sqlite3`; triggers do not stop him."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            for name in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                connection.execute(f"DROP TRIGGER {name[0]}")
            for statement in statements:
                assert connection.execute(statement).rowcount, f"{statement!r} changed nothing"

    def faults(self) -> list[str]:
        with self.open() as ledger:
            return ledger.audit_report(ACCOUNT).faults


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    with made.open() as ledger:
        head = Head()
        for _ in range(ENTRIES):
            head = step(ledger, head)
    return made


def rewritten(place: Place) -> None:
    """Write another, well-formed chain with the key itself, in the place of the old one."""
    head, rows = Head(), []
    for entry in entries(Head(), ENTRIES):
        body = entry.body.replace("1", "7")
        made = chain.chained(KEY, head, ACCOUNT, entry.event_ns, (entry.subject, body))
        rows.append((made.id, made.previous, made.body, made.number))
        head = Head(made.id, made.number)
    place.edit(
        *(f"UPDATE audit SET id='{i}', previous='{p}', body='{b}' WHERE number={n}" for i, p, b, n in rows)
    )
    place.edit(f"UPDATE accounts SET head_hash = '{head.hash}'")


def older_copy(place: Place) -> None:
    with place.open() as ledger:
        saved = ledger.load(ACCOUNT)
        assert saved is not None
    copy = place.folder / "copy.db"
    shutil.copy(place.file, copy)
    with place.open() as ledger:
        step(ledger, saved.head)
    shutil.copy(copy, place.file)


CUT = "DELETE FROM audit WHERE number > 15"
ATTACKS: dict[str, tuple[Callable[[Place], None], str]] = {
    "body edited": (
        lambda place: place.edit("UPDATE audit SET body = '{\"n\":99}' WHERE number = 7"),
        "entry 7 was changed",
    ),
    "time edited": (
        lambda place: place.edit("UPDATE audit SET event_ns = 1 WHERE number = 3"),
        "entry 3 was",
    ),
    "subject edited": (
        lambda place: place.edit("UPDATE audit SET subject = 'fill' WHERE number = 20"),
        "entry 20 was changed",
    ),
    "hash edited": (
        lambda place: place.edit("UPDATE audit SET id = 'f' WHERE number = 9"),
        "entry 9 was changed.*|entry 10 does not follow",
    ),
    "first removed": (lambda place: place.edit("DELETE FROM audit WHERE number = 1"), "entry 1 is missing"),
    "one removed": (lambda place: place.edit("DELETE FROM audit WHERE number = 11"), "entry 11 is missing"),
    "newest removed": (lambda place: place.edit(CUT), "anchor saw entry 16.*ends with entry 15"),
    "newest removed and the account put back to them": (
        lambda place: place.edit(
            CUT,
            "UPDATE accounts SET head_number = 15, head_hash = (SELECT id FROM audit WHERE number = 15)",
        ),
        "anchor saw entry 16.*older copy",
    ),
    "all removed": (lambda place: place.edit("DELETE FROM audit"), "anchor saw entry 1, .* entry 0"),
    "two swapped": (
        lambda place: place.edit(
            "UPDATE audit SET number = 99 WHERE number = 4",
            "UPDATE audit SET number = 4 WHERE number = 5",
            "UPDATE audit SET number = 5 WHERE number = 99",
        ),
        "entry 4 does not follow",
    ),
    "one put in": (
        lambda place: place.edit(
            "INSERT INTO audit SELECT account_id, 21, 'x', event_ns, id, subject, body"
            " FROM audit WHERE number = 20"
        ),
        "entry 21 was changed",
    ),
    "one moved to another account": (
        lambda place: place.edit("UPDATE audit SET account_id = 'second' WHERE number = 20"),
        "anchor saw entry 20",
    ),
    "account moved back": (
        lambda place: place.edit("UPDATE accounts SET head_number = 19"),
        "stands at audit entry 19.*ends with entry 20",
    ),
    "a number made a text": (
        lambda place: place.edit("UPDATE audit SET number = 'ten' WHERE number = 10"),
        "entry 10 is missing|nobody wrote so",
    ),
    "a time made a text": (
        lambda place: place.edit("UPDATE audit SET event_ns = 'noon' WHERE number = 10"),
        "nobody wrote so",
    ),
    "a body made bytes": (
        lambda place: place.edit("UPDATE audit SET body = x'ff' WHERE number = 10"),
        "nobody wrote so",
    ),
    "account removed": (lambda place: place.edit("DELETE FROM accounts"), "the account itself is missing"),
    "state edited": (
        lambda place: place.edit("UPDATE snapshots SET snapshot = 'tier: architect'"),
        "its state was changed",
    ),
    "position edited": (
        lambda place: place.edit("UPDATE snapshots SET position = 'at 1'"),
        "state was changed",
    ),
    "state removed": (lambda place: place.edit("DELETE FROM snapshots"), "newest state is missing"),
    "state before put in its place": (
        lambda place: place.edit(
            "UPDATE snapshots SET (saves, head_hash, head_number, position, snapshot, seal) ="
            " (SELECT saves, head_hash, head_number, position, snapshot, seal FROM snapshots WHERE slot = 1)"
        ),
        "newest state is missing",
    ),
    "chain written anew with the key": (rewritten, "not the one that the anchor saw"),
    "older copy of the file": (older_copy, "anchor saw entry 21.*older copy"),
    "new empty ledger": (
        lambda place: [each.unlink() for each in place.folder.glob("ledger.db*")] and None,
        "anchor saw entry 1, ",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_is_found_and_the_account_is_not_opened(place: Place, attack: str) -> None:
    assert place.faults() == []
    change, sentence = ATTACKS[attack]
    change(place)
    found = place.faults()
    assert any(re.search(sentence, fault) for fault in found), found
    with place.open() as ledger, pytest.raises(LedgerTampered, match="Nothing is sent"):
        if ledger.load(ACCOUNT) is None:
            raise AssertionError("an emptied ledger passes for a new one")


def test_an_anchor_that_was_removed_is_told(place: Place) -> None:
    (place.anchor / "anchors.jsonl").unlink()
    assert any("no anchor of it" in fault for fault in place.faults())


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [*lines[:5], lines[5].replace(b'"number":6', b'"number":5'), *lines[6:]],
        lambda lines: [*lines[:5], b"{half a line", *lines[6:]],
        lambda lines: [*lines, lines[-1].replace(b"20", b"99")],
    ],
    ids=["edited", "damaged", "forged"],
)
def test_a_line_of_the_anchor_that_is_not_ours_is_told(
    place: Place, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    path = place.anchor / "anchors.jsonl"
    path.write_bytes(b"\n".join(change(path.read_bytes().splitlines())) + b"\n")
    assert [fault for fault in place.faults() if "1 lines" in fault]
    with place.open() as ledger:
        assert ledger.load(ACCOUNT) is not None, "the good lines still speak for the ledger"


def test_another_key_proves_nothing(place: Place) -> None:
    with Ledger.open(f"sqlite:///{place.file}", audit_key=b"o" * 32) as ledger:
        assert len(ledger.audit_report(ACCOUNT).faults) > ENTRIES - 1
        with pytest.raises(LedgerTampered):
            ledger.load(ACCOUNT)


def test_a_crash_between_commit_and_anchor_is_no_fault_and_is_made_good(place: Place) -> None:
    path = place.anchor / "anchors.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert place.faults() == []
    with place.open() as ledger:
        assert ledger.audit_report(ACCOUNT).anchored == ENTRIES - 1
        ledger.load(ACCOUNT)
        assert ledger.audit_report(ACCOUNT).anchored == ENTRIES
        ledger.load(ACCOUNT)
    assert len(path.read_bytes().splitlines()) == ENTRIES


def test_a_backup_that_was_restored_on_purpose_is_opened_once_its_anchor_is_moved_away(place: Place) -> None:
    older_copy(place)
    with place.open() as ledger, pytest.raises(LedgerTampered, match="move the anchor file away"):
        ledger.load(ACCOUNT)
    (place.anchor / "anchors.jsonl").rename(place.folder / "anchors.before")
    with place.open() as ledger:
        saved = ledger.load(ACCOUNT)
        assert saved is not None
        step(ledger, saved.head)
    assert place.faults() == []


def test_a_copy_that_sqlite_made_while_the_ledger_was_written_is_whole(place: Place) -> None:
    copy = Place(place.folder / "backup")
    copy.folder.mkdir()
    with place.open() as ledger:
        saved = ledger.load(ACCOUNT)
        assert saved is not None
        head = step(ledger, saved.head)
        with closing(sqlite3.connect(place.file)) as source, closing(sqlite3.connect(copy.file)) as target:
            source.backup(target)
        step(ledger, head)
    with Ledger.open(f"sqlite:///{copy.file}", audit_key=KEY) as restored:
        assert restored.audit_report(ACCOUNT).faults == []
        saved = restored.load(ACCOUNT)
        assert saved is not None
        assert saved.head == head


def test_an_anchor_that_cannot_be_written_does_not_stop_the_account(place: Place) -> None:
    path = place.anchor / "anchors.jsonl"
    kept = path.read_bytes()
    path.unlink()
    path.mkdir()
    with Ledger.open(f"sqlite:///{place.file}", audit_key=KEY) as plain:
        saved = plain.load(ACCOUNT)
        assert saved is not None
    with place.open() as ledger:
        ledger._seen[ACCOUNT] = plain._seen[ACCOUNT]
        head = step(ledger, saved.head)
        path.rmdir()
        path.write_bytes(kept)
        step(ledger, head)
    assert place.faults() == []
    newest = Anchor(place.anchor, KEY).newest(ACCOUNT)
    assert newest is not None
    assert newest.number == ENTRIES + 2


def test_the_newest_line_of_a_quiet_account_is_found_behind_many_of_a_busy_one(tmp_path: Path) -> None:
    anchor = Anchor(tmp_path, KEY)
    anchor.append("quiet", Head("q" * 64, 3))
    for number in range(1, 400):
        anchor.append("busy", Head("b" * 64, number))
    newest = anchor.newest("quiet"), anchor.newest("busy"), anchor.newest("nobody")
    assert [line and line.number for line in newest] == [3, 399, None]
    assert anchor.accounts() == ["busy", "quiet"]


def test_on_postgresql_the_chain_is_verified_by_the_same_code(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    with Ledger.open(url, audit_key=KEY, anchor=tmp_path) as anchored:
        head = Head()
        for _ in range(3):
            head = step(anchored, head, audit=700)
        report = anchored.audit_report(ACCOUNT)
    assert (report.faults, report.entries, report.anchored, report.head) == ([], 2_100, 2_100, head)
    assert anchored.load(ACCOUNT) is not None


def test_an_audit_entry_leaves_by_the_outbox_as_it_is_stored(ledger: Ledger) -> None:
    (entry,) = entries(Head(), 1)
    step(ledger, Head(), outgoing("audit", entry))
    (sent,) = ledger.unsent()
    assert msgspec.json.decode(sent.body, type=AuditEntry) == ledger.audit_entries(ACCOUNT)[0]
