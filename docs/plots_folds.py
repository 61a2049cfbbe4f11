"""Pictures of what folds give: bars, volatility of intervals, cells of the join, children of an order."""

import numpy as np
from matplotlib.axes import Axes
from plotting import SECOND_NS, Plot, rng_of, zeros

from genesis.operators import bars, interval_volatility, market_join, shard_fold
from genesis.operators.arrays import NEVER_NS
from genesis.operators.records import BOOK, GAP, QUOTE, TRADE
from genesis.operators.sampling import SAMPLE
from genesis.operators.slicing import decisions, orders, params, plans, routing
from genesis.operators.slicing.orders import Algorithm, EventKind, market_event
from genesis.operators.waiting import ticks

CELL_NS = SECOND_NS


def _bars(axes: Axes) -> None:
    rng, seconds = rng_of(21), 40
    at_ns = np.sort(rng.integers(0, seconds * SECOND_NS, 400))
    price = 100.0 + np.cumsum(rng.normal(size=400) * 0.02)
    trades = ticks(
        [(int(ns), int(ns), 0, number) for number, ns in enumerate(at_ns)], [(p, 1.0) for p in price.tolist()]
    )
    names = np.zeros((1, 3), np.uint64)
    rows = bars.fold_trades(bars.no_bars(1), trades, seconds * SECOND_NS, names)[1]
    rows = rows[rows["interval_ns"] == SECOND_NS]
    at_s = rows["open_ns"] / SECOND_NS + 0.5
    axes.vlines(at_s, rows["low"], rows["high"], color="#9a9a9a", label="low to high")
    up = rows["close"] >= rows["open"]
    for which, colour, name in (
        (up, "#4c7a57", "open to close, up"),
        (~up, "#c08a2d", "open to close, down"),
    ):
        axes.vlines(at_s[which], rows["open"][which], rows["close"][which], color=colour, lw=4.0, label=name)
    axes.plot(at_ns / SECOND_NS, price, lw=0.4, label="trades")
    axes.set(xlabel="s", ylabel="price")


def _interval_volatility(axes: Axes) -> None:
    rng, minutes = rng_of(22), 60
    state = interval_volatility.with_slots(interval_volatility.no_volatility(), 1)
    size = np.where((np.arange(minutes) >= 25) & (np.arange(minutes) < 35), 4e-4, 1e-4)
    log_mid, found = 0.0, []
    for minute in range(minutes):
        path = log_mid + np.cumsum(rng.normal(size=60) * size[minute])
        log_mid = float(path[-1])
        ends_ns = (minute * 60 + np.arange(1, 61)) * SECOND_NS
        seconds = interval_volatility.Seconds(zeros(60), ends_ns, np.exp(path), np.zeros(60, np.bool_))
        state = interval_volatility.add(state, seconds)
        state, rows, _ = interval_volatility.close(state, int(ends_ns[-1]))
        found.append(rows)
    rows = np.concatenate(found)
    for seconds_long, name in ((60, "1 min"), (300, "5 min")):
        mine = rows[rows["interval_ns"] == seconds_long * SECOND_NS]
        scaled = mine["realized_bps"] / np.sqrt(seconds_long / 60)
        axes.step(mine["open_ns"] / (60 * SECOND_NS), scaled, where="post", label=name)
    axes.set(xlabel="minute", ylabel="bps in a minute")


def _shard_fold(axes: Axes) -> None:
    """Draw what has gone in and what has come out, by the watermark."""
    rng, shard = rng_of(23), shard_fold.new_shard()
    came, bars_out, at_s, number = [], [], [], 0
    for beat in range(120):
        now_ns = beat * SECOND_NS // 10
        trades = TRADE.empty(int(rng.poisson(3.0)))
        trades["event_ns"] = trades["effective_ns"] = now_ns
        trades["trade_id"] = number + np.arange(trades.size)
        number += trades.size
        trades["price"], trades["qty"], trades["symbol"], trades["market"] = 10.0, 1.0, b"AAA", 1
        rows = (trades, QUOTE.empty(), BOOK.empty(), GAP.empty())
        promise_ns = now_ns - SECOND_NS // 4 if now_ns else NEVER_NS
        shard, out = shard_fold.fold(shard, shard_fold.Arrivals(rows, (promise_ns,) * 4, (0,) * 4))
        came.append(trades.size)
        second = out.bars[out.bars["interval_ns"] == SECOND_NS]
        bars_out.append(int(second["trade_count"].sum()))
        at_s.append(beat / 10)
    axes.plot(at_s, np.cumsum(came), label="trades that came in")
    axes.step(at_s, np.cumsum(bars_out), where="post", label="trades in closed bars of 1 s")
    axes.set(xlabel="s")


