"""The accounts' books as commands read them: from the ledger alone, whether the system runs or not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from genesis.cli.errors import CommandError
from genesis.connectors.ledger import Ledger, open_ledger
from genesis.connectors.settings import Settings

Record = TypeVar("Record", bound=msgspec.Struct)

Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        help="Name of the account.  [env: GENESIS_ACCOUNT, default: main]",
        show_default=False,
    ),
]

WIDTH_WITHOUT_TERMINAL = 160


@contextmanager
def opened(settings: Settings) -> Iterator[Ledger]:
    """Open the ledger of the settings' account for reading.

    Raises
    ------
    LedgerError
        When there is none yet, or it cannot be read.
    CommandError
        When it has no such account.
    """
    with open_ledger(settings, create=False) as ledger:
        known = ledger.accounts()
        if settings.account not in known:
            there = f"it has {', '.join(known)}" if known else "nobody has traded yet"
            raise CommandError(f"the ledger has no account {settings.account!r}: {there}")
        yield ledger


def newest(ledger: Ledger, account_id: str, topic: str, kind: type[Record]) -> list[Record]:
    """Return the newest record of each key of a topic."""
    return [msgspec.json.decode(body, type=kind) for body in ledger.latest(account_id, topic)]


def print_json(found: dict[str, Any]) -> None:
    """Print one JSON object."""
    typer.echo(msgspec.json.format(json.dumps(msgspec.to_builtins(found)), indent=2))


def console() -> Console:
    """Return where tables are printed; they keep their width in a pipe."""
    shown = Console(highlight=False, markup=False)
    if shown.is_terminal:
        return shown
    return Console(highlight=False, markup=False, width=WIDTH_WITHOUT_TERMINAL)


def table(*columns: str) -> Table:
    """Return an empty table; a column whose name begins with ``>`` is set to the right."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        made.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    return made


def moment(event_ns: int) -> str:
    """Return a time for people.

    >>> moment(1_700_000_000_000_000_000)
    '2023-11-14 22:13:20 UTC'
    """
    return datetime.fromtimestamp(event_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def money(value: Decimal | float | str) -> str:
    """Return an amount of quote asset with two decimals; nothing for an empty text.

    >>> money("1234.5"), money(-0.004), money("")
    ('1,234.50', '0.00', '')
    """
    if value == "":
        return ""
    rounded = round(Decimal(value), 2)
    return f"{rounded + 0:,.2f}" if rounded else "0.00"


def plain(text: str) -> str:
    """Return decimal text without the zeros at its end.

    >>> plain("0.00100000"), plain("100"), plain("")
    ('0.001', '100', '')
    """
    return text.rstrip("0").rstrip(".") if "." in text else text


def average(text: str) -> str:
    """Return a price that comes of a division, to the eight decimals that a venue knows; nothing for none.

    >>> average("61849.379379379379379379379379"), average("50000.10"), average("")
    ('61849.37937938', '50000.1', '')
    """
    return plain(f"{Decimal(text):.8f}") if text else ""


def figure(value: float) -> str:
    """Return a figure as people read it.

    >>> figure(25.0), figure(0.0531), figure(1234567.0)
    ('25', '0.0531', '1,234,567')
    """
    return f"{value:,.0f}" if abs(value) >= 1_000.0 else f"{value:.4g}"
