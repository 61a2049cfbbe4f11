"""`genesis why`: the newest refusal with the figures behind it."""

import typer

from genesis.cli import books, options
from genesis.operators.account.outcomes import Decision


def why(
    account: books.Account = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Explain the newest refusal: its code, what to do, and the figures behind it.

    Below it, what the gateway refused for want of a good permit, if anything.

    Examples:

      genesis why

      genesis why --json | jq '.refusal.figures'
    """
    settings = options.configured(data, account=account)
    with books.opened(settings) as ledger:
        refusals = books.newest(ledger, settings.account, "decisions", Decision)
        permits = ledger.refused_permits(settings.account)
    if as_json:
        refusal = refusals[-1] if refusals else None
        books.print_json({"account": settings.account, "refusal": refusal, "refused_permits": permits})
        return
    if not refusals and not permits:
        typer.echo(f"Nothing was refused to account {settings.account} yet.")
        return
    if refusals:
        _explain(refusals[-1])
    if permits:
        typer.echo("\nAt the gateway:")
        shown = books.table("child order", "code", ">times", "last", "why")
        for each in permits[-10:]:
            row = (each.client_order_id, each.code, str(each.count), books.moment(each.last_ns), each.detail)
            shown.add_row(*row)
        books.console().print(shown)


def _explain(refusal: Decision) -> None:
    typer.echo(f"{refusal.sentence}\n")
    typer.echo(f"{refusal.subject.replace('_', ' ')}, {refusal.code}, {books.moment(refusal.event_ns)}")
    if refusal.figures:
        typer.echo()
        shown = books.table("figure", ">")
        for name, value in refusal.figures.items():
            shown.add_row(name.replace("_", " "), books.figure(value))
        books.console().print(shown)
