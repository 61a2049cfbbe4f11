"""`genesis audit`: whether the audit chain is as it was written."""

import typer

from genesis.cli import books, options
from genesis.cli.errors import CommandError
from genesis.connectors import keys
from genesis.connectors.ledger import Ledger, NoLedger, open_ledger
from genesis.connectors.ledger.anchor import Anchor
from genesis.connectors.ledger.opening import anchor_of
from genesis.connectors.ledger.records import AuditReport
from genesis.connectors.settings import Settings

app = typer.Typer(
    name="audit",
    help="Look at the audit chain: every decision, order and fill, each entry keyed and linked to the last.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def audit() -> None:
    """Look at the audit chain: every decision, order and fill, each entry keyed and linked to the last."""


@app.command()
def verify(
    account: books.Account = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Read the whole chain of every account and compare it with its key, its state and its anchor.

    The exit status is 0 only when everything is as it was written. Entries that were changed, removed,
    put in, swapped or cut off at the end are found, and so is a ledger replaced by an older copy.

    Examples:

      genesis audit verify

      genesis audit verify --json | jq -e .intact
    """
    settings = options.configured(data, account=account)
    key = keys.open_keys(settings, keys.AUDIT)[keys.AUDIT]
    anchored = Anchor(anchor_of(settings), key).accounts()
    try:
        with open_ledger(settings, audit_key=key, create=False) as ledger:
            reports = _reports(ledger, settings, account, anchored)
    except NoLedger as missing:
        if not anchored:
            raise
        raise CommandError(
            f"{missing}; yet its anchor knows {', '.join(anchored)}: the ledger was removed"
        ) from None
    if as_json:
        intact = not any(report.faults for report in reports)
        books.print_json({"intact": intact, "accounts": reports})
    else:
        _show(reports)
    if any(report.faults for report in reports):
        raise typer.Exit(1)


def _reports(
    ledger: Ledger, settings: Settings, account: str | None, anchored: list[str]
) -> list[AuditReport]:
    known = sorted({*ledger.accounts(), *anchored})
    if account is None:
        return [ledger.audit_report(each) for each in known]
    if settings.account not in known:
        raise CommandError(f"the ledger has no account {account!r}: it has {', '.join(known) or 'none'}")
    return [ledger.audit_report(settings.account)]


def _show(reports: list[AuditReport]) -> None:
    if not reports:
        typer.echo("The ledger has no account yet, so there is nothing to verify.")
        return
    shown = books.table("account", ">entries", "newest", "anchored", "found")
    for report in reports:
        anchored = (
            f"entry {report.anchored:,} at {books.moment(report.anchored_ns)}" if report.anchored else "never"
        )
        found = "as it was written" if not report.faults else f"{len(report.faults):,} faults"
        newest = report.head.hash[:12] if report.entries else ""
        shown.add_row(report.account_id, f"{report.entries:,}", newest, anchored, found)
    books.console().print(shown)
    for report in reports:
        for fault in report.faults:
            typer.echo(f"Account {report.account_id}: {fault}.")
