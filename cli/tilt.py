"""`genesis tilt`: how the trader stands, the way back from a rest, his own limits, and the week's report."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.table import Table

from genesis.cli import books, options, order
from genesis.cli.pictures import drawn
from genesis.cli.sql import rows_of
from genesis.connectors.settings import Settings
from genesis.connectors.store.schema import literal
from genesis.operators.account.events import (
    AcceptBreak,
    AnswerChecklist,
    ForgetBehaviour,
    SetParameter,
    TellLifeEvent,
)
from genesis.operators.account.outcomes import TiltStatus
from genesis.operators.tilt import parameters
from genesis.operators.tilt.interventions import CHECKLIST

BEFORE_LOSS_S = 600
"""How long before a loss the report looks at what was done."""

DAY_NS = 86_400 * 10**9

app = typer.Typer(
    help="How you stand, the way back from a rest, limits of your own, and the week's report.",
    epilog="What is looked at and what follows: docs/tilt_indicators.md.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@app.command()
def status(account: books.Account = None, data: options.Data = None, as_json: options.AsJson = False) -> None:
    """Show the level, the signs behind it, and what is left of a rest; from the ledger alone.

    Example: genesis tilt status --json | jq .level
    """
    settings = options.configured(data, account=account)
    with books.opened(settings) as ledger:
        told = books.newest(ledger, settings.account, "tilt", TiltStatus)
    if as_json:
        books.print_json({"account": settings.account, "tilt": told[-1] if told else None})
        return
    if not told:
        typer.echo("Nothing has been seen of you yet. It begins with the first order or key.")
        return
    now = told[-1]
    known = "" if now.calibrated else " (still learning what is usual for you)"
    typer.echo(f"Level {now.level}{known}: {now.sentence}")
    for sentence in now.signs:
        typer.echo(f"  {sentence}")
    if now.missing:
        typer.echo(
            f"Left until trading goes on, as of {books.moment(now.event_ns)}: {', '.join(now.missing)}."
        )
    if now.debt:
        typer.echo(f"{now.debt} calm trades with a profit until sizes are full again.")


@app.command()
def accept(data: options.Data = None, wait: order.Wait = 15.0, as_json: options.AsJson = False) -> None:
    """Accept a break of five minutes; it makes the way back shorter."""
    order.send(data, AcceptBreak(), wait, "", as_json)


@app.command()
def checklist(
    agreed: Annotated[
        str, typer.Option(help="Answers in their order, such as yyyyy; asked one by one without it.")
    ] = "",
    data: options.Data = None,
    wait: order.Wait = 15.0,
    as_json: options.AsJson = False,
) -> None:
    """Answer the checklist that ends a rest.

    Example: genesis tilt checklist
    """
    if not agreed:
        agreed = "".join("y" if typer.confirm(point) else "n" for point in CHECKLIST)
    answers = tuple(letter in "yY" for letter in agreed)
    order.send(data, AnswerChecklist(agreed=answers[:16]), wait, "", as_json)


@app.command("set")
def set_parameter(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(parameters.PARAMETERS)}.")],
    value: Annotated[str, typer.Argument(help="Tighter holds at once, looser in an hour.")],
    data: options.Data = None,
    wait: order.Wait = 15.0,
    as_json: options.AsJson = False,
) -> None:
    """Set a limit of your own, or how you are.

    Examples:

      genesis tilt set profile tired

      genesis tilt set position_share 0.02
    """
    order.send(data, SetParameter(name=name, value=value), wait, "", as_json)


@app.command()
def life(
    days: Annotated[int, typer.Argument(help="Days for which more care is taken.")],
    data: options.Data = None,
    wait: order.Wait = 15.0,
    as_json: options.AsJson = False,
) -> None:
    """Say that life asks for care for some days; what it is stays with you."""
    order.send(data, TellLifeEvent(days=days), wait, "", as_json)


@app.command()
def forget(
    before: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Up to when, UTC; all without it."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask once more.")] = False,
    data: options.Data = None,
    wait: order.Wait = 15.0,
    as_json: options.AsJson = False,
) -> None:
    """Delete from the store what was seen of you: keys, gestures, observations of your orders.

    Orders and results stay, and so do the medians of your habits, which protect you: forgetting ends no rest.

    Examples:

      genesis tilt forget

      genesis tilt forget --before 2026-01-01 --yes
    """
    until = before.replace(tzinfo=UTC) if before is not None else datetime.now(UTC)
    if not yes:
        typer.confirm(f"Delete what was seen of you before {until:%Y-%m-%d %H:%M} UTC?", abort=True)
    order.send(data, ForgetBehaviour(before_ns=int(until.timestamp()) * 10**9), wait, "", as_json)


@app.command()
def report(
    days: Annotated[int, typer.Option(min=1, max=366, help="Days to look back, by the account's clock.")] = 7,
    picture: Annotated[Path | None, typer.Option(help="File for a picture of the days, SVG.")] = None,
    account: books.Account = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Report the week: results when calm and when not, and what was done before losses.

    Examples:

      genesis tilt report

      genesis tilt report --days 30 --picture week.svg

      genesis tilt report --json | jq .by_level
    """
    settings = options.configured(data, account=account)
    found = _report(settings, days)
    if as_json:
        typer.echo(msgspec.json.format(json.dumps(found), indent=2))
    else:
        _print(found)
    if picture is not None:
        typer.echo(_pictured(found, picture), err=True)


