"""The page docs/ux.md: the screens as the program draws them, its words, keys, commands and colours.

Everything that the program has as data is taken from it: screens from the reviewed snapshots (which a test
holds to the program), colours, density, commands, keys and messages from their tables. Only reasons are here.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from genesis.operators.account.tier_gates import Tier
from genesis.tui import catalogue, keys, palette
from genesis.tui.commands import grammar
from genesis.tui.commands.grammar import EXPECTED, VERBS, Kind
from genesis.tui.keys import ACCOUNT_SCREENS, MARKET_SCREENS
from genesis.tui.views import density

SNAPSHOTS = Path(__file__).resolve().parent.parent / "tests" / "tui" / "snapshots"

COLOURS: Mapping[str, tuple[str, str]] = {
    "text": ("figures and words", "a soft white on black: contrast enough to read for hours, no glare"),
    "strong": (
        "what matters most, the title, what is typed",
        "weight and not hue, so that it works in one colour",
    ),
    "dim": (
        "labels, losses, and what is old",
        "a loss recedes instead of calling: it is read when one looks for it, and does not ask for revenge",
    ),
    "faint": ("frames and rules", "the frame holds things together and is seen only when it changes"),
    "good": (
        "gains, and what was reached",
        "a muted green: a gain is noticed without a rush, because large gains make reckless too",
    ),
    "amber": (
        "caution, and the frame while the trader is not himself",
        "warm and slow, the colour of a lamp and not of a siren; it asks for care and never for haste",
    ),
    "border": (
        "the border of a message that protects",
        "the one muted red there is, rare enough to mean something: capital rests now",
    ),
}
"""What each attribute is for, and why it looks so."""

PLACES = (
    ("top left", "what today has brought, in dollars, per cent smaller",
     "the eye begins there; one figure answers the first question, and dollars are what can be lost"),
    ("beside or below it", "what may still be lost today, as a fuel gauge",
     "a limit that is seen before it is reached is a plan, one that is met is a wall"),
    ("middle", "what is held, and what is at work", "the largest place for what can be acted on"),
    ("above the command line", "what happened last, and what is wrong with the data",
     "read on the way to the next command, so that no order is typed past a warning"),
    ("bottom", "the command line with what a command would do",
     "hands and eyes meet there; the look at cost and limits stands where the decision is made"),
    ("upper right corner", "how fresh everything is", "always in the same place, and dull while all is well"),
)  # fmt: skip

BY_TIER = {
    Tier.SNIPER: "Three things. Who begins watches himself most; each figure more is one to react to.",
    Tier.HUNTER: "What helps decisions that a Sniper may not take: slices, drawdown, what moves together.",
    Tier.STRATEGIST: "Everything. Who came here by his gates knows what to leave unread.",
    Tier.ARCHITECT: "Everything, as for a Strategist; what grows is what may be done, and not what calls.",
}

_RESTING = """\
Level 3: what the day has brought is gone, for it is no help now. What is left: why, until when,
and what stays open. The command line stays where it is.\
"""

TILT = (
    ("trading-tilt-1", "Level 1: the frame is amber on every screen, and one line offers a break."),
    ("trading-tilt-2", "Level 2: sizes are halved, as the look at a command shows; an order asks for why."),
    ("resting", _RESTING),
)

CLASSES = (
    ("information", "grey", "nothing is asked of you"),
    ("caution", "amber", "look before you go on"),
    ("intervention", "amber, a slow pulse of four seconds", "a pause is offered or asked for"),
    ("protection", "a border, until enter says that it was seen", "a limit has done its work"),
)

COMMAND_SCENES = (
    ("command-typed", "typed so far: what is still expected, and what tab offers"),
    ("command-mistake", "a word that names nothing, with what is near it"),
    (
        "command-priced",
        "an order that can be read: what it means, what it would cost, what the limits would be",
    ),
    ("command-declined", "one that would be declined, and what fits"),
    ("command-sent", "sent: what the account decided"),
    ("why", "`why`"),
)


def _drawn(name: str, size: str = "80x24") -> str:
    """Return a screen as the program draws it."""
    return f"```\n{(SNAPSHOTS / f'{name}-{size}.txt').read_text(encoding='utf-8')}```\n\n"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n\n"


def _colours() -> Iterator[tuple[str, ...]]:
    for name in palette.ATTRIBUTES:
        what, why = COLOURS[name]
        shades = [f"{theme.shades[name].high}" for theme in palette.THEMES.values()]
        mono = palette.DEFAULT.shades[name].mono
        yield (name, what, *shades, mono, why)


def _commands() -> Iterator[tuple[str, ...]]:
    for verb in VERBS:
        also = ", ".join(f"`{each}`" for each in verb.also)
        examples = ", ".join(f"`{each}`" for each in verb.examples)
        yield (verb.group, f"`{verb.form}`", also, verb.does, examples)


def _values() -> Iterator[tuple[str, ...]]:
    for kind in Kind:
        if kind in EXPECTED:
            yield (kind.value, EXPECTED[kind])


def page() -> str:
    """Return docs/ux.md."""
    parts = ["# How it looks, and why\n\n", _INTRODUCTION]
    parts += ["## Places\n\n", _table(("where", "what", "why there"), iter(PLACES))]
    parts += ["## Density by tier\n\nA tier adds things and moves nothing.\n\n"]
    parts += [f"- **{tier.title}**: {words}\n" for tier, words in BY_TIER.items()] + ["\n"]
    rows = ((point.name, point.tier.title, point.why) for point in density.POINTS)
    parts += [_table(("shown", "from", "why then"), rows)]
    parts += ["## Colours\n\n", _COLOURS]
    names = tuple(palette.THEMES)
    parts += [_table(("attribute", "for", *names, "one colour", "why"), _colours())]
    pictures = [f"![{name}](pictures/{name}.svg)\n" for name in (*ACCOUNT_SCREENS, *MARKET_SCREENS)]
    parts += ["## Pictures\n\nOf the real program, by `python -m genesis.tui.picture`.\n\n", *pictures, "\n"]
    parts += ["## Screens\n\nAs the program draws them in 80 columns and 24 rows.\n\n"]
    for screen in ACCOUNT_SCREENS:
        for tier in Tier:
            parts += [f"### {screen}, {tier.title}\n\n", _drawn(f"{screen}-{tier.name.lower()}")]
    for screen in MARKET_SCREENS:
        parts += [f"### {screen}\n\n", _drawn(screen)]
    parts += ["### first steps\n\n", *(_drawn(f"welcome-{step + 1}") for step in range(keys.STEPS))]
    parts += ["### trading, Hunter, in 120 columns and 40 rows\n\n", _drawn("trading-hunter", "120x40")]
    parts += ["## How tilt shows\n\n", _TILT]
    for name, words in TILT:
        parts += [f"{words}\n\n", _drawn(name)]
    parts += [
        "## Commands\n\n",
        _COMMANDS,
        _table(("group", "form", "also", "does", "examples"), _commands()),
    ]
    parts += [f"A command has at most {grammar.COMMAND_MAX:,} characters. Values:\n\n"]
    parts += [_table(("value", "what it is"), _values()), _COMPLETION]
    for name, words in COMMAND_SCENES:
        parts += [f"{words[:1].upper()}{words[1:]}:\n\n", _drawn(name)]
    parts += ["## Keys\n\n", keys.page(), "\n## Messages\n\n", _MESSAGES]
    parts += [_table(("class", "looks", "asks"), iter(CLASSES)), catalogue.page()]
    return "".join(parts)


_INTRODUCTION = """\
One rule stands above the others: a calm person trades better, and a screen can keep or take that
calm. So there are few things, each in its place; nothing moves that need not; a loss is grey; a
refusal comes before enter and says what would fit. All screens, tables and messages below are taken
from the program.

