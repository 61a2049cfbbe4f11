"""Options that several commands share, described once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genesis.cli.errors import CommandError
from genesis.connectors import settings

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder for store, recovery and logs.  [env: GENESIS_DATA, default: .genesis]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def configured(data: Path | None, **overrides: Any) -> settings.Settings:
    """Return the settings with the options that were given above them."""
    given = {name: value for name, value in overrides.items() if value is not None}
    if data is not None:
        given["data"] = data
    return settings.read(**given)


def speed(text: str) -> str:
    """Return a replay speed as the simulator takes it: a positive number, or ``max``.

    Raises
    ------
    CommandError
        For anything else.
    """
    if text == "max":
        return text
    try:
        if 0.0 < float(text) < float("inf"):
            return text
    except ValueError:
        pass
    raise CommandError(f"--speed takes a positive number or the word max, was {text!r}")


def recordings(files: list[Path]) -> list[Path]:
    """Return the files when all exist and can be read.

    Raises
    ------
    CommandError
        Naming the first that does not.
    """
    for file in files:
        if not file.is_file():
            raise CommandError(f"there is no recording {file}. `genesis record` makes one")
    return files


def parameters(given: list[str]) -> dict[str, str]:
    """Return parameters by name.

    >>> parameters(["enter=2.5"])
    {'enter': '2.5'}
    """
    pairs = [each.partition("=") for each in given]
    wrong = next((each for each, pair in zip(given, pairs, strict=True) if not (pair[0] and pair[1])), None)
    if wrong is not None:
        raise CommandError(f"--set takes NAME=VALUE, such as notional=20, was {wrong!r}")
    return {name: value for name, _, value in pairs}
