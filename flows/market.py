"""Market flow: tick topics in; bars, measures, correlations, pairs and market states out.

Wiring only. Each shard of the tick topics is read by one source partition and folded by one keyed
step (`operators.shard_fold`); the samples of all shards meet in one more (`operators.market_join`), and
the pairs that each names at the end of a minute in another (`operators.standings`).
What is folded, and when a cell closes, is described there.
"""

import gc
import shutil
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeGuard, cast

import bytewax.operators as op
import msgspec
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from genesis.connectors import logs, probes, process
from genesis.connectors.bytewax_io import (
    JOINED,
    FrameSink,
    FrameSource,
    Outbox,
    Output,
    ShardBatch,
    Signal,
    Undelivered,
    Wires,
)
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.kafka import FrameConsumer, FrameProducer, ensure_topics
from genesis.connectors.meter import Meter
from genesis.connectors.release.coloured import ColouredProducer
from genesis.connectors.settings import Settings, SettingsError
from genesis.operators import market_join, pairs_fold, shard_fold, standings, waiting
from genesis.operators.arrays import NEVER_NS, copied
from genesis.operators.records import BOOK, GAP, QUOTE, TRADE, DeadLetter
from genesis.operators.roster import CELL_NS
from genesis.operators.sampling import SAMPLE
from genesis.operators.shard_fold import Arrivals

WATERMARK_EVERY_NS = 100_000_000
"""A watermark without rows is sent when event time has moved on by so much."""

SLOW_NS = {
    "measures": 10**9,
    "interval_volatility": 60 * 10**9,
    "day_volume": 60 * 10**9,
    "tradability": 60 * 10**9,
}
"""The same for topics whose rows come so rarely that nobody needs their watermark sooner."""

FETCH_WAIT_EMBEDDED_MS, FETCH_WAIT_MS = 5, 100
"""How long a broker may hold a fetch; the embedded one always uses all of it."""

LAYOUT_VERSION = 4
"""Raised when recovery data of an older version cannot be read any more."""


class Cells(NamedTuple):
    """What one shard tells the join, and the newest frame that it comes from."""

    contribution: market_join.Contribution
    cause_ns: int


class Minute(NamedTuple):
    """What one shard tells the ranking, and the newest frame that it comes from."""

    told: standings.Told
    cause_ns: int


class _Voice:
    """Decides whether a signal without rows is worth a frame: when its watermark has moved enough."""

    def __init__(self) -> None:
        self._told_ns: dict[str, int] = {}

    def signal(
        self, topic: str, partition: int, rows: np.ndarray, watermark_ns: int, cause_ns: int
    ) -> list[Signal]:
        """Return the signal, or nothing."""
        ahead_ns = watermark_ns - self._told_ns.get(topic, NEVER_NS)
        if not rows.size and ahead_ns < SLOW_NS.get(topic, WATERMARK_EVERY_NS):
            return []
        self._told_ns[topic] = watermark_ns
        return [Signal(topic, partition, rows, watermark_ns, cause_ns)]


class ShardLogic(StatefulBatchLogic[ShardBatch, Output | Cells | Minute, shard_fold.Shard]):
    """Folds the batches of one shard."""

    def __init__(self, resume: shard_fold.Shard | None) -> None:
        self._state = shard_fold.new_shard() if resume is None else shard_fold.kept(resume)
        self._voice = _Voice()
        self._closed_ns = (NEVER_NS, NEVER_NS)
        self._minute_ns = NEVER_NS

    def on_batch(self, values: list[ShardBatch]) -> tuple[Iterable[Output | Cells | Minute], bool]:
        """Fold batches in their order."""
        out: list[Output | Cells | Minute] = []
        for batch in values:
            self._state, folded = shard_fold.fold(self._state, batch.arrivals)
            measured = folded.measured
            for topic, rows in (
                ("bars", folded.bars),
                ("measures", measured.seconds),
                ("interval_volatility", measured.volatility),
                ("day_volume", measured.volume),
            ):
                out += self._voice.signal(topic, batch.shard, rows, folded.watermark_ns, batch.sent_ns)
            out += self._voice.signal(
                "liquidity", batch.shard, folded.liquidity, folded.book_watermark_ns, batch.book_sent_ns
            )
            letters = (*batch.letters, *(_letter(refused) for refused in folded.refused))
            if letters:
                out.append(letters)
            closed_ns = (folded.closed_ns, folded.quiet_ns)
            if folded.samples.size or folded.gaps.size or closed_ns != self._closed_ns:
                self._closed_ns = closed_ns
                told = market_join.Contribution(batch.shard, *closed_ns, folded.samples, folded.gaps)
                out.append(Cells(told, batch.sent_ns))
            minute_ns = folded.minute_ns - folded.minute_ns % standings.MINUTE_NS
            if measured.candidates.size or minute_ns != self._minute_ns:
                self._minute_ns = minute_ns
                pairs = standings.Told(batch.shard, folded.minute_ns, measured.candidates)
                out.append(Minute(pairs, batch.sent_ns))
        return out, StatefulBatchLogic.RETAIN

    def snapshot(self) -> shard_fold.Shard:
        """Return a copy of the state."""
        return shard_fold.kept(self._state)


