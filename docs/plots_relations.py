"""Pictures of correlation and of pairs."""

import numpy as np
from matplotlib.axes import Axes
from plotting import SECOND_NS, Plot, rng_of

from genesis.operators import (
    cointegration,
    epps_curve,
    ewma_correlation,
    half_life,
    hayashi_yoshida,
    hedge_ratio,
    matrix_distance,
    matrix_repair,
    pair_signal,
    refresh_time,
    rolling_correlation,
    spread_zscore,
)


def _correlated(cells: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Return returns whose correlation falls from 0.9 to 0.1 in the middle, and that correlation."""
    true = np.where(np.arange(cells) < cells // 2, 0.9, 0.1)
    common, own = rng_of().normal(size=(2, cells))
    return np.stack([common, true * common + np.sqrt(1.0 - true**2) * own], axis=1), true


def _ewma(axes: Axes) -> None:
    returns, true = _correlated()
    half_lives = (20, 120)
    sums, found = ewma_correlation.no_sums(2, 2), []
    decay = ewma_correlation.decays(half_lives, 1)
    for cell in returns:
        sums = ewma_correlation.update(sums, cell.reshape(1, 2), decay)
        found.append(ewma_correlation.correlation(sums, np.array([0]), np.array([1]))[0][:, 0])
    for half_life_cells, path in zip(half_lives, np.array(found).T, strict=True):
        axes.plot(path, label=f"half-life {half_life_cells} cells")
    axes.plot(true, label="true", linestyle="--")
    axes.set(xlabel="cell", ylabel="correlation", ylim=(-0.6, 1.05))


def _rolling(axes: Axes) -> None:
    returns, true = _correlated()
    for cells in (60, 240):
        window, path = rolling_correlation.empty_window(cells, 2), []
        for cell in returns:
            window = rolling_correlation.update(window, cell.reshape(1, 2))
            path.append(rolling_correlation.correlation(window, np.array([0]), np.array([1]))[0][0])
        axes.plot(path, label=f"window {cells} cells")
    axes.plot(true, label="true", linestyle="--")
    axes.set(xlabel="cell", ylabel="correlation", ylim=(-0.6, 1.05))


def _hayashi_yoshida(axes: Axes) -> None:
    rng, size = rng_of(2), 40_000
    moves = rng.normal(size=(size, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]]) * 1e-4
    walk = np.cumsum(moves, axis=0)
    who = rng.integers(0, 2, size)
    ticks = np.flatnonzero(rng.random(size) < 0.2)
    price, equal = np.exp(walk[ticks, who[ticks]]), np.array([np.inf])
    state = hayashi_yoshida.no_overlap(1, 2)
    state = hayashi_yoshida.update(state, ticks * SECOND_NS, who[ticks], price, equal)
    state = hayashi_yoshida.flush(state, equal)
    exact = hayashi_yoshida.correlation(state, np.array([0]), np.array([1]))[0][0, 0]
    steps, found = (2, 4, 8, 16, 32, 64, 128), []
    for step in steps:
        grid = np.arange(200, size, step)
        logs = [walk[mine[np.searchsorted(mine, grid) - 1], leg] for leg, mine in _legs(ticks, who)]
        found.append(np.corrcoef(np.diff(logs))[0, 1])
    axes.plot(steps, found, marker="o", label="on a grid, previous tick")
    axes.axhline(exact, color="#4c7a57", label="Hayashi–Yoshida")
    axes.axhline(0.8, color="#9a9a9a", linestyle="--", label="true")
    axes.set(xscale="log", xlabel="step of the grid, s", ylabel="correlation", ylim=(0.0, 1.0))


def _legs(ticks: np.ndarray, who: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return [(leg, ticks[who[ticks] == leg]) for leg in (0, 1)]


def _pair(cells: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Return two log prices with a hedge ratio of 0.7 and a spread with a half-life of 30 cells."""
    rng = rng_of(3)
    second, away = np.cumsum(rng.normal(size=cells)) * 1e-3, np.zeros(cells)
    for t in range(1, cells):
        away[t] = 0.5 ** (1.0 / 30.0) * away[t - 1] + rng.normal() * 1e-3
    return (0.7 * second + away).reshape(-1, 1), second.reshape(-1, 1)


def _spread() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = _pair()
    learn, rule = np.ones(first.shape[0], np.bool_), hedge_ratio.parameters(400.0)
    _, ratio, spread = hedge_ratio.spread(hedge_ratio.no_regression(1), first, second, learn, rule)
    return ratio, spread, learn


def _hedge_ratio(axes: Axes) -> None:
    axes.plot(_spread()[0], label="hedge ratio")
    axes.axhline(0.7, color="#9a9a9a", linestyle="--", label="true")
    axes.set(xlabel="sample", ylabel="value of second against one of first", ylim=(0.0, 1.6))


def _score() -> np.ndarray:
    _, spread, learn = _spread()
    rule = spread_zscore.parameters(400.0)
    return spread_zscore.zscore(spread_zscore.no_spreads(1), spread, learn, rule)[1]


def _spread_zscore(axes: Axes) -> None:
    axes.plot(_score(), label="z-score")
    for level in (-2.0, 2.0):
        axes.axhline(level, color="#c08a2d", linestyle="--")
    axes.set(xlabel="sample", ylabel="standard deviations")


def _half_life(axes: Axes) -> None:
    _, spread, learn = _spread()
    rule = half_life.parameters(400.0)
    _, found = half_life.half_life(half_life.no_neighbours(1), spread, learn, rule)
    axes.plot(found, label="half-life")
    axes.axhline(30.0, color="#9a9a9a", linestyle="--", label="true")
    axes.set(xlabel="sample", ylabel="samples", ylim=(0.0, 60.0))


def _cointegration(axes: Axes) -> None:
    rng, found = rng_of(4), []
    for reversion in (0.0, 0.08):
        steps, away = rng.normal(size=(250, 800)), np.zeros((250, 400))
        for t in range(1, 250):
            away[t] = (1.0 - reversion) * away[t - 1] + steps[t, :400]
        second = np.cumsum(steps[:, 400:], axis=0)
        prices = np.concatenate([second + away, second], axis=1)
        first = np.arange(400)
        found.append(cointegration.engle_granger(prices, first, first + 400, 1)[1])
    axes.hist(found, bins=20, range=(0.0, 1.0), label=["not cointegrated", "half-life of 8 samples"])
    axes.set(xlabel="p-value", ylabel="pairs")


def _pair_signal(axes: Axes) -> None:
    score = _score()
    sure = np.zeros_like(score)
    rule = pair_signal.parameters(60.0)
    state = pair_signal.no_signals(1)
    _, held, _ = pair_signal.signal(state, np.arange(1, score.size + 1), (score, sure, sure), rule)
    axes.plot(score, color="#9a9a9a", label="z-score")
    for signal, name, color in ((1, "hold the first", "#4c7a57"), (2, "hold the second", "#c08a2d")):
        axes.fill_between(
            np.arange(score.size), -4, 4, where=held[:, 0] == signal, color=color, alpha=0.4, label=name, lw=0
        )
    axes.set(xlabel="cell", ylabel="standard deviations", ylim=(-4.0, 4.0))


def _epps_curve(axes: Axes) -> None:
    rng, size = rng_of(15), 40_000
    moves = rng.normal(size=(size, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]]) * 1e-4
    walk, steps_s = np.cumsum(moves, axis=0), np.array([1, 2, 4, 8, 16, 32, 64, 128])
    for wait_s in (2, 5, 20):
        ticks = [np.flatnonzero(rng.random(size) < 1.0 / wait_s) for _ in range(2)]
        first, second = ((mine * SECOND_NS, np.exp(walk[mine, leg])) for leg, mine in enumerate(ticks))
        found = epps_curve.epps_curve(first, second, steps_s * SECOND_NS)
        axes.plot(steps_s, found.correlation, marker="o", ms=3.0, label=f"a tick in {wait_s} s")
    axes.axhline(0.8, color="#9a9a9a", linestyle="--", label="true")
    axes.set(xscale="log", xlabel="step of the grid, s", ylabel="correlation", ylim=(0.0, 1.0))


