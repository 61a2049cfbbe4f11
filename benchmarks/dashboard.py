"""What the dashboard costs: processor time of itself and of the broker's share, and key to screen.

Load: 50 symbols, so many quotes a second and a quarter as many trades in frames of 5 ms, the view of
them and of ten books a second, and once a second all bars, states, correlations of three half-lives,
health, and an account with four positions.
The broker's share is the difference between two stretches with the dashboard and two without.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.feed.viewing import View
from genesis.connectors.kafka import FrameProducer, ensure_topics
from genesis.operators import records, topics
from genesis.operators.records import RowSchema
from genesis.tui.memory import Memory
from genesis.tui.terminal import Session
from tests.tui.rehearsal import COMPONENTS, SHARDS, START_NS, Rehearsal, account_at

RATES_HZ = (1_000, 10_000)
SYMBOLS = 50
BEAT_S = 0.005
STRETCH_S = 10.0
SIZE = (120, 40)
KEYS = 100
TICKS_S = os.sysconf("SC_CLK_TCK")


def run() -> list[dict[str, object]]:
    """Return the figures for each rate; the baseline is the limit: a tenth of a core for both."""
    results: list[dict[str, object]] = []
    for rate_hz in RATES_HZ:
        with _system(rate_hz) as (broker, command, environment):
            shares, broker_share, delays = _measure(broker, command, environment)
            trading_share, dashboard_share = shares
        both = dashboard_share + broker_share
        where = f"at {rate_hz:,} quotes/s"
        results += [
            _row(f"trading screen {where}", trading_share, "% of a core"),
            _row(f"dashboard {where}", dashboard_share, "% of a core"),
            _row(f"broker's share {where}", broker_share, "% of a core"),
            _row(f"dashboard and broker {where}", both, "% of a core", 10.0),
        ]
        for name, delays_ms in delays.items():
            results += [
                _row(f"{name} to screen p50 {where}", statistics.median(delays_ms), "ms"),
                _row(f"{name} to screen p99 {where}", float(np.quantile(delays_ms, 0.99)), "ms", 30.0),
            ]
    return results


def _row(name: str, value: float, unit: str, limit: float | None = None) -> dict[str, object]:
    ratio = None if limit is None else value / limit
    return {"name": name, "value": round(value, 2), "unit": unit, "baseline": limit, "ratio": ratio}


@contextlib.contextmanager
def _system(rate_hz: int) -> Iterator[tuple[EmbeddedBroker, list[str], dict[str, str]]]:
    """Run a broker and a pump; give the broker, and how to start a dashboard on it."""
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        ensure_topics(broker.bootstrap, SHARDS, timeout_s=20.0)
        Memory(Path(folder) / "dashboard").welcomed()
        pump = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.dashboard", broker.bootstrap, str(rate_hz)]
        )
        try:
            environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
            environment |= {"GENESIS_BROKER": broker.bootstrap, "GENESIS_DATA": folder}
            yield broker, [sys.executable, "-m", "genesis.cli.main", "run", "dashboard"], environment
        finally:
            pump.kill()
            pump.wait()


def _measure(
    broker: EmbeddedBroker, command: list[str], environment: dict[str, str]
) -> tuple[tuple[float, float], float, dict[str, list[float]]]:
    """Return per cent of a core on the trading screen and the overview, the broker's, and delays of keys, ms.

    Keys are those that open and close help, and those of an order that is typed and taken back.
    """
    assert broker.process is not None
    idle, with_one, own, trading = [], [], [], []
    delays: dict[str, list[float]] = {"key": [], "typed key": []}
    time.sleep(2.0)
    for _ in range(2):
        idle.append(_shares([broker.process.pid])[0])
        with Session(command, SIZE, environment) as session:
            session.wait("Budget left today", 60.0)
            _drained(session, 5.0)
            trading.append(_shares([session.process.pid], session)[0])
            session.type("1")
            session.wait(lambda lines: "S049USDT" in "".join(lines) or "S020USDT" in "".join(lines), 60.0)
            ours, theirs = _shares([session.process.pid, broker.process.pid], session)
            own.append(ours)
            with_one.append(theirs)
            delays["key"] += [_key_ms(session, i) for i in range(KEYS)]
            delays["typed key"] += [_typed_ms(session, i) for i in range(TYPED_KEYS)]
            session.type("q")
            session.finish()
    own_shares = statistics.mean(trading), statistics.mean(own)
    return own_shares, statistics.mean(with_one) - statistics.mean(idle), delays


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


def _shares(pids: list[int], session: Session | None = None) -> list[float]:
    before, began_s = [_cpu_s(pid) for pid in pids], time.monotonic()
    if session is None:
        time.sleep(STRETCH_S)
    else:
        _drained(session, STRETCH_S)
    elapsed_s = time.monotonic() - began_s
    return [100.0 * (_cpu_s(pid) - b) / elapsed_s for pid, b in zip(pids, before, strict=True)]


def _drained(session: Session, seconds: float) -> None:
    """Let time pass while the terminal takes what is drawn."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        session.receive(0.05)


