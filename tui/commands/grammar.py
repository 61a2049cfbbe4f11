"""Grammar: every command in one table; reading, writing, help and the page are made from it.

Law: ``read(write(said)) == said``. A command is its verb, values in the order of its slots, then options
by keyword in any order. `Said` is only what was typed, with nothing filled in: what it means here and now is
`meaning`. What cannot be read gives a `Mistake`: a calm sentence, and whether something is missing yet.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from genesis.operators.tilt.interventions import CHECKLIST
from genesis.operators.tilt.parameters import PARAMETERS, PROFILES
from genesis.tui.commands import values

COMMAND_MAX = 4_200
"""Longest command in characters: a journal entry of 500 words fits."""


class Kind(Enum):
    """What a slot takes: what it is called in a form, and how it is read and written."""

    AMOUNT = "AMOUNT"
    PAIR = "PAIR"
    DURATION = "TIME"
    SHARE = "SHARE"
    PRICE = "PRICE"
    COUNT = "NUMBER"
    ORDER = "ORDER"
    LEVEL = "LEVEL"
    CHOICE = "CHOICE"
    ANSWERS = "ANSWERS"
    FLAG = "FLAG"
    WORDS = "WORDS"


EXPECTED: Mapping[Kind, str] = {
    Kind.AMOUNT: "how much, such as 25u for dollars, 0.01 for coins, or 50% to sell",
    Kind.PAIR: "which pair, such as btc",
    Kind.DURATION: "how long, such as 10m",
    Kind.SHARE: "a share, such as 2%",
    Kind.PRICE: "a price, such as 60000",
    Kind.COUNT: "a whole number, such as 8",
    Kind.ORDER: "which order: its number in the list, or the beginning of its id",
    Kind.LEVEL: "where: a distance such as 2%, or a price",
    Kind.ANSWERS: f"a letter for each of {len(CHECKLIST)} points, y or n, such as {'y' * len(CHECKLIST)}",
    Kind.WORDS: "some words",
}
"""What is said where a slot's value is missing."""


class Slot(NamedTuple):
    """A place for a value: its name, what it takes, the keyword before it, and what may be chosen."""

    name: str
    kind: Kind
    keyword: str = ""
    needed: bool = False
    choices: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """How the slot stands in the form of a command."""
        word = "|".join(self.choices) if self.choices else self.kind.value
        word = self.keyword if self.kind is Kind.FLAG else f"{self.keyword} {word}".strip()
        return word if self.needed else f"[{word}]"


