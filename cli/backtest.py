"""`genesis backtest`: a strategy over recordings, by the fold that decides when it is real."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.cli.pictures import drawn
from genesis.connectors.backtesting import NothingToTrade, Recorded
from genesis.operators.account.money import AmountError, positive
from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tier_table import TIERS
from genesis.operators.strategies import catalog
from genesis.operators.strategies.report import Report, as_text, reported
from genesis.operators.strategies.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def backtest(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Recordings, as `genesis record` writes them.")
    ],
    strategy: Annotated[str, typer.Option(help=f"One of {', '.join(sorted(catalog.STRATEGIES))}.")],
    capital: Annotated[str, typer.Option(help="Opening cash, USDT.")] = "500",
    tier_free: Annotated[
        bool,
        typer.Option(
            "--tier-free", help="Begin in the tier whose floor the capital reaches, not in the first."
        ),
    ] = False,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the strategy; once for each."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.json, report.txt and equity.svg.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Run a strategy over recordings and report what it would have made; no broker, no network.

    The account's own checks decide about every order. The same files give the same report.

    Examples:

      genesis backtest btcusdt.txt.gz ethusdt.txt.gz --strategy pairs

      genesis backtest *.txt.gz --strategy breakout --set minutes=2 --out study --json
    """
    report = tried(
        [str(file) for file in options.recordings(files)], strategy, given or [], capital, tier_free
    )
    written = msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
    typer.echo(written if as_json else as_text(report))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text(written + "\n", encoding="utf-8")
        (out / "report.txt").write_text(as_text(report) + "\n", encoding="utf-8")
        typer.echo(_pictured(report, out / "equity.svg"), err=True)


def tried(names: list[str], strategy: str, given: list[str], capital: str, tier_free: bool) -> Report:
    """Return the report of a strategy over recordings.

    Raises
    ------
    CommandError
        When strategy, parameters, capital or recordings do not do.
    """
    try:
        chosen = catalog.made(strategy, options.parameters(given))
        cash = positive(capital, "capital")
        recorded = Recorded(names)
    except (catalog.StrategyError, NothingToTrade) as error:
        raise CommandError(str(error)) from None
    except AmountError as error:
        raise CommandError(f"--capital: {error.sentence}") from None
    missing = sorted(set(chosen.symbols) - {each.symbol for each in recorded.listings.listings})
    if missing:
        raise CommandError(
            f"strategy {strategy!r} follows {', '.join(missing)}, of which there is no spot recording among "
            "the files. Name one, or other symbols with --set"
        )
    reached = [tier for tier, rights in TIERS.items() if rights.floor <= cash]
    trial = Trial(chosen, recorded.listings, capital, reached[-1] if tier_free and reached else Tier.SNIPER)
    for due in recorded:
        trial.take(due.record, due.event_ns)
    if recorded.unreadable:
        count = recorded.unreadable
        what = "message could not be read and was" if count == 1 else "messages could not be read and were"
        typer.echo(f"{count} {what} left out.", err=True)
    return reported(trial, strategy, capital)


def _pictured(report: Report, path: Path) -> str:
    """Draw the curve of equity; return a sentence on it."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.step(
            [(at_ns - report.begin_ns) / 60e9 for at_ns, _ in report.curve],
            [float(equity) for _, equity in report.curve],
            where="post",
            linewidth=1.0,
        )
        axes.set(xlabel="minutes", ylabel="equity, USDT", title=f"{report.strategy}: {report.trades} trades")

    return drawn(path, (8, 3), draw)
