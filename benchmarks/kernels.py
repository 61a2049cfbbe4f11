"""Kernels: time of one update in compiled code, next to csp, pandas, river, BLAS and a plain copy.

Every figure is the least of many repetitions on the processor's own clock of this thread's process,
so that other work on the machine counts little; what a call from Python costs is a row of its own, and
so is compilation, which the cache on disk spares all later runs. Modules `kernels_*` beside this one
add rows: each has a function ``rows()``.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit
from scipy.linalg.blas import dsyrk

from genesis.operators import ewma_correlation as ewma
from genesis.operators import hayashi_yoshida as hy
from genesis.operators import rolling_correlation as rolling

SIZES = (16, 64, 256, 1024)
WINDOW = 100
"""Cells of the rolling window, as in csp's."""

BATCH = 64
"""Rows of a batch, for the kernel and for BLAS."""

REPEATS = 25
HALF_LIFE = np.exp2(-1.0 / 60.0)
Row = dict[str, object]


def run() -> list[Row]:
    """Return the figures; those of other modules last."""
    found: list[Row] = []
    for n in SIZES:
        found += _correlation_rows(n)
    found += _compile_rows()
    for path in sorted(Path(__file__).parent.glob("kernels_*.py")):
        found += import_module(f"benchmarks.{path.stem}").rows()
    return found


def row(name: str, value: float, unit: str, than: tuple[str, float] | None = None) -> Row:
    """Return a figure; ``than`` names what it is compared with, in the same unit."""
    if than is None:
        return {"name": name, "value": value, "unit": unit, "baseline": "", "ratio": None}
    baseline = f"{than[0]} {than[1]:,.4g} {unit}"
    return {"name": name, "value": value, "unit": unit, "baseline": baseline, "ratio": value / than[1]}


def least_us(run_once: Callable[[], object], times: int, repeats: int = REPEATS) -> float:
    """Return the least time of ``run_once`` in µs, which does ``times`` what is measured."""
    found = []
    for _ in range(repeats):
        begun_ns = time.process_time_ns()
        run_once()
        found.append(time.process_time_ns() - begun_ns)
    return min(found) / 1e3 / times


@njit
def _ewma_rows(sums: ewma.EwmaSums, rows: np.ndarray, decay: np.ndarray, times: int) -> ewma.EwmaSums:
    for _ in range(times):
        for cell in range(rows.shape[0]):
            sums = ewma.update(sums, rows[cell : cell + 1], decay)
    return sums


@njit
def _rolling_rows(window: rolling.Window, rows: np.ndarray, times: int) -> rolling.Window:
    for _ in range(times):
        for cell in range(rows.shape[0]):
            window, _ = rolling.update_with_triangles(window, rows[cell : cell + 1])
    return window


