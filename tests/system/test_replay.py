"""The recordings through the whole system: every row once, the same rows whatever happens on the way."""

from pathlib import Path

import numpy as np
import pytest

from genesis.connectors.kafka import Log
from genesis.operators import topics
from tests.kafka_server import ApacheKafka
from tests.system import running

SECOND_NS = 1_000_000_000
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def files(recordings: Path) -> list[Path]:
    return sorted((recordings / "raw_ws").glob("*.txt.gz"))


@pytest.fixture(scope="module")
def undisturbed(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the store of a replay in which nothing happened; the reference of this module."""
    data = tmp_path_factory.mktemp("undisturbed")
    summary = running.replay(data, files, half_lives_s="equal,60,300")
    assert summary["faults"] == []
    assert summary["gaps"] == 0
    assert summary["dead_letters"] == 0
    assert summary["ticks"] == 51_252 + 172_198 + summary["stored"]["book"]
    return data


def test_every_trade_and_every_quote_is_stored_once(undisturbed: Path) -> None:
    for table, key, rows in (("trades", "trade_id", 51_252), ("quotes", "update_id", 172_198)):
        found = running.sql(
            undisturbed, f"SELECT count(), uniqExact(market, symbol, {key}) FROM genesis.{table}"
        )
        assert [int(number) for number in found[0]] == [rows, rows]


def test_spot_and_perpetual_of_one_name_are_different_instruments(undisturbed: Path) -> None:
    found = running.sql(undisturbed, "SELECT market, symbol FROM genesis.trades GROUP BY 1, 2 ORDER BY 1, 2")
    assert found == [["spot", "BTCUSDT"], ["spot", "ETHUSDT"], ["usdm", "BTCUSDT"], ["usdm", "ETHUSDT"]]


def test_books_are_never_crossed_and_every_diff_after_the_snapshot_has_a_row(undisturbed: Path) -> None:
    crossed, rows = running.sql(
        undisturbed, "SELECT countIf(bid_price[1] >= ask_price[1]), count() FROM genesis.book"
    )[0]
    assert int(crossed) == 0
    assert int(rows) == 3_449 + 3_432 + 6_547 + 6_580


def test_the_correlation_equals_an_independent_one_of_the_stored_quotes(undisturbed: Path) -> None:
    """Recompute every sample of two half-lives from the quotes, by the definition, in plain numpy."""
    samples = running.sql(
        undisturbed,
        "SELECT sample_ns, half_life_ns, correlation FROM genesis.correlation WHERE market_a = 'spot' "
        "AND market_b = 'spot' AND half_life_ns IN (0, 60000000000) ORDER BY sample_ns",
    )
    stored = {(int(at), int(half_life)): value for at, half_life, value in samples}
    times = np.array(sorted({at for at, _ in stored}))
    assert len(times) > 300
    assert set(np.diff(times)) == {SECOND_NS}
    grid = np.concatenate(([times[0] - SECOND_NS], times))
    returns = [np.diff(np.log(_mids(undisturbed, symbol, grid))) for symbol in ("BTCUSDT", "ETHUSDT")]
    compared = 0
    for half_life_ns in (0, 60 * SECOND_NS):
        for count, at in enumerate(times, start=1):
            have, want = stored[at, half_life_ns], _weighted(returns, count, half_life_ns)
            if have is None or np.isnan(float(have)):
                assert np.isnan(want)
                continue
            assert abs(float(have) - want) < 1e-9
            compared += 1
    assert compared > 2 * 300
    assert abs(_weighted(returns, len(times), 0) - 0.61) < 0.02


def _mids(data: Path, symbol: str, grid: np.ndarray) -> np.ndarray:
    """Return the mid of the newest quote that counts before each time; NaN before the first."""
    rows = np.array(
        running.sql(
            data,
            "SELECT effective_ns, event_ns, update_id, (bid_price + ask_price) / 2 FROM genesis.quotes "
            f"WHERE market = 'spot' AND symbol = '{symbol}' ORDER BY event_ns, update_id",
        ),
        dtype=object,
    )
    effective_ns, mids = rows[:, 0].astype(np.int64), rows[:, 3].astype(float)
    found = np.full(grid.size, np.nan)
    for place, at in enumerate(grid):
        before = np.flatnonzero(effective_ns < at)
        if before.size:
            found[place] = mids[before[-1]]
    return found


def _weighted(returns: list[np.ndarray], count: int, half_life_ns: int) -> float:
    """Return the weighted correlation of the first ``count`` returns; NaN with fewer than two."""
    x = np.array([series[:count] for series in returns])
    age = np.arange(count)[::-1]
    weights = 0.5 ** (age * SECOND_NS / half_life_ns) if half_life_ns else np.ones(count)
    known = np.isfinite(x).all(axis=0)
    if known.sum() < 2:
        return np.nan
    x, weights = x[:, known], weights[known]
    x = x - np.average(x, axis=1, weights=weights)[:, None]
    covariance = (weights * x) @ x.T
    with np.errstate(invalid="ignore"):
        return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def test_a_second_replay_into_the_same_store_changes_nothing(undisturbed: Path, files: list[Path]) -> None:
    before = running.digest(undisturbed)
    running.replay(undisturbed, files, half_lives_s="equal,60,300")
    assert running.digest(undisturbed) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"shards": 1, "frame_rows": 37},
        {"shards": 3, "workers": 2, "frame_rows": 5_000, "frame_wait_ms": 0},
    ],
    ids=["one shard, small frames", "three shards, two workers, large frames"],
)
def test_frames_workers_and_shards_do_not_change_a_row(
    undisturbed: Path, files: list[Path], tmp_path: Path, settings: dict[str, object]
) -> None:
    running.replay(tmp_path, files, half_lives_s="equal,60,300", **settings)
    assert running.digest(tmp_path) == running.digest(undisturbed)


@pytest.mark.parametrize("seed", [1, 2])
def test_flow_and_store_killed_on_the_way_leave_the_same_rows(
    undisturbed: Path, files: list[Path], tmp_path: Path, seed: int
) -> None:
    shares = np.random.default_rng(seed).uniform(0.05, 0.95, 2)
    system = running.start(
        "replay", *map(str, files), "--data", str(tmp_path), "--json", half_lives_s="equal,60,300", epoch_s=1
    )
    victims = dict(zip(("market", "store"), shares, strict=True))
    for name, share in sorted(victims.items(), key=lambda item: item[1]):
        running.wait_for(lambda share=share: _share(tmp_path) >= share, f"{share:.0%} of the replay", system)
        running.kill_part(system, name)
    summary = running.finish(system)
    assert set(summary["restarts"]) == {"market", "store"}
    assert running.digest(tmp_path) == running.digest(undisturbed)


def test_apache_kafka_carries_the_same_rows(
    undisturbed: Path, files: list[Path], tmp_path: Path, kafka: ApacheKafka
) -> None:
    log = Log(kafka.bootstrap, "test")
    log.delete(name for name in log.names() if name.startswith(topics.PREFIX))
    running.replay(tmp_path, files, half_lives_s="equal,60,300", broker=kafka.bootstrap)
    assert running.digest(tmp_path) == running.digest(undisturbed)


def _share(data: Path) -> float:
    status = running.status_of_venue(data)
    return float(status.get("sent_total", 0)) / float(status.get("total") or 243_476)
