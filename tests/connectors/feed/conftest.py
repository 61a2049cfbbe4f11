"""Recordings for the tests of the feed."""

from pathlib import Path

import pytest

from tests.connectors.feed.running import cut


@pytest.fixture(scope="session")
def short(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give the first half minute of one spot and one perpetual instrument."""
    folder = tmp_path_factory.mktemp("short")
    names = ("binance_spot_btcusdt_20240808.txt.gz", "binance_usdm_ethusdt_20240808.txt.gz")
    return [cut(recordings / "raw_ws" / name, folder / name, seconds=30.0) for name in names]
