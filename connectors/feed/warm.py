"""Warm-up: compile the kernels before the first message, not on it."""

import msgspec
import numpy as np

from genesis.connectors.feed.messages import levels, new_scratch
from genesis.operators.order_book import FLOATS, OrderBook


def compile_kernels() -> None:
    """Run every kernel of the hot path once; the first time on a machine this takes some seconds."""
    pairs = levels(msgspec.Raw(b'[["1.0","2.0"]]'), new_scratch())
    row = np.empty((2, FLOATS + 8))[1, 4 : 4 + FLOATS]
    OrderBook().apply(pairs, pairs[:0], row)
    OrderBook().apply(pairs.copy(), pairs.copy(), np.empty(FLOATS))
