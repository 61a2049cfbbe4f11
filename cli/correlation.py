"""`genesis correlation`: the newest correlation matrix as a heat table, repaired when asked."""

import json
import math
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genesis.cli import options
from genesis.cli.errors import CommandError
from genesis.cli.sql import rows_of
from genesis.connectors.settings import Settings
from genesis.operators.arrays import Floats
from genesis.operators.matrix_distance import distance
from genesis.operators.matrix_repair import repaired
from genesis.operators.triangles import triangle_of

HEAT = ((0.9, "bold white on red"), (0.7, "black on yellow"), (0.4, "yellow"), (-0.2, ""), (-1.0, "cyan"))
"""Styles of correlations from so much on."""

SECOND_NS = 1_000_000_000


class Matrix(NamedTuple):
    """All pairs at one time."""

    sample_ns: int
    names: list[str]
    values: Floats  # shape (n, n), NaN while undefined; the diagonal is 1 for whoever has a pair
    stale: int  # pairs with a gap over them


def correlation(
    half_life: Annotated[
        float | None,
        typer.Option("--half-life", help="Of the weights, s; 0 for equal ones. Default: the shortest."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repaired", help="Show the nearest positive semidefinite matrix instead.")
    ] = False,
    against: Annotated[
        float, typer.Option("--against", min=1.0, help="Say how far it is from the one so many s before.")
    ] = 300.0,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the newest correlation of every pair, and how much it has changed.

    A matrix of pairs that were estimated one by one need not be positive semidefinite; a portfolio
    could then seem to have a negative variance. --repaired gives the nearest matrix that is, and how
    far that is away.

    Examples:

      genesis correlation

      genesis correlation --half-life 60 --repaired

      genesis correlation --json | jq .distance
    """
    settings = options.configured(data)
    half_life_ns = _half_life_ns(settings, half_life)
    now = _matrix(settings, half_life_ns, "")
    if now is None:
        raise CommandError(
            "no correlation has been stored yet: the first one comes with the second cell, 2 s on"
        )
    before = _matrix(settings, half_life_ns, f" AND sample_ns <= {now.sample_ns - int(against * SECOND_NS)}")
    found: dict[str, Any] = {
        "sample_ns": now.sample_ns,
        "half_life_s": half_life_ns / SECOND_NS,
        "names": now.names,
        "stale_pairs": now.stale,
        "least_eigenvalue": _least_eigenvalue(now.values),
        "change": _defined(_change(now, before)),
        "against_s": None if before is None else (now.sample_ns - before.sample_ns) / SECOND_NS,
        "repaired": repair,
        "distance": None,
    }
    values = now.values
    if repair:
        nearest = repaired(values)
        values, found["distance"] = nearest.matrix, nearest.distance
    found["correlation"] = [[_defined(value) for value in row] for row in values.tolist()]
    if as_json:
        typer.echo(msgspec.json.format(json.dumps(found), indent=2))
        return
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)
    console.print(_table(now.names, values))
    for line in _said(found):
        console.print(line)


def _half_life_ns(settings: Settings, wanted_s: float | None) -> int:
    """Return the half-life that is asked for, which must be stored."""
    stored = sorted(int(row[0]) for row in rows_of(settings, "SELECT DISTINCT half_life_ns FROM correlation"))
    if wanted_s is None:
        return min((each for each in stored if each), default=0)
    wanted_ns = round(wanted_s * SECOND_NS)
    if stored and wanted_ns not in stored:
        known = ", ".join(f"{each / SECOND_NS:g}" for each in stored)
        raise CommandError(f"there is no correlation with --half-life {wanted_s:g}; there are {known} s")
    return wanted_ns


def _matrix(settings: Settings, half_life_ns: int, condition: str) -> Matrix | None:
    """Return the newest matrix that meets a condition, None when there is none."""
    where = f"half_life_ns = {half_life_ns}"
    rows = rows_of(
        settings,
        "SELECT sample_ns, market_a, symbol_a, market_b, symbol_b, correlation, stale FROM correlation"
        f" WHERE {where} AND sample_ns = (SELECT max(sample_ns) FROM correlation WHERE {where}{condition})",
    )
    if not rows:
        return None
    pairs = {
        (_name(row[1], row[2]), _name(row[3], row[4])): (
            math.nan if row[5] is None else float(row[5]),
            row[6],
        )
        for row in rows
    }
    names = sorted({name for pair in pairs for name in pair})
    place = {name: number for number, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(values, 1.0)
    for (a, b), (value, _) in pairs.items():
        values[place[a], place[b]] = values[place[b], place[a]] = value
    stale = sum(str(each) not in ("0", "False", "false") for _, each in pairs.values())
    return Matrix(int(rows[0][0]), names, values, stale)


def _name(market: object, symbol: object) -> str:
    text = str(symbol).rstrip("\0")
    return text if str(market) == "spot" else f"{text}.{market}"


def _number(value: object) -> float:
    return math.nan if value is None else float(str(value))


def _change(now: Matrix, before: Matrix | None) -> float:
    """Return the mean absolute change of the pairs that both have, NaN when there are none."""
    if before is None:
        return math.nan
    had = {name: number for number, name in enumerate(before.names)}
    both = [(number, had[name]) for number, name in enumerate(now.names) if name in had]
    new, old = ([pair[side] for pair in both] for side in (0, 1))
    one, other = now.values[np.ix_(new, new)], before.values[np.ix_(old, old)]
    below = np.tril(np.ones(one.shape, np.bool_), -1)
    one, other = (np.where(below, each, np.nan) for each in (one, other))
    return float(distance(triangle_of(one), triangle_of(other)))


def _least_eigenvalue(values: Floats) -> float:
    """Return the least eigenvalue of the matrix, 0 where it is undefined."""
    return float(np.linalg.eigvalsh(np.where(np.isfinite(values), values, 0.0))[0])


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _table(names: list[str], values: Floats) -> Table:
    """Return the lower triangle, hot where two move together."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    for name in names[:-1]:
        table.add_column(name, justify="right")
    for i, name in enumerate(names[1:], start=1):
        table.add_row(name, *(_heat(value) for value in values[i, :i].tolist()))
    return table


def _heat(value: float) -> Text:
    if not math.isfinite(value):
        return Text("–", style="dim")
    return Text(f"{value:+.2f}", style=next((style for from_, style in HEAT if value >= from_), ""))


def _said(found: dict[str, Any]) -> list[str]:
    """Return the sentences below the table."""
    weights = f"half-life {found['half_life_s']:g} s" if found["half_life_s"] else "equal weights"
    lines = [f"{len(found['names'])} instruments, {weights}, {found['stale_pairs']} pairs stale"]
    if found["change"] is not None:
        lines.append(f"mean change of a pair in {found['against_s']:,.0f} s: {found['change']:.3f}")
    least = found["least_eigenvalue"]
    if found["distance"] is not None:
        lines.append(f"repaired: {found['distance']:.2g} (Frobenius norm) from what was estimated")
    elif least < -1e-12 * len(found["names"]):
        lines.append(f"not positive semidefinite (least eigenvalue {least:.2g}): --repaired mends that")
    return lines