def _market_join(axes: Axes) -> None:
    rng, join = rng_of(24), market_join.new_join(1, (0, 20 * SECOND_NS))
    common, price = 0.0, np.full(2, 100.0)
    found = []
    for cell in range(300):
        rho = 0.9 if cell < 150 else 0.2
        common = rng.normal()
        moves = np.sqrt(rho) * common + np.sqrt(1.0 - rho) * rng.normal(size=2)
        price *= np.exp(moves * 1e-4)
        samples = np.zeros(2, SAMPLE)
        samples["slice_ns"] = samples["newest_ns"] = cell * CELL_NS
        samples["bid_price"], samples["ask_price"], samples["has_quote"] = price - 0.01, price + 0.01, 1
        samples["market"] = [1, 2]
        closed_ns = (cell + 1) * CELL_NS
        told = market_join.Contribution(0, closed_ns, closed_ns, samples, GAP.empty())
        join, out = market_join.fold(join, [told])
        found.append(out.correlation)
    rows = np.concatenate(found)
    for half_life_ns, name in ((20 * SECOND_NS, "half-life 20 s"), (0, "equal weights")):
        mine = rows[rows["half_life_ns"] == half_life_ns]
        axes.plot(mine["sample_ns"] / SECOND_NS, mine["correlation"], label=name)
    axes.set(xlabel="s", ylim=(-0.2, 1.05))


def _decisions(axes: Axes) -> None:
    for algorithm in (Algorithm.TWAP, Algorithm.POV):
        rng = rng_of(25)
        rule = params.Params(algorithm, 300 * SECOND_NS, slices=10)
        market = orders.Market(9_999, 10_001, 50_000, recent_lots=90_000)
        state = plans.plan(orders.Parent("a", 1, 900, start_ns=0), market, rule)
        done, at_s, sent = 0, [0.0], [0]
        for beat in range(3_000):
            now_ns = beat * SECOND_NS // 10
            # Others trade four times as much in the second half.
            event = market_event(
                now_ns, (9_999, 500), (10_001, 500), int(rng.poisson(2.0 if beat < 1_500 else 8.0))
            )
            state, out = decisions.next(state, event)
            for child in out[out["kind"] == int(orders.DecisionKind.SEND)]:
                lots = int(child["lots"])
                done += lots
                at_s.append(now_ns / SECOND_NS)
                sent.append(done)
                filled = orders.child_event(EventKind.FILL, now_ns, int(child["child"]), lots)
                closed = orders.child_event(EventKind.CLOSED, now_ns, int(child["child"]))
                state, _ = decisions.next(state, np.concatenate([filled, closed]))
        axes.step(at_s, sent, where="post", label=algorithm.name)
    axes.set(xlabel="s", ylabel="lots sent")


def _routing(axes: Axes) -> None:
    impact_bps = np.linspace(0.0, 12.0, 80)
    rule, cost = (
        params.Params(Algorithm.TWAP, 60 * SECOND_NS, slices=10),
        {"at once": [], "in ten slices": []},
    )
    turn = None
    for whole_bps in impact_bps.tolist():
        slice_bps = whole_bps / np.sqrt(10.0)
        conditions = routing.Conditions(1.0, 10.0, whole_bps, slice_bps, routing.Day(300.0, 1e9))
        choice = routing.choose(rule, conditions)
        cost["at once"].append(choice.whole.cost_bps)
        cost["in ten slices"].append(choice.sliced.cost_bps + routing.RISK_AVERSION * choice.sliced.risk_bps)
        if turn is None and choice.algorithm is Algorithm.TWAP:
            turn = whole_bps
    for name, values in cost.items():
        axes.plot(impact_bps, values, label=name)
    if turn is not None:
        axes.axvline(turn, color="#9a9a9a", linestyle="--", label="from here on sliced")
    axes.set(xlabel="impact of the whole order at once, bps", ylabel="cost and risk, bps")


PLOTS: dict[str, Plot] = {
    "bars": Plot(_bars, "Four hundred trades of a random walk, and the bars of 1 s made of them."),
    "interval_volatility": Plot(
        _interval_volatility, "Ten minutes of fourfold volatility, by intervals of two lengths."
    ),
    "market_join": Plot(
        _market_join,
        "Two instruments that move together until 150 s, and hardly after; two weights.",
    ),
    "shard_fold": Plot(
        _shard_fold, "Trades come at once; a bar of 1 s closes once the watermark has passed."
    ),
    "slicing.decisions": Plot(
        _decisions, "One order by the clock and by volume; from 150 s on others trade four times as much."
    ),
    "slicing.routing": Plot(
        _routing,
        "What one market order costs and what slicing costs with its risk, by the impact of the order.",
    ),
}
