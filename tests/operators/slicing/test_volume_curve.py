"""On days it has not seen, the learned curve tracks the market's volume better than a flat one."""

from pathlib import Path

import pytest

from benchmarks import slicing_volume


@pytest.mark.parametrize("symbol", ["BTCUSDT", "LINKUSDT"])
def test_the_learned_and_updated_curve_beats_the_flat_one(recordings: Path, symbol: str) -> None:
    errors, slippages = slicing_volume.judge(slicing_volume.load(symbol))
    flat, learned, flat_updated, learned_updated = errors.mean(axis=0)
    assert errors.shape[0] > 100
    assert learned_updated < learned < flat
    assert learned_updated < flat_updated < flat
    assert slippages[:, 3].mean() < slippages[:, 0].mean()