def _key_ms(session: Session, turn: int) -> float:
    """Press the key that opens or closes help; return how long it took until the screen said so."""
    return _pressed_ms(session, "?", b"\xc2\xb7 help" if turn % 2 == 0 else b"\xc2\xb7 overview")


TYPED = "b25u eth"
TYPED_KEYS = 10 * 2 * len(TYPED)
CURSOR = "▏".encode()
NO_LINE = b"f1 trade"
"""What the border below says again once the command line is empty."""


def _typed_ms(session: Session, turn: int) -> float:
    """Type a key of an order, or take one back; return how long it took until the line showed it."""
    place = turn % (2 * len(TYPED))
    key = TYPED[place] if place < len(TYPED) else "\x7f"
    return _pressed_ms(session, key, NO_LINE if place == 2 * len(TYPED) - 1 else CURSOR)


CHANCE = np.random.default_rng(1)


def _pressed_ms(session: Session, key: str, sign: bytes) -> float:
    """Press a key at a moment that has nothing to do with the drawings of data.

    Return how long it took until the terminal was given the sign that belongs to the key. What it looks like
    is worked out before the next key: the emulator's time is not the dashboard's.
    """
    session.lines()
    _drained(session, CHANCE.uniform(0.05, 0.15))
    seen, began_s = len(session.written), time.monotonic()
    session.type(key)
    while sign not in session.written[seen:].replace(b"\x1b", b""):
        if time.monotonic() > began_s + 5.0:
            raise TimeoutError("the key had no effect")
        session.receive(0.5)
    return 1000.0 * (time.monotonic() - began_s)


def pump(bootstrap: str, rate_hz: int) -> None:
    """Produce the load until killed."""
    producer = FrameProducer(bootstrap, SHARDS, embedded=True, name="load")
    view = View(producer.send)
    rehearsal = Rehearsal(SYMBOLS, quotes=1)
    owed, i, began_s = 0.0, 0, time.monotonic()
    while True:
        behind_s = began_s + i * BEAT_S - time.monotonic()
        if behind_s > 0:
            time.sleep(behind_s)
        owed += rate_hz * BEAT_S
        _ticks(producer, view, rehearsal, int(owed), i)
        owed -= int(owed)
        if i % 20 == 0:
            _signals(producer, rehearsal, i // 20)
        producer.poll()
        i += 1


def _ticks(producer: FrameProducer, view: View, rehearsal: Rehearsal, count: int, beat: int) -> None:
    now_ns = START_NS + round(beat * BEAT_S * 1e9)
    chosen = np.random.default_rng(beat).integers(0, SYMBOLS, count)
    names = np.array([symbol for _, symbol in rehearsal.instruments])[chosen]
    shards = np.array(rehearsal.shards)[chosen]
    for topic, share in ((topics.QUOTES, 1), (topics.TRADES, 4)):
        rows = topic.rows.empty(count)[::share]
        rows["event_ns"], rows["market"], rows["symbol"] = now_ns, records.Market.SPOT, names[::share]
        if topic is topics.QUOTES:
            rows["bid_price"] = rehearsal.prices[chosen] * 0.9999
            rows["ask_price"] = rehearsal.prices[chosen] * 1.0001
        for shard in range(SHARDS):
            producer.send(topic, shard, rows[shards[::share] == shard], now_ns - 250_000_000)
        view.take(topic, rows)
    if beat % 20 == 0:
        view.take(topics.BOOK, _books(rehearsal, now_ns))
    view.offer(now_ns - 250_000_000)


def _books(rehearsal: Rehearsal, now_ns: int) -> np.ndarray:
    books = records.BOOK.empty(SYMBOLS)
    books["event_ns"], books["market"] = now_ns, records.Market.SPOT
    books["symbol"] = [symbol for _, symbol in rehearsal.instruments]
    for side, sign in (("bid", -1), ("ask", 1)):
        away = 1.0 + sign * 1e-4 * np.arange(1, records.BOOK_LEVELS + 1)
        books[f"{side}_price"], books[f"{side}_qty"] = rehearsal.prices[:, None] * away, 1.0
        books[f"{side}_depth_qty"] = records.BOOK_LEVELS
    return books


def _signals(producer: FrameProducer, rehearsal: Rehearsal, step: int) -> None:
    for said in rehearsal.step(step):
        if said.topic is topics.VIEW:
            continue
        if isinstance(said.topic.schema, RowSchema):
            rows = np.frombuffer(said.value, said.topic.rows.dtype)
            producer.send(said.topic, said.partition, rows, int(dict(said.headers)["watermark_ns"]))
    if step % 10 == 0:
        for said in account_at(START_NS + step * 100_000_000):
            producer.send_record(said.topic, msgspec.json.decode(said.value, type=said.topic.schema))
        for name in COMPONENTS:
            health = records.Health(
                id=f"{name}-{step}",
                recv_ns=step,
                component=name,
                state="ok",
                detail="",
                figures={"lag_ms": 3.0},
            )
            producer.send_record(topics.HEALTH, health)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pump(sys.argv[1], int(sys.argv[2]))
    for row in run():
        print(f"{row['name']}: {row['value']} {row['unit']}")
