"""What the screens show: kept as text for every scene and size, and true of every size there is."""

import itertools
from dataclasses import replace

import pytest
import urwid
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.tui import figures, keys, messages, palette, text, views
from genesis.tui.commands import grammar
from genesis.tui.keys import Controls
from genesis.tui.screen import Page
from genesis.tui.views import frame
from tests.tui import scenes
from tests.tui.scenes import HEARD_NS, SCENES, SIZES, live


@pytest.mark.parametrize(("name", "size"), list(itertools.product(SCENES, SIZES)), ids=str)
def test_screens_look_as_reviewed(name: str, size: tuple[int, int]) -> None:
    kept = scenes.path(name, size)
    assert kept.exists(), "new scene: `python -m tests.tui.scenes` writes it; read it, then commit it"
    assert scenes.snapshot(name, size) == kept.read_text(), (
        "it looks different; if that is meant: `python -m tests.tui.scenes`, and read the difference"
    )


def test_every_snapshot_has_a_scene() -> None:
    wanted = {scenes.path(name, size) for name in SCENES for size in SIZES}
    assert set(scenes.FOLDER.glob("*.txt")) == wanted


@given(st.sampled_from(sorted(SCENES)), st.integers(1, 230), st.integers(1, 70))
@settings(max_examples=120, deadline=None)
def test_any_size_is_filled_exactly(name: str, cols: int, rows: int) -> None:
    block = scenes.draw(name, (cols, rows))
    assert len(block) == rows
    assert {text.span_columns(row) for row in block} == {cols}
    assert {attribute for row in block for attribute, _ in row} <= set(palette.ATTRIBUTES)


@given(
    st.sampled_from(SIZES),
    st.lists(
        st.sampled_from([*"b25u eth", "backspace", "enter", "esc", "tab", "f2", "f6", "down", "?", " "])
    ),
    st.sets(st.integers(0, 20)),
)
@settings(max_examples=120, deadline=None)
def test_what_is_kept_of_the_drawing_before_changes_nothing(
    size: tuple[int, int], typed: list[str], moments: set[int]
) -> None:
    model, controls, since_ns, shown = live(), Controls(), 0, None
    for i, key in enumerate(typed):
        controls = keys.press(controls, key, model)
        if i in moments:
            since_ns += 7 * scenes.SECOND_NS
            model = replace(model, ticks=model.ticks + 1)
        scene = views.Scene(*size, HEARD_NS + since_ns, HEARD_NS if controls.held else None)
        shown = views.drawn(model, controls, scene, shown)
        assert shown.block == views.draw(model, controls, scene)


def test_a_typed_key_draws_no_body_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    bodies = {
        name: lambda look, name=name, body=body: made.append(name) or body(look)
        for name, body in frame.BODIES.items()
    }
    monkeypatch.setattr(frame, "BODIES", bodies)
    model, controls, scene = live(), Controls(), views.Scene(120, 40, HEARD_NS)
    shown = views.drawn(model, controls, scene)
    for key in "b25u eth":
        controls = keys.press(controls, key, model)
        shown = views.drawn(model, controls, scene, shown)
    assert made == ["trading"]


@pytest.mark.parametrize("size", [(79, 24), (80, 23), (40, 10), (12, 6)])
def test_a_small_window_gets_a_calm_sentence(size: tuple[int, int]) -> None:
    words = " ".join(line.strip() for line in text.plain(scenes.draw("overview", size)))
    assert "80 columns" in words or size[0] < 30
    assert "!" not in words


@pytest.mark.parametrize("name", sorted(SCENES))
def test_plain_ascii_says_the_same_in_the_same_place(name: str) -> None:
    for row in scenes.draw(name, (120, 40)):
        for _, piece in row:
            drawn = text.to_ascii(piece)
            assert drawn.isascii()
            assert len(drawn) == text.columns(piece)
            assert drawn.count("?") == piece.count("?"), f"no ASCII for something in {piece!r}"


@pytest.mark.parametrize("name", sorted(SCENES))
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_widget_draws_the_same_text(name: str, size: tuple[int, int]) -> None:
    urwid.set_encoding("utf-8")
    page = Page(lambda room: scenes.draw(name, room), lambda _key: True)
    assert [line.decode() for line in page.render(size).text] == text.plain(scenes.draw(name, size))


MARKET = (
    "overview",
    "correlation",
    "feed",
    "filter",
    "held",
    "waiting",
    "gap",
    "lost",
    "ended",
    "broken",
    "many",
)
"""Scenes with the message line of the market screens."""


def drawn(name: str, size: tuple[int, int] = (120, 40)) -> list[tuple[str, str]]:
    return [span for row in scenes.draw(name, size) for span in row]


