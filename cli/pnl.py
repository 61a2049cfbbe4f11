"""`genesis pnl`: what an account has earned, for scripts and people."""

from decimal import Decimal
from typing import Any

import typer
from rich.console import Group

from genesis.cli import books, options
from genesis.operators.account.outcomes import AccountStatus, PositionStatus


def pnl(
    account: books.Account = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Show profit and loss of an account, in all and by symbol, from the ledger.

    Realised is by average cost, after fees; unrealised against the newest mark. Quote asset, exact.

    Examples:

      genesis pnl

      genesis pnl --json | jq -r .realised
    """
    settings = options.configured(data, account=account)
    with books.opened(settings) as ledger:
        status = books.newest(ledger, settings.account, "account", AccountStatus)
        positions = books.newest(ledger, settings.account, "positions", PositionStatus)
    positions.sort(key=lambda each: each.symbol)
    realised = sum((Decimal(each.realised) for each in positions), Decimal(0))
    unmarked = [each.symbol for each in positions if Decimal(each.qty) and not each.unrealised]
    unrealised = sum((Decimal(each.unrealised or 0) for each in positions), Decimal(0))
    found: dict[str, Any] = {
        "account": settings.account,
        "realised": f"{realised:f}",
        "unrealised": f"{unrealised:f}",
        "unmarked": unmarked,
        "status": status[0] if status else None,
        "symbols": [
            {"symbol": each.symbol, "realised": each.realised, "unrealised": each.unrealised, "qty": each.qty}
            for each in positions
        ],
    }
    if as_json:
        books.print_json(found)
        return
    if not status and not positions:
        typer.echo(f"Account {settings.account} has neither money nor trades yet.")
        return
    parts: list[Any] = [_whole(status[0]), ""] if status else []
    if positions:
        parts.append(_by_symbol(positions, realised, unrealised))
    if unmarked:
        parts.append(f"\nNot marked for want of a quote: {', '.join(unmarked)}.")
    books.console().print(Group(*parts))


def _whole(status: AccountStatus) -> Any:
    shown = books.table("account", ">")
    rows = {
        "equity": books.money(status.equity),
        "cash": books.money(status.cash),
        "today": books.money(status.pnl_day),
        "realised today": books.money(status.realised_day),
        "below its peak": f"{status.drawdown:.2%}",
        "may still be lost today": books.money(status.daily_budget),
        "tier": status.tier,
        "mode": status.mode,
        "as of": books.moment(status.event_ns),
    }
    for name, value in rows.items():
        shown.add_row(name, value)
    return shown


def _by_symbol(positions: list[PositionStatus], realised: Decimal, unrealised: Decimal) -> Any:
    shown = books.table("symbol", ">realised", ">unrealised", ">quantity")
    for each in positions:
        shown.add_row(
            each.symbol, books.money(each.realised), books.money(each.unrealised), books.plain(each.qty)
        )
    shown.add_row("all", books.money(realised), books.money(unrealised), "")
    return shown