def _letter(refused: shard_fold.Refused) -> DeadLetter:
    return dead_letter("market flow", refused.reason, refused.detail, refused.payload.encode(), refused.at_ns)


class JoinLogic(StatefulBatchLogic[Cells, Output, market_join.Join]):
    """Joins the cells of all shards."""

    def __init__(
        self,
        shards: int,
        half_lives_ns: tuple[int, ...],
        pairs: pairs_fold.PairParameters,
        resume: market_join.Join | None,
    ) -> None:
        if resume is None:
            self._state = market_join.new_join(shards, half_lives_ns, pairs)
        else:
            join = market_join.with_pairs(market_join.with_half_lives(resume, half_lives_ns), pairs)
            self._state = market_join.kept(join)
        self._voice = _Voice()

    def on_batch(self, values: list[Cells]) -> tuple[Iterable[Output], bool]:
        """Close the cells that all shards have passed."""
        self._state, joined = market_join.fold(self._state, [cells.contribution for cells in values])
        cause_ns = max(cells.cause_ns for cells in values)
        out: list[Output] = []
        for topic in ("correlation", "correlation_estimates", "market_state", "stat_arb"):
            rows = getattr(joined, topic)
            out += self._voice.signal(topic, 0, rows, joined.watermark_ns, cause_ns)
        return out, StatefulBatchLogic.RETAIN

    def snapshot(self) -> market_join.Join:
        """Return a copy of the state."""
        return market_join.kept(self._state)


class RankingLogic(StatefulBatchLogic[Minute, Output, standings.Standings]):
    """Ranks the pairs of all shards, minute by minute."""

    def __init__(self, shards: int, resume: standings.Standings | None) -> None:
        self._state = standings.no_standings(shards) if resume is None else copied(resume)
        self._voice = _Voice()

    def on_batch(self, values: list[Minute]) -> tuple[Iterable[Output], bool]:
        """Rank the minutes that all shards have told."""
        self._state, rows, watermark_ns = standings.fold(self._state, [minute.told for minute in values])
        cause_ns = max(minute.cause_ns for minute in values)
        return self._voice.signal("tradability", 0, rows, watermark_ns, cause_ns), StatefulBatchLogic.RETAIN

    def snapshot(self) -> standings.Standings:
        """Return a copy of the state."""
        return copied(self._state)


def _is_cells(item: tuple[str, Output | Cells | Minute]) -> TypeGuard[tuple[str, Cells]]:
    return isinstance(item[1], Cells)


def _is_minute(item: tuple[str, Output | Minute]) -> TypeGuard[tuple[str, Minute]]:
    return isinstance(item[1], Minute)


def add_market(
    flow: Dataflow,
    wires: Wires,
    half_lives_ns: tuple[int, ...],
    pairs: pairs_fold.PairParameters = pairs_fold.DEFAULT,
) -> None:
    """Add the steps of the market flow to a dataflow."""
    batches = op.input("ticks", flow, FrameSource(wires))
    folded = op.stateful_batch("shards", batches, ShardLogic)
    parts = op.branch("cells", folded, _is_cells)
    cells = op.map("to_join", parts.trues, lambda item: (JOINED, item[1]))
    joined = op.stateful_batch("join", cells, partial(JoinLogic, wires.shards, half_lives_ns, pairs))
    rest = op.branch("minutes", cast("KeyedStream[Output | Minute]", parts.falses), _is_minute)
    minutes = op.map("to_ranking", rest.trues, lambda item: (JOINED, item[1]))
    ranked = op.stateful_batch("ranking", minutes, partial(RankingLogic, wires.shards))
    signals = cast("KeyedStream[Output]", rest.falses)
    op.output("signals", op.merge("all", signals, joined, ranked), FrameSink(wires))


