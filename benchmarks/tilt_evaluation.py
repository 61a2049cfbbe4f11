"""`python -m benchmarks tilt-evaluation`: what tilt catches, and how often it errs, on simulated traders.

Every person's result is kept in build/tilt_people.jsonl as it is done, so that a run that was ended goes on
where it was; results of other code, or without what is counted now, are left aside. Writes build/tilt.json
and the section of docs/tilt.md.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.intervals import Interval, interval
from benchmarks.tilt_people import RULES, USUAL_DAYS, Day, Person, Spiral, lived
from genesis.operators.personas.moods import Persona
from genesis.operators.tilt.indicators import INDICATORS

ROOT = Path(__file__).parent.parent
PEOPLE = ROOT / "build" / "tilt_people.jsonl"
RESULT = ROOT / "build" / "tilt.json"
PAGE = ROOT / "docs" / "tilt.md"
SEED = 70_000
LEARNERS_FROM = 500
"""Learners have seeds so far above those of the others, who are no more than this."""

DAYS_ASKED, SPIRALS_ASKED = 500, 300
BEGIN, END = "<!-- figures: made by `python -m benchmarks tilt-evaluation` -->", "<!-- end of figures -->"
NAMES = {
    "watch": "tilt, level 2 for spirals, level 3 for calm days",
    "streak": "three losses in a row, then 30 minutes of rest",
    "cap_10_in_60_min": "at most 10 orders in 60 minutes",
    "cap_3_in_10_min": "at most 3 orders in 10 minutes",
}


def main(arguments: Sequence[str]) -> None:
    """Evaluate, or write streams for tuning."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks tilt-evaluation", description=__doc__)
    parser.add_argument("--people", type=int, default=80, help="calm people, prone to all else on their day")
    parser.add_argument("--learners", type=int, default=12)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=600.0, help="longest to go on; then what is done counts"
    )
    parser.add_argument("--days", type=int, default=USUAL_DAYS, help="usual days before those that count")
    parser.add_argument(
        "--tuning",
        action="store_true",
        help="other people, of seeds below 1000, whom a watch may be tuned on",
    )
    asked = parser.parse_args(arguments)
    first = 0 if asked.tuning else SEED
    calm, learners = min(asked.people, LEARNERS_FROM), min(asked.learners, LEARNERS_FROM)
    ordered = [(i / calm, first + i, str(Persona.CALM)) for i in range(calm)]
    ordered += [(i / learners, first + LEARNERS_FROM + i, str(Persona.LEARNER)) for i in range(learners)]
    seeds = [(seed, persona, asked.days) for _place, seed, persona in sorted(ordered)]
    people = evaluated(seeds, asked.processes, 60 * asked.minutes)
    result = summed(people)
    print(described(result))
    if asked.tuning:
        return
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    page_text = PAGE.read_text()
    table = f"{BEGIN}\n{described(result)}\n{END}"
    before, mark, rest = page_text.partition(BEGIN)
    PAGE.write_text(before + table + rest.partition(END)[2] if mark else f"{before.rstrip()}\n\n{table}\n")