def _correlation_rows(n: int) -> list[Row]:
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(BATCH, n)) * 1e-4
    times = max(1, 400_000 // (n * n) // 8)
    sums, decay = ewma.update(ewma.no_sums(1, n), rows, np.array([HALF_LIFE])), np.array([HALF_LIFE])
    _ewma_rows(sums, rows, decay, 1)
    single_us = least_us(lambda: _ewma_rows(sums, rows, decay, times), times * BATCH)
    batch_us = least_us(lambda: [ewma.update(sums, rows, decay) for _ in range(times)], times * BATCH)
    call_us = least_us(lambda: [ewma.update(sums, rows[:1], decay) for _ in range(times)], times)
    product = np.zeros((n, n), order="F")
    blas = {"beta": 0.5, "c": product, "overwrite_c": 1}
    blas_us = least_us(lambda: [dsyrk(1.0, rows.T, **blas) for _ in range(times)], times * BATCH)
    triangle, copy = np.ones(n * (n + 1) // 2), np.ones(n * (n + 1) // 2)
    copy_us = least_us(lambda: [np.copyto(copy, triangle) for _ in range(times * BATCH)], times * BATCH)
    window = rolling.update(rolling.empty_window(WINDOW, n), rng.normal(size=(WINDOW, n)))
    _rolling_rows(window, rows, 1)
    full_us = least_us(lambda: _rolling_rows(window, rows, times), times * BATCH)
    tick_us = _hayashi_yoshida_us(n)
    what = f"n = {n}"
    found = [
        row(f"EWMA, one row, {what}", single_us, "µs", ("numpy copy of the same bytes", copy_us)),
        row(f"EWMA, one row, {what}", single_us, "µs", ("dsyrk per row of 64", blas_us)),
        row(f"EWMA, per row of {BATCH}, {what}", batch_us, "µs", ("dsyrk per row of 64", blas_us)),
        row(f"EWMA, one row by a call from Python, {what}", call_us, "µs"),
        row(f"rolling window, update and all correlations, {what}", full_us, "µs"),
        row(f"Hayashi-Yoshida, one tick, {what}", tick_us, "µs"),
    ]
    found += [
        row(f"{name} over rolling window, {what}", value_us, "µs", ("ours", full_us))
        for name, value_us in _others_us(n, rng)
    ]
    return found


def _hayashi_yoshida_us(n: int) -> float:
    rng = np.random.default_rng(n)
    ticks, forever = 20_000, np.array([np.inf])
    event_ns = np.cumsum(rng.integers(1, 10**6, ticks))
    who, price = rng.integers(0, n, ticks), np.exp(np.cumsum(rng.normal(size=ticks) * 1e-4))

    def once() -> None:
        overlap.now[:] = 0
        hy.update(overlap, event_ns, who, price, forever)

    overlap = hy.update(hy.no_overlap(1, n), event_ns, who, price, forever)
    return least_us(once, ticks, repeats=10)


def _others_us(n: int, rng: np.random.Generator) -> list[tuple[str, float]]:
    """Return what others take for one row; each only up to the size that it can do in some seconds."""
    found = []
    if n <= 256:
        found.append(("csp stats.corr_matrix", _csp_us(n, rng)))
    if n <= 64:
        found += [
            ("pandas rolling.corr", _pandas_us(n, rng)),
            ("river EmpiricalCovariance", _river_us(n, rng)),
        ]
    return found


def _csp_us(n: int, rng: np.random.Generator) -> float:
    """Return the time of a row through csp's correlation, less that of the feed alone."""
    import csp
    from csp import stats

    count = {16: 4_000, 64: 1_500, 256: 400}[n]
    rows, start = rng.normal(size=(count, n)), datetime(2024, 1, 1)  # noqa: DTZ001 - csp takes naive UTC

    def graph(correlate: bool) -> None:
        ticks = [(start + timedelta(seconds=number + 1), each) for number, each in enumerate(rows)]
        values = csp.curve(csp.typing.Numpy1DArray[float], ticks)
        csp.add_graph_output("out", stats.corr_matrix(values, WINDOW) if correlate else values, tick_count=1)

    end = start + timedelta(seconds=count + 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, feed = (
            least_us(lambda: csp.run(graph, correlate, starttime=start, endtime=end), count, repeats=3)  # noqa: B023
            for correlate in (True, False)
        )
    return whole - feed


def _pandas_us(n: int, rng: np.random.Generator) -> float:
    count = 2 * WINDOW
    frame = pd.DataFrame(rng.normal(size=(count, n)))
    return least_us(lambda: frame.rolling(WINDOW).corr(), count, repeats=1)


def _river_us(n: int, rng: np.random.Generator) -> float:
    """Return the time of a row of river's running covariance, which has no window."""
    from river import covariance

    state, names = covariance.EmpiricalCovariance(), [str(number) for number in range(n)]
    rows = [dict(zip(names, each, strict=True)) for each in rng.normal(size=(30, n)).tolist()]
    return least_us(lambda: [state.update(each) for each in rows], len(rows), repeats=3)


def _compile_rows() -> list[Row]:
    """Return the time to the first result of a new process, with an empty cache and with a full one."""
    program = (
        "import time; begun = time.perf_counter(); import numpy as np;"
        "from genesis.operators import ewma_correlation as e, hayashi_yoshida as h, rolling_correlation as r;"
        "one = np.ones(1); zero = np.zeros(1, np.int64);"
        "e.correlation(e.update(e.no_sums(1, 1), np.ones((1, 1)), one), zero, zero);"
        "r.update_with_triangles(r.empty_window(2, 1), np.ones((1, 1)));"
        "h.update(h.no_overlap(1, 1), zero, zero, one, one);"
        "print(time.perf_counter() - begun)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}

        def start_s() -> float:
            command = [sys.executable, "-c", program]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            return float(done.stdout)

        first_s, later_s = start_s(), start_s()
    name = "correlation kernels, import to first result"
    return [
        row(f"{name}, compiled", first_s, "s"),
        row(f"{name}, from the cache", later_s, "s", ("compiled", first_s)),
    ]
