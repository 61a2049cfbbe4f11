"""`genesis order`: what the dashboard would place, for scripts; the same topic and the same checks."""

import re
import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.connectors import keys, run_file
from genesis.connectors.commanding import Commander, NoDecisionError
from genesis.connectors.settings import Settings
from genesis.operators.account.events import (
    AmendOrder,
    CancelOrders,
    Command,
    Flatten,
    PauseOrder,
    PlaceOrder,
    RequestOverride,
    ResumeOrder,
    Role,
    SetMode,
    SetStop,
    WriteJournal,
)

if TYPE_CHECKING:
    from genesis.operators.account.preview import Preview

REFUSED = 3
"""Exit status of a command that was refused."""

PPM = 1_000_000
_UNITS_S = {"s": 1, "m": 60, "h": 3_600}

app = typer.Typer(
    help="Place, change and end orders; each command is answered by the account's decision.",
    epilog="Exit status: 0 carried out, 3 refused, 1 no decision.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Wait = Annotated[float, typer.Option(min=0.1, help="Longest time to wait for the decision, seconds.")]
Id = Annotated[str, typer.Option("--id", help="Id of the command; the same id is carried out once.")]
Order = Annotated[str, typer.Argument(metavar="ORDER", help="Id of the parent order; see `genesis orders`.")]


def duration_s(text: str) -> int:
    """Return seconds.

    >>> duration_s("10m"), duration_s("45"), duration_s("1h")
    (600, 45, 3600)
    """
    found = re.fullmatch(r"(\d{1,6})([smh]?)", text)
    if found is None:
        raise CommandError(f"a duration is a number with s, m or h, such as 10m; was {text!r}")
    return int(found[1]) * _UNITS_S[found[2] or "s"]


def share_ppm(text: str) -> int:
    """Return a share in parts per million.

    >>> share_ppm("2%"), share_ppm("0.5%")
    (20000, 5000)
    """
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)%", text)
    if found is None:
        raise CommandError(f"a share is written with %, such as 2%; was {text!r}")
    return round(float(found[1]) * PPM / 100)


def symbol_of(text: str) -> str:
    """Return the venue's name of a pair; a bare asset stands for its pair with USDT.

    >>> symbol_of("btc"), symbol_of("ETHUSDT"), symbol_of("eth/usdt")
    ('BTCUSDT', 'ETHUSDT', 'ETHUSDT')
    """
    name = text.upper().replace("/", "").replace("-", "")
    return name if name.endswith("USDT") and name != "USDT" else f"{name}USDT"


def attached(data: options.Data) -> Settings:
    """Return the settings of the system that runs on a data folder."""
    settings = options.configured(data)
    run = run_file.read(settings.data)
    if run is not None and run.broker:
        update = {"broker": run.broker, "shards": run.shards or settings.shards}
        embedded = not settings.broker
        return settings.model_copy(update={**update, "embedded_broker": embedded})
    if not settings.broker:
        raise CommandError(f"no system is running on {settings.data}. Start one with `genesis up`")
    return settings


def send(data: options.Data, command: Command, wait: float, command_id: str, as_json: bool) -> None:
    """Send a command, print what was decided, and end with its exit status."""
    settings = attached(data)
    commander = Commander(settings, keys.open_keys(settings, Role.TRADER)[Role.TRADER])
    try:
        decision = commander.ask(command, wait, command_id)
    except NoDecisionError as error:
        raise CommandError(str(error)) from None
    finally:
        commander.close()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(decision), indent=2).decode())
    else:
        typer.echo(decision.sentence)
        if decision.parent_id:
            typer.echo(f"order {decision.parent_id}", err=True)
    if not decision.accepted:
        sys.exit(REFUSED)


@app.command()
def place(
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    symbol: Annotated[str, typer.Argument(help="Pair, such as BTCUSDT or btc.")],
    notional: Annotated[str, typer.Option(help="How much, in USDT.")] = "",
    qty: Annotated[str, typer.Option(help="How much, in the base asset.")] = "",
    share: Annotated[str, typer.Option(help="How much of what is held, such as 50%; sells only.")] = "",
    algorithm: Annotated[
        str, typer.Option(help="one, twap, vwap, pov, iceberg or shortfall; the tier says which.")
    ] = "one",
    limit: Annotated[str, typer.Option(help="Worst price.")] = "",
    rest: Annotated[bool, typer.Option("--rest", help="Wait in the book at the limit.")] = False,
    duration: Annotated[str, typer.Option(help="Time to trade in, such as 10m.")] = "0",
    slices: Annotated[int, typer.Option(min=0, help="Slices wanted; 0 lets the algorithm choose.")] = 0,
    stop: Annotated[str, typer.Option(help="Stop-loss below the entry; 0% for none.")] = "2%",
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Say what it would lead to, and place nothing.")
    ] = False,
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Place an order.

    Examples:

      genesis order place buy btc --notional 25

      genesis order place sell ETHUSDT --share 50%

      genesis order place buy btc --notional 500 --algorithm twap --duration 10m --json

      genesis order place buy btc --notional 500 --preview
    """
    part = f"{share_ppm(share) / PPM:f}" if share else ""
    order = PlaceOrder(
        symbol=symbol_of(symbol),
        side=side,
        qty=qty,
        notional=notional,
        share=part,
        algorithm=algorithm,
        limit_price=limit,
        rests=rest,
        duration_s=duration_s(duration),
        slices=slices,
        stop_ppm=share_ppm(stop),
        reason=reason,
    )
    if preview:
        show_preview(data, order, as_json)
    else:
        send(data, order, wait, command_id, as_json)


def show_preview(data: options.Data, order: PlaceOrder, as_json: bool) -> None:
    """Print what an order would lead to now, as the fold decides on the account's newest state."""
    from genesis.connectors.ledger import LedgerError
    from genesis.connectors.previewing import NoPreviewError, Previewer

    settings = options.configured(data)
    previewer = Previewer(settings, keys.open_keys(settings, Role.TRADER)[Role.TRADER])
    try:
        found = previewer.preview(order)
    except (NoPreviewError, LedgerError) as error:
        raise CommandError(str(error)) from None
    finally:
        previewer.close()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        typer.echo("\n".join(preview_lines(found)))
    if not found.accepted:
        sys.exit(REFUSED)


