"""What a view is given: the model, the reader's choices, how fresh it is, and the room there is."""

from collections.abc import Callable
from typing import NamedTuple

from genesis.operators.account.tier_gates import Tier
from genesis.tui import accounting, derived, keys, text
from genesis.tui.affairs import Affairs
from genesis.tui.derived import Figures, Freshness, Matrix
from genesis.tui.keys import Controls
from genesis.tui.model import Model
from genesis.tui.text import Block, Row, Span

WIDE_COLS = 105
"""Room from which on columns have their full titles, and panels lie next to each other."""

LABEL_COLS = 11
"""Columns of the label at the left of a line."""


class Look(NamedTuple):
    """One look at the model.

    ``half_life_ns`` and ``market`` say which correlations to show: the chosen ones while there are
    such, or else the first. ``cols`` and ``rows`` are the room of the panel that is drawn.
    """

    model: Model
    controls: Controls
    fresh: Freshness
    figures: Figures
    now_ns: int
    half_life_ns: int | None
    market: int
    places: tuple[int, ...]
    at: int
    cols: int
    rows: int

    @property
    def wide(self) -> bool:
        """True when there is room for full titles."""
        return self.cols >= WIDE_COLS

    @property
    def affairs(self) -> Affairs:
        """What is known of the account."""
        return self.model.affairs

    @property
    def tier(self) -> Tier:
        """The account's tier; the lowest, which shows least, while nobody has said it."""
        return accounting.tier_of(self.affairs) or Tier.SNIPER

    @property
    def account(self) -> accounting.Fresh:
        """How fresh the account's figures are."""
        return accounting.freshness(self.model, self.now_ns)

    @property
    def selected(self) -> int | None:
        """Place of the instrument under the cursor, None when there is none."""
        return self.places[self.at] if self.places else None

    @property
    def several_markets(self) -> bool:
        """True when a symbol alone does not name an instrument."""
        instruments = self.model.instruments
        return bool(instruments) and instruments[0].market != instruments[-1].market

    def within(self, cols: int, rows: int) -> "Look":
        """Return the same look with other room."""
        return self._replace(cols=cols, rows=rows)

    def name(self, place: int) -> str:
        """Return the name of an instrument, safe to show."""
        each = self.model.instruments[place]
        name = text.clean(each.name)
        return f"{name} {each.market_name}" if self.several_markets else name

    def matrix(self) -> Matrix | None:
        """Return the chosen correlations, None while there are none."""
        return (
            None if self.half_life_ns is None else derived.matrix(self.model, self.half_life_ns, self.market)
        )


Panel = Callable[[Look], Block]


def look_at(model: Model, controls: Controls, fresh: Freshness, now_ns: int) -> Look:
    """Return a look without room yet; what every panel needs is computed once, here."""
    places = derived.shown(model, controls.wanted)
    lives, markets = derived.half_lives(model), derived.correlated_markets(model)
    return Look(
        model=model,
        controls=controls,
        fresh=fresh,
        figures=derived.figures(model),
        now_ns=now_ns,
        half_life_ns=controls.half_life_ns if controls.half_life_ns in lives else next(iter(lives), None),
        market=controls.market if controls.market in markets else markets[0],
        places=tuple(places),
        at=keys.place_of(controls, model, places),
        cols=0,
        rows=0,
    )


def labelled(label: str, spans: Row, cols: int) -> Row:
    """Return a line with a label at its left."""
    return text.row([("dim", text.pad(label, LABEL_COLS)), *spans], cols)


def joined(parts: list[Row], cols: int | None = None) -> Row:
    """Return the parts in one row, a quiet point between them; with ``cols`` only whole parts that fit."""
    made: Row = []
    for part in parts:
        more = ([("faint", " · ")] if made and part else []) + part
        if cols is not None and text.span_columns(made + more) > cols:
            break
        made += more
    return made


def says(*words: tuple[str, str]) -> Row:
    """Return alternating (label, figure) pairs: labels dim, figures in text."""
    made: list[Span] = []
    for label, figure in words:
        made += [("dim", f"{label} " if label else ""), ("text", figure)]
    return [span for span in made if span[1]]


def window(at: int, size: int, room: int) -> range:
    """Return which of ``size`` lines are shown in ``room`` of them, so that line ``at`` is among them.

    >>> list(window(0, 9, 3)), list(window(5, 9, 3)), list(window(8, 9, 3)), list(window(1, 2, 3))
    ([0, 1, 2], [4, 5, 6], [6, 7, 8], [0, 1])
    """
    first = min(max(at - room // 2, 0), max(size - room, 0))
    return range(first, min(first + max(room, 0), size))
