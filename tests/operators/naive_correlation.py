"""Slow, obvious twins of the correlation kernels: plain Python over whole histories."""

import math

import numpy as np


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Return the correlation of two samples by its definition, NaN where it is undefined."""
    if x.size < 2:
        return math.nan
    dx, dy = x - x.mean(), y - y.mean()
    spread_x, spread_y = float((dx * dx).sum()), float((dy * dy).sum())
    if not (spread_x > 1e-12 * (x * x).sum() and spread_y > 1e-12 * (y * y).sum()):
        return math.nan
    return float((dx * dy).sum()) / math.sqrt(spread_x) / math.sqrt(spread_y)


def rolling(returns: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return correlation and count of all pairs over the last ``window`` rows, shape (n, n)."""
    last, n = returns[max(0, returns.shape[0] - window) :], returns.shape[1]
    correlation, count = np.full((n, n), np.nan), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            both = np.isfinite(last[:, i]) & np.isfinite(last[:, j])
            count[i, j] = both.sum()
            correlation[i, j] = pearson(last[both, i], last[both, j])
    return correlation, count


Tick = tuple[int, int, float]
"""Time, instrument, price."""


def points(ticks: list[Tick], instruments: int) -> list[dict[int, float]]:
    """Return the log price after each time at which an instrument ticked, NaN where it has no price."""
    found: list[dict[int, float]] = [{} for _ in range(instruments)]
    now = -(2**62)
    for time, instrument, price in ticks:
        now = max(now, time)
        found[instrument][now] = math.log(price) if 0.0 < price < math.inf else math.nan
    return found


def hayashi_yoshida(
    ticks: list[Tick], instruments: int, half_life: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return covariance, correlation and effective count by the definition, each of shape (n, n)."""
    path = points(ticks, instruments)
    end = max((max(each) for each in path if each), default=0)
    moves = [
        [
            (before, after, each[after] - each[before])
            for before, after in zip(sorted(each)[:-1], sorted(each)[1:], strict=True)
            if not math.isnan(each[after] - each[before])
        ]
        for each in path
    ]
    shape = (instruments, instruments)
    total, square, weight, weight_2 = (np.zeros(shape) for _ in range(4))
    for i in range(instruments):
        for j in range(instruments):
            for begin_i, end_i, r_i in moves[i]:
                for begin_j, end_j, r_j in moves[j]:
                    if max(begin_i, begin_j) < min(end_i, end_j):
                        total[i, j] += r_i * r_j * 2.0 ** -((end - max(end_i, end_j)) / half_life)
                former = [time for time in path[j] if time < end_i]
                if former and not math.isnan(path[j][max(former)]):
                    w = 2.0 ** -((end - end_i) / half_life)
                    square[i, j] += w * r_i * r_i
                    weight[i, j] += w
                    weight_2[i, j] += w * w
    with np.errstate(invalid="ignore", divide="ignore"):
        each_count = np.where(weight > 0.0, weight * weight / weight_2, 0.0)
        count = np.minimum(each_count, each_count.T)
        value = np.clip(total / np.sqrt(square) / np.sqrt(square.T), -1.0, 1.0)
    defined = (count >= 2.0) & (square > 0.0) & (square.T > 0.0)
    return total, np.where(defined, value, np.nan), count
