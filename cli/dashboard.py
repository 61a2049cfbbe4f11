"""`genesis tui`: the dashboard of a running system."""

from enum import StrEnum
from typing import Annotated

import typer

from genesis.cli import options


class Colours(StrEnum):
    """How many colours to draw with."""

    MANY = "256"
    BASIC = "16"
    NONE = "1"


class Theme(StrEnum):
    """What the colours are."""

    DEFAULT = "default"
    HIGH_CONTRAST = "high-contrast"
    LIGHT = "light"
    MONOCHROME = "monochrome"


def tui(
    data: options.Data = None,
    colours: Annotated[
        Colours | None, typer.Option(help="Colours to draw with; without it, what the terminal can.")
    ] = None,
    ascii_only: Annotated[
        bool | None,
        typer.Option("--ascii/--unicode", help="Draw in plain ASCII, or not; without it, by the locale."),
    ] = None,
    theme: Annotated[Theme, typer.Option(help="What the colours are.")] = Theme.DEFAULT,
    watch: Annotated[bool, typer.Option("--watch", help="Only look: take no commands.")] = False,
) -> None:
    """Attach a dashboard to a running system. q leaves it; the system runs on.

    Examples:

      genesis tui

      genesis tui --data /tmp/try

      genesis tui --colours 1 --ascii

      genesis tui --theme high-contrast

      genesis tui --watch
    """
    from genesis.tui.app import Appearance, run
    from genesis.tui.palette import Colours as Number

    asked: dict[Colours, Number] = {Colours.MANY: 256, Colours.BASIC: 16, Colours.NONE: 1}
    appearance = Appearance(asked[colours] if colours else None, ascii_only, theme.value)
    raise typer.Exit(run(options.configured(data), appearance, watch))
