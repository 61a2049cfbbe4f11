"""Prices for the tests of pairs: recorded minutes, made-up ones, and nasty ones."""

import csv
import functools
import gzip
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

nasty = st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1.0, 1.0, 1e-9])
value = st.floats(-2.0, 2.0, width=32) | nasty


def columns(most: int) -> st.SearchStrategy[np.ndarray]:
    """Draw up to ``most`` cells of two columns."""
    return arrays.arrays(np.float64, st.tuples(st.integers(0, most), st.just(2)), elements=value)


def learned(size: int, seed: int) -> np.ndarray:
    """Return which cells are samples: most of them."""
    return np.random.default_rng(seed).random(size) < 0.8


@functools.cache
def minutes(recordings: Path, *bases: str) -> np.ndarray:
    """Return log closing prices of the common minutes, shape ``(minutes, bases)``."""
    found: list[dict[int, float]] = []
    for base in bases:
        path = recordings / "klines_1m" / f"binance_usdm_{base}USDT_1m.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found.append({int(row["open_time"]): float(row["close"]) for row in csv.DictReader(file)})
    common = sorted(set.intersection(*(set(each) for each in found)))
    return np.log(np.array([[each[minute] for each in found] for minute in common]))
