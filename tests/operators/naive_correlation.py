"""Slow, obvious twins of the correlation kernels: plain Python over whole histories."""

import math

import numpy as np

from genesis.operators.matrix_distance import BreakParams


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


def breaks(rows: np.ndarray, params: BreakParams) -> np.ndarray:
    """Return distance, sum and break of each matrix by the definition."""
    past: list[np.ndarray] = []
    usual = deviation = total = 0.0
    reference: list[float] = []
    seen = []
    for row in rows:
        reference = reference or [math.nan] * len(row)
        gaps = [abs(a - b) for a, b in zip(reference, row, strict=True) if not math.isnan(a - b)]
        gap = sum(gaps) / len(gaps) if gaps else math.nan
        share = max(1.0 - 0.5 ** (1.0 / params.half_life), 1.0 / (len(past) + 1))
        if gaps:
            sigma, kept = math.sqrt(math.pi / 2.0) * deviation, gap
            excess = min((gap - usual) / sigma, 4.0) if sigma > 1e-9 else (4.0 if gap > usual + 1e-9 else 0.0)
            if len(past) >= params.warm:
                total = max(0.0, total + excess - params.slack)
                kept = min(gap, usual + 4.0 * sigma)
            deviation += share * (abs(kept - usual) - deviation)
            usual += share * (kept - usual)
        past.append(row)
        broken = total > params.threshold
        seen.append((gap, total, float(broken)))
        if broken:
            usual = deviation = total = 0.0
            reference, past = row.tolist(), []
        pairs = zip(reference, row.tolist(), strict=True)
        reference = [b if math.isnan(a) else a if math.isnan(b) else a + share * (b - a) for a, b in pairs]
    return np.array(seen).reshape(-1, 3)


def grid(ticks: list[Tick], instruments: int, times: list[int]) -> np.ndarray:
    """Return the newest price of each instrument at each time, NaN without a usable one."""
    found = np.full((len(times), instruments), np.nan)
    for row, time in enumerate(times):
        for at, instrument, price in ticks:
            if at <= time:
                found[row, instrument] = price if 0.0 < price < math.inf else math.nan
    return found


def refreshes(ticks: list[Tick], instruments: int) -> list[int]:
    """Return the numbers of the ticks that complete a refresh."""
    found, since = [], 0
    for number in range(len(ticks)):
        if {who for _, who, _ in ticks[since : number + 1]} == set(range(instruments)):
            found.append(number)
            since = number + 1
    return found
