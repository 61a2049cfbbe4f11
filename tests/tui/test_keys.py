"""Keys do what the table says, and nothing else."""

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.tui import derived, keys, notices
from genesis.tui.keys import ACCOUNT_SCREENS, MARKET_SCREENS, SCREENS, Controls, Mode, press
from genesis.tui.model import Model
from genesis.tui.views.frame import BODIES
from tests.tui.scenes import halted, live


def typed(*names: str, model: Model | None = None, controls: Controls | None = None) -> Controls:
    controls = controls or Controls()
    for name in names:
        controls = press(controls, name, model or live())
    return controls


def test_no_key_means_two_things_in_one_mode() -> None:
    counted = Counter((key.mode, name) for key in keys.TABLE for name in key.names)
    assert not [key for key, times in counted.items() if times > 1]


def test_every_screen_has_a_view_and_a_key() -> None:
    assert set(BODIES) == set(SCREENS)
    for i, name in enumerate(SCREENS):
        assert typed(f"f{i + 1}").screen == i
        if name in MARKET_SCREENS:
            assert typed(str(i + 1 - len(ACCOUNT_SCREENS))).screen == i


def test_what_protects_is_acknowledged_once_and_comes_back_only_when_it_is_new() -> None:
    model = halted()
    before = typed("f2", model=model)
    assert notices.protection(model.affairs, before.acknowledged) is not None
    after = typed("enter", model=model, controls=before)
    assert notices.protection(model.affairs, after.acknowledged) is None
    assert typed("enter", model=model, controls=after) == after


def test_tab_goes_round() -> None:
    assert typed(*["tab"] * len(SCREENS)).screen == 0
    assert typed("shift tab").screen == len(SCREENS) - 1


def test_the_cursor_moves_and_stays_within() -> None:
    instruments = live().instruments
    assert typed("1", "j", "down").selected == instruments[2]
    assert typed("1", "j", "k", "up", "up").selected == instruments[0]
    assert typed("1", "end", "j").selected == instruments[-1]
    assert typed("1", "G", "g").selected == instruments[0]
    assert typed("1", "page down").selected == instruments[keys.PAGE]


def test_the_cursor_stays_on_its_instrument_when_others_appear() -> None:
    before = typed("1", "j", model=live(4, 0))
    assert typed("1", model=live(), controls=before).selected == before.selected


def test_half_lives_and_markets_are_chosen_among_what_there_is() -> None:
    lives = derived.half_lives(live())
    assert typed("2", "l", "l", "l", "l").half_life_ns == lives[-1]
    assert typed("2", "l", "h", "h").half_life_ns == lives[0]
    assert [typed("2", *["m"] * n).market for n in (1, 2, 3)] == [2, 0, 1]
    assert "no correlation" in typed("2", "l", model=Model()).note


def test_a_filter_is_typed_kept_taken_back_and_dropped() -> None:
    assert typed("/", "b", "t", "q").wanted == "btq"
    assert typed("/", "b", "t", "q", "backspace", "enter").wanted == "bt"
    assert typed("/", "b", "enter", "/", "x", "esc").wanted == "b"
    assert typed("/", "b", "enter", "esc").wanted == ""
    assert not typed("/", "q").leaving


def test_filters_match_every_word_in_any_case() -> None:
    names = [live().instruments[i] for i in derived.shown(live(), "USDM bt")]
    assert [(each.name, each.market_name) for each in names] == [("BTCUSDT", "usdm")]


def test_help_opens_over_any_screen_and_closes_again() -> None:
    assert typed("3", "?").mode is Mode.HELP
    assert typed("3", "?", "esc") == Controls(screen=SCREENS.index("feed"))
    assert typed("?", "q").leaving


def test_help_has_pages_and_the_command_opens_that_of_commands() -> None:
    assert typed("?").step == 0
    assert typed("?", "tab").step == typed(*"help", "enter").step == 1
    assert typed(*"help", "enter").mode is Mode.HELP


@pytest.mark.parametrize("letter", "jklhmg")
def test_letters_move_on_screens_of_the_market_and_begin_commands_on_those_of_the_account(
    letter: str,
) -> None:
    assert typed(letter).line.text == letter
    assert typed("1", letter).line.text == ""
    assert typed("1", ":", letter).line.text == letter


def test_a_dashboard_that_watches_begins_no_command() -> None:
    watching = Controls(watching=True)
    for keys_typed in ("b", ":", "up", "$"):
        after = typed(keys_typed, "2", "5", "u", "enter", "enter", controls=watching)
        assert after.line == Controls().line
    assert "only watches" in typed("b", controls=watching).note
    assert typed("1", controls=watching).screen == SCREENS.index("overview")


def test_commands_of_the_screen_show_what_they_name() -> None:
    for name, screen in (("trade", "trading"), ("risk", "risk"), ("tier", "tier"), ("overview", "overview")):
        assert SCREENS[typed("f5", *name, "enter").screen] == screen
    assert typed(*"why", "enter").mode is Mode.WHY
    assert typed(*"why", "enter", "esc").mode is Mode.LOOK
    assert typed(*"theme light", "enter").theme == "light"
    assert typed(*"quit", "enter").leaving


def test_the_first_steps_end_at_the_command_line() -> None:
    assert typed(*"welcome", "enter").mode is Mode.WELCOME
    assert typed(*"welcome", "enter", *["enter"] * keys.STEPS).mode is Mode.LOOK
    assert typed(*"welcome", "enter", "esc").mode is Mode.LOOK


def test_function_keys_lead_on_while_a_command_stands_there() -> None:
    after = typed(*"b25u", "f2")
    assert SCREENS[after.screen] == "risk"
    assert after.line.text == "b25u"


def test_space_holds_and_lets_go() -> None:
    assert typed(" ").held
    assert not typed(" ", " ").held


def test_a_key_without_meaning_is_answered_calmly_and_changes_nothing_else() -> None:
    controls = typed(")")
    assert controls.note == ") has no meaning here; ? shows the keys"
    assert dataclasses.replace(controls, note="") == Controls()


@pytest.mark.parametrize("model", [Model(), live()], ids=["empty", "live"])
@given(
    names=st.lists(st.sampled_from([n for k in keys.TABLE for n in k.names] + ["x", "f12", "€"]), max_size=30)
)
def test_no_sequence_of_keys_breaks_anything(model: Model, names: list[str]) -> None:
    controls = Controls()
    for name in names:
        controls = press(controls, name, model)
        assert 0 <= controls.screen < len(SCREENS)
        assert len(controls.wanted) <= keys.FILTER_MAX
