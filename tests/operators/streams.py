"""Small random markets as rows, cut into batches in every way that keeps the promises of watermarks."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from genesis.operators import market_join, shard_fold
from genesis.operators.arrays import NEVER_NS
from genesis.operators.records import BOOK, GAP, QUOTE, TRADE, RowSchema, StreamKind
from genesis.operators.shard_fold import Arrivals
from genesis.operators.topics import shard_of

SECOND_NS = 10**9
LATENESS_NS = SECOND_NS // 4
START_NS = 1_700_000_000 * SECOND_NS
_OLDEST_NS = START_NS - 100 * SECOND_NS
SYMBOLS = [(1, b"AAA"), (1, b"BBB"), (2, b"AAA")]
SCHEMAS: tuple[RowSchema, ...] = (TRADE, QUOTE, BOOK, GAP)


class Market(NamedTuple):
    """Rows of trades, quotes, book and gaps, each in its order of arrival."""

    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def market_of(ticks: list[tuple[int, int, int, int, float]]) -> Market:
    """Return rows for (topic, instrument, step ms, late ms, price), as one connection would send them."""
    listed: list[list[dict[str, Any]]] = [[], [], [], []]
    now_ns, watermark_ns = START_NS, NEVER_NS
    open_gaps: dict[tuple[int, StreamKind], int] = {}
    for number, (topic, instrument, step_ms, late_ms, price) in enumerate(ticks, start=1):
        now_ns += step_ms * 1_000_000
        event_ns = now_ns - late_ms * 1_000_000
        market, symbol = SYMBOLS[instrument]
        row: dict[str, Any] = {
            "market": market,
            "symbol": symbol,
            "effective_ns": max(event_ns, watermark_ns + 1),
        }
        if topic != shard_fold.GAPS:
            watermark_ns = max(watermark_ns, event_ns - LATENESS_NS)
            row["event_ns"] = event_ns
        if topic == shard_fold.TRADES:
            row |= {"trade_id": number, "price": price, "qty": price / 7, "side": 1 if number % 2 else -1}
        elif topic == shard_fold.GAPS:
            stream = StreamKind.QUOTES if number % 3 else StreamKind.TRADES
            begun_ns = open_gaps.pop((instrument, stream), None)  # at most one is open, as the feed has it
            start_ns = event_ns - 10**8 if begun_ns is None else begun_ns
            end_ns = max(event_ns, start_ns) if begun_ns is not None or number % 2 else 0
            if not end_ns:
                open_gaps[instrument, stream] = start_ns
            row |= {"start_ns": start_ns, "end_ns": end_ns, "stream": stream}
            row["revision"] = int(begun_ns is not None)
        else:
            row |= {"update_id": number, "bid_price": price, "ask_price": price + 0.5}
        listed[topic].append(row)
    return Market(tuple(_rows(schema, rows) for schema, rows in zip(SCHEMAS, listed, strict=True)))  # type: ignore[arg-type]


def _rows(schema: RowSchema, listed: list[dict[str, Any]]) -> np.ndarray:
    rows = schema.empty(len(listed))
    for i, each in enumerate(listed):
        for name, value in each.items():
            if rows[name].ndim == 2:
                rows[name][i, 0] = value
            else:
                rows[name][i] = value
    return rows


tick = st.tuples(
    st.sampled_from([0, 0, 0, 1, 1, 1, 1, 2, 3]),
    st.integers(0, len(SYMBOLS) - 1),
    st.sampled_from([0, 1, 40, 200, 900, 2_500, 9_000]),
    st.sampled_from([0, 0, 0, 0, 100, 260, 1_500, 20_000]),
    st.floats(1.0, 100.0),
)
markets = st.lists(tick, min_size=1, max_size=60).map(market_of)
cuts = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12), st.floats(0.0, 1.0)), max_size=40)
"""How a market is cut: which topic goes on, by how many rows, and how bold its promise is."""


def of_shard(market: Market, shard: int, shards: int) -> Market:
    """Return the rows of one shard, in their order."""
    parts = []
    for rows in market.rows:
        mine = [shard_of(int(row["market"]), bytes(row["symbol"]), shards) == shard for row in rows]
        parts.append(rows[np.array(mine, np.bool_)])
    return Market(tuple(parts))  # type: ignore[arg-type]


def batches(market: Market, how: list[tuple[int, int, float]]) -> list[Arrivals]:
    """Return the market cut into batches; the last one has what is left and the final watermarks."""
    begin, promised = [0, 0, 0, 0], [NEVER_NS] * 4
    waited = [market.rows[topic]["effective_ns"] for topic in shard_fold.WAITED]
    newest_ns = max(int(times_ns.max(initial=_OLDEST_NS)) for times_ns in waited)
    found = []
    for topic, count, boldness in how:
        rows = market.rows[topic]
        part = [of[:0] for of in market.rows]
        part[topic] = rows[begin[topic] : begin[topic] + count].copy()
        begin[topic] += count
        rest = rows["effective_ns"][begin[topic] :]
        most_ns = int(rest.min()) - 1 if rest.size else newest_ns  # beyond, silence would be reported
        least_ns = max(promised[topic], _OLDEST_NS)
        promised[topic] = least_ns + max(int((most_ns - least_ns) * boldness), 0)
        watermarks = [NEVER_NS] * 4
        watermarks[topic] = promised[topic]
        ended = tuple(0 if i == topic else -1 for i in range(4))
        found.append(Arrivals(tuple(part), tuple(watermarks), ended))  # type: ignore[arg-type]
    rest_of_all = tuple(rows[at:].copy() for rows, at in zip(market.rows, begin, strict=True))
    found.append(Arrivals(rest_of_all, (NEVER_NS,) * 4, (1, 1, 1, 1)))  # type: ignore[arg-type]
    return found


def folded(arrivals: list[Arrivals]) -> list[shard_fold.Folded]:
    """Return what a shard gives for the batches."""
    shard, found = shard_fold.new_shard(), []
    for arrived in arrivals:
        shard, out = shard_fold.fold(shard, arrived)
        found.append(out)
    return found


def contribution(shard: int, out: shard_fold.Folded) -> market_join.Contribution:
    """Return what a shard tells the join."""
    return market_join.Contribution(shard, out.closed_ns, out.quiet_ns, out.samples, out.gaps)