def _matrix_distance(axes: Axes) -> None:
    rng = rng_of(16)
    usual, other = rng.uniform(0.2, 0.9, 60), rng.uniform(0.2, 0.9, 60)
    matrices = np.where(np.arange(300)[:, None] < 200, usual, other) + rng.normal(size=(300, 60)) * 0.05
    rule = matrix_distance.break_params()
    _, seen = matrix_distance.breaks(matrix_distance.no_breaks(60), matrices, rule)
    axes.plot(seen[:, 0], label="distance from the reference")
    for at in np.flatnonzero(seen[:, 2]):
        axes.axvline(at, color="#c08a2d", label="break declared")
    axes.set(xlabel="matrix", ylim=(0.0, 0.35))


def _matrix_repair(axes: Axes) -> None:
    rng, n = rng_of(17), 20
    sample = rng.normal(size=(200, n)) + rng.normal(size=(200, 1))
    sample[rng.random(sample.shape) < 0.7] = np.nan
    estimate = np.eye(n)
    for i in range(n):
        for j in range(i):
            both = np.isfinite(sample[:, [i, j]]).all(axis=1)
            estimate[i, j] = estimate[j, i] = np.corrcoef(sample[both][:, [i, j]].T)[0, 1]
    after = np.linalg.eigvalsh(matrix_repair.repaired(estimate).matrix)
    axes.plot(np.linalg.eigvalsh(estimate), "o", ms=3.0, label="pair by pair, with missing returns")
    axes.plot(after, "x", ms=4.0, label="repaired")
    axes.axhline(0.0, color="#9a9a9a", lw=0.5)
    axes.set(xlabel="eigenvalue, ascending", yscale="symlog")


