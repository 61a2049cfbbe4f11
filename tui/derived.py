"""What the screen says that no record says: changes, rates, ages, the matrix, and how fresh it all is."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from genesis.operators.records import GAP
from genesis.tui.batch import SECOND_NS, WINDOW_S, Rows
from genesis.tui.model import Instrument, Model, mid_price

Floats = npt.NDArray[np.float64]

MINUTE_S = 60
RATE_S = 10
"""Seconds over which trades a second are counted."""

LATE_S = 2.0
"""From this age on a figure is dimmed and its age is shown. The feed speaks ten times a second."""

SILENT_S = 5.0
"""A component that says nothing for this long is named. Each speaks about once a second."""

SAMPLES_LATE = 5
"""A pair that missed this many sampling cells is no longer current."""

EXPECTED = ("broker", "store", "venue", "feed", "market", "archive")
"""The components of a running system, in the order in which data passes them."""


class Figures(NamedTuple):
    """Columns of the price table, each of shape (n,); NaN where undefined."""

    mid: Floats
    minute_change: Floats
    start_change: Floats
    spread_bps: Floats
    trades_per_s: Floats
    age_s: Floats
    course: Floats
    minute_s: int


def figures(model: Model) -> Figures:
    """Return the price table's figures.

    ``course`` is the mid of each of the last 60 seconds, shape (n, 60), NaN in seconds without a
    quote. ``minute_s`` is over how many seconds ``minute_change`` really goes: 60, or less at first.
    """
    board, quotes = model.board, model.board["quote"]
    mid = mid_price(quotes)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_bps = (quotes["ask_price"] - quotes["bid_price"]) / mid * 1e4
        start_change = mid / board["start_mid"] - 1.0
        base = _known_at(board["mid"], WINDOW_S - 1 - MINUTE_S)
        minute_change = mid / np.where(np.isnan(base), board["start_mid"], base) - 1.0
    quoted = quotes["event_ns"] > 0
    started = board["start_ns"][quoted]
    heard_s = model.newest_s - int(started.min()) // SECOND_NS if started.size else 0
    seconds = min(heard_s, RATE_S)
    trades = board["trades"][:, WINDOW_S - 1 - max(seconds, 1) : WINDOW_S - 1].sum(axis=1)
    return Figures(
        mid=mid,
        minute_change=minute_change,
        start_change=start_change,
        spread_bps=spread_bps,
        trades_per_s=trades / seconds if seconds > 0 else np.full(mid.size, np.nan),
        age_s=np.where(quoted, np.maximum(model.venue_ns - quotes["event_ns"], 0) / 1e9, np.nan),
        course=board["mid"][:, WINDOW_S - MINUTE_S :],
        minute_s=max(min(heard_s, MINUTE_S), 0),
    )


def _known_at(memory: Floats, column: int) -> Floats:
    """Return the last value that is not NaN up to and with ``column``, shape (n,)."""
    known = ~np.isnan(memory[:, : column + 1])
    last = column - np.argmax(known[:, ::-1], axis=1)
    return np.where(known.any(axis=1), memory[np.arange(last.size), last], np.nan)


class Matrix(NamedTuple):
    """Correlations of one half-life between k instruments.

    ``values`` is (k, k), symmetric, NaN where undefined and on the diagonal; ``stale`` is True where
    a gap touches the pair or the pair has not been updated with the others.
    """

    members: tuple[int, ...]
    values: Floats
    stale: npt.NDArray[np.bool_]
    count_min: float
    count_max: float
    interval_ns: int


def half_lives(model: Model) -> list[int]:
    """Return the half-lives that there are correlations for, in ns, ascending."""
    return [int(each) for each in np.unique(model.correlation["half_life_ns"])]


def correlated_markets(model: Model) -> list[int]:
    """Return the markets within which there are pairs; 0, for all of them together, comes last if needed."""
    rows = model.correlation
    codes = np.unique(rows["market_a"] * np.int32(256) + rows["market_b"])
    pairs = {divmod(code, 256) for code in codes.tolist()}
    within = sorted({a for a, b in pairs if a == b})
    return [*within, 0] if any(a != b for a, b in pairs) or not within else within


def matrix(model: Model, half_life_ns: int, market: int) -> Matrix:
    """Return the newest correlations of a market; market 0 stands for all."""
    rows = model.correlation
    rows = rows[rows["half_life_ns"] == half_life_ns]
    if market:
        rows = rows[(rows["market_a"] == market) & (rows["market_b"] == market)]
    sides = [_keys(rows["market_a"], rows["symbol_a"]), _keys(rows["market_b"], rows["symbol_b"])]
    names = np.unique(np.concatenate(sides)) if rows.size else np.zeros(0, "S17")
    a, b = (np.searchsorted(names, side) for side in sides)
    values = np.full((names.size, names.size), np.nan)
    stale = np.zeros(values.shape, bool)
    old = (rows["stale"] != 0) | (
        rows["sample_ns"] < rows["sample_ns"].max(initial=0) - SAMPLES_LATE * rows["interval_ns"]
    )
    values[a, b] = values[b, a] = rows["correlation"]
    stale[a, b] = stale[b, a] = old
    np.fill_diagonal(values, np.nan)
    index = {each: i for i, each in enumerate(model.instruments)}
    members = tuple(index.get(Instrument(name[0], name[1:]), -1) for name in names.tolist())
    counts = rows["effective_count"][~np.isnan(rows["correlation"])]
    return Matrix(
        members=members,
        values=values,
        stale=stale,
        count_min=float(counts.min()) if counts.size else np.nan,
        count_max=float(counts.max()) if counts.size else np.nan,
        interval_ns=int(rows["interval_ns"].max(initial=0)),
    )


def _keys(market: Any, symbol: Any) -> Any:
    made = np.zeros(market.size, [("market", "i1"), ("symbol", "S16")])
    made["market"], made["symbol"] = market, symbol
    return made.view("S17")


class Fresh(Enum):
    """How far the figures can be taken for the present."""

    WAITING = "waiting"
    LIVE = "live"
    LATE = "late"
    SILENT = "silent"
    LOST = "lost"
    ENDED = "ended"
    HELD = "held"


class Freshness(NamedTuple):
    """How fresh the figures are, for how long that has been so, and of when they are."""

    state: Fresh
    age_s: float
    seen_ns: int

    @property
    def dim(self) -> bool:
        """True when the figures must not look fresh."""
        return self.state in (Fresh.LATE, Fresh.SILENT, Fresh.LOST) or (
            self.state is Fresh.HELD and self.age_s >= LATE_S
        )


def freshness(model: Model, now_ns: int, held_ns: int | None = None) -> Freshness:
    """Return how fresh the model is.

    Parameters
    ----------
    now_ns
        Now, by the monotonic clock that ``heard_ns`` is of.
    held_ns
        Since when the display is held, or None.
    """
    seen_ns = model.venue_ns
    if held_ns is not None:
        return Freshness(Fresh.HELD, (now_ns - held_ns) / 1e9, seen_ns)
    heard_ns = model.heard_ns.get("feed ticks")
    if heard_ns is None:
        return Freshness(Fresh.WAITING, 0.0, seen_ns)
    silent_s = max(now_ns - heard_ns, 0) / 1e9
    if model.ended:
        return Freshness(Fresh.ENDED, silent_s, seen_ns)
    if silent_s >= LATE_S:
        anything_s = (now_ns - model.heard_ns.get("anything", heard_ns)) / 1e9
        return Freshness(Fresh.LOST if anything_s >= LATE_S else Fresh.SILENT, silent_s, seen_ns)
    lag_s = feed_figure(model, "lag_ms") / 1e3
    if lag_s >= LATE_S:
        return Freshness(Fresh.LATE, lag_s, seen_ns)
    return Freshness(Fresh.LIVE, silent_s, seen_ns)


def feed_figure(model: Model, name: str) -> float:
    """Return a figure that the feed last gave, NaN when it gave none."""
    feed = model.health.get("feed")
    return feed.figures.get(name, np.nan) if feed is not None else np.nan


def silence_s(model: Model, component: str, now_ns: int) -> float:
    """Return for how long a component has said nothing, NaN when it never has."""
    heard_ns = model.heard_ns.get(component)
    return np.nan if heard_ns is None else max(now_ns - heard_ns, 0) / 1e9


def open_gaps(model: Model) -> Rows:
    """Return the gaps that are known to be open, oldest first."""
    return model.gaps[model.gaps["end_ns"] == 0] if model.gaps.size else GAP.empty()


def gaps_open(model: Model) -> float:
    """Return how many gaps are open: by the feed, which knows them all, else by what was seen here."""
    told = feed_figure(model, "gaps_open")
    return float(open_gaps(model).size) if np.isnan(told) else told


def shown(model: Model, wanted: str) -> list[int]:
    """Return the places of the instruments that a filter lets through: all of its words, in any order.

    A word is looked for in ``symbol market``, upper and lower case alike.
    """
    words = wanted.lower().split()
    return [
        i
        for i, each in enumerate(model.instruments)
        if all(word in f"{each.name} {each.market_name}".lower() for word in words)
    ]


def moves_with(found: Matrix, place: int) -> list[tuple[int, float]]:
    """Return (place, correlation) of the others, the closest first; undefined ones are left out."""
    if place not in found.members:
        return []
    values = found.values[found.members.index(place)]
    others = [(m, float(v)) for m, v in zip(found.members, values, strict=True) if not np.isnan(v)]
    return sorted(others, key=lambda each: -each[1])


def short_name(model: Model, place: int, several_markets: bool) -> str:
    """Return a name for a narrow column: the base asset, with the market's initial when that matters.

    The quote asset is left away where all share it.
    """
    if place < 0:
        return "?"
    each = model.instruments[place]
    name = each.name
    for quote in ("USDT", "USDC", "FDUSD", "USD_PERP"):
        if name.endswith(quote) and len(name) > len(quote):
            name = name.removesuffix(quote)
            break
    return f"{name}.{each.market_name[0]}" if several_markets else name


class Process(NamedTuple):
    """How one component is: its state in a word, and what it said last."""

    name: str
    state: str
    silence_s: float
    restarts: int
    detail: str
    figures: Mapping[str, float]

    @property
    def well(self) -> bool:
        """True when nothing about it needs a look."""
        return self.state in ("ok", "running", "starting", "finished")


NO_WORD = "no word"


def processes(model: Model, now_ns: int) -> list[Process]:
    """Return the components in the order in which data passes them, then any other that spoke."""
    run = model.run
    others = sorted((set(model.health) | set(run.states if run else ())) - {*EXPECTED, "dashboard"})
    return [_process(model, name, now_ns) for name in (*EXPECTED, *others)]


def _process(model: Model, name: str, now_ns: int) -> Process:
    quiet_s, said, run = silence_s(model, name, now_ns), model.health.get(name), model.run
    if name == "broker" and said is None:
        quiet_s = silence_s(model, "anything", now_ns)
    if quiet_s < SILENT_S:
        state = said.state if said is not None else "ok"
    else:
        supervised = run.states.get(name, NO_WORD) if run is not None else NO_WORD
        state = NO_WORD if said is not None and supervised in ("ok", "running") else supervised
    return Process(
        name=name,
        state=state,
        silence_s=quiet_s,
        restarts=run.restarts.get(name, 0) if run is not None else 0,
        detail=said.detail if said is not None else "",
        figures=said.figures if said is not None else {},
    )
