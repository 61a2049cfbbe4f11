"""Moments of the dashboard, drawn and kept as text under ``snapshots/``.

``python -m tests.tui.scenes`` writes them anew; read the difference before it is committed.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.run_file import RunFile
from genesis.operators import topics
from genesis.tui import text, views
from genesis.tui.batch import Batch, Gatherer, Message
from genesis.tui.keys import Controls, press
from genesis.tui.model import Model, apply
from genesis.tui.text import Block
from tests.tui.rehearsal import START_NS, Rehearsal, recorded

FOLDER = Path(__file__).parent / "snapshots"
SIZES = ((80, 24), (100, 30), (120, 40), (200, 60))
SECOND_NS = 1_000_000_000
HEARD_NS = 1_000 * SECOND_NS
STEPS = 800


def fold(messages: list[Message], model: Model | None = None, heard_ns: int = HEARD_NS) -> Model:
    """Return the model after messages that were all heard at one moment."""
    return apply(model or Model(), Gatherer().gather(messages, heard_ns))


@functools.cache
def live(symbols: int = 12, perpetuals: int = 4) -> Model:
    """Return the model of a market that has been followed for 80 seconds."""
    rehearsal = Rehearsal(symbols, perpetuals)
    model = fold(rehearsal.run(STEPS))
    letters = [
        recorded(
            topics.DEAD_LETTERS,
            dead_letter("spot/btcusdt@trade", "malformed_json", detail, b"{", START_NS + i * SECOND_NS),
        )
        for i, detail in enumerate(("it ends in the middle", "a price of \x1b[31mnothing"))
    ]
    closed, open_ = rehearsal.gap(600, 3, seconds=1.2), rehearsal.gap(700, 0)
    model = fold([*letters, closed, open_], model)
    states = {
        "broker": "running",
        "store": "running",
        "venue": "running",
        "feed": "running",
        "market": "running",
    }
    run = RunFile(pid=1, broker="127.0.0.1:9092", states=states, restarts={"market": 1})
    return apply(model, Batch(run=run))


def empty() -> Model:
    return Model()


@functools.cache
def ended() -> Model:
    return fold(Rehearsal().final(), live(12, 4))


@functools.cache
def broken() -> Model:
    """Return the model of a system of which the archive fell silent and the market flow is ill."""
    model = live(12, 4)
    ill = replace_record(model, "market", state="degraded", detail="the broker answers slowly")
    return replace(ill, heard_ns={**ill.heard_ns, "archive": HEARD_NS - 40 * SECOND_NS})


def replace_record(model: Model, component: str, **changes: str) -> Model:
    record = model.health[component]
    values = {name: getattr(record, name) for name in record.__struct_fields__} | changes
    return replace(model, health={**model.health, component: type(record)(**values)})


@functools.cache
def gapped() -> Model:
    """Return the model of a feed that says that rows are missing."""
    model = live()
    feed = model.health["feed"]
    values = {name: getattr(feed, name) for name in feed.__struct_fields__}
    told = type(feed)(**values | {"figures": {**feed.figures, "gaps_open": 1.0, "gaps_total": 4.0}})
    return replace(model, health={**model.health, "feed": told})


SCENES: dict[str, tuple[Callable[[], Model], str, float, float | None]] = {
    # name: model, keys typed, seconds since it was heard, seconds since the display is held
    "overview": (live, "", 0.2, None),
    "correlation": (live, "2jl", 0.2, None),
    "correlation-all": (live, "2mm", 0.2, None),
    "feed": (live, "3", 0.2, None),
    "help": (live, "?", 0.2, None),
    "filter": (live, "/btc", 0.2, None),
    "held": (live, "j ", 12.0, 12.0),
    "waiting": (empty, "", 0.0, None),
    "waiting-correlation": (empty, "2", 0.0, None),
    "gap": (gapped, "", 0.2, None),
    "lost": (live, "", 12.0, None),
    "ended": (ended, "", 90.0, None),
    "broken": (broken, "3", 0.2, None),
    "many": (lambda: live(60, 0), "jjjjjjjjjjjjjjjjjjjjjjjjjjjjjj", 0.2, None),
    "many-correlation": (lambda: live(60, 0), "2jjjjjjjjjjjjjjjjjjjjjjjjjjjjjj", 0.2, None),
}


def draw(name: str, size: tuple[int, int]) -> Block:
    """Return one moment at one size."""
    make, typed, since_s, held_s = SCENES[name]
    model, controls = make(), Controls()
    for key in typed:
        controls = press(controls, key, model)
    now_ns = HEARD_NS + round(since_s * SECOND_NS)
    held_ns = None if held_s is None else now_ns - round(held_s * SECOND_NS)
    return views.draw(model, controls, views.Scene(*size, now_ns, held_ns))


def snapshot(name: str, size: tuple[int, int]) -> str:
    """Return one moment as it is kept."""
    return "\n".join([*text.plain(draw(name, size)), ""])


def path(name: str, size: tuple[int, int]) -> Path:
    return FOLDER / f"{name}-{size[0]}x{size[1]}.txt"


def main() -> int:
    """Write all snapshots anew and remove those that no scene makes."""
    FOLDER.mkdir(exist_ok=True)
    wanted = {path(name, size): snapshot(name, size) for name in SCENES for size in SIZES}
    for old in set(FOLDER.glob("*.txt")) - set(wanted):
        old.unlink()
    for file, drawn in wanted.items():
        file.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