def _refresh_time(axes: Axes) -> None:
    rng, kept = rng_of(18), []
    counts = (1, 2, 4, 8, 16, 32)
    for n in counts:
        who = rng.integers(0, n, 4_000)
        state = refresh_time.no_refresh(n)
        _, times, _ = refresh_time.refresh_prices(state, np.arange(4_000), who, np.ones(4_000))
        kept.append(n * times.size / 4_000)
    axes.plot(counts, kept, marker="o", ms=3.0)
    axes.set(xlabel="instruments", ylabel="share of the ticks that is used", xscale="log", ylim=(0.0, 1.05))


PLOTS: dict[str, Plot] = {
    "cointegration": Plot(
        _cointegration,
        "p-values of 400 pairs of random walks, which are not cointegrated, and of 400 that are. "
        "Without cointegration p-values are spread evenly: one in twenty is below 0.05.",
    ),
    "ewma_correlation": Plot(
        _ewma,
        "A correlation that falls from 0.9 to 0.1, as two half-lives see it. Short half-lives "
        "follow fast and waver.",
    ),
    "half_life": Plot(
        _half_life,
        "A half-life of 30 samples as it is learned: of few samples, reversion looks faster than it is.",
    ),
    "hayashi_yoshida": Plot(
        _hayashi_yoshida,
        "The Epps effect: on a grid the correlation of asynchronous ticks falls with the step; "
        "without one it does not.",
    ),
    "hedge_ratio": Plot(_hedge_ratio, "The hedge ratio of a pair made with 0.7, learned from nothing."),
    "pair_signal": Plot(
        _pair_signal,
        "Which leg is held: in beyond two deviations, out within a half, whatever lies between.",
    ),
    "rolling_correlation": Plot(
        _rolling,
        "The same fall through windows of 60 and 240 cells: what leaves the window leaves it at once.",
    ),
    "spread_zscore": Plot(
        _spread_zscore, "The z-score of a pair's spread, and the lines at which a signal is entered."
    ),
    "epps_curve": Plot(
        _epps_curve,
        "Measured correlation by step and by how often prices tick: the Epps effect. True value 0.8.",
    ),
    "matrix_distance": Plot(
        _matrix_distance, "All correlations change at matrix 200: the distance jumps and a break is declared."
    ),
    "matrix_repair": Plot(
        _matrix_repair,
        "Eigenvalues of an estimate made pair by pair, which no correlation matrix can have, and repaired.",
    ),
    "refresh_time": Plot(
        _refresh_time,
        "The price of common times: the more instruments wait for each other, the more ticks are left out.",
    ),
}
