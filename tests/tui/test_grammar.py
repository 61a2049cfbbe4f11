"""The command language: what is written is read as the same, and what cannot be read is said calmly."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.account.events import (
    AcceptBreak,
    AmendOrder,
    AnswerChecklist,
    CancelOrders,
    Flatten,
    PauseOrder,
    PlaceOrder,
    RequestOverride,
    SetMode,
    SetParameter,
    SetStop,
    TellLifeEvent,
    WriteJournal,
)
from genesis.operators.tilt.interventions import CHECKLIST
from genesis.tui.commands import grammar, values
from genesis.tui.commands.completion import candidates
from genesis.tui.commands.grammar import BY_NAME, TAKEN, VERBS, Kind, Mistake, Said, Slot, Verb, read, write
from genesis.tui.commands.meaning import Ask, AtWork, Known, Meant, Show, fitting, meant
from genesis.tui.commands.values import Amount, Unit

KNOWN = Known(
    pairs=("BTCUSDT", "ETHUSDT", "LINKUSDT", "1000SHIBUSDT"),
    pair="BTCUSDT",
    orders=(AtWork("a1b2", "buy SOL by TWAP", "SOLUSDT"), AtWork("a9c3", "sell ETH", "ETHUSDT")),
    held=("ETHUSDT",),
)
CALM = re.compile(r"!|error|fail|wrong|must|invalid|illegal|bad ", re.IGNORECASE)

NUMBERS = st.decimals("0.00000001", "999999", places=8).map(lambda d: values.number(f"{d:f}")).filter(bool)
NAMES = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=10)
PAIRS = NAMES.map(values.pair).filter(lambda symbol: symbol is not None and len(symbol) <= 20)
PLAIN = st.text(string.ascii_letters + " .,;%$1?", min_size=1, max_size=60).map(str.strip).filter(bool)
SHARES = st.integers(1, 1_000_000)
VALUES: dict[Kind, st.SearchStrategy[object]] = {
    Kind.AMOUNT: st.one_of(
        st.builds(Amount, NUMBERS, st.sampled_from([Unit.QUOTE, Unit.BASE])),
        SHARES.map(lambda ppm: Amount(values.write_share(ppm)[:-1], Unit.SHARE)),
    ),
    Kind.PAIR: PAIRS,
    Kind.DURATION: st.integers(1, values.DURATION_S_MAX),
    Kind.SHARE: SHARES,
    Kind.PRICE: NUMBERS,
    Kind.COUNT: st.integers(1, 999),
    Kind.ORDER: st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=24).filter(
        lambda word: word not in grammar.KEYWORDS
    ),
    Kind.LEVEL: st.one_of(st.tuples(st.just("share"), SHARES), st.tuples(st.just("price"), NUMBERS)),
    Kind.FLAG: st.just(True),
    Kind.ANSWERS: st.tuples(*[st.booleans()] * len(CHECKLIST)),
    Kind.WORDS: PLAIN,
}


def value_of(slot: Slot) -> st.SearchStrategy[object]:
    return st.sampled_from(slot.choices) if slot.choices else VALUES[slot.kind]


@st.composite
def said(draw: st.DrawFn, verbs: tuple[Verb, ...] = VERBS) -> Said:
    """Return anything that the table allows to be said."""
    verb = draw(st.sampled_from(verbs))
    slots = [slot for slot in verb.slots if slot.needed or draw(st.booleans())]
    return Said(verb.name, {slot.name: draw(value_of(slot)) for slot in slots})


@given(said())
def test_what_is_written_is_read_as_the_same(one: Said) -> None:
    assert read(write(one)) == one


@given(said())
def test_case_and_spaces_mean_nothing_but_in_words(one: Said) -> None:
    if not any(slot.kind is Kind.WORDS for slot in BY_NAME[one.verb].slots if slot.name in one.values):
        assert read(f"  {write(one).upper().replace(' ', '   ')} ") == one


@given(st.text(max_size=80))
def test_no_text_breaks_it_and_every_sentence_is_calm(typed: str) -> None:
    found = read(typed)
    if isinstance(found, Said):
        found = meant(found, KNOWN)
    if isinstance(found, Mistake):
        assert CALM.search(typed) or not CALM.search(found.sentence)
    for each in candidates(typed, KNOWN):
        assert each.startswith(typed.rpartition(" ")[0].strip())


@given(said(), st.data())
def test_what_was_begun_is_never_called_a_mistake_of_the_verb(one: Said, data: st.DataObject) -> None:
    whole = write(one)
    begun = read(whole[: data.draw(st.integers(0, len(one.verb)))])
    assert not isinstance(begun, Mistake) or begun.unfinished


@given(said())
def test_every_order_means_one_command_and_says_it(one: Said) -> None:
    found = meant(one, KNOWN._replace(pairs=()))
    if isinstance(found, Ask):
        assert found.says
        assert not CALM.search(found.says)
        if isinstance(found.command, PlaceOrder):
            assert sum(map(bool, (found.command.qty, found.command.notional, found.command.share))) == 1


def asked(typed: str, known: Known = KNOWN) -> Meant:
    found = read(typed)
    assert isinstance(found, Said), found
    return meant(found, known)


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("b25u", PlaceOrder(symbol="BTCUSDT", side="buy", notional="25")),
        ("buy 100 usdt eth", PlaceOrder(symbol="ETHUSDT", side="buy", notional="100")),
        ("b $1,250.50 btc", PlaceOrder(symbol="BTCUSDT", side="buy", notional="1250.5")),
        ("buy 0.01 btc", PlaceOrder(symbol="BTCUSDT", side="buy", qty="0.01")),
        ("s50%", PlaceOrder(symbol="BTCUSDT", side="sell", share="0.5")),
        ("sell all eth", PlaceOrder(symbol="ETHUSDT", side="sell", share="1")),
        (
            "twap 500u btc 10m",
            PlaceOrder(symbol="BTCUSDT", side="buy", notional="500", algorithm="twap", duration_s=600),
        ),
        (
            "pov sell 118u link 5% slices 4",
            PlaceOrder(
                symbol="LINKUSDT", side="sell", notional="118", algorithm="pov", rate_ppm=50_000, slices=4
            ),
        ),
        (
            "is 90u 20m because it fell, rest",
            PlaceOrder(
                symbol="BTCUSDT",
                side="buy",
                notional="90",
                algorithm="shortfall",
                duration_s=1_200,
                reason="it fell, rest",
            ),
        ),
        (
            "b25u limit 60000 rest stop 0%",
            PlaceOrder(
                symbol="BTCUSDT", side="buy", notional="25", limit_price="60000", rests=True, stop_ppm=0
            ),
        ),
        ("cancel", CancelOrders()),
        ("cancel 2", CancelOrders(parent_id="a9c3")),
        ("cancel eth", CancelOrders(symbol="ETHUSDT")),
        ("pause a1", PauseOrder(parent_id="a1b2")),
        ("amend 1 limit 140 to 0.5", AmendOrder(parent_id="a1b2", limit_price="140", qty="0.5")),
        ("stop 2%", SetStop(symbol="ETHUSDT", distance_ppm=20_000)),
        ("stop 59000 btc", SetStop(symbol="BTCUSDT", price="59000")),
        ("flatten", Flatten()),
        ("flatten eth", Flatten(symbol="ETHUSDT")),
        ("halt because tired", SetMode(mode="halted", reason="tired")),
        ("reduce", SetMode(mode="reducing")),
        ("active", SetMode(mode="active")),
        ("override I accept it", RequestOverride(confirmation="I accept it")),
        ("journal a calm day", WriteJournal(text="a calm day")),
        ("accept", AcceptBreak()),
        ("checklist yynyy", AnswerChecklist(agreed=(True, True, False, True, True))),
        ("profile tired", SetParameter(name="profile", value="tired")),
        ("life 3", TellLifeEvent(days=3)),
        ("limit position_share 2.5%", SetParameter(name="position_share", value="0.025")),
    ],
)
def test_commands_mean_what_they_say(typed: str, wanted: object) -> None:
    found = asked(typed)
    assert isinstance(found, Ask)
    assert found.command == wanted


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("b25u etx", "did you mean eth"),
        ("b50%", "a share is of what is held"),
        ("b25u rest", "waits at a limit"),
        ("pause", "which of 2 orders"),
        ("pause a", "not one order alone"),
        ("pause zz", "is no order at work"),
        ("amend 1", "a new limit, a lower total"),
    ],
)
def test_what_cannot_be_meant_is_said_with_what_helps(typed: str, words: str) -> None:
    found = asked(typed)
    assert isinstance(found, Mistake)
    assert words in found.sentence


@pytest.mark.parametrize(
    ("typed", "words", "unfinished"),
    [
        ("buy", "buy wants how much", True),
        ("twap 500u btc limit", "limit wants a price", True),
        ("twap 500u btc limit high", "limit wants a price", False),
        ("buy btc", "btc is not how much", False),
        ("hodl", "there is no command hodl", False),
        ("b25u btc eth", "eth has no place here", False),
        ("flatten btc now", "now has no place here", False),
        ("theme pink", "one of default", False),
        ("b25u rest rest limit 5", "twice", False),
    ],
)
def test_what_cannot_be_read_is_said_with_what_was_expected(typed: str, words: str, unfinished: bool) -> None:
    found = read(typed)
    assert isinstance(found, Mistake)
    assert words in found.sentence
    assert found.unfinished is unfinished


def test_screens_are_shown_and_no_event_is_made_of_them() -> None:
    for name in ("why", "risk", "tier", "help", "journal", "quit", "trade"):
        assert asked(name) == Show(name)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_examples_that_can_be_read(verb: Verb) -> None:
    for example in verb.examples:
        found = read(example)
        assert isinstance(found, Said)
        assert found.verb == verb.name
        assert isinstance(meant(found, KNOWN), Ask | Show)


def test_names_are_of_one_verb_each_and_no_pair_takes_a_word() -> None:
    names = [name for verb in VERBS for name in (verb.name, *verb.also)]
    assert len(names) == len(set(names))
    for word in TAKEN:
        found = read(f"buy 5u {word}")
        assert isinstance(found, Mistake) or "pair" not in found.values


def test_tab_goes_on_with_what_may_come_next() -> None:
    assert candidates("ja", KNOWN) == []
    assert candidates("j", KNOWN) == ["journal "]
    assert candidates("twap 5u b", KNOWN)[0] == "twap 5u btc "
    assert candidates("cancel ", KNOWN)[:3] == ["cancel 1 ", "cancel 2 ", "cancel all "]
    assert "b25u eth limit " in candidates("b25u eth ", KNOWN)
    assert candidates("b25u eth limit ", KNOWN) == []
    assert candidates("theme l", KNOWN) == ["theme light "]
    assert candidates("b25u eth because l", KNOWN) == []


@given(said(tuple(verb for verb in VERBS if verb.group == "Orders")), NUMBERS)
def test_what_fits_is_the_same_order_for_another_amount(one: Said, notional: str) -> None:
    made = read(fitting(one, notional))
    assert isinstance(made, Said)
    assert made.values["amount"] == Amount(notional, Unit.QUOTE)
    others = {name: value for name, value in one.values.items() if name != "amount"}
    assert {name: value for name, value in made.values.items() if name != "amount"} == others
