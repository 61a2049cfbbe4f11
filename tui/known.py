"""Known: what the model says that a command is understood by."""

from genesis.operators.records import Market
from genesis.tui import accounting, text
from genesis.tui.commands.grammar import Mistake, read
from genesis.tui.commands.meaning import AtWork, Known
from genesis.tui.commands.values import QUOTE_ASSET
from genesis.tui.model import Instrument, Model

USUAL = "BTCUSDT"
"""The pair that is meant when nothing else says which."""


def known_of(model: Model, selected: Instrument | None, history: tuple[str, ...]) -> Known:
    """Return what commands are understood by now.

    The pair that is meant when none is said: that under the cursor, else that of the newest command, else the
    largest that is held, else BTC, else the first that is followed.
    """
    pairs = tuple(each.name for each in model.instruments if each.market == Market.SPOT)
    held = tuple(each.symbol for each in accounting.holdings(model))
    chosen = selected.name if selected is not None and selected.market == Market.SPOT else ""
    likely = (chosen, _newest(history), *held[:1], USUAL, *pairs[:1])
    return Known(
        pairs=pairs,
        pair=next((each for each in likely if each and (not pairs or each in pairs)), ""),
        orders=tuple(
            AtWork(each.parent_id, _title(each.side, each.symbol, each.algorithm), each.symbol)
            for each in accounting.working(model.affairs)
        ),
        held=held,
        level=accounting.level_of(model.affairs),
    )


def _newest(history: tuple[str, ...]) -> str:
    """Return the pair that was named last."""
    for line in reversed(history[-20:]):
        said = read(line)
        if not isinstance(said, Mistake) and "pair" in said.values:
            return str(said.values["pair"])
    return ""


def _title(side: str, symbol: str, algorithm: str) -> str:
    way = "" if algorithm == "one" else f" by {algorithm.upper()}"
    return text.clean(f"{side} {symbol.removesuffix(QUOTE_ASSET)}{way}")
