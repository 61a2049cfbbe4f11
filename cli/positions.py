"""`genesis positions`: what an account holds, for scripts and people."""

from decimal import Decimal

import typer

from genesis.cli import books, options
from genesis.operators.account.outcomes import PositionStatus


def positions(
    account: books.Account = None,
    everything: bool = typer.Option(False, "--all", help="Also those that were closed."),
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """List what an account holds, from the ledger, whether the system runs or not.

    Amounts are decimal text in the JSON, exact to the last digit.

    Examples:

      genesis positions

      genesis positions --json | jq -r '.positions[] | [.symbol, .qty] | @tsv'
    """
    settings = options.configured(data, account=account)
    with books.opened(settings) as ledger:
        found = books.newest(ledger, settings.account, "positions", PositionStatus)
    found = sorted((each for each in found if everything or Decimal(each.qty)), key=lambda each: each.symbol)
    if as_json:
        books.print_json({"account": settings.account, "positions": found})
        return
    if not found:
        typer.echo(f"Account {settings.account} holds no position.")
        return
    columns = (
        "symbol",
        ">quantity",
        ">average cost",
        ">mark",
        ">unrealised",
        ">realised",
        ">stop",
        "stop rests",
        "as of",
    )
    shown = books.table(*columns)
    for each in found:
        shown.add_row(
            each.symbol,
            books.plain(each.qty),
            books.average(each.average_cost),
            books.plain(each.mark_price),
            books.money(each.unrealised),
            books.money(each.realised),
            books.plain(each.stop_price),
            ("at the venue" if each.stop_rests else "here") if each.stop_price else "",
            books.moment(each.event_ns),
        )
    books.console().print(shown)