def fingerprint() -> str:
    """Return what the results depend on: the code of the watch, the fold and the personas."""
    found = sha256()
    for folder in ("operators/tilt", "operators/personas", "operators/account"):
        for path in sorted((ROOT / folder).glob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _lived(task: tuple[int, str, int]) -> Person:
    seed, usual, days = task
    return lived(seed, Persona(usual), days)


def evaluated(seeds: list[tuple[int, str, int]], processes: int = 1, length_s: float = 3e4) -> list[Person]:
    """Return all people who are done in time, those that were done before included."""
    until_s = time.monotonic() + length_s
    code = fingerprint()
    done: dict[tuple[int, int], Person] = {}
    if PEOPLE.exists():
        for line in PEOPLE.read_text().splitlines():
            kept = json.loads(line)
            if kept["code"] == code:
                with suppress(msgspec.ValidationError):
                    done[kept["person"]["seed"], kept["days"]] = msgspec.convert(kept["person"], Person)
    missing = [each for each in seeds if (each[0], each[2]) not in done]
    PEOPLE.parent.mkdir(exist_ok=True)
    with get_context("spawn").Pool(processes) as pool, PEOPLE.open("a") as file:
        for number, person in enumerate(pool.imap_unordered(_lived, missing), 1):
            days = missing[0][2]
            done[person.seed, days] = person
            body = {"code": code, "days": days, "person": msgspec.to_builtins(person)}
            file.write(json.dumps(body) + "\n")
            file.flush()
            print(f"{number} of {len(missing)} people", flush=True)
            if time.monotonic() > until_s:
                break
    return [done[seed, days] for seed, _usual, days in seeds if (seed, days) in done]


def shares(people: Sequence[Person], of: Callable[[Person], Iterable[bool]]) -> Interval:
    """Return a share with its intervals."""
    return interval([list(of(person)) for person in people])


def _calm(person: Person, kinds: Sequence[str]) -> list[Day]:
    return [day for day in person.days if day.kind in kinds]


def _spirals(person: Person, kind: str) -> list[Spiral]:
    return [each for each in person.spirals if each.kind == kind]


def signs_of(people: Sequence[Person], kinds: Sequence[str]) -> dict[str, dict[str, Interval]]:
    """Return for each indicator the shares of days on which it could be lit, was lit, and was strong."""
    return {
        each.name: {
            how: shares(
                people,
                lambda one, how=how, name=each.name: [
                    name in getattr(day.signs, how) for day in _calm(one, kinds)
                ],
            )
            for how in ("met", "lit", "strong")
        }
        for each in INDICATORS
    }


def summed(people: list[Person]) -> dict[str, object]:
    """Return the figures."""
    calm = ("usual", "bad", "learner")
    false = {"watch": shares(people, lambda one: [day.level_max >= 3 for day in _calm(one, calm)])}
    caught = {"watch": shares(people, lambda one: [each.caught for each in _spirals(one, "revenge")])}
    for name in RULES:
        false[name] = shares(people, lambda one, name=name: [d.rules[name] for d in _calm(one, calm)])
        caught[name] = shares(
            people, lambda one, name=name: [s.rules[name] for s in _spirals(one, "revenge")]
        )
    levels = {
        f"{kind}, level {level} or more": shares(
            people, lambda one, kind=kind, level=level: [d.level_max >= level for d in _calm(one, (kind,))]
        )
        for kind in (*calm, "frozen")
        for level in (1, 2, 3)
    }
    others = {
        kind: {
            name: shares(
                people, lambda one, kind=kind, name=name: [getattr(s, name) for s in _spirals(one, kind)]
            )
            for name in ("noticed", "caught", "ever")
        }
        for kind in ("revenge", "chaser", "exhausted", "gamer")
    }
    calm_days = [day for person in people for day in _calm(person, calm)]
    spirals = [each for person in people for each in _spirals(person, "revenge")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "code": fingerprint(),
        "people": len(people),
        "calm_days": len(calm_days),
        "spirals": len(spirals),
        "calibrated": float(np.mean([each.calibrated for each in (*calm_days, *spirals)])),
        "orders_median": float(np.median([day.orders for day in calm_days])),
        "third_order_s_median": float(np.median([each.third_s for each in spirals])) if spirals else None,
        "began_at_level_2": sum(each.level_before >= 2 for each in spirals),
        "level_3_seen": any(day.level_max >= 3 for person in people for day in person.days),
        "short_spirals": sum(day.kind == "revenge" for person in people for day in person.days),
        "false_lockouts": {name: _plain(each) for name, each in false.items()},
        "caught": {name: _plain(each) for name, each in caught.items()},
        "levels": {name: _plain(each) for name, each in levels.items()},
        "signs": {
            k: {how: _plain(each) for how, each in row.items()} for k, row in signs_of(people, calm).items()
        },
        "others": {k: {name: _plain(each) for name, each in row.items()} for k, row in others.items()},
    }


def _plain(each: Interval) -> dict[str, float]:
    return {**each._asdict(), "share": each.share if each.of else None}  # type: ignore[dict-item]


def _cell(each: dict[str, float]) -> str:
    if not each["of"]:
        return "none seen"
    return (
        f"{each['count']} of {each['of']}: {100 * each['share']:.1f} % "
        f"({100 * each['low']:.1f} to {100 * each['high']:.1f}; people {100 * each['people_low']:.1f} to "
        f"{100 * each['people_high']:.1f})"
    )


def _signed(row: dict[str, dict[str, float]]) -> str:
    met = row["met"]
    if not met["count"]:
        return f"0 of {met['of']} | not tried | not tried"
    return f"{met['count']} of {met['of']} | {_cell(row['lit'])} | {_cell(row['strong'])}"


def described(result: dict[str, object]) -> str:
    """Return the figures for the page."""
    found: dict[str, dict[str, dict[str, float]]] = result  # type: ignore[assignment]
    rows = "\n".join(
        f"| {NAMES[name]} | {_cell(found['false_lockouts'][name])} | {_cell(found['caught'][name])} |"
        for name in NAMES
    )
    levels = "\n".join(f"| {name} | {_cell(each)} |" for name, each in found["levels"].items())
    others = "\n".join(
        f"| {kind} | {_cell(row['noticed'])} | {_cell(row['caught'])} | {_cell(row['ever'])} |"  # type: ignore[arg-type]
        for kind, row in found["others"].items()
    )
    signs = "\n".join(
        f"| `{each.name}` | {each.kind.name.lower()} | {_signed(found['signs'][each.name])} |"  # type: ignore[arg-type]
        for each in INDICATORS
    )
    high, low = found["false_lockouts"]["watch"]["high"], found["caught"]["watch"]["share"] or 0.0
    verdict = (
        f"False lockouts: {'within' if high <= 0.01 else 'NOT within'} the aim of at most 1 in 100 calm days "
        f"(upper bound {100 * high:.2f} %).\nSpirals: {'within' if low >= 0.9 else 'NOT within'} the aim of "
        "90 % caught by their third order."
    )
    if result["calm_days"] < DAYS_ASKED or result["spirals"] < SPIRALS_ASKED:  # type: ignore[operator]
        verdict += (
            f"\nThe aims ask for {DAYS_ASKED} calm days and {SPIRALS_ASKED} spirals; this run has fewer."
        )
    if not result["level_3_seen"]:
        verdict += (
            "\nLevel 3 was reached on no day of anybody, calm or frozen, so that no calm day reached it says "
            "little:\na watch that locks nobody out has no false lockouts either."
        )
    return f"""\
Measured on {result["date"]}, {result["people"]} people, {result["calm_days"]} calm days,
{result["spirals"]} spirals of three orders or more ({result["short_spirals"]} shorter ones left out);
code {result["code"]}.
{verdict}

| rule | calm days on which it locks out | spirals caught by the third order |
|---|---|---|
{rows}

Counts with bounds of 95 %: Clopper–Pearson over days, then a bootstrap over people (of none or all:
Clopper–Pearson over people). A simple rule locks out when it would have refused an order of the day, and
catches when it would have refused one of a spiral's first three.
The account acts on levels as it does for anybody, and the person sees them; simple rules are held against the
same day and change nothing. In {100 * result["calibrated"]:.0f} % of them the watch had learned enough \
(one that has not says nothing). Median: {result["orders_median"]:.0f} orders a calm day; \
{result["third_order_s_median"] or 0:.0f} s from a spiral's beginning to its third order. \
{result["began_at_level_2"]} spirals began at level 2 already.

| hidden state | level 1 by the third order | level 2 by the third order | level 2 at any time of it |
|---|---|---|---|
{others}

| days | share |
|---|---|
{levels}

How often each indicator errs alone: of all calm days those on which its sign was lit, and strong, at any
time, of either side, told on the screen or not. It could be lit on a day with an occasion, once enough were
known of the person to weigh one; an indicator that could be lit on none of these days was not tried here.

| indicator | kind | could be lit | lit | strong |
|---|---|---|---|---|
{signs}"""  # type: ignore[operator, str-format]