def build(settings: Settings, meter: Meter | None = None) -> Dataflow:
    """Return the market flow for these settings, connected to the broker.

    Its worker threads stop at their next batch once the process gets SIGTERM or SIGINT.
    """
    meter = meter or Meter("market")
    stopping = process.stop_on_signals()
    producer = ColouredProducer(settings) if settings.colour else FrameProducer.of(settings, "market")
    fetch_wait_ms = FETCH_WAIT_EMBEDDED_MS if settings.embedded_broker else FETCH_WAIT_MS
    wires = Wires(
        settings.shards,
        lambda parts: FrameConsumer(settings.broker, parts, fetch_wait_ms=fetch_wait_ms, name="market"),
        Outbox(producer, settings.frame_rows, meter, stopping),
        meter,
        stopping,
    )
    flow = Dataflow("market")
    pairs = pairs_fold.parameters(settings.pair_step_s * 1_000_000_000 // CELL_NS)
    add_market(flow, wires, settings.half_lives_ns, pairs)
    return flow


def compile_kernels() -> None:
    """Compile the kernels, or load them from their cache, before the first tick waits for them."""
    rows = TRADE.empty(2), QUOTE.empty(2), BOOK.empty(2), GAP.empty(2)
    for row in rows:
        row["symbol"], row["market"] = b"WARMUP", 1
        row["effective_ns"][1] = 2 * standings.MINUTE_NS  # so that a minute ends
    rows[0]["price"], rows[3]["stream"] = 1.0, 1
    _, folded = shard_fold.fold(shard_fold.new_shard(), Arrivals(rows, (NEVER_NS,) * 4, (1,) * 4))
    told = market_join.Contribution(0, folded.closed_ns, folded.quiet_ns, folded.samples, folded.gaps)
    market_join.fold(market_join.new_join(1, (0,)), [told])
    samples = np.zeros(2, SAMPLE)  # of two instruments, so that there is a pair
    samples["symbol_0"], samples["market"], samples["has_quote"] = [1, 2], 1, 1
    samples["bid_price"], samples["ask_price"] = 1.0, 2.0
    pair = market_join.Contribution(0, 2 * CELL_NS, 0, samples, GAP.empty())
    market_join.fold(market_join.new_join(1, (0,)), [pair])
    ticks = waiting.ticks([(0, 0, 0, 0), (1, 0, 0, 0)], ((1.0,), (1.0,)))
    waiting.release(waiting.admit((), ticks, NEVER_NS)[0], 0)
    standings.fold(standings.no_standings(1), [standings.Told(0, 0, np.zeros(1, standings.CANDIDATE))])
    pairs_fold.compile_kernels()


def recovery(settings: Settings) -> RecoveryConfig:
    """Return where the flow keeps its snapshots, made when it is not there.

    Raises
    ------
    SettingsError
        When the snapshots there are of a flow with another number of shards or an older version.
    """
    folder = settings.data / "recovery" / "market"
    layout = {"version": LAYOUT_VERSION, "shards": settings.shards}
    try:
        found = msgspec.json.decode((folder / "layout.json").read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        _make_recovery(folder, layout)
        found = layout
    if found != layout:
        raise SettingsError(
            f"GENESIS_SHARDS is {settings.shards}, but the snapshots of the market flow in {folder} are of "
            f"{found.get('shards')} shards (layout version {found.get('version')}, now {LAYOUT_VERSION}). "
            "Set it back, or remove that folder to have all signals computed anew from the topics"
        )
    return RecoveryConfig(folder, timedelta(0))  # type: ignore[no-untyped-call]


def _make_recovery(folder: Path, layout: dict[str, int]) -> None:
    """Make the folder whole or not at all, whenever the process may be killed."""
    fresh = folder.with_suffix(".new")
    for old in (fresh, folder):
        shutil.rmtree(old, ignore_errors=True)
    fresh.mkdir(parents=True)
    init_db_dir(fresh, 1)  # type: ignore[no-untyped-call]
    (fresh / "layout.json").write_bytes(msgspec.json.encode(layout))
    fresh.rename(folder)


def main(settings: Settings) -> int:
    """Run the market flow until the process is asked to end; return its exit status.

    Raises
    ------
    SettingsError
        When no broker is named, or the recovery data does not fit the settings.
    """
    if not settings.broker:
        raise SettingsError("GENESIS_BROKER is empty: the market flow needs the address of a broker")
    log = logs.get("market")
    process.warm_up(compile_kernels)
    probes.serve(settings, "market")
    config = recovery(settings)
    ensure_topics(settings.broker, settings.shards)
    flow = build(settings)
    gc.collect()
    gc.freeze()  # a full collection need not look at what stays, which holds up everything for some 30 ms
    process.announce_ready()
    log.info("started", shards=settings.shards, workers=settings.workers)
    try:
        cli_main(  # type: ignore[no-untyped-call]
            flow,
            workers_per_process=settings.workers,
            epoch_interval=timedelta(seconds=settings.epoch_s),
            recovery_config=config,
        )
    except Undelivered as error:
        log.warning("stopped before everything was delivered", reason=str(error))
    log.info("stopped")
    return 0
