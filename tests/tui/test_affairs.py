"""What is known of an account is a pure fold: any batching, any repeat, and any late start end the same."""

import dataclasses
import functools
import itertools
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.connectors.ledger import Ledger, Outgoing, Saved
from genesis.operators import topics
from genesis.operators.account import risk, state
from genesis.operators.account.audit import Head
from genesis.operators.account.events import Flatten, PlaceOrder, WriteJournal
from genesis.operators.account.outcomes import AuditEntry, Decision
from genesis.operators.account.tier_gates import Facts, Tier
from genesis.operators.account.tiers import Standing, standing_after
from genesis.operators.topics import Topic
from genesis.tui import accounting, affairs, bookkeeping, notices
from genesis.tui.affairs import NOTHING, Affairs, Mood, merge, of_record, of_records
from genesis.tui.batch import Batch, Gatherer
from genesis.tui.model import Model, apply
from genesis.tui.views import panels
from tests.operators.account.lab import KEYS, START_NS, Lab, Venue
from tests.tui import ledgered
from tests.tui.rehearsal import Said, recorded

NS = 10**9


def as_told(known: Affairs) -> dict[str, Any]:
    return {field.name: getattr(known, field.name) for field in dataclasses.fields(known)}


STATUSES = ("working", "paused", "ending", "ended")


def record(kind: int, name: int, at_s: int, far: int) -> Any:
    """Return a record; an order's status only goes forward with its time, as that of a real one."""
    at_ns, id_ = at_s * NS, f"{kind}-{name}-{at_s}"
    match kind:
        case 0:
            return ledgered.status(Tier.HUNTER, event_ns=at_ns, id=id_, pnl_day=float(far))
        case 1:
            told = ledgered.position(Tier.HUNTER, list(ledgered.HELD)[name])
            return msgspec.structs.replace(told, event_ns=at_ns, id=id_)
        case 2:
            status = STATUSES[min(at_s // 25, 3)]
            changes = {"event_ns": at_ns, "id": id_, "parent_id": f"p{name}", "status": status}
            return ledgered.parent(Tier.HUNTER, **changes)
        case 3:
            return ledgered.fill(name * 1000 + at_s, "BTCUSDT", "buy", -float(at_s))
        case 4:
            subject = ("mode", "tier", "write_journal", "place_order")[name]
            told_ = ledgered.decision(0, subject, f"sentence {far}", 0.0)
            return msgspec.structs.replace(told_, event_ns=at_ns, id=id_)
    return Mood(event_ns=at_ns, level=name)


kinds = st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 99), st.integers(0, 9))
stories = st.lists(kinds, max_size=40, unique_by=lambda each: each[:3]).map(
    lambda found: [record(*each) for each in sorted(found, key=lambda each: each[2])]
)


