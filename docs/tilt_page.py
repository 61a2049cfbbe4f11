"""The page on what tilt looks at and what follows from it, from the tables that the fold itself uses."""

from genesis.operators.account.composure import LEVELS
from genesis.operators.account.events import ActKind
from genesis.operators.cusum import average_run_length
from genesis.operators.tilt import evidence, interventions, parameters
from genesis.operators.tilt.evidence import AFTER_NS, GAIN_LARGE
from genesis.operators.tilt.indicators import INDICATORS, Lean
from genesis.operators.tilt.watch import LEVEL_SIGNS

_LEANS = {Lean.NONE: "", Lean.HASTE: "haste", Lean.PARALYSIS: "paralysis", Lean.BOTH: "both"}


def page() -> str:
    """Return docs/tilt_indicators.md."""
    return f"{_head()}{_indicators()}{_evidence()}{_levels()}{_rests()}{_parameters()}{_recorded()}"


def _head() -> str:
    return (
        "# Tilt: what is looked at, and what follows\n\n"
        "The account fold turns every event of its log into observations (`operators/account/tilting.py`),\n"
        "weighs them (`operators/tilt/watch.py`) and carries out what follows\n"
        "(`operators/account/composure.py`). No screen decides anything, and no clock but the account's\n"
        "counts: a restart, another terminal, another client or a changed clock shortens nothing. How often\n"
        "it errs, and what it catches, is on [the page on tilt](tilt.md).\n\n"
        "`genesis order place` and the dashboard show a refusal with its sentence; `genesis tilt status`\n"
        "and, in the dashboard, `tilt` show the signs and the way back. `genesis tilt checklist`, `accept`,\n"
        "`set` and `life` are the trader's answers. `genesis tilt report` compares results when calm and\n"
        "when not, and counts what was done before losses; `--picture` draws the days.\n\n"
    )


def _indicators() -> str:
    lines = ["## Indicators\n\n| indicator | kind | more says | less says | what |\n|---|---|---|---|---|\n"]
    for each in INDICATORS:
        kind = each.kind.name.lower()
        lines.append(
            f"| `{each.name}` | {kind} | {_LEANS[each.more]} | {_LEANS[each.less]} | {each.what} |\n"
        )
    minutes, gain = AFTER_NS // interventions.MINUTE_NS, GAIN_LARGE
    lines.append(f"\nWhat follows a loss follows it for {minutes} minutes; a gain is large from {gain:.0%}\n")
    lines.append("of the equity on. Orders that were declined count like those that were taken.\n\n")
    return "".join(lines)


def _evidence() -> str:
    lit, strong = (average_run_length(bound, evidence.K) for bound in (evidence.H, evidence.STRONG))
    half = evidence.HALF_LIFE_NS // interventions.MINUTE_NS
    return (
        "## Evidence\n\n"
        f"A *habit* gives no evidence before {evidence.CALIBRATION} values. Then a value's logarithm is\n"
        f"held against median and 1.4826 MAD of the person's last {evidence.KEPT}, clipped at\n"
        f"{evidence.CLIP:g} scales, and added less {evidence.K:g} to a sum that never falls below zero (a\n"
        "one-sided CUSUM). A *tendency* adds the log-likelihood of a rate three times the person's own\n"
        "against that rate. A *bound* makes its sign strong at once.\n"
        f"Sums halve in {half} minutes. A sign is lit at {evidence.H:g} and strong at {evidence.STRONG:g};\n"
        "either ends at half of that. While it is strong, one value in\n"
        f"{evidence.LEARN_STRONG} is learned: a burst does not become a habit, a lasting\n"
        "change does.\n\n"
        "With median and scale known, independent normal values would light a habit's sign once in\n"
        f"{lit:.0f} values when either way counts and in {2 * lit:.0f} when one does, and make it strong\n"
        f"once in {strong:.0f} and {2 * strong:.0f}: one sign says little, a level takes several at once\n"
        "(`operators/cusum.py`). Learned of one's own values it is sooner, with time between them later;\n"
        "`python -m benchmarks tilt` measures it, [performance](performance.md) has the figure.\n\n"
        f"A trader takes {evidence.STATE.itemsize:,} bytes, whatever happens.\n\n"
    )


