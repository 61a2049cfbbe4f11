"""Slow, obvious twins of the kernels for pairs: definitions over whole histories."""

import itertools
import math

import numpy as np

from genesis.operators import pair_signal

FLAT = 1e-12
"""Share of the mean below which a deviation is rounding, as the kernels have it."""


def weights(size: int, half_life: float) -> np.ndarray:
    return 0.5 ** (np.arange(size)[::-1] / half_life)


def slope(before: np.ndarray, after: np.ndarray, half_life: float) -> tuple[float, float, float]:
    """Return slope and means of a weighted line through points, the slope NaN without a deviation."""
    w = weights(before.size, half_life)
    mean_before, mean_after = (w * before).sum() / w.sum(), (w * after).sum() / w.sum()
    square = (w * (before - mean_before) ** 2).sum()
    if not square > w.sum() * (FLAT * mean_before) ** 2:
        return math.nan, mean_before, mean_after
    product = (w * (before - mean_before) * (after - mean_after)).sum()
    return product / square, mean_before, mean_after


def hedge(
    first: np.ndarray, second: np.ndarray, learn: np.ndarray, half_life: float, samples_min: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return hedge ratio and spread of one pair in each cell."""
    ratios, spreads = np.full(first.size, np.nan), np.full(first.size, np.nan)
    for cell in range(first.size):
        used = learn[:cell] & np.isfinite(first[:cell]) & np.isfinite(second[:cell])
        if used.sum() >= samples_min:
            ratio, mean_second, mean_first = slope(second[:cell][used], first[:cell][used], half_life)
            ratios[cell] = ratio
            if np.isfinite(first[cell]) and np.isfinite(second[cell]):
                spreads[cell] = first[cell] - mean_first - ratio * (second[cell] - mean_second)
    return ratios, spreads


def zscore(spread: np.ndarray, learn: np.ndarray, half_life: float, samples_min: int) -> np.ndarray:
    """Return the z-score of one spread in each cell."""
    scores = np.full(spread.size, np.nan)
    for cell in range(spread.size):
        past = spread[:cell][learn[:cell] & np.isfinite(spread[:cell])]
        if past.size < samples_min or not np.isfinite(spread[cell]):
            continue
        w = weights(past.size, half_life)
        mean = (w * past).sum() / w.sum()
        variance = (w * (past - mean) ** 2).sum() / w.sum()
        if variance > (FLAT * mean) ** 2:
            scores[cell] = (spread[cell] - mean) / math.sqrt(variance)
    return scores


def half_life(values: np.ndarray, learn: np.ndarray, half_life: float, samples_min: int) -> np.ndarray:
    """Return the half-life of one series in each cell."""
    found = np.full(values.size, np.nan)
    for cell in range(values.size):
        samples = values[: cell + 1][learn[: cell + 1]]
        neighbours = [(a, b) for a, b in itertools.pairwise(samples) if math.isfinite(a) and math.isfinite(b)]
        if len(neighbours) < samples_min:
            continue
        before, after = np.array(neighbours).T
        phi, _, _ = slope(before, after, half_life)
        if phi >= 1.0:
            found[cell] = math.inf
        elif phi > 0.0:
            found[cell] = math.log(2.0) / -math.log(phi)
        elif phi <= 0.0:
            found[cell] = 0.0
    return found


def regression_tau(level: np.ndarray, lags: int, constant: bool) -> float:
    """Return the t-statistic of the augmented Dickey–Fuller regression, by numpy's least squares."""
    rows, target = [], []
    difference = np.diff(level)
    for t in range(lags + 1, level.size):
        row = [level[t - 1], *(difference[t - 2 - i] for i in range(lags)), *([1.0] if constant else [])]
        if np.isfinite(row).all() and np.isfinite(difference[t - 1]):
            rows.append(row)
            target.append(difference[t - 1])
    x, y = np.array(rows), np.array(target)
    coefficients, *_ = np.linalg.lstsq(x, y, rcond=None)
    left = y - x @ coefficients
    variance = left @ left / (len(y) - x.shape[1])
    return coefficients[0] / math.sqrt(variance * np.linalg.inv(x.T @ x)[0, 0])


def engle_granger_tau(first: np.ndarray, second: np.ndarray, lags: int) -> float:
    """Return the statistic of the test, missing samples left out."""
    there = np.isfinite(first) & np.isfinite(second)
    line = np.polynomial.Polynomial.fit(second[there], first[there], 1)
    return regression_tau(np.where(there, first - line(second), np.nan), lags, constant=False)


def signal(
    scores: np.ndarray, p_values: np.ndarray, half_lives: np.ndarray, rule: pair_signal.SignalParameters
) -> tuple[list[str], list[float]]:
    """Return the signals of one pair in words, and its confidences."""
    held, barred, signals, confidences = "neither", False, [], []
    for z, p, h in zip(scores, p_values, half_lives, strict=True):
        defined = not (math.isnan(z) or math.isnan(p) or math.isnan(h))
        confidence = math.nan
        if defined:
            related = max(0.0, 1.0 - p / rule.p_value_max)
            confidence = related * 2.0 ** (-h / rule.half_life_max) * math.erf(abs(z) / math.sqrt(2.0))
        if not math.isnan(z):
            # Seen from the leg that is held: how many deviations it is still cheap.
            cheap = {"first": -z, "second": z, "neither": math.nan}[held]
            if cheap <= rule.leave or cheap >= rule.stop:
                held = "neither"
            may = defined and confidence >= rule.confidence_min and not barred
            if held == "neither" and may and rule.enter <= abs(z) < rule.stop:
                held = "second" if z > 0 else "first"
            if abs(z) >= rule.stop:
                barred = True
            if abs(z) <= rule.leave:
                barred = False
        signals.append(held)
        confidences.append(confidence)
    return signals, confidences
