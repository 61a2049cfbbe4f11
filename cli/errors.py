"""How a command fails: one sentence on standard error, a status that is not 0, no traceback."""

from typing import NoReturn

import typer


class CommandError(Exception):
    """A command cannot go on. The message says what happened and what to do."""


def fail(sentence: str, status: int = 1) -> NoReturn:
    """Say the sentence and end the command."""
    typer.echo(f"genesis: {sentence}", err=True)
    raise typer.Exit(status)