@given(stories, st.lists(st.integers(0, 1000), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_batching_ends_in_the_same_affairs(story: list[Any], cuts: list[int]) -> None:
    edges = [0, *sorted(cut % (len(story) + 1) for cut in cuts), len(story)]
    batches = [of_records(story[a:b]) for a, b in itertools.pairwise(edges)]
    one_by_one = of_records(story)
    assert as_told(functools.reduce(merge, batches, NOTHING)) == as_told(one_by_one)
    backwards = functools.reduce(lambda later, earlier: merge(earlier, later), reversed(batches), NOTHING)
    assert as_told(backwards) == as_told(one_by_one)


@given(stories, st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_what_is_read_back_changes_nothing_that_is_known(story: list[Any], at: int) -> None:
    whole, back = of_records(story), of_records(story[:at])
    assert as_told(merge(whole, back)) == as_told(whole) == as_told(merge(back, whole))


def test_merging_leaves_both_sides_as_they_were() -> None:
    first, then = ledgered.account(Tier.HUNTER), of_record(ledgered.status(Tier.HUNTER, mode="halted"))
    before = repr(first), repr(then)
    merge(first, then)
    assert (repr(first), repr(then)) == before


def test_memories_of_an_account_are_bounded() -> None:
    many = [ledgered.fill(i, "BTCUSDT", "buy", -i) for i in range(affairs.FILLS_MAX + 50)]
    many_orders = [
        ledgered.parent(Tier.HUNTER, parent_id=f"p{i}", id=f"p{i}/1", event_ns=i, status="ended")
        for i in range(200)
    ]
    open_ = ledgered.parent(Tier.HUNTER, parent_id="old", id="old/1", event_ns=0)
    moods = [Mood(event_ns=i * affairs.MINUTE_NS, level=0) for i in range(affairs.MOODS_MAX + 9)]
    known = of_records([open_, *many, *many_orders, *moods])
    assert known.fills == tuple(many[-affairs.FILLS_MAX :])
    assert len(known.orders) == affairs.ORDERS_ENDED_MAX + 1
    assert "old" in known.orders, "what is at work is not forgotten, however old its last word"
    assert len(known.moods) == affairs.MOODS_MAX


def gathered(*messages: Said, account_id: str = "main") -> Batch:
    return Gatherer(account_id).gather(messages, 7 * NS)


def test_messages_of_the_account_are_folded_and_those_of_others_left_out() -> None:
    status = ledgered.status(Tier.SNIPER)
    other = ledgered.status(Tier.ARCHITECT, account_id="other")
    batch = gathered(recorded(topics.ACCOUNT, status), recorded(topics.ACCOUNT, other))
    assert batch.affairs.status == status
    assert batch.heard_ns["account status"] == 7 * NS
    assert apply(Model(), batch).affairs.status == status
    assert gathered(recorded(topics.ACCOUNT, other)).affairs is NOTHING


def test_a_broken_record_is_counted_and_disturbs_nothing() -> None:
    good = recorded(topics.DECISIONS, ledgered.decision(1, "mode", "The mode is active.", 0))
    batch = gathered(good._replace(value=b'{"id":5}'), good)
    assert (batch.unreadable, len(batch.affairs.decisions)) == (1, 1)


class Told(msgspec.Struct):
    """A word on the trader's state as another part of the program may write it."""

    id: str
    event_ns: int
    account_id: str
    level: int
    score: float
    signs: list[dict[str, str] | str]
    locked_until_ns: int = 0


def test_a_word_on_the_traders_state_is_read_by_what_it_has_in_common() -> None:
    topic = Topic("tilt", Told, "The trader's state.", False, 0)
    signs: list[dict[str, str] | str] = [{"sentence": "Orders are faster."}, {"title": "Size"}, "Typing"]
    told = Told("t1", 5 * NS, "main", 3, 7.5, signs, locked_until_ns=9 * NS)
    mood = gathered(recorded(topic, told)).affairs.mood
    assert mood == Mood(
        event_ns=5 * NS, level=3, signs=("Orders are faster.", "Size", "Typing"), until_ns=9 * NS
    )
    assert accounting.level_of(of_record(mood)) == 3
    absurd = msgspec.structs.replace(told, level=99)
    assert gathered(recorded(topic, absurd)).affairs.mood.level == 3  # type: ignore[union-attr]


def test_a_new_replay_of_the_market_leaves_the_account_as_it_is() -> None:
    model = apply(Model(), gathered(recorded(topics.ACCOUNT, ledgered.status(Tier.SNIPER))))
    assert apply(model, Batch(forget=True)).affairs == model.affairs


# A real fold and a real ledger.


def trading_day(lab: Lab) -> None:
    """Have the account of a laboratory buy, be refused, write, and sell a part."""
    venue = Venue(3, whole=True)
    lab.ask(PlaceOrder(symbol="BTCUSDT", side="buy", notional="20"))
    lab.fill(venue)
    lab.ask(PlaceOrder(symbol="ETHUSDT", side="buy", notional="500"))
    lab.ask(WriteJournal(text="A calm day, and a small one."))
    lab.tick(2.0)
    lab.ask(Flatten(symbol="BTCUSDT"))
    lab.tick()
    lab.fill(venue)
    lab.tick(2.0)


def kept(lab: Lab, folder: Path) -> Ledger:
    """Return a ledger that holds what came of a laboratory's log."""
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}", audit_key=KEYS.audit)
    audit = [each.record for each in lab.outcomes if isinstance(each.record, AuditEntry)]
    outbox = [
        Outgoing(topic=topic, id=told.id, body=msgspec.json.encode(told), account_id="main")  # type: ignore[attr-defined]
        for topic, told in lab.outcomes
    ]
    saved = Saved(snapshot=state.encoded(lab.account), position="", head=lab.account.head)
    ledger.commit("main", before=Head(), saved=saved, audit=audit, outbox=outbox)
    return ledger


def heard(lab: Lab) -> Affairs:
    """Return what a dashboard knows that heard everything."""
    told = [
        recorded(topics.BY_NAME[topic], found) for topic, found in lab.outcomes if topic in affairs.TOPICS
    ]
    return gathered(*told).affairs


def test_who_attaches_late_knows_what_who_was_there_knows(tmp_path: Path) -> None:
    lab = Lab()
    trading_day(lab)
    with kept(lab, tmp_path) as ledger:
        back, there = bookkeeping.read(ledger, "main"), heard(lab)
        assert bookkeeping.read(ledger, "nobody") is NOTHING
    assert back.books is not None
    assert as_told(back) | {"books": None} == as_told(there)
    assert len(back.fills) >= 2
    assert back.writings[-1].figures["words"] == 7
    assert {each.accepted for each in back.decisions} == {True, False}


def test_the_books_have_days_and_gates_of_the_accounts_state(tmp_path: Path) -> None:
    lab = Lab()
    trading_day(lab)
    books = bookkeeping.books_of(state.encoded(lab.account))
    assert (books.tier, books.entered_ns) == (Tier.SNIPER, START_NS)
    assert [gate.code for gate in books.gates][:2] == ["CAPITAL", "DAYS_IN_TIER"]
    assert books.today.trades == len(heard(lab).fills)
    assert books.today.pnl == lab.account.performance.today.end - lab.account.performance.today.start
    assert set(books.pairs) == {"BTCUSDT"}


def test_a_ledger_that_is_not_there_leaves_what_the_topics_say(tmp_path: Path) -> None:
    from genesis.connectors import settings as settings_of

    assert bookkeeping.reader(settings_of.read(data=tmp_path))() is NOTHING


def test_a_snapshot_of_another_version_is_nothing_to_show() -> None:
    with pytest.raises(msgspec.MsgspecError):
        bookkeeping.books_of(b"\x81\xa1x\x01")


# What the screens say of it.


def test_the_limits_shown_are_those_that_are_checked() -> None:
    assert (accounting.TOGETHER, accounting.TOGETHER_SHARE_MAX) == (risk.TOGETHER, risk.TOGETHER_SHARE_MAX)


def test_a_change_of_tier_downwards_protects_and_upwards_does_not() -> None:
    from decimal import Decimal

    begun = Standing(tier=Tier.HUNTER, entered_ns=START_NS)
    _, (down, *_rest) = standing_after(begun, Facts(equity=Decimal(3_000), loss_day=0.2), START_NS + 1)
    _, (again, *_rest) = standing_after(
        Standing(entered_ns=START_NS), Facts(equity=Decimal(600), loss_day=0.2), START_NS + 1
    )
    _, (first,) = standing_after(Standing(), Facts(equity=Decimal(600)), START_NS)
    kinds = []
    for change in (down, again, first):
        sentence = f"{change.sentence[:1].upper()}{change.sentence[1:].rstrip('.')}."
        kinds.append(notices.kind_of(ledgered.decision(1, "tier", sentence, 0, figures=change.figures)))
    assert kinds == [notices.Kind.PROTECTION, notices.Kind.PROTECTION, notices.Kind.INFORMATION]


def mode_decision(**figures: float) -> Decision:
    return ledgered.decision(5, "mode", "The account rests now.", 1.0, figures=figures)


def test_protection_ends_when_it_is_over_or_seen() -> None:
    resting = ledgered.status(Tier.SNIPER, mode="halted")
    known = of_records([resting, mode_decision(drawdown=0.152, drawdown_max=0.15)])
    found = notices.protection(known, (0, ""))
    assert found is not None
    assert notices.protection(known, notices.moment_of(found)) is None
    active = merge(known, of_record(ledgered.status(Tier.SNIPER, event_ns=ledgered.NOW_NS + NS)))
    assert notices.protection(active, (0, "")) is None


def test_results_by_hour_and_state_of_mind_leave_out_what_is_not_known() -> None:
    known = ledgered.account(Tier.HUNTER)
    hours = accounting.by_hour(known.fills)
    sold = [fill for fill in known.fills if fill.side == "sell"]
    assert sum(each.trades for each in hours) == len(sold)
    assert math.isclose(sum(each.realised for each in hours), sum(float(f.realised) for f in sold))
    assert accounting.by_mood(known) == []
    watched = merge(known, of_record(Mood(event_ns=sold[3].event_ns, level=2)))
    assert [each.trades for each in accounting.by_mood(watched)] == [0, 0, 1, 0]


def test_the_calendar_ends_today_and_tells_idle_days_from_even_ones() -> None:
    books = ledgered.books(Tier.SNIPER)
    weeks = accounting.calendar(books, 4)
    cells = [each for week in weeks for each in week if each is not None]
    assert len(weeks) == 4
    assert {len(week) for week in weeks} == {7}
    assert cells[-1].day == books.today.day
    assert accounting.weekday(cells[0].day) == 0
    assert sum(math.isnan(each.pnl) for each in cells) == len(cells) - sum(bool(e.trades) for e in cells)


@given(st.lists(st.tuples(st.floats(1.0, 1e4), st.floats(-1.0, 1.0)), min_size=2, max_size=5))
@settings(max_examples=60, deadline=None)
def test_what_moves_together_is_a_share_and_never_less_than_the_largest_position(
    sizes: list[tuple[float, float]],
) -> None:
    held = [
        accounting.Holding(f"S{i}", 1.0, size, size, 0.0, math.nan, None) for i, (size, _) in enumerate(sizes)
    ]
    known = {f"S{i}|S{j}": sizes[i][1] for i in range(len(sizes)) for j in range(i + 1, len(sizes))}
    share = accounting.together(held, known)
    total = sum(each.worth for each in held)
    assert max(each.worth for each in held) / total <= share * (1 + 1e-9)
    assert share <= 1.0 + 1e-9
    assert accounting.together(held, {}) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("stop", "is_watched", "words"),
    [(math.nan, False, "no stop"), (9.5, False, "stop 9.5"), (9.5, True, "watched 9.5")],
)
def test_a_stop_that_does_not_rest_at_the_venue_is_shown_as_watched(
    stop: float, is_watched: bool, words: str
) -> None:
    one = accounting.Holding("A", 1.0, 10.0, 10.0, 0.0, stop, None, is_watched)
    assert panels.stop_words(one).strip().startswith(words)
