"""Moments of the dashboard, drawn and kept as text under ``snapshots/``.

``python -m tests.tui.scenes`` writes them anew; read the difference before it is committed.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.run_file import RunFile
from genesis.operators import topics
from genesis.operators.account.preview import Limit, Preview
from genesis.operators.account.tier_gates import Tier
from genesis.tui import affairs, text, views
from genesis.tui.batch import Batch, Gatherer, Message
from genesis.tui.commands.errand import Answer
from genesis.tui.keys import Controls, press
from genesis.tui.model import Model, apply
from genesis.tui.text import Block
from tests.tui import ledgered
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


@functools.cache
def trading(tier: Tier = Tier.SNIPER) -> Model:
    """Return the model of a market and of an account that trades in it."""
    model = live()
    heard = {**model.heard_ns, "account status": HEARD_NS}
    run = replace_run(model, trading="simulator")
    return replace(model, affairs=ledgered.account(tier), heard_ns=heard, run=run)


def replace_run(model: Model, **changes: str) -> RunFile:
    assert model.run is not None
    return msgspec.structs.replace(model.run, **changes)


@functools.cache
def tilted(level: int, tier: Tier = Tier.HUNTER, until_s: float = 0.0) -> Model:
    """Return the same with a trader who is not himself."""
    until_ns = ledgered.NOW_NS + round(until_s * SECOND_NS) if until_s else 0
    missing = ("the checklist",) if level >= 3 else ()
    mood = ledgered.mood(level, until_ns=until_ns, missing=missing, debt=3 if missing else 0)
    model = trading(tier)
    return replace(model, affairs=affairs.merge(model.affairs, affairs.of_record(mood)))


def told(*records: object, tier: Tier = Tier.SNIPER) -> Model:
    """Return the model of an account after more records."""
    model = trading(tier)
    return replace(model, affairs=affairs.merge(model.affairs, affairs.of_records(records)))


def halted() -> Model:
    """Return the model of an account that a limit has just brought to rest."""
    sentence = "The account is 15.2% below its peak and rests now. What you hold stays yours to sell."
    figures = {"drawdown": 0.152, "drawdown_max": 0.15}
    decided = ledgered.decision(90, "mode", sentence, 2.0)
    decided = msgspec.structs.replace(decided, figures=figures)
    return told(decided, ledgered.status(Tier.SNIPER, mode="halted", drawdown=0.152))


@functools.cache
def moody() -> Model:
    """Return the model of an account whose trader was watched for the last twelve hours."""
    moods = [ledgered.mood(i // 3 % 4, event_ns=ledgered.NOW_NS - i * 240 * SECOND_NS) for i in range(180)]
    return told(*moods, ledgered.mood(0), tier=Tier.HUNTER)


@functools.cache
def promoted() -> Model:
    """Return the model of an account that became a Hunter ten hours ago."""
    books = ledgered.books(Tier.HUNTER, halved_until_ns=ledgered.NOW_NS + 38 * 3_600 * SECOND_NS)
    return told(books._replace(entered_ns=ledgered.NOW_NS - 10 * 3_600 * SECOND_NS), tier=Tier.HUNTER)


@functools.cache
def late() -> Model:
    """Return the model of an account of which the ledger alone has told."""
    model = trading(Tier.HUNTER)
    heard = {name: at for name, at in model.heard_ns.items() if name != "account status"}
    return replace(model, heard_ns=heard)


SCENES: dict[str, tuple[Callable[[], Model], str | tuple[str, ...], float, float | None]] = {
    # name: model, keys typed, seconds since it was heard, seconds since the display is held
    "overview": (live, "1", 0.2, None),
    "correlation": (live, "2jl", 0.2, None),
    "correlation-all": (live, "2mm", 0.2, None),
    "feed": (live, "3", 0.2, None),
    "help": (live, "1?", 0.2, None),
    "help-commands": (live, (*"help", "enter"), 0.2, None),
    "help-line": (live, ("?", "tab", "tab"), 0.2, None),
    "filter": (live, "1/btc", 0.2, None),
    "held": (live, "1j ", 12.0, 12.0),
    "waiting": (empty, "1", 0.0, None),
    "waiting-correlation": (empty, "2", 0.0, None),
    "gap": (gapped, "1", 0.2, None),
    "lost": (live, "1", 12.0, None),
    "ended": (ended, "1", 90.0, None),
    "broken": (broken, "3", 0.2, None),
    "many": (lambda: live(60, 0), "1jjjjjjjjjjjjjjjjjjjjjjjjjjjjjj", 0.2, None),
    **{f"trading-{tier.name.lower()}": (functools.partial(trading, tier), "", 0.2, None) for tier in Tier},
    **{
        f"{name}-{tier.name.lower()}": (functools.partial(trading, tier), key, 0.2, None)
        for key, name in (("f2", "risk"), ("f3", "results"), ("f4", "tier"), ("f5", "journal"))
        for tier in Tier
    },
    "trading-none": (live, "", 0.2, None),
    "trading-tilt-1": (lambda: tilted(1), "", 0.2, None),
    "trading-tilt-2": (lambda: tilted(2), "", 0.2, None),
    "results-moods": (moody, "f3", 0.2, None),
    "tier-ceremony": (promoted, "f4", 0.2, None),
    "tier-none": (live, "f4", 0.2, None),
    "resting": (lambda: tilted(3, Tier.SNIPER, 1_634.0), "", 0.2, None),
    "trading-protected": (halted, "", 0.2, None),
    "trading-late": (late, "", 0.2, None),
    "trading-lost": (lambda: trading(Tier.HUNTER), "", 12.0, None),
    "command-typed": (lambda: trading(Tier.HUNTER), "twap 1", 0.2, None),
    "command-mistake": (lambda: trading(Tier.HUNTER), "b25u etx", 0.2, None),
    "command-priced": (trading, "b25u eth", 0.2, None),
    "command-sliced": (lambda: trading(Tier.HUNTER), (*"twap 500u btc 10m", "enter"), 0.2, None),
    "command-declined": (lambda: trading(Tier.HUNTER), (*"twap 150u link 10m", "enter"), 0.2, None),
    "command-reason": (lambda: tilted(2), "b25u eth", 0.2, None),
    "command-flatten": (lambda: trading(Tier.HUNTER), (*"flatten", "enter"), 0.2, None),
    "command-sent": (trading, (*"b25u eth", "enter", "enter"), 0.2, None),
    "command-refused": (trading, (*"b25u eth", "enter", "enter"), 0.2, None),
    "command-journal": (trading, (*"journal", *(" Waited for the second entry." * 12)), 0.2, None),
    "command-market": (trading, (*"1b25u eth",), 0.2, None),
    "why": (lambda: trading(Tier.HUNTER), (*"why", "enter"), 0.2, None),
    "checklist": (lambda: tilted(3, Tier.SNIPER, -1.0), (*"checklist", "enter"), 0.2, None),
    "resting-over": (lambda: tilted(3, Tier.SNIPER, -1.0), "", 0.2, None),
    "welcome-1": (trading, (*"welcome", "enter"), 0.2, None),
    "welcome-2": (trading, (*"welcome", "enter", "enter"), 0.2, None),
    "welcome-3": (trading, (*"welcome", "enter", "enter", "enter"), 0.2, None),
    "many-correlation": (lambda: live(60, 0), "2jjjjjjjjjjjjjjjjjjjjjjjjjjjjjj", 0.2, None),
}


LIMITS = {
    "position": Limit(0.0, 24.98, 25.7, "quote"),
    "share_of_capital": Limit(0.0, 0.0486, 0.05, "share"),
    "cash_promised": Limit(0.0, 25.13, 421.48, "quote"),
    "daily_loss": Limit(0.0, 0.0, 25.0, "quote"),
}
PRICED = Preview(
    event_ns=ledgered.NOW_NS, accepted=True, code="OK", sentence="", qty="0.0094", notional="24.98",
    slices=1, cost="0.0262", cost_bps=10.5, limits=LIMITS,
)  # fmt: skip
DECLINED = Preview(
    event_ns=ledgered.NOW_NS, accepted=False, code="SAME_DIRECTION", fits="118.04",
    sentence="LINKUSDT moves with ETHUSDT (at 0.72); 63% of the exposure would go the same way, and 60% is "
    "the most. Another pair, or a smaller order, keeps it apart.",
)  # fmt: skip
DECIDED = ledgered.decision(300, "place_order", "Buy 0.0094 ETH by one is at work.", 0.0)
REFUSED = msgspec.structs.replace(
    DECIDED, accepted=False, code="STALE_MARKET",
    sentence="The price of ETHUSDT is not fresh, so no order goes out on it. It will be in a moment.",
)  # fmt: skip
ANSWERS = {
    "command-priced": Answer(0, preview=PRICED),
    "command-market": Answer(0, preview=PRICED),
    "command-reason": Answer(0, preview=PRICED),
    "command-sliced": Answer(0, preview=msgspec.structs.replace(PRICED, slices=8, notional="499.80")),
    "command-declined": Answer(0, preview=DECLINED),
    "command-sent": Answer(0, decision=DECIDED),
    "command-refused": Answer(0, decision=REFUSED),
}
"""What became of the newest errand, by scene."""


def after(model: Model, typed: str | tuple[str, ...], answer: Answer | None) -> tuple[Model, Controls]:
    """Return the model and the choices after keys were typed, with the answer to each errand."""
    controls = Controls()
    for key in [typed] if isinstance(typed, str) and typed[:1] == "f" and typed[1:].isdigit() else typed:
        controls = press(controls, key, model)
        if answer is not None and controls.line.errand is not None:
            told = answer if controls.line.sent else answer._replace(decision=None)
            if answer.decision is not None and not controls.line.sent:
                told = told._replace(preview=PRICED)
            number = controls.line.number
            model = apply(model, Batch(answers={number: told._replace(number=number)}))
    return model, controls


def draw(name: str, size: tuple[int, int]) -> Block:
    """Return one moment at one size."""
    make, typed, since_s, held_s = SCENES[name]
    model, controls = after(make(), typed, ANSWERS.get(name))
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
