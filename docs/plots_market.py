"""Pictures of measures, states, baselines, costs and slicing."""

import numpy as np
from matplotlib.axes import Axes
from plotting import SECOND_NS, Plot, rng_of, zeros

from genesis.operators import (
    average_true_range,
    cusum,
    execution_cost,
    liquidity,
    market_impact,
    market_state,
    order_flow_imbalance,
    page_hinkley,
    realized_volatility,
    robust_baseline,
    spread_persistence,
    tradability,
    trade_flow_imbalance,
    volume_profile,
)
from genesis.operators.records import BOOK
from genesis.operators.slicing import almgren_chriss, orders, params, plans


def _market_state(axes: Axes) -> None:
    rng, ratios, states = rng_of(5), [], []
    usual = market_state.with_slots(market_state.no_usual(), 1)
    machine = market_state.with_machines(market_state.no_machines(), 1)
    yes, no = np.ones(1, np.bool_), np.zeros(1, np.bool_)
    for cell in range(600):
        size = 8e-4 if 300 <= cell < 360 else 1e-4
        seen = market_state.Cell(rng.normal(size=1) * size, np.ones(1), rng.poisson(9.0, 1), yes, no)
        usual, measures = market_state.measure(usual, seen, 1.0)
        warm = usual.cells[:, 1] >= market_state.WARM_CELLS
        machine = market_state.decide(machine, measures, warm, no, no, cell)
        ratios.append(measures.volatility_ratio[0])
        states.append(machine.state[0, 0])
    axes.plot(ratios, label="volatility ÷ usual")
    stormy = np.array(states) >= market_state.VOLATILE
    axes.fill_between(np.arange(600), 0, 9, where=stormy, color="#c08a2d", alpha=0.4, lw=0, label="volatile")
    axes.axhline(market_state.VOLATILE_ENTER, color="#9a9a9a", linestyle="--", label="enter")
    axes.set(xlabel="cell", ylim=(0.0, 9.0))


def _realized_volatility(axes: Axes) -> None:
    returns = rng_of(6).normal(size=(60, 60)) * 1e-3
    returns[30, 20] = 0.02
    slots = np.repeat(np.arange(60), 60)
    state = realized_volatility.update(realized_volatility.no_variation(60), slots, returns.ravel())
    total, bipower, median, _ = realized_volatility.measures(state, np.arange(60))
    for variance, name in ((total, "realised"), (bipower, "bipower"), (median, "MedRV")):
        axes.plot(np.sqrt(variance) * 1e4, label=name)
    axes.set(xlabel="minute", ylabel="bps")


def _average_true_range(axes: Axes) -> None:
    rng = rng_of(7)
    close = 100.0 + np.cumsum(rng.normal(size=200) * 0.1)
    size = np.where(np.arange(200) < 100, 0.5, 1.0) * rng.uniform(0.6, 1.4, 200)
    bars = np.stack([close + size / 2, close - size / 2, close], axis=1)
    rule = average_true_range.parameters(14)
    state = average_true_range.no_range(1)
    axes.plot(bars[:, 0] - bars[:, 1], color="#9a9a9a", label="high less low")
    axes.plot(average_true_range.average_true_range(state, zeros(200), bars, rule)[1], label="average")
    axes.set(xlabel="bar", ylabel="quote asset", ylim=(0.0, 1.6))


def _spread_persistence(axes: Axes) -> None:
    event_ns = np.arange(0, 300 * SECOND_NS, SECOND_NS)
    spread_bps = np.where(np.arange(300) % 30 < 3, 4.0, 1.0)
    rule = spread_persistence.parameters(60 * SECOND_NS, 2.0)
    state = spread_persistence.no_spreads(1)
    found = spread_persistence.persistence(state, zeros(300), event_ns, spread_bps, rule)[1]
    axes.plot(spread_bps, color="#9a9a9a", lw=0.6, label="spread, bps")
    axes.plot(found[:, 0], label="mean, bps")
    axes.plot(found[:, 2], label="how long a wide one lasts, s")
    axes.set(xlabel="second", ylim=(0.0, 4.5))


def _order_flow(axes: Axes) -> None:
    rng, n = rng_of(8), 240
    push = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    qty = 50.0 + np.cumsum(np.stack([push, -push], axis=1) * 0.2 + rng.normal(size=(n, 2)), axis=0)
    quotes = np.column_stack([np.full((n, 2), (99.0, 101.0)), np.maximum(qty, 1.0)])
    rule = order_flow_imbalance.parameters(10 * SECOND_NS)
    state, event_ns = order_flow_imbalance.no_flow(1), np.arange(n) * SECOND_NS // 2
    axes.plot(order_flow_imbalance.imbalance(state, zeros(n), event_ns, quotes, rule)[2], label="imbalance")
    axes.axhline(0.0, color="#9a9a9a", lw=0.5)
    axes.set(xlabel="quote", ylim=(-1.0, 1.0))