def preview_lines(found: "Preview") -> list[str]:
    """Return a preview for a person."""
    if not found.accepted:
        fits = "" if found.fits in ("", "0") else f"${found.fits} still fits."
        return [f"This would be declined: {found.sentence}", *([fits] if fits else [])]
    pieces = f" in {found.slices} slices" if found.slices > 1 else ""
    bps = f" ({found.cost_bps:.1f} bps)" if found.cost_bps is not None else ""
    lines = [f"{found.qty} for ${found.notional}{pieces}; cost near ${found.cost}{bps}."]
    share, position = found.limits.get("share_of_capital"), found.limits.get("position")
    if share is not None and position is not None:
        lines.append(
            f"After it: {share.after:.1%} of capital of {share.most:.1%}, ${position.after:.2f} of "
            f"${position.most:.2f}."
        )
    return [*lines, "Nothing was placed."]


@app.command()
def cancel(
    order: Annotated[str, typer.Argument(help="Id of a parent order; none for all.")] = "",
    symbol: Annotated[str, typer.Option(help="All orders of a pair.")] = "",
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Cancel one order, those of a pair, or all.

    Example: genesis order cancel --symbol btc
    """
    name = symbol_of(symbol) if symbol else ""
    send(data, CancelOrders(parent_id=order, symbol=name), wait, command_id, as_json)


@app.command()
def pause(
    order: Order,
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Let an order rest.

    Example: genesis order pause 5f0c…
    """
    send(data, PauseOrder(parent_id=order), wait, command_id, as_json)


@app.command()
def resume(
    order: Order,
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Let a paused order go on.

    Example: genesis order resume 5f0c…
    """
    send(data, ResumeOrder(parent_id=order), wait, command_id, as_json)


@app.command()
def amend(
    order: Order,
    limit: Annotated[str, typer.Option(help="New worst price.")] = "",
    qty: Annotated[str, typer.Option(help="New total, base asset; lower than the old one.")] = "",
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Change the worst price of an order, or lower its total.

    Example: genesis order amend 5f0c… --limit 60000
    """
    send(data, AmendOrder(parent_id=order, limit_price=limit, qty=qty), wait, command_id, as_json)


@app.command()
def flatten(
    symbol: Annotated[str, typer.Argument(help="One pair; none for everything.")] = "",
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Cancel orders and sell what is held; possible in every mode.

    Example: genesis order flatten btc
    """
    name = symbol_of(symbol) if symbol else ""
    send(data, Flatten(symbol=name), wait, command_id, as_json)


@app.command()
def stop(
    symbol: Annotated[str, typer.Argument(help="Pair of the position.")],
    price: Annotated[str, typer.Option(help="Price at which it is sold.")] = "",
    distance: Annotated[str, typer.Option(help="Distance below the average cost, such as 2%.")] = "",
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Move the stop-loss of a position.

    Example: genesis order stop btc --distance 3%
    """
    command = SetStop(
        symbol=symbol_of(symbol), price=price, distance_ppm=share_ppm(distance) if distance else 0
    )
    send(data, command, wait, command_id, as_json)


@app.command()
def mode(
    to: Annotated[str, typer.Argument(help="active, reducing or halted.")],
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Change the mode: all orders, those that lower risk, or none.

    Example: genesis order mode halted
    """
    send(data, SetMode(mode=to), wait, command_id, as_json)


@app.command()
def override(
    words: Annotated[str, typer.Argument(help="The words that a refusal names.")],
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Ask for the emergency override: half of today's limit once more, then a day of rest.

    Example: genesis order override "I accept the risk and want to trade on today"
    """
    send(data, RequestOverride(confirmation=words), wait, command_id, as_json)


@app.command()
def journal(
    text: Annotated[str, typer.Argument(help="What to remember.")],
    data: options.Data = None,
    wait: Wait = 15.0,
    command_id: Id = "",
    as_json: options.AsJson = False,
) -> None:
    """Write into the journal.

    Example: genesis order journal "Waited for the second entry; it was worth it."
    """
    send(data, WriteJournal(text=text), wait, command_id, as_json)
