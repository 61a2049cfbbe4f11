"""`genesis orders`: what an account has at work, for scripts and people."""

from typing import Any

import typer
from rich.console import Group

from genesis.cli import books, options
from genesis.connectors.ledger import RecordedOrder
from genesis.operators.account.outcomes import ParentOrder


def orders(
    account: books.Account = None,
    everything: bool = typer.Option(False, "--all", help="Also those that have ended."),
    limit: int = typer.Option(50, "--limit", min=1, max=1_000, help="Most of each kind; the newest."),
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """List parent orders, and the child orders at the venue, from the ledger.

    A child order is `recorded` from the moment before it is sent until the venue has answered.

    Examples:

      genesis orders

      genesis orders --all --limit 10

      genesis orders --json | jq '.parents[] | select(.status == "working")'
    """
    settings = options.configured(data, account=account)
    with books.opened(settings) as ledger:
        parents = books.newest(ledger, settings.account, "parent_orders", ParentOrder)
        children = (
            ledger.recorded_orders(settings.account, limit)
            if everything
            else ledger.open_orders(settings.account)
        )
    parents = [each for each in parents if everything or each.status != "ended"][-limit:]
    children = children[-limit:]
    if as_json:
        told = {"parents": parents, "children": [_told(each) for each in children]}
        books.print_json({"account": settings.account, **told})
        return
    if not parents and not children:
        typer.echo(f"Account {settings.account} has no order at work.")
        return
    books.console().print(Group(_parents(parents), "", _children(children)))


def _told(child: RecordedOrder) -> dict[str, Any]:
    """Return a child order for scripts; its permit is nobody's business."""
    names = ("client_order_id", "parent_id", "symbol", "side", "order_type", "qty", "limit_price")
    return {
        **{name: getattr(child.order, name) for name in names},
        "status": child.status,
        "venue_order_id": child.venue_order_id,
        "filled_qty": child.filled_qty,
        "recorded_ns": child.recorded_ns,
        "changed_ns": child.changed_ns,
    }


def _parents(found: list[ParentOrder]) -> Any:
    shown = books.table(
        "order", "symbol", "side", "algorithm", "status", ">quantity", ">filled", ">average", "changed"
    )
    for each in found:
        shown.add_row(
            each.parent_id,
            each.symbol,
            each.side,
            each.algorithm,
            f"{each.status}: {each.reason}" if each.reason else each.status,
            books.plain(each.qty),
            books.plain(each.filled_qty),
            books.plain(each.average_price),
            books.moment(each.event_ns),
        )
    return shown


def _children(found: list[RecordedOrder]) -> Any:
    shown = books.table(
        "child order", "of", "symbol", "side", "type", "status", ">quantity", ">filled", ">limit", "changed"
    )
    for each in found:
        shown.add_row(
            each.order.client_order_id,
            each.order.parent_id,
            each.order.symbol,
            each.order.side,
            each.order.order_type,
            each.status,
            books.plain(each.order.qty),
            books.plain(each.filled_qty),
            books.plain(each.order.limit_price),
            books.moment(each.changed_ns),
        )
    return shown
