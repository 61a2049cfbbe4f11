"""Catalog: the strategies by name, each made with parameters given as text."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from genesis.operators.account.money import AmountError
from genesis.operators.strategies.breakout import Breakout, BreakoutParameters
from genesis.operators.strategies.pairs import Pairs, PairsParameters
from genesis.operators.strategies.strategy import Strategy

STRATEGIES: dict[str, tuple[Callable[[Any], Strategy], type[msgspec.Struct]]] = {
    "pairs": (Pairs, PairsParameters),
    "breakout": (Breakout, BreakoutParameters),
}
"""What makes each strategy, and of what parameters."""


class StrategyError(ValueError):
    """There is no such strategy, or not with these parameters; the message is a sentence."""


_KINDS = {float: "a number", int: "a whole number", bool: "true or false"}


def _check(name: str, parameters: type[msgspec.Struct], given: Mapping[str, str]) -> None:
    """Raise `StrategyError` when a parameter is unknown, or no value of its kind."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(parameters)}
    for key, text in given.items():
        if key not in kinds:
            raise StrategyError(f"strategy {name!r} has no parameter {key!r}; it has {', '.join(kinds)}")
        try:
            msgspec.convert(text, kinds[key], strict=False)
        except msgspec.ValidationError:
            kind = _KINDS.get(kinds[key], "another kind of value")
            raise StrategyError(f"strategy {name!r}: {key} takes {kind}, and was {text!r}") from None


def made(name: str, given: Mapping[str, str] | None = None) -> Strategy:
    """Return a strategy.

    Raises
    ------
    StrategyError
        When it is not known, or a parameter is wrong.

    Examples
    --------
    >>> made("pairs", {"enter": "2.5"}).name
    'pairs'
    >>> made("luck")
    Traceback (most recent call last):
    ...
    genesis.operators.strategies.catalog.StrategyError: there is no strategy 'luck'; there are breakout, pairs
    """
    if name not in STRATEGIES:
        raise StrategyError(f"there is no strategy {name!r}; there are {', '.join(sorted(STRATEGIES))}")
    make, parameters = STRATEGIES[name]
    _check(name, parameters, given or {})
    try:
        return make(msgspec.convert(dict(given or {}), parameters, strict=False))
    except AmountError as error:
        raise StrategyError(f"strategy {name!r}: {error.sentence}") from None
    except (msgspec.ValidationError, ValueError) as error:
        raise StrategyError(f"strategy {name!r}: {str(error).removeprefix(f'strategy {name!r}: ')}") from None
