"""`genesis simulate-trader`: days of a simulated person, decided by the account's own fold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.cli.pictures import drawn
from genesis.operators.personas.floor import FIRST_DAY, DayRecord, career
from genesis.operators.personas.market import SYMBOLS
from genesis.operators.personas.moods import Persona
from genesis.operators.personas.trader import Trader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRIFT = -1.0
"""Drift of a bad day, in deviations of a day."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Days of a simulated trader."""

    persona: str
    seed: int
    learned: int
    days: list[DayRecord]


def simulate_trader(
    persona: Annotated[Persona, typer.Option(help="What the person is prone to.")] = Persona.CALM,
    seed: Annotated[int, typer.Option(min=0, help="Who it is, and what the market does.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days to show.")] = 1,
    learned: Annotated[
        int, typer.Option(min=0, max=365, help="Days before them, lived calmly, to learn the usual from.")
    ] = 30,
    bad: Annotated[bool, typer.Option("--bad", help="Let the market go against whoever buys.")] = False,
    picture: Annotated[Path | None, typer.Option(help="File for a picture of the last day, SVG.")] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Act on the running system instead, see `genesis up`; ends with Ctrl-C."),
    ] = False,
    pace: Annotated[
        float, typer.Option(min=1.0, max=3_600.0, help="With --live: seconds of his day in a real second.")
    ] = 20.0,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="With --live: longest to go on, real time.")
    ] = 600.0,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Let a simulated person trade, and show orders, results, tilt levels and the hidden state.

    The account's own fold decides about every order; market and venue are synthetic, and no process is
    started. The same persona and seed give the same days. With --live he trades on the running system.

    Examples:

      genesis simulate-trader --persona revenge --seed 7

      genesis simulate-trader --persona calm --seed 3 --days 5 --bad --json

      genesis simulate-trader --persona revenge --live --pace 60
    """
    if live:
        return _lives(data, (persona, seed), pace, 60 * minutes)
    report = simulated(persona, seed, days, learned, bad)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        typer.echo("\n\n".join("\n".join(lines(day)) for day in report.days))
    if picture is not None:
        typer.echo(_pictured(report.days[-1], picture), err=True)
    return None


def _lives(data: Path | None, who: tuple[Persona, int], pace: float, length_s: float) -> None:
    from genesis.cli.live_trader import LiveTrader, NoAccountError
    from genesis.cli.order import attached
    from genesis.connectors.commanding import NoDecisionError

    try:
        trader = LiveTrader(attached(data), *who, pace, typer.echo)
    except NoAccountError as error:
        raise CommandError(str(error)) from None
    try:
        trader.run(length_s)
    except NoDecisionError as error:
        raise CommandError(str(error)) from None
    finally:
        trader.close()
        typer.echo("He has left. What is held stays; `genesis order flatten` sells it.", err=True)


def simulated(persona: Persona, seed: int, days: int, learned: int, bad: bool = False) -> Report:
    """Return days of a person after those that the usual is learned from."""
    usual = Persona.LEARNER if persona is Persona.LEARNER else Persona.CALM
    floor = career(Trader(persona, seed, SYMBOLS), seed, learned, usual)
    found = [floor.run(persona, DRIFT if bad else 0.0) for _ in range(days)]
    return Report(persona=str(persona), seed=seed, learned=learned, days=found)


def lines(day: DayRecord) -> list[str]:
    """Return a day for a person: what happened, in order, and a line of sums."""
    told = [(each.now_s, _attempted(each.accepted, each.code, each.share)) for each in day.attempts]
    told += [(at_s, f"sold, {share:+.3%} of the equity") for at_s, share in day.results]
    told += [(at_s, f"tilt level {level}") for at_s, level in day.levels]
    if day.episode_s is not None:
        told.append((day.episode_s, "the hidden state changes"))
        if day.ended_s is not None:
            told.append((day.ended_s, "the hidden state is calm again"))
    taken = sum(each.accepted for each in day.attempts)
    lost = sum(share < 0 for _at_s, share in day.results)
    return [
        f"Day {day.day + 1} ({_date(day.day)}, UTC), {day.persona}",
        *(f"  {clock(at_s)}  {what}" for at_s, what in sorted(told, key=lambda each: each[0])),
        f"  {len(day.attempts)} orders asked, {taken} taken, {len(day.results)} sales, {lost} at a loss; "
        f"the day {day.pnl_share:+.3%}; highest level {day.level_max}"
        + ("" if day.calibrated else "; tilt was still learning"),
    ]


def _attempted(accepted: bool, code: str, share: float) -> str:
    return f"asked to buy {share:.2%} of the equity: " + ("taken" if accepted else f"declined, {code}")


def clock(at_s: float) -> str:
    """Return a time of the day.

    >>> clock(3_723.4)
    '01:02:03'
    """
    whole = int(at_s)
    return f"{whole // 3_600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _date(day: int) -> str:
    import numpy as np

    return str(np.datetime64(FIRST_DAY + day, "D"))


def _steps(day: DayRecord) -> list[tuple[float, int]]:
    """Return the level from the first thing of the day to the last."""
    times_s = [each.now_s for each in day.attempts]
    times_s += [each[0] for each in (*day.results, *day.levels)]
    found = [(min(times_s, default=0.0), 0), *day.levels]
    return [*found, (max(times_s, default=0.0), found[-1][1])]


def _pictured(day: DayRecord, path: Path) -> str:
    """Draw a day; return a sentence on it."""

    def draw(figure: "Figure") -> None:
        orders, levels = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        for accepted, marker in ((True, "o"), (False, "x")):
            chosen = [each for each in day.attempts if each.accepted is accepted]
            label = "order taken" if accepted else "order declined"
            orders.scatter(
                [each.now_s / 3_600 for each in chosen],
                [100 * each.share for each in chosen],
                s=14, marker=marker, color="C0" if accepted else "C7", label=label,
            )  # fmt: skip
        orders.stem(
            [at_s / 3_600 for at_s, _ in day.results] or [0.0],
            [3_000 * share for _, share in day.results] or [0.0],
            linefmt="C7-", markerfmt=" ", basefmt="C7-", label="result × 30",
        )  # fmt: skip
        steps = _steps(day)
        levels.step([at_s / 3_600 for at_s, _ in steps], [level for _, level in steps], where="post")
        if day.episode_s is not None:
            ends_s = day.ended_s if day.ended_s is not None else day.episode_s + 3_600
            for axes in (orders, levels):
                axes.axvspan(day.episode_s / 3_600, ends_s / 3_600, color="C1", alpha=0.15)
        orders.set(ylabel="% of the equity", title=f"{day.persona}, day {day.day + 1}")
        orders.legend(fontsize=7, loc="upper left")
        levels.set(xlabel="hours, UTC; shaded: the hidden state", ylabel="tilt level", ylim=(-0.1, 3.2))

    return drawn(path, (8, 4), draw)
