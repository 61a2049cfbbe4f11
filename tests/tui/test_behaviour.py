"""What is seen of the hands at the keys: how fast, how often, which screen; and never what was typed."""

import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.account.events import Act, ActKind
from genesis.operators.account.preview import Preview
from genesis.operators.tilt.observations import ObservationKind
from genesis.tui import behaviour, keys
from genesis.tui.batch import Batch
from genesis.tui.behaviour import Hands, Seen
from genesis.tui.commands.errand import Answer
from genesis.tui.keys import SCREENS, Controls
from genesis.tui.model import Model, apply
from tests.tui.scenes import live

MS_NS, SECOND_NS = 1_000_000, 1_000_000_000
PRICED = Preview(event_ns=5, accepted=True, code="OK", sentence="so it is")


class Desk:
    """Hands at a dashboard, with a clock that goes as it is told."""

    def __init__(self, model: Model | None = None) -> None:
        self.model, self.controls, self.now_ns = model or live(), Controls(), 10 * SECOND_NS
        self.hands, self.seen = behaviour.opened(self.now_ns, self.now_ns)

    def type(self, *typed: str, every_ms: int = 100) -> None:
        """Type keys at a pace; each question of the line has a good answer at once."""
        for key in typed:
            self.now_ns += every_ms * MS_NS
            before = self.controls
            self.controls = keys.press(before, key, self.model)
            self.hands, seen = behaviour.pressed(self.hands, key, before, self.controls, self.now_ns)
            self.seen += seen
            number = self.controls.line.number
            self.model = apply(self.model, Batch(answers={number: Answer(number, preview=PRICED)}))

    def wait(self, seconds: float, wall_s: float | None = None) -> None:
        """Let time pass, second by second; ``wall_s`` is what the wall clock says of it."""
        offset_ns = self.hands.offset_ns
        for _ in range(round(seconds)):
            self.now_ns += SECOND_NS
            self.hands, seen = behaviour.passed(self.hands, self.now_ns, self.now_ns + offset_ns)
            self.seen += seen
        if wall_s is not None:
            wall_ns = self.now_ns + offset_ns + round((wall_s - seconds) * SECOND_NS)
            self.hands, seen = behaviour.passed(self.hands, self.now_ns, wall_ns)
            self.seen += seen

    def of(self, what: ActKind) -> list[Seen]:
        """Return what was seen of a kind."""
        return [each for each in self.seen if each.what is what]


def test_every_kind_is_one_of_the_observations() -> None:
    assert {kind.value.upper() for kind in ActKind} <= {kind.name for kind in ObservationKind}


def test_pace_and_number_of_keys_are_told_once_the_command_is_sent() -> None:
    desk = Desk()
    desk.type(*"b25u eth", every_ms=150)
    assert not desk.of(ActKind.KEYS)
    desk.type("enter", "enter", every_ms=150)
    (told,) = desk.of(ActKind.KEYS)
    assert (told.value, told.other) == (150.0, 10.0)
    (decided,) = desk.of(ActKind.DECIDED)
    assert decided.value == pytest.approx(9 * 0.15)


def test_a_long_pause_is_thinking_and_no_pace() -> None:
    desk = Desk()
    desk.type(*"b25u")
    desk.type(" ", every_ms=60_000)
    desk.type(*"eth", "enter", "enter")
    assert desk.of(ActKind.KEYS)[0].value == 100.0


def test_keys_taken_back_and_sizes_changed_are_counted() -> None:
    desk = Desk()
    desk.type(*"b25u", "backspace", "backspace", "backspace", *"40u", "enter", "enter")
    (corrections,) = desk.of(ActKind.CORRECTIONS)
    assert (corrections.value, corrections.other) == (3.0, 12.0)
    (edited,) = desk.of(ActKind.EDITED)
    assert edited.value == 1.0


def test_a_size_that_is_only_typed_is_no_change() -> None:
    desk = Desk()
    desk.type(*"buy 125.75 eth", "enter", "enter")
    assert not desk.of(ActKind.EDITED)


def test_a_look_is_told_with_its_length_and_how_it_ended() -> None:
    desk = Desk()
    desk.type(*"b25u", "enter")
    desk.type("esc", every_ms=4_000)
    desk.type("enter")
    desk.type("enter", every_ms=1_500)
    assert [(each.value, each.other) for each in desk.of(ActKind.PREVIEWED)] == [(4.0, 0.0), (1.5, 1.0)]


def test_screens_and_looks_at_prices_are_told() -> None:
    desk = Desk()
    desk.type("1", "down", "down", "2", "f1")
    assert [int(each.value) for each in desk.of(ActKind.SCREEN)] == [
        SCREENS.index("overview"),
        SCREENS.index("correlation"),
        0,
    ]
    assert not desk.of(ActKind.CHART)
    desk.wait(30)
    assert [each.value for each in desk.of(ActKind.CHART)] == [4.0]


def test_a_screen_without_keys_is_told_every_five_minutes_until_one_comes() -> None:
    desk = Desk()
    desk.wait(1_000)
    assert [each.value for each in desk.of(ActKind.STARED)] == [300.0, 600.0, 900.0]
    desk.type("f2")
    desk.wait(299)
    assert len(desk.of(ActKind.STARED)) == 3


@pytest.mark.parametrize("jump_s", [-3_600.0, 86_400.0])
def test_a_changed_clock_is_told_once(jump_s: float) -> None:
    desk = Desk()
    desk.wait(10, wall_s=10 + jump_s)
    desk.wait(10)
    assert [each.value for each in desk.of(ActKind.CLOCK_JUMPED)] == [pytest.approx(jump_s)]


def test_coming_and_going_are_told() -> None:
    desk = Desk()
    desk.wait(40)
    desk.type("1")
    assert [each.what for each in desk.seen] == [ActKind.CONNECTED, ActKind.SCREEN]
    told = behaviour.left(desk.hands, desk.now_ns)
    assert [each.what for each in told] == [ActKind.CHART, ActKind.LEFT]
    assert told[-1].value == pytest.approx(40.1)


NAMES = ("enter", "esc", "backspace", "tab", "f2")
PLAIN = st.sampled_from([*string.ascii_letters, *string.digits, *" %$.:", *NAMES])


@given(st.lists(PLAIN, max_size=60))
def test_nothing_that_was_typed_can_be_told_apart(first: list[str]) -> None:
    """The same keys with other letters in the words of a journal entry are seen as the same."""
    told = []
    for letters in (str, lambda key: "x" if len(key) == 1 and key != " " else key):
        desk = Desk()
        desk.type(*"journal ", *(letters(key) for key in first if len(key) == 1 and key != ":"))
        desk.type("esc")
        told.append(desk.seen)
    assert told[0] == told[1]


@given(st.lists(st.tuples(PLAIN, st.integers(1, 400_000)), max_size=60))
def test_whatever_is_typed_makes_acts_that_can_be_sent(typed: list[tuple[str, int]]) -> None:
    desk = Desk(Model())
    for key, ms in typed:
        desk.type(key, every_ms=ms)
    assert isinstance(desk.hands, Hands)
    for each in desk.seen:
        act = Act(what=each.what, value=each.value, other=each.other, symbol=each.symbol)
        assert msgspec.json.decode(msgspec.json.encode(act), type=Act) == act
