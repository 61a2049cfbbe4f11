"""Completion: what a command that is being typed may go on with.

Law: a candidate is the whole line as it would be, and begins with what stands there. In the place of a verb
those of the table are offered, in that of a pair those that are known, and after them the keywords that were
not used yet.
"""

from collections.abc import Iterator

from genesis.tui.commands import values
from genesis.tui.commands.grammar import BY_NAME, READ, TAKEN, VERBS, Kind, Slot, Verb, words_of
from genesis.tui.commands.meaning import Known

CANDIDATES_MAX = 12


def candidates(text: str, known: Known) -> list[str]:
    """Return whole lines that the text may be completed to, the likeliest first.

    >>> candidates("fl", Known()), candidates("twap 5u bt", Known(pairs=("BTCUSDT", "BNBUSDT")))
    (['flatten '], ['twap 5u btc '])
    >>> candidates("b25u btc l", Known())
    ['b25u btc limit ']
    """
    if not text.strip():
        return []
    head, _, begun = text.rpartition(" ")
    if not head.strip():
        glued = words_of(begun)
        if len(glued) == 1:
            return [f"{verb.name} " for verb in VERBS if verb.name.startswith(begun.lower())]
    parts = words_of(head)
    verb = BY_NAME.get(parts[0].lower()) if parts else None
    if verb is None:
        return []
    offered = dict.fromkeys(_offers(verb, parts[1:], known))
    found = [word for word in offered if word.startswith(begun.lower()) and word != begun.lower()]
    return [f"{head} {word} " for word in found[:CANDIDATES_MAX]]


def _offers(verb: Verb, parts: list[str], known: Known) -> Iterator[str]:
    """Yield the words that may come next."""
    left = [slot for slot in verb.slots if not slot.keyword]
    used: set[str] = set()
    for part in parts:
        if any(slot.keyword == part.lower() for slot in verb.slots if slot.keyword):
            used.add(part.lower())
            if any(slot.keyword == part.lower() and slot.kind is Kind.WORDS for slot in verb.slots):
                return
            continue
        place = next((i for i, slot in enumerate(left) if _takes(slot, part)), None)
        left = left[place + 1 :] if place is not None else left
    last = next((slot for slot in verb.slots if parts and slot.keyword == parts[-1].lower()), None)
    if last is not None and last.keyword and last.kind is not Kind.FLAG:
        return
    for slot in left:
        yield from _words(slot, known)
        if slot.needed:
            return
    yield from (slot.keyword for slot in verb.slots if slot.keyword and slot.keyword not in used)


def _takes(slot: Slot, word: str) -> bool:
    return READ[slot.kind](slot, word) is not None


def _words(slot: Slot, known: Known) -> Iterator[str]:
    """Yield what may stand in a place."""
    if slot.kind is Kind.PAIR:
        first = [known.pair] * bool(known.pair)
        yield from (values.write_pair(each, TAKEN) for each in (*first, *known.held, *known.pairs))
    elif slot.kind is Kind.ORDER:
        yield from (str(i + 1) for i in range(len(known.orders)))
        if slot.name == "target":
            yield from ("all", *(values.write_pair(each.symbol, TAKEN) for each in known.orders))
    elif slot.choices:
        yield from slot.choices
