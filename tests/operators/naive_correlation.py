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
