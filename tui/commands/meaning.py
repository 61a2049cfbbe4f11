"""Meaning: what a command that was typed asks for, given what is known now.

Pure: a pair that was left out, or an order named by its place in the list, is filled in from `Known`.
What asks for something that is not there (an unknown pair, no order at work) is answered with a `Mistake`.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from genesis.operators.account.events import (
    AcceptBreak,
    AmendOrder,
    AnswerChecklist,
    CancelOrders,
    Command,
    Flatten,
    PauseOrder,
    PlaceOrder,
    RequestOverride,
    ResumeOrder,
    SetMode,
    SetParameter,
    SetStop,
    TellLifeEvent,
    WriteJournal,
)
from genesis.tui.commands import values
from genesis.tui.commands.grammar import Mistake, Said, write
from genesis.tui.commands.values import PPM, Amount, Unit

ALGORITHMS = {"buy": "one", "sell": "one", "is": "shortfall"}
"""Verbs whose algorithm has another name."""

DURATION_S = 600
"""Of orders that are cut over a time, when none was said."""

TIMED = frozenset({"twap", "vwap", "is"})
STOP_PPM = 20_000
MODES = {"halt": "halted", "reduce": "reducing", "active": "active"}


class AtWork(NamedTuple):
    """An order at work, as it is named: its id, and what it is."""

    parent_id: str
    title: str
    symbol: str


class Known(NamedTuple):
    """What a command is understood by.

    Attributes
    ----------
    pairs
        Followed pairs; nothing is refused for its name while there are none.
    pair
        The one that is meant when none is said; empty for none.
    orders
        Orders at work, as the list on the screen has them.
    held
        Pairs of which something is held.
    level
        The trader's tilt level.
    """

    pairs: tuple[str, ...] = ()
    pair: str = ""
    orders: tuple[AtWork, ...] = ()
    held: tuple[str, ...] = ()
    level: int = 0


class Ask(NamedTuple):
    """A command for the account, and what it says in a sentence."""

    command: Command
    says: str


class Show(NamedTuple):
    """Something to be shown or done here, of which the account learns nothing: its name, and with what."""

    what: str
    value: str = ""


Meant = Ask | Show | Mistake


class _Unknown(Exception):
    """Something that is named is not there."""


def meant(said: Said, known: Known) -> Meant:
    """Return what is asked for.

    >>> from genesis.tui.commands.grammar import read
    >>> meant(read("b25u"), Known(pair="BTCUSDT")).says
    'buy BTC for $25 at the market'
    >>> meant(read("pause"), Known()).sentence
    'no order is at work'
    >>> meant(read("tier"), Known())
    Show(what='tier', value='')
    """
    make = _MAKERS.get(said.verb)
    if make is None:
        return Show(said.verb, str(said.values.get("name", "")))
    try:
        return make(said, known)
    except _Unknown as unknown:
        return Mistake(str(unknown))


def _pair(said: Said, known: Known) -> str:
    symbol = str(said.values.get("pair") or known.pair)
    if not symbol:
        raise _Unknown("which pair? none is chosen; say it, such as btc")
    if known.pairs and symbol not in known.pairs:
        near = difflib.get_close_matches(symbol, known.pairs, 1)
        hint = f"did you mean {values.write_pair(near[0])}" if near else "overview shows those that are"
        raise _Unknown(f"{symbol[:20]} is not among the followed pairs; {hint}")
    return symbol


def _base(symbol: str) -> str:
    return symbol.removesuffix(values.QUOTE_ASSET)


def _order(said: Said, known: Known) -> Meant:
    side = said.verb if said.verb in ("buy", "sell") else said.values.get("side", "buy")
    symbol, amount = _pair(said, known), said.values["amount"]
    if side == "buy" and amount.unit is Unit.SHARE:
        return Mistake("a share is of what is held, and sold; to buy, say an amount such as b25u")
    if said.values.get("rest") and "limit" not in said.values:
        return Mistake("an order that rests waits at a limit; say it, such as: limit 60000")
    duration = said.values.get("duration", DURATION_S if said.verb in TIMED else 0)
    order = PlaceOrder(
        symbol=symbol,
        side=side,
        qty=amount.number if amount.unit is Unit.BASE else "",
        notional=amount.number if amount.unit is Unit.QUOTE else "",
        share=_share(amount),
        algorithm=ALGORITHMS.get(said.verb, said.verb),
        limit_price=said.values.get("limit", ""),
        rests=bool(said.values.get("rest")),
        duration_s=duration,
        slices=said.values.get("slices", 0),
        rate_ppm=said.values.get("rate", 0),
        stop_ppm=said.values.get("stop", STOP_PPM),
        reason=said.values.get("because", ""),
    )
    return Ask(order, _order_says(order, amount, said.verb))


def _share(amount: Amount) -> str:
    if amount.unit is not Unit.SHARE:
        return ""
    whole = values.share_ppm(f"{amount.number}%")
    return f"{(whole or 0) / PPM:.6f}".rstrip("0").rstrip(".")


def _order_says(order: PlaceOrder, amount: Amount, verb: str) -> str:
    base = _base(order.symbol)
    how_much = {
        Unit.QUOTE: f"{order.side} {base} for ${amount.number}",
        Unit.BASE: f"{order.side} {amount.number} {base}",
        Unit.SHARE: f"{order.side} {'all' if amount.number == '100' else f'{amount.number} %'} of {base}",
    }[amount.unit]
    if verb in ("buy", "sell"):
        where = f"at {order.limit_price} or better" if order.limit_price else "at the market"
        return f"{how_much} {'waiting ' if order.rests else ''}{where}"
    over = f" over {values.write_duration(order.duration_s)}" if order.duration_s else ""
    rate = f", {values.write_share(order.rate_ppm)} of what trades" if order.rate_ppm else ""
    return f"{how_much} by {verb.upper()}{over}{rate}"


def _at_work(word: str, known: Known) -> AtWork:
    if not known.orders:
        raise _Unknown("no order is at work")
    if not word and len(known.orders) == 1:
        return known.orders[0]
    if not word:
        raise _Unknown(f"which of {len(known.orders)} orders? say its number in the list, such as 1")
    if word.isdigit() and 1 <= int(word) <= len(known.orders):
        return known.orders[int(word) - 1]
    found = [each for each in known.orders if each.parent_id.lower().startswith(word)]
    if len(found) != 1:
        many = "is not one order alone" if found else "is no order at work"
        raise _Unknown(f"{word[:20]} {many}; 1 to {len(known.orders)} are those in the list")
    return found[0]


def _cancel(said: Said, known: Known) -> Meant:
    word = said.values.get("target", "")
    count = len(known.orders)
    if word in ("", "all"):
        return Ask(CancelOrders(), f"cancel all orders at work ({count})" if count else "cancel all orders")
    symbol = values.pair(word)
    if symbol in {each.symbol for each in known.orders} or (symbol in known.pairs and not word.isdigit()):
        return Ask(CancelOrders(symbol=symbol or ""), f"cancel all orders of {_base(symbol or '')}")
    found = _at_work(word, known)
    return Ask(CancelOrders(parent_id=found.parent_id), f"cancel: {found.title}")


def _pause(said: Said, known: Known) -> Meant:
    found = _at_work(said.values.get("order", ""), known)
    return Ask(PauseOrder(parent_id=found.parent_id), f"let rest: {found.title}")


def _resume(said: Said, known: Known) -> Meant:
    found = _at_work(said.values.get("order", ""), known)
    return Ask(ResumeOrder(parent_id=found.parent_id), f"let go on: {found.title}")


def _amend(said: Said, known: Known) -> Meant:
    limit, total = said.values.get("limit", ""), said.values.get("total", "")
    if not limit and not total:
        return Mistake("amend wants a new limit, a lower total, or both: limit 60000, to 0.5", True)
    found = _at_work(said.values.get("order", ""), known)
    parts = [f"limit {limit}"] * bool(limit) + [f"total {total}"] * bool(total)
    command = AmendOrder(parent_id=found.parent_id, limit_price=limit, qty=total)
    return Ask(command, f"{found.title}: {', '.join(parts)}")


def _stop(said: Said, known: Known) -> Meant:
    kind, level = said.values["level"]
    alone = "pair" not in said.values and len(known.held) == 1
    symbol = known.held[0] if alone else _pair(said, known)
    if kind == "share":
        says = f"stop of {_base(symbol)} {values.write_share(level)} below its average cost"
        return Ask(SetStop(symbol=symbol, distance_ppm=level), says)
    return Ask(SetStop(symbol=symbol, price=level), f"stop of {_base(symbol)} at {level}")


def _flatten(said: Said, known: Known) -> Meant:
    if "pair" in said.values:
        symbol = _pair(said, known)
        return Ask(Flatten(symbol=symbol), f"cancel the orders of {_base(symbol)} and sell all of it")
    names = ", ".join(_base(each) for each in known.held[:6]) or "nothing is held now"
    return Ask(Flatten(), f"cancel all orders and sell all that is held: {names}")


def _mode(said: Said, _known: Known) -> Meant:
    mode = MODES[said.verb]
    says = {
        "halted": "halt: cancel all orders, and let none go out",
        "reducing": "let only orders go out that lower risk",
        "active": "let all orders go out again",
    }[mode]
    return Ask(SetMode(mode=mode, reason=said.values.get("because", "")), says)


def _override(said: Said, _known: Known) -> Meant:
    return Ask(
        RequestOverride(confirmation=said.values["words"]),
        "today's limit once more, at half; then there is no other for a day",
    )


def _journal(said: Said, _known: Known) -> Meant:
    text = said.values.get("words", "")
    if not text:
        return Show("journal")
    count = len(text.split())
    return Ask(WriteJournal(text=text), f"write {count} word{'s' * (count > 1)} into the journal")


def _accept(_said: Said, _known: Known) -> Meant:
    return Ask(AcceptBreak(), "take a break of five minutes; it takes one trade off what is owed")


def _checklist(said: Said, _known: Known) -> Meant:
    if "answers" not in said.values:
        return Show("checklist")
    agreed = said.values["answers"]
    return Ask(AnswerChecklist(agreed=agreed), f"agree to {sum(agreed)} of {len(agreed)} points")


def _profile(said: Said, _known: Known) -> Meant:
    value = said.values["value"]
    return Ask(SetParameter(name="profile", value=value), f"say that you are {value}; looser in an hour")


def _life(said: Said, _known: Known) -> Meant:
    days = said.values["days"]
    says = f"say that life asks for care for {days} day{'s' * (days > 1)}; what it is stays untold"
    return Ask(TellLifeEvent(days=days), says)


def _own_limit(said: Said, _known: Known) -> Meant:
    name, ppm = said.values["name"], said.values["value"]
    says = f"{name.replace('_', ' ')} of {values.write_share(ppm)}; tighter at once, looser in an hour"
    return Ask(SetParameter(name=name, value=f"{ppm / PPM:f}".rstrip("0").rstrip(".")), says)


_MAKERS: Mapping[str, Callable[[Said, Known], Meant]] = {
    **dict.fromkeys(("buy", "sell", "twap", "vwap", "pov", "iceberg", "is"), _order),
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "amend": _amend,
    "stop": _stop,
    "flatten": _flatten,
    **dict.fromkeys(MODES, _mode),
    "override": _override,
    "journal": _journal,
    "accept": _accept,
    "checklist": _checklist,
    "profile": _profile,
    "life": _life,
    "limit": _own_limit,
}


def fitting(said: Said, notional: str) -> str:
    """Return the same order for another amount of the quote asset, as it would be typed.

    >>> from genesis.tui.commands.grammar import read
    >>> fitting(read("twap 150u link 10m"), "118.40")
    'twap 118.4u link 10m'
    """
    number: Any = values.number(notional)
    if number is None:
        return ""
    return write(Said(said.verb, {**said.values, "amount": Amount(number, Unit.QUOTE)}))