def _trade_flow(axes: Axes) -> None:
    rng, n = rng_of(9), 400
    buys = rng.random(n) < np.where(np.arange(n) < n // 2, 0.7, 0.3)
    qty = np.where(buys, 1.0, -1.0) * rng.exponential(size=n)
    for half_life_s in (5, 40):
        rule = trade_flow_imbalance.parameters(half_life_s * SECOND_NS)
        state, event_ns = trade_flow_imbalance.no_flow(1), np.arange(n) * SECOND_NS // 4
        path = trade_flow_imbalance.imbalance(state, zeros(n), event_ns, qty, rule)[1]
        axes.plot(path, label=f"half-life {half_life_s} s")
    axes.set(xlabel="trade", ylim=(-1.05, 1.05))


def _volume_profile(axes: Axes) -> None:
    bins, rng = volume_profile.BINS, rng_of(10)
    true = 1.0 + 0.7 * np.sin(np.arange(bins) / bins * 2.0 * np.pi)
    rule = volume_profile.USUAL
    for days in (2, 8, 40):
        event_ns = np.arange(0, days * volume_profile.DAY_NS, volume_profile.BIN_NS)
        notional = np.tile(true, days) * rng.lognormal(0.0, 0.5, event_ns.size)
        state = volume_profile.no_profile(1)
        state = volume_profile.update(state, zeros(event_ns.size), event_ns, notional, rule)
        axes.step(np.arange(bins) / 2, volume_profile.curve(state, zeros(1), rule)[0], label=f"{days} days")
    axes.step(np.arange(bins) / 2, true / true.sum(), linestyle="--", label="true")
    axes.set(xlabel="hour of the day, UTC", ylabel="share")


def _liquidity(axes: Axes) -> None:
    share = np.linspace(0.02, 0.98, 40)
    book = BOOK.empty(40)
    for side, price in (("bid", 99.0), ("ask", 101.0)):
        book[f"{side}_price"], book[f"{side}_price"][:, 0] = np.nan, price
        book[f"{side}_qty"][:, 0] = share if side == "bid" else 1.0 - share
    rows = liquidity.liquidity(book)
    axes.plot(share, rows["micro_price"], label="micro price")
    axes.plot(share, rows["mid_price"], label="mid")
    axes.set(xlabel="share of the quantity that rests at the bid", ylabel="quote asset")


def _baseline(axes: Axes) -> None:
    rng, rule = rng_of(11), robust_baseline.parameters(half_life=200.0)
    values = rng.normal(10.0, 2.0, 300)
    values[rng.random(300) < 0.1] *= 8.0
    values[200:] += 6.0
    state, found = robust_baseline.no_baseline(1, rule), []
    for k, value in enumerate(values):
        found.append(robust_baseline.standardized(state, zeros(1), values[k : k + 1], rule)[0])
        state = robust_baseline.update(state, zeros(1), np.array([k]), np.array([value]), rule)
    axes.plot(found, ".", ms=2.0, label="value, in scales from the median before it")
    axes.set(xlabel="value", ylim=(-5.0, 15.0))


def _shifted() -> np.ndarray:
    return rng_of(12).normal(size=300) + np.where(np.arange(300) < 150, 0.0, 1.0)


def _cusum(axes: Axes) -> None:
    rule = cusum.parameters(5.0)
    _, sums, alarms = cusum.update(cusum.no_sums(1), zeros(300), _shifted(), rule)
    axes.plot(sums[:, 0], label="upward")
    axes.plot(-sums[:, 1], label="downward")
    axes.plot(np.flatnonzero(alarms), np.full((alarms != 0).sum(), 5.0), "v", color="#c08a2d", label="alarm")
    axes.axhline(5.0, color="#9a9a9a", linestyle="--")
    axes.set(xlabel="value", ylabel="scales")


def _page_hinkley(axes: Axes) -> None:
    values, rule = _shifted(), page_hinkley.parameters(0.1, 10.0)
    _, alarms = page_hinkley.update(page_hinkley.no_sums(1), zeros(300), values, rule)
    axes.plot(values, ".", ms=2.5, color="#9a9a9a", label="value")
    for at in np.flatnonzero(alarms):
        axes.axvline(at, color="#c08a2d", label="alarm" if at == np.flatnonzero(alarms)[0] else None)
    axes.set(xlabel="value")


def _impact(axes: Axes) -> None:
    share = np.logspace(-6, -1, 60)
    found = market_impact.impact_bps(share, market_impact.Day(300.0, 1.0), market_impact.parameters())
    axes.loglog(share, found, label="square-root law")
    axes.set(xlabel="order ÷ volume of the day", ylabel="bps")


def _execution_cost(axes: Axes) -> None:
    one = [np.array([each]) for each in (0, 600, 10_060, 4, 0, 12_000)]
    sums = execution_cost.add_fills(execution_cost.no_sums(1), execution_cost.Fills(*one))
    wanted = (np.array([each]) for each in (1, 1_000, 20_000, 20_040, 20_100))
    bps = execution_cost.shortfall(sums, execution_cost.Orders(*wanted))[1][0]
    axes.bar(execution_cost.PARTS, bps, color="#4c7a57")
    axes.set(ylabel="bps")


def _almgren_chriss(axes: Axes) -> None:
    for half_lives in (0.0, 2.0, 6.0):
        held = almgren_chriss.holdings(40, half_lives)
        axes.plot(np.arange(41) / 40, held, label=f"horizon {half_lives:g} half-lives")
    axes.set(xlabel="share of the horizon", ylabel="share still held")


def _plans(axes: Axes) -> None:
    for name in ("a", "b"):
        rule = params.Params(orders.Algorithm.TWAP, 600 * SECOND_NS, slices=10, size_variation_ppm=200_000)
        market = orders.Market(99, 101, notional_min=990)
        state = plans.plan(orders.Parent(name, 1, 1_000, start_ns=0), market, rule)
        axes.step(state.schedule[:, 0] / SECOND_NS, state.schedule[:, 1], where="post", label=f"id {name!r}")
    axes.set(xlabel="s after the start", ylabel="lots due")


def _tradability(axes: Axes) -> None:
    depth = np.logspace(3, 7, 80)
    pairs = tradability.Pairs(np.full(80, 2.0), depth, np.full(80, 1e9))
    for tier, notional in tradability.ORDER_NOTIONAL.items():
        cost_bps, _ = tradability.cost_and_reasons(pairs, notional)
        axes.loglog(depth, cost_bps, label=f"{tier.name.lower()}, {notional:,.0f}")
    axes.set(xlabel="value within 10 bps, quote asset", ylabel="cost, bps")


PLOTS: dict[str, Plot] = {
    "average_true_range": Plot(
        _average_true_range, "The range of bars doubles in the middle; Wilder's average over 14 bars follows."
    ),
    "cusum": Plot(
        _cusum,
        "A shift of one scale at value 150: the upward sum climbs to h = 5 and begins again.",
    ),
    "execution_cost": Plot(
        _execution_cost,
        "The parts of one order's shortfall, in bps of the price at its decision: they sum to the whole.",
    ),
    "liquidity": Plot(
        _liquidity,
        "Mid and micro price of a book in which the quantity at the bid rises: it leans towards the ask.",
    ),
    "market_impact": Plot(
        _impact,
        "Impact of an order by its share of the day's volume, with a volatility of 300 bps a day.",
    ),
    "market_state": Plot(
        _market_state,
        "A storm in a quiet market: the volatility ratio, and the cells judged volatile or worse.",
    ),
    "order_flow_imbalance": Plot(
        _order_flow, "Orders at the best bid grow for a minute, then those at the ask."
    ),
    "page_hinkley": Plot(
        _page_hinkley, "The same shift at value 150, and the alarms of Page and Hinkley's test."
    ),
    "realized_volatility": Plot(
        _realized_volatility,
        "Volatility of minutes of 60 returns, true value 77 bps; a jump in minute 30 moves the "
        "plain one alone.",
    ),
    "robust_baseline": Plot(
        _baseline,
        "Values standardised against a learned baseline; a tenth of them are outliers and change little.",
    ),
    "slicing.almgren_chriss": Plot(
        _almgren_chriss,
        "What is still held of an order: the more averse to risk, the more is traded at once.",
    ),
    "slicing.plans": Plot(
        _plans,
        "One order of 1,000 lots as TWAP in ten slices, sizes and times varied by its id: what is due when.",
    ),
    "spread_persistence": Plot(
        _spread_persistence, "A spread of 1 bps that widens to 4 for three seconds in every thirty."
    ),
    "trade_flow_imbalance": Plot(
        _trade_flow, "Seven of ten aggressors buy, then seven of ten sell; two half-lives."
    ),
    "volume_profile": Plot(
        _volume_profile,
        "The curve of a day, learned from nothing: flat at first, then ever closer to the true one.",
    ),
    "tradability": Plot(
        _tradability, "Cost of a tier's largest order by the depth of the book, with a spread of 2 bps."
    ),
}