class Verb(NamedTuple):
    """One line of the table."""

    name: str
    also: tuple[str, ...]
    group: str
    does: str
    slots: tuple[Slot, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """How the command is written."""
        return " ".join([self.name, *(slot.form for slot in self.slots)])


SIDES = ("buy", "sell")
_AMOUNT = Slot("amount", Kind.AMOUNT, needed=True)
_PAIR = Slot("pair", Kind.PAIR)
_SIDE = Slot("side", Kind.CHOICE, choices=SIDES)
_DURATION = Slot("duration", Kind.DURATION)
_RATE = Slot("rate", Kind.SHARE)
_LIMIT = Slot("limit", Kind.PRICE, "limit")
_REST = Slot("rest", Kind.FLAG, "rest")
_STOP = Slot("stop", Kind.SHARE, "stop")
_SLICES = Slot("slices", Kind.COUNT, "slices")
_BECAUSE = Slot("because", Kind.WORDS, "because")
_ORDER = Slot("order", Kind.ORDER)
_ONE = (_AMOUNT, _PAIR, _LIMIT, _REST, _STOP, _BECAUSE)
_CUT = (_SLICES, _LIMIT, _STOP, _BECAUSE)


def _cut(*slots: Slot) -> tuple[Slot, ...]:
    return (_SIDE, _AMOUNT, _PAIR, *slots, *_CUT)


OWN_LIMITS = tuple(name for name in PARAMETERS if name != "profile")
"""Limits that a trader may set for himself, as shares."""

THEMES = ("default", "high-contrast", "light", "monochrome")

VERBS = (
    Verb("buy", ("b",), "Orders", "buy, or up to a limit", _ONE, ("b25u eth", "buy 0.001 btc")),
    Verb("sell", ("s",), "Orders", "sell, or down to limit", _ONE, ("s50%", "sell all btc")),
    Verb("twap", (), "Orders", "even slices in a time", _cut(_DURATION), ("twap 500u btc 10m",)),
    Verb("vwap", (), "Orders", "slices as days trade", _cut(_DURATION), ("vwap 900u eth 1h",)),
    Verb("pov", (), "Orders", "a share of what trades", _cut(_RATE, _DURATION), ("pov 118u link 5%",)),
    Verb("iceberg", (), "Orders", "in pieces, few seen", _cut(), ("iceberg 118u link",)),
    Verb("is", ("shortfall",), "Orders", "cost against risk", _cut(_DURATION), ("is 900u btc 20m",)),
    Verb("cancel", (), "At work", "one, a pair's, or all",
         (Slot("target", Kind.ORDER),), ("cancel", "cancel 2", "cancel btc")),
    Verb("pause", (), "At work", "let an order rest", (_ORDER,), ("pause 1",)),
    Verb("resume", (), "At work", "let it go on", (_ORDER,), ("resume 1",)),
    Verb("amend", (), "At work", "new limit, lower total",
         (_ORDER, _LIMIT, Slot("total", Kind.PRICE, "to")), ("amend 1 limit 60000",)),
    Verb("stop", (), "Account", "move a stop-loss",
         (Slot("level", Kind.LEVEL, needed=True), _PAIR), ("stop 2%", "stop 59000 btc")),
    Verb("flatten", (), "Account", "cancel, sell all", (_PAIR,), ("flatten", "flatten eth")),
    Verb("halt", (), "Account", "cancel, none goes out", (_BECAUSE,), ("halt",)),
    Verb("reduce", (), "Account", "only what lowers risk", (_BECAUSE,), ("reduce",)),
    Verb("active", (), "Account", "all orders go out again", (_BECAUSE,), ("active",)),
    Verb("override", (), "Account", "half a budget more",
         (Slot("words", Kind.WORDS, needed=True),)),
    Verb("journal", (), "You", "write, or its screen",
         (Slot("words", Kind.WORDS),), ("journal waited, and it was worth it",)),
    Verb("accept", (), "You", "take the break offered"),
    Verb("checklist", ("tilt",), "You", "before trading goes on",
         (Slot("answers", Kind.ANSWERS),), ("checklist",)),
    Verb("profile", (), "You", "how you are today",
         (Slot("value", Kind.CHOICE, needed=True, choices=tuple(PROFILES)),), ("profile tired",)),
    Verb("life", (), "You", "days that ask for care", (Slot("days", Kind.COUNT, needed=True),), ("life 3",)),
    Verb("limit", (), "You", "a limit of your own",
         (Slot("name", Kind.CHOICE, needed=True, choices=OWN_LIMITS), Slot("value", Kind.SHARE, needed=True)),
         ("limit position_share 2%",)),
    Verb("why", (), "You", "what was declined last"),
    Verb("trade", ("trading",), "Show", "the trading screen"),
    Verb("risk", (), "Show", "what the limits leave"),
    Verb("results", ("pnl",), "Show", "what days brought"),
    Verb("tier", (), "Show", "way to the next tier"),
    Verb("overview", ("market",), "Show", "the market"),
    Verb("correlation", (), "Show", "what moves together"),
    Verb("feed", (), "Show", "how the data comes in"),
    Verb("help", (), "Show", "keys and commands"),
    Verb("welcome", (), "Show", "the first steps again"),
    Verb("theme", (), "Show", "other colours",
         (Slot("name", Kind.CHOICE, needed=True, choices=THEMES),), ("theme light",)),
    Verb("quit", ("exit",), "Show", "leave"),
)  # fmt: skip
"""All commands."""

BY_NAME: Mapping[str, Verb] = {name: verb for verb in VERBS for name in (verb.name, *verb.also)}
KEYWORDS = frozenset(slot.keyword for verb in VERBS for slot in verb.slots if slot.keyword)
TAKEN = KEYWORDS | frozenset(values.QUOTE_WORDS) | {*SIDES, "all"}
"""Words that name no pair when they stand alone."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was typed: a verb's full name, and values by the names of its slots."""

    verb: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a command cannot be read. ``unfinished``: what is there is good, something is missing yet."""

    sentence: str
    unfinished: bool = False


class _Stop(Exception):
    def __init__(self, sentence: str, unfinished: bool = False) -> None:
        super().__init__(sentence)
        self.mistake = Mistake(sentence, unfinished)


def _choice(slot: Slot, word: str) -> str | None:
    return word.lower() if word.lower() in slot.choices else None


def _pair(_slot: Slot, word: str) -> str | None:
    meant_otherwise = word.lower() in TAKEN or values.duration_s(word) is not None
    return None if meant_otherwise else values.pair(word)


def _count(_slot: Slot, word: str) -> int | None:
    return int(word) if re.fullmatch(r"[1-9]\d{0,2}", word) else None


def _order(_slot: Slot, word: str) -> str | None:
    taken = word.lower() in KEYWORDS or not re.fullmatch(r"[A-Za-z0-9_./-]{1,64}", word)
    return None if taken else word.lower()


def _answers(_slot: Slot, word: str) -> tuple[bool, ...] | None:
    fits = len(word) == len(CHECKLIST) and set(word.lower()) <= {"y", "n"}
    return tuple(each == "y" for each in word.lower()) if fits else None


def _level(_slot: Slot, word: str) -> tuple[str, Any] | None:
    if word.endswith("%"):
        ppm = values.share_ppm(word)
        return ("share", ppm) if ppm else None
    price = values.number(word)
    return ("price", price) if price is not None else None


READ: Mapping[Kind, Callable[[Slot, str], Any]] = {
    Kind.AMOUNT: lambda _slot, word: values.amount(word),
    Kind.PAIR: _pair,
    Kind.DURATION: lambda _slot, word: values.duration_s(word),
    Kind.SHARE: lambda _slot, word: values.share_ppm(word),
    Kind.PRICE: lambda _slot, word: values.number(word),
    Kind.COUNT: _count,
    Kind.ORDER: _order,
    Kind.LEVEL: _level,
    Kind.CHOICE: _choice,
    Kind.ANSWERS: _answers,
    Kind.WORDS: lambda _slot, word: values.words(word),
}


def _write_level(level: tuple[str, Any]) -> str:
    return values.write_share(level[1]) if level[0] == "share" else str(level[1])


WRITE: Mapping[Kind, Callable[[Any], str]] = {
    Kind.AMOUNT: values.write_amount,
    Kind.PAIR: lambda symbol: values.write_pair(symbol, TAKEN),
    Kind.DURATION: values.write_duration,
    Kind.SHARE: values.write_share,
    Kind.LEVEL: _write_level,
    Kind.ANSWERS: lambda answers: "".join("y" if each else "n" for each in answers),
}


def words_of(text: str) -> list[str]:
    """Return the words of a command, in the form in which they are read one by one.

    A verb of one letter may stick to its amount, and a unit may stand apart from its number.

    >>> words_of("b25u"), words_of("buy 100 usdt btc"), words_of("s$5 eth")
    (['b', '25u'], ['buy', '100usdt', 'btc'], ['s', '$5', 'eth'])
    """
    parts = text.split()
    glued = re.fullmatch(r"([bs])([\d$].*)", parts[0], re.IGNORECASE) if parts else None
    if glued:
        parts[:1] = [glued[1], glued[2]]
    made: list[str] = []
    for part in parts:
        unit = part.lower() in values.QUOTE_WORDS and made and values.number(made[-1]) is not None
        made[-1:] = [made[-1] + part.lower()] if unit else [*made[-1:], part]
    return made


def read(text: str) -> Said | Mistake:
    """Return what a command says, or why it says nothing.

    >>> read("b25u eth").values["pair"], read("twap 500u btc 10m").values["duration"]
    ('ETHUSDT', 600)
    >>> read("buy").sentence
    'buy wants how much, such as 25u for dollars, 0.01 for coins, or 50% to sell'
    """
    parts = words_of(text)
    if not parts:
        return Mistake("type a command; help has them all", True)
    verb = BY_NAME.get(parts[0].lower())
    if verb is None:
        begun = any(name.startswith(parts[0].lower()) for name in BY_NAME) and len(parts) == 1
        if begun:
            return Mistake("tab completes it", True)
        return Mistake(f"there is no command {parts[0][:20]}; help has them all")
    try:
        return Said(verb.name, _filled(verb, parts[1:], text))
    except _Stop as stop:
        return stop.mistake


def _filled(verb: Verb, parts: list[str], text: str) -> dict[str, Any]:
    """Return the values of a command's slots."""
    by_keyword = {slot.keyword: slot for slot in verb.slots if slot.keyword}
    places = [slot for slot in verb.slots if not slot.keyword]
    found: dict[str, Any] = {}
    at = 0
    while at < len(parts):
        slot = by_keyword.get(parts[at].lower())
        if slot is None and places and places[0].kind is Kind.WORDS:
            slot = places.pop(0)
            found[slot.name] = text.strip().partition(" ")[2].strip()
            return found
        if slot is not None:
            at += 1
            if slot.name in found:
                raise _Stop(f"{slot.keyword} stands there twice; once is enough")
            if slot.kind is Kind.FLAG:
                found[slot.name] = True
                continue
            if slot.kind is Kind.WORDS:
                found[slot.name] = _rest(text, slot)
                break
            word = parts[at] if at < len(parts) else ""
            found[slot.name] = _value(slot, word, f"{slot.keyword} wants {EXPECTED[slot.kind]}")
            at += 1
            continue
        _place(verb, places, parts[at], found)
        at += 1
    for slot in verb.slots:
        if slot.needed and slot.name not in found:
            raise _Stop(f"{verb.name} wants {_expected(slot)}", True)
    return found


def _place(verb: Verb, places: list[Slot], word: str, found: dict[str, Any]) -> None:
    """Put a word into the first place that takes it; those before it that need nothing stay empty."""
    for i, slot in enumerate(places):
        value = READ[slot.kind](slot, word)
        if value is not None:
            found[slot.name] = value
            del places[: i + 1]
            return
        if slot.needed:
            raise _Stop(f"{word[:20]} is not {_expected(slot)}")
    wanted = [_expected(slot) for slot in places if slot.kind is not Kind.CHOICE]
    says = f"; {verb.name} may have {wanted[0]}" if wanted else f"; {verb.name} is whole without it"
    raise _Stop(f"{word[:20]} has no place here{says}")


def _value(slot: Slot, word: str, wants: str) -> Any:
    if not word:
        raise _Stop(wants, True)
    value = READ[slot.kind](slot, word)
    if value is None:
        raise _Stop(wants)
    return value


def _rest(text: str, slot: Slot) -> str:
    """Return all that stands after the keyword."""
    tail = re.split(rf"(?i)(?:^|\s){slot.keyword}(?:\s|$)", text, maxsplit=1)[1].strip()
    if not tail:
        raise _Stop(f"{slot.keyword} wants {EXPECTED[slot.kind]}", True)
    return tail


def _expected(slot: Slot) -> str:
    return f"one of {', '.join(slot.choices)}" if slot.choices else EXPECTED[slot.kind]


def write(said: Said) -> str:
    """Return what was said in its full form.

    >>> write(read("b25u ETHUSDT limit 2,600 rest"))
    'buy 25u eth limit 2600 rest'
    """
    verb = BY_NAME[said.verb]
    parts = [verb.name]
    for slot in verb.slots:
        if slot.name not in said.values:
            continue
        value = said.values[slot.name]
        if slot.kind is Kind.FLAG:
            parts.append(slot.keyword)
            continue
        word = WRITE.get(slot.kind, str)(value)
        parts.append(f"{slot.keyword} {word}".strip())
    return " ".join(parts)
