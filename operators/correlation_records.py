"""Correlation records: what is published of correlations beside those under exponential weights."""

from enum import IntEnum

from genesis.operators.records import STALE_FIELD, SYMBOL_BYTES, Field, Market, RowSchema


class Estimator(IntEnum):
    """How a correlation was estimated."""

    ROLLING = 1
    HAYASHI_YOSHIDA = 2


CORRELATION_ESTIMATE = RowSchema(
    "correlation_estimate",
    1,
    ("estimator", "market_a", "symbol_a", "market_b", "symbol_b", "sample_ns"),
    "sample_ns",
    (
        Field("sample_ns", "<i8", "end of the cell in which it was made, venue clock, ns since the epoch"),
        Field(
            "interval_ns",
            "<i8",
            "ROLLING: sampling step of the log returns; HAYASHI_YOSHIDA: at most one price of each symbol "
            "in so long, taken at its own time; ns",
        ),
        Field("window_ns", "<i8", "ROLLING: length of the window, ns; 0 for an estimator without one"),
        Field("half_life_ns", "<i8", "HAYASHI_YOSHIDA: half-life of the weights, ns; 0 for equal weights"),
        Field("correlation", "<f8", "correlation of log returns, NaN while undefined"),
        Field("effective_count", "<f8", "ROLLING: returns; HAYASHI_YOSHIDA: effective number of returns"),
        Field("symbol_a", f"S{SYMBOL_BYTES}", "first instrument"),
        Field("symbol_b", f"S{SYMBOL_BYTES}", "second instrument"),
        Field("market_a", "i1", "market of the first instrument", Market),
        Field("market_b", "i1", "market of the second instrument", Market),
        Field("estimator", "i1", "how it was estimated", Estimator),
        STALE_FIELD,
    ),
)
