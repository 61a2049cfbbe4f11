"""The study of slicing: every algorithm next to one market order, through the recorded books.

Writes the tables in docs/slicing.md and the pictures beside it. Deterministic: the same recordings give
the same page.
"""

from pathlib import Path

import numpy as np

from benchmarks import slicing_pictures, slicing_volume
from benchmarks.slicing_replay import INSTRUMENTS, Tape, load
from benchmarks.slicing_runs import (
    CAPPED,
    HORIZON_S,
    IMPACT,
    METHODS,
    SLICES,
    STEP_S,
    Costs,
    case,
    starts,
)
from genesis.operators import market_impact
from genesis.operators.arrays import Floats
from genesis.operators.execution_cost import PARTS
from genesis.operators.slicing.orders import Algorithm
from genesis.operators.slicing.routing import Conditions, choose

PAGE = Path(__file__).parent.parent / "docs" / "slicing.md"
IMAGES = PAGE.parent / "images"
BEGIN, END = "<!-- results: made by `python -m benchmarks slicing` -->", "<!-- end of results -->"
NOTIONALS = (2_000, 50_000, 1_000_000)
MODELS = ("recorded", "depletion", "law")
ONE = "one market order"
RESAMPLES = 2_000
BLOCK = HORIZON_S // STEP_S
"""Starts in a block of the bootstrap: as many as overlap."""

Study = dict[tuple[str, int], dict[str, Costs]]


def run() -> list[dict[str, object]]:
    """Run the study, write the page, and return its main figures."""
    study: Study = {}
    notes: dict[tuple[str, int], str] = {}
    for instrument in INSTRUMENTS:
        tape = load(instrument)
        for notional in NOTIONALS:
            key = (instrument.title, notional)
            study[key] = {name: case(tape, notional, params) for name, params in METHODS.items()}
            notes[key] = _note(tape, notional)
    volume_rows, volume_means = slicing_volume.table()
    IMAGES.mkdir(exist_ok=True)
    slicing_pictures.savings(study, interval, IMAGES / "slicing_savings.png")
    slicing_pictures.outcomes(study, IMAGES / "slicing_outcomes.png")
    _write(_tables(study, notes), volume_rows)
    rows = [_row(costs, title, notional) for (title, notional), costs in study.items()]
    flat, best = (volume_means[name][0] for name in ("flat", "learned, updated"))
    what = "learned, updated volume curve: distance from the market's share, 4 h"
    baseline = f"flat curve: {100 * flat:.3g} %"
    rows.append(
        {
            "name": what,
            "value": float(100 * best),
            "unit": "%",
            "baseline": baseline,
            "ratio": float(best / flat),
        }
    )
    return rows


def _row(costs: dict[str, Costs], title: str, notional: int) -> dict[str, object]:
    value, one = (float(costs[name].total("recorded").mean()) for name in ("TWAP", ONE))
    what = f"TWAP of ${notional:,} in {HORIZON_S} s, {title}: cost with fees"
    return {
        "name": what,
        "value": value,
        "unit": "bps",
        "baseline": f"{ONE}: {one:.3f} bps",
        "ratio": value / one,
    }


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % confidence interval of the mean of a series, by a circular block bootstrap.

    Parameters
    ----------
    values
        One value a start, in the order of starts; neighbours overlap, so whole blocks are drawn.
    """
    size, rng = values.size, np.random.default_rng(3)
    first = rng.integers(0, size, (RESAMPLES, -(-size // BLOCK)))
    places = (first[:, :, None] + np.arange(BLOCK)).reshape(RESAMPLES, -1)[:, :size] % size
    low, high = np.quantile(values[places].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _note(tape: Tape, notional: int) -> str:
    """Say what the router would do, and how much the rule of 10 % lets through."""
    capped = case(tape, notional, CAPPED).done
    return (
        f"The router sends one order in {100 * share_whole(tape, notional):.0f} % of the starts. "
        f"Held to 10 % of the volume, TWAP fills {100 * capped.mean():.0f} % of it in {HORIZON_S} s."
    )


def share_whole(tape: Tape, notional: int) -> float:
    """Return the share of the starts at which the router, from the book of that moment, sends one order."""
    fee = tape.instrument.taker_bps
    day = market_impact.Day(tape.day_volatility_bps, tape.day_volume)
    picked = 0
    for start in starts(tape):
        mid = float(tape.mid_2[start]) / 2
        lots = tape.lots_for(notional, start)
        sizes = np.array([float(lots), lots / SLICES])
        ticks, there = (array[start, 1].astype(np.float64) for array in (tape.ticks, tape.lots))
        spread = 2e4 * (ticks[0] - mid) / mid
        whole, piece = market_impact.walk_bps(ticks, there, sizes, mid) - spread / 2
        conditions = Conditions(spread, fee, float(whole), float(piece), day, IMPACT.recovery_s)
        picked += choose(METHODS["TWAP"], conditions).algorithm is Algorithm.ONE
    return picked / len(starts(tape))


def _tables(study: Study, notes: dict[tuple[str, int], str]) -> list[str]:
    head = (
        "| | cost | 95 % interval | delay | spread | impact | fees | opportunity | saved against one order, "
        "95 % interval | … with depletion | … by the law | spread of outcomes | filled | rested |\n|---|"
        + "---:|"
        * 13
    )
    lines = []
    for (title, notional), costs in study.items():
        lines += [f"\n#### ${notional:,} of {title}\n", notes[title, notional], "", head]
        lines += [_line(name, costs[name], costs[ONE]) for name in costs]
    return lines


def _line(name: str, costs: Costs, one: Costs) -> str:
    total = costs.total("recorded")
    low, high = interval(total.mean(axis=1))
    parts = dict(zip(PARTS, costs.parts.mean(axis=(0, 1)) + 0.0, strict=True))
    split = " | ".join(f"{parts[part]:.2f}".replace("-0.00", "0.00") for part in PARTS[:-1])
    saved = {model: (one.total(model) - costs.total(model)).mean(axis=1) for model in MODELS}
    cells = ["", "", ""]
    if name != ONE:
        ends = interval(saved["recorded"])
        cells = [f"{saved['recorded'].mean():+.2f} ({ends[0]:+.2f} to {ends[1]:+.2f})"]
        cells += [f"{saved[model].mean():+.2f}" for model in MODELS[1:]]
    return (
        f"| {name} | {total.mean():.2f} | {low:.2f} to {high:.2f} | {split} | {' | '.join(cells)} | "
        f"{total.std():.2f} | {100 * costs.done.mean():.0f} % | {100 * costs.maker.mean():.0f} % |"
    )


def _write(tables: list[str], volume_rows: list[str]) -> None:
    """Put the tables between the marks of the page."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    body = "\n".join(["### Cost of an order", *tables, "", "### Volume, known before", "", *volume_rows])
    PAGE.write_text(f"{before}{BEGIN}\n{body}\n{END}{rest.partition(END)[2]}")