"""

_COLOURS = """\
Red and green are the two hues that a large part of colour-blind people cannot tell apart, and red
is what people have learned as alarm. So a loss has no hue at all, and colour never says anything
that a word, a sign or a place does not say too: every theme can be read in one colour. `theme NAME`
or `--theme NAME` chooses.

"""

_TILT = """\
A change of weather and no alarm. Only the frame changes its colour, on every screen at once, so
that nobody can look away from it and nobody is called by it; words beside it offer, ask, or say how
rest goes on. Nothing flashes, nothing blames, and closing what is held is possible at every level.

"""

_COMMANDS = """\
A command is a verb, values in the order of its form, then options by keyword in any order. A verb
of one letter may stick to its amount (`b25u`), and a unit may stand apart from its number (`100
usdt`). A pair may be left out: then it is that under the cursor, that of the newest command, the
largest that is held, or BTC, and the line below says which. Orders at work are named by their place
in the list, or by the beginning of their id.

Enter looks, enter again sends, esc lets go. What is sent is exactly what was looked at: when
something of it has changed meanwhile, it is shown once more.

"""

_COMPLETION = """\
Tab completes, and pressed again goes round; shift tab goes back. In the place of a verb it offers
those of the table, in that of a pair the one that is meant when none is said, then those held, then
those followed; in that of an order the numbers in the list; then the keywords that were not used
yet. After an order that would be declined it takes the largest that would not be. What is offered
is always the whole line.

"""

_MESSAGES = """\
A message says what happened, why it is all right, and what comes next. It has no exclamation mark,
blames nobody and fits 80 columns; a test holds every refusal of the account to that.

"""
