"""Colours: black, white, two greys, muted green and amber; and what becomes of them without colours.

Gains are green, losses grey, never red. Amber asks for care. The one red there is, a muted one, is the
border of a message that protects. Colour repeats what words, signs and places already say, so that every
theme can be read in one colour too.
"""

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple


class Shade(NamedTuple):
    """One attribute: its colour among 256, among 16, and how it looks without colours."""

    high: str
    basic: str
    mono: str


ATTRIBUTES = ("text", "strong", "dim", "faint", "good", "amber", "border")
"""What views may use: figures and words; what matters most; labels, losses and what is old; frames
and rules; gains; caution; the border of a message that protects."""

BORDER = "border"
"""The one attribute that may be red."""


class Theme(NamedTuple):
    """Colours by attribute, and what they are on."""

    says: str
    shades: Mapping[str, Shade]
    background: Shade


def _theme(says: str, background: Shade, *shades: Shade) -> Theme:
    return Theme(says, dict(zip(ATTRIBUTES, shades, strict=True)), background)


DEFAULT = _theme(
    "on black, soft",
    Shade("h16", "black", "default"),
    Shade("h252", "white", "default"),
    Shade("h231,bold", "white,bold", "bold"),
    Shade("h246", "light gray", "default"),
    Shade("h240", "dark gray", "default"),
    Shade("h108", "dark green", "default"),
    Shade("h179", "brown", "bold"),
    Shade("h131", "dark red", "bold"),
)

HIGH_CONTRAST = _theme(
    "on black, bright: for glare and tired eyes",
    Shade("h16", "black", "default"),
    Shade("h231", "white", "default"),
    Shade("h231,bold", "white,bold", "bold"),
    Shade("h252", "light gray", "default"),
    Shade("h250", "light gray", "default"),
    Shade("h120", "light green", "bold"),
    Shade("h220", "yellow", "bold"),
    Shade("h203", "light red", "bold"),
)

LIGHT = _theme(
    "on white: for daylight",
    Shade("h231", "light gray", "default"),
    Shade("h236", "black", "default"),
    Shade("h16,bold", "black,bold", "bold"),
    Shade("h241", "dark gray", "default"),
    Shade("h248", "dark gray", "default"),
    Shade("h28", "dark green", "default"),
    Shade("h130", "brown", "bold"),
    Shade("h131", "dark red", "bold"),
)

MONOCHROME = _theme(
    "no colour, greys alone",
    Shade("h16", "black", "default"),
    Shade("h252", "white", "default"),
    Shade("h231,bold", "white,bold", "bold"),
    Shade("h246", "light gray", "default"),
    Shade("h240", "dark gray", "default"),
    Shade("h252", "white", "default"),
    Shade("h231,bold", "white,bold", "bold"),
    Shade("h231,bold", "white,bold", "bold"),
)

ThemeName = Literal["default", "high-contrast", "light", "monochrome"]

THEMES: Mapping[ThemeName, Theme] = {
    "default": DEFAULT,
    "high-contrast": HIGH_CONTRAST,
    "light": LIGHT,
    "monochrome": MONOCHROME,
}
"""All themes by name."""

Colours = Literal[256, 16, 1]
"""Numbers of colours that can be asked for; 1 is none."""


def colours_of(environment: Mapping[str, str]) -> Colours:
    """Return how many colours the terminal is good for: 256, 16 or, for none, 1.

    ``NO_COLOR`` counts when it is set to anything but nothing.

    >>> colours_of({"TERM": "tmux-256color"}), colours_of({"TERM": "linux"}), colours_of({"TERM": "vt220"})
    (256, 16, 1)
    >>> colours_of({"TERM": "xterm-256color", "NO_COLOR": "1"})
    1
    """
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR"):
        return 1
    if "256color" in term or "direct" in term or environment.get("COLORTERM") in ("truecolor", "24bit"):
        return 256
    if (
        term.startswith(("vt", "dumb", "unknown", "ansi-m", "wy", "hp"))
        or term.endswith(("-m", "-mono"))
        or not term
    ):
        return 1
    return 16


def unicode_of(environment: Mapping[str, str]) -> bool:
    """Return whether the locale says that the terminal shows Unicode; without a word on it, it does.

    >>> unicode_of({"LANG": "C.UTF-8"}), unicode_of({"LC_ALL": "C", "LANG": "C.UTF-8"}), unicode_of({})
    (True, False, True)
    """
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        said = environment.get(name, "")
        if said:
            return "utf" in said.lower()
    return True


def entries(theme: Theme = DEFAULT) -> list[tuple[str, str, str, str, str, str]]:
    """Return the theme as urwid's palette: name, 16 colours, background, mono, 256 colours, background."""
    below = theme.background
    return [
        (name, shade.basic, below.basic, shade.mono, shade.high, below.high)
        for name, shade in theme.shades.items()
    ]


def can_place_text(environment: Mapping[str, str]) -> bool:
    """Return whether the terminal can put text anywhere on its screen at all.

    >>> can_place_text({"TERM": "xterm"}), can_place_text({"TERM": "dumb"}), can_place_text({})
    (True, False, False)
    """
    return environment.get("TERM", "") not in ("", "dumb", "unknown")


def environment() -> Mapping[str, str]:
    """Return the variables by which a terminal describes itself."""
    return {name: os.environ[name] for name in _DESCRIBING if name in os.environ}


_DESCRIBING = ("TERM", "COLORTERM", "NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG")