def _levels() -> str:
    lines = ["## Levels\n\n| level | signs of one lean | what is said |\n|---|---|---|\n"]
    words = {evidence.LIT: "lit", evidence.IS_STRONG: "strong"}
    many = ["fewer", *(f"{signs} or more {words[least]}" for signs, least in LEVEL_SIGNS)]
    lines += [f"| {level} | {many[level]} | {sentence} |\n" for level, sentence in enumerate(LEVELS)]
    reason = interventions.REASON_WORDS
    lines.append(
        f"\nAt level 2 sizes are halved and an order takes a reason of {reason} words. Nothing above\n"
        f"level 1 happens before {evidence.CALIBRATION} orders are known of a person.\n\n"
    )
    return "".join(lines)


def _rests() -> str:
    lines = ["## Rest, and the way back\n\n```mermaid\nstateDiagram-v2\n    [*] --> free\n"]
    lines += [f"    {step.before} --> {step.after}: {step.why}\n" for step in interventions.STEPS]
    lines.append("```\n\n| rests within a week | time |\n|---|---|\n")
    for number, length in enumerate(interventions.REST_NS, 1):
        more = " or more" if number == len(interventions.REST_NS) else ""
        lines.append(f"| {number}{more} | {length // interventions.MINUTE_NS:,} min |\n")
    lines.append(
        f"\nA rest ends when its time is over, the checklist is agreed to and, after the longest,\n"
        f"{interventions.JOURNAL_WORDS} words are in the journal. Then sizes are a quarter until\n"
        f"{interventions.DEBT} disciplined trades are made: with a profit, held for\n"
        f"{interventions.HELD_S_MIN:.0f} s or more, with a stop, at level 0 or 1. A break that is accepted\n"
        "takes one off, and lowers the next rest by a step. Purchases at work are called off when a rest\n"
        "begins; selling, bringing a stop closer and flattening are possible at all times.\n\n"
        "The checklist:\n\n"
    )
    lines += [f"1. {point}\n" for point in interventions.CHECKLIST]
    return "".join([*lines, "\n"])


def _parameters() -> str:
    lines = ["## Limits of one's own\n\n| parameter | usual | from | to | what |\n|---|---|---|---|---|\n"]
    for name, each in parameters.PARAMETERS.items():
        least, most = (str(each.least), str(each.most)) if each.most else ("", "")
        lines.append(f"| `{name}` | {each.usual} | {least} | {most} | {each.doc} |\n")
    weights = ", ".join(f"{name} {weight:g}" for name, weight in parameters.PROFILES.items())
    lines.append(
        "\nWhat tightens holds at once; what loosens waits an hour. Evidence weighs by profile\n"
        f"({weights}), and {parameters.LIFE_EVENT_WEIGHT:g} more while a life event lasts.\n\n"
    )
    return "".join(lines)


def _recorded() -> str:
    acts = ", ".join(f"`{each}`" for each in ActKind)
    return (
        "## What is recorded\n\n"
        "Each observation is a record of the topic `genesis.behaviour` and a row of the table `behaviour`:\n"
        f"what the fold saw of commands and trades, and what a dashboard tells of the hands: {acts}. Keys\n"
        "are counted and timed in the command line; which keys they were is never kept, sent or logged.\n"
        'Client and session are made-up names. `genesis sql "select * from behaviour"` shows all of it.\n'
        "`genesis tilt forget` deletes all of it from the store, up to a time of your choice; orders and\n"
        "results stay, and so do the medians of habits, or forgetting would end a rest. Kafka keeps events\n"
        "of the log for 90 days, since decisions are replayed from them, and then drops them.\n"
    )