def test_gains_are_green_and_losses_grey() -> None:
    changes = [(a, piece.strip()) for a, piece in drawn("overview") if piece.strip().endswith(" %")]
    assert {a for a, change in changes if change.startswith("+")} == {"good"}
    assert {a for a, change in changes if change.startswith("-")} == {"dim"}


def test_nothing_old_looks_fresh() -> None:
    table = scenes.draw("lost", (120, 40))[4:22]
    assert {a for row in table for a, piece in row if any(c.isdigit() for c in piece)} == {"dim"}


@pytest.mark.parametrize("theme", palette.THEMES.values(), ids=list(palette.THEMES))
def test_no_colour_of_a_theme_is_red_but_the_border_of_what_protects(theme: palette.Theme) -> None:
    assert set(theme.shades) == set(palette.ATTRIBUTES)
    for attribute, shade in theme.shades.items():
        urwid.AttrSpec(shade.high, theme.background.high, colors=256)
        urwid.AttrSpec(shade.basic, theme.background.basic, colors=16)
        if attribute == palette.BORDER:
            continue
        assert "red" not in shade.basic
        for colours, name in ((256, shade.high), (16, shade.basic)):
            red, green, _ = urwid.AttrSpec(name, "default", colors=colours).get_rgb_values()[:3]
            assert green * 2 > red or red == green == 0


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG has it, 1 to 21."""
    values = []
    for name in (one, other):
        rgb = [each / 255 for each in urwid.AttrSpec(name, "default", colors=256).get_rgb_values()[:3]]
        red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
        values.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(values) + 0.05) / (min(values) + 0.05)


@pytest.mark.parametrize("name", list(palette.THEMES))
def test_every_theme_can_be_read(name: palette.ThemeName) -> None:
    theme = palette.THEMES[name]
    least = 7.0 if name == "high-contrast" else 4.5
    for attribute, shade in theme.shades.items():
        if attribute not in ("faint", "border"):  # rules and frames say nothing
            assert contrast(shade.high, theme.background.high) >= least, attribute


def test_words_from_outside_cannot_move_the_cursor() -> None:
    assert not [piece for _, piece in drawn("feed") if "\x1b" in piece]
    assert any("?[31mnothing" in piece for _, piece in drawn("feed"))


@pytest.mark.parametrize("name", sorted(SCENES))
def test_sentences_are_calm_and_fit(name: str) -> None:
    for size in SIZES:
        if not name.startswith(MARKET):
            continue
        line = text.plain(scenes.draw(name, size))[-2].strip("│ ")
        assert len(line) <= messages.COLUMNS_MAX
        assert "!" not in line
        assert "error" not in line.lower()
        assert not line.endswith(text.CUT)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_help_shows_every_key_and_command_whole(size: tuple[int, int]) -> None:
    pages = ("help", "help-commands", "help-line")
    help_ = "\n".join(line for page in pages for line in text.plain(scenes.draw(page, size)))
    assert text.CUT not in help_
    for key in keys.TABLE:
        assert f"{key.shown} " in help_
        assert key.does in help_
    for verb in grammar.VERBS:
        assert f"{verb.name} " in help_
        assert verb.does in help_


def test_the_selected_instrument_is_always_on_the_screen() -> None:
    model, controls = live(60, 0), Controls(screen=keys.SCREENS.index("overview"))
    for _ in range(60):
        lines = text.plain(views.draw(model, controls, views.Scene(80, 24, HEARD_NS)))
        name = (controls.selected or model.instruments[0]).name
        assert any(f"› {name}" in line for line in lines)
        controls = keys.press(controls, "j", model)


@given(st.text(max_size=30), st.integers(0, 40), st.sampled_from("<>^"))
@settings(max_examples=200, deadline=None)
def test_padding_gives_exactly_the_columns_asked_for(words: str, cols: int, align: str) -> None:
    assert text.columns(text.pad(text.clean(words), cols, align)) == cols


@given(st.lists(st.one_of(st.floats(1e-9, 1e9), st.just(float("nan"))), max_size=80), st.integers(1, 70))
@settings(max_examples=200, deadline=None)
def test_sparklines_fill_their_columns(values: list[float], cols: int) -> None:
    assert len(figures.sparkline(values, cols)) == cols


@given(st.floats(allow_nan=True, allow_infinity=True))
@settings(max_examples=200, deadline=None)
def test_every_number_can_be_shown(value: float) -> None:
    for show in (figures.price, figures.change, figures.bps, figures.quantity, figures.short, figures.count):
        assert show(value)
    for show in (figures.rate, figures.ratio, figures.milliseconds, figures.span):
        assert show(value)