def _report(settings: Settings, days: int) -> dict[str, Any]:
    """Return the report's figures."""
    mine = f"account_id = {literal(settings.account)}"
    ((newest,),) = rows_of(settings, f"SELECT toString(max(event_ns)) FROM account FINAL WHERE {mine}")
    since = f"{mine} AND event_ns > {int(newest) - days * DAY_NS}"
    sales = (
        "(SELECT account_id, event_ns, toFloat64(realised) AS realised FROM executions FINAL"
        f" WHERE {since} AND side = 'sell')"
    )
    levels = f"(SELECT account_id, event_ns, level FROM tilt FINAL WHERE {mine})"
    by_level = rows_of(
        settings,
        "SELECT toInt32(t.level) AS level, toInt32(count()), sum(s.realised),"
        f" toInt32(countIf(s.realised > 0)) FROM {sales} AS s ASOF LEFT JOIN {levels} AS t"
        " ON s.account_id = t.account_id AND s.event_ns >= t.event_ns GROUP BY level ORDER BY level",
    )
    sold = "what IN ('sold', 'stopped')"
    lost = f"(SELECT event_ns FROM behaviour FINAL WHERE {since} AND {sold} AND value < 0)"
    done = f"(SELECT event_ns, what FROM behaviour FINAL WHERE {since} AND NOT {sold})"
    before = rows_of(
        settings,
        f"SELECT b.what, toInt32(uniqExact(l.event_ns)) AS losses FROM {lost} AS l, {done} AS b WHERE"
        f" b.event_ns < l.event_ns AND b.event_ns >= l.event_ns - {BEFORE_LOSS_S * 10**9}"
        " GROUP BY b.what ORDER BY losses DESC, b.what LIMIT 12",
    )
    changes = rows_of(
        settings,
        "SELECT toString(event_ns), toInt32(level), phase, names"
        f" FROM tilt FINAL WHERE {since} ORDER BY event_ns",
    )
    ((losses,),) = rows_of(settings, f"SELECT toInt32(count()) FROM {lost}")
    return {
        "account": settings.account,
        "days": days,
        "until_ns": int(newest),
        "by_level": [
            {"level": level, "sales": sales, "realised": realised, "with_profit": won}
            for level, sales, realised, won in by_level
        ],
        "losses": losses,
        "before_losses": [{"what": what, "losses": count} for what, count in before],
        "changes": [
            {"event_ns": int(at), "level": level, "phase": phase, "signs": names}
            for at, level, phase, names in changes
        ],
    }


def _print(found: dict[str, Any]) -> None:
    if found["by_level"]:
        books.console().print(_by_level(found["by_level"]))
    else:
        typer.echo(f"Nothing was sold in {found['days']} days, so there are no results to compare yet.")
    if found["before_losses"]:
        minutes = BEFORE_LOSS_S // 60
        typer.echo(f"\nIn the {minutes} minutes before a sale with a loss ({found['losses']} of them):")
        shown = books.table("what", ">before so many")
        for each in found["before_losses"]:
            shown.add_row(each["what"].replace("_", " "), str(each["losses"]))
        books.console().print(shown)
    rests = sum(each["phase"] == "resting" for each in found["changes"])
    typer.echo(f"\nLevel or signs changed {len(found['changes'])} times; a rest was told {rests} times.")


def _by_level(rows: list[dict[str, Any]]) -> Table:
    shown = books.table("level", ">sales", ">with a profit", ">realised")
    for each in rows:
        row = (each["level"], each["sales"], each["with_profit"], books.money(each["realised"]))
        shown.add_row(*map(str, row))
    return shown


def _pictured(found: dict[str, Any], path: Path) -> str:
    """Draw the levels and results of the days; return a sentence on it."""

    def draw(figure: "Figure") -> None:
        above, below = figure.subplots(2, 1)
        hours = [(each["event_ns"] - found["until_ns"]) / 3.6e12 for each in found["changes"]]
        above.step(hours, [each["level"] for each in found["changes"]], where="post", color="C1")
        above.set(ylabel="level", ylim=(-0.1, 3.1), xlabel="hours before the newest record", yticks=range(4))
        names = [f"level {each['level']}" for each in found["by_level"]]
        below.bar(names, [each["realised"] for each in found["by_level"]], width=0.4)
        below.axhline(0.0, color="C7", linewidth=0.8)
        below.set(ylabel="realised")

    return drawn(path, (8, 4), draw)
