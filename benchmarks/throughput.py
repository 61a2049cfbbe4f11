"""Throughput on one core: Kafka, Bytewax, kernels, Kafka; recovery on; against one JSON message per tick.

Topics are filled first; then the flow, alone on its core, works them off as fast as it can. The
broker and this process share the others. Timed is the stretch between its first output and its
last, so start-up does not count. Load: 20 symbols, 3 quotes to 1 trade, 20,000 ticks in a second of
event time; all signals of the market flow are computed and written.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.json_baseline import BARS, DECODERS, SECOND_NS, TICKS, Bar, Tick
from genesis.connectors import frames
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import FrameConsumer, ensure_topics
from genesis.connectors.kafka.producer import FRAME_HEADER
from genesis.operators import topics
from genesis.operators.records import QUOTE, TRADE, WATERMARK_FINAL_NS, Market

SYMBOLS = np.array([f"SYM{number:02}USDT".encode() for number in range(20)])
TICKS_HZ = 20_000
"""Ticks in a second of event time."""

QUOTES_PER_TRADE = 3
START_NS = 1_700_000_000 * SECOND_NS
LATENESS_NS = 250_000_000
DEADLINE_S = 300.0
SIZES = {1: 600_000, 40: 4_000_000, 1_000: 6_000_000}
"""Ticks of each run, by rows in a frame."""

BASELINE_TICKS = 400_000


def run(bootstrap: str | None = None) -> list[dict[str, object]]:
    """Return the figures; without a broker's address the embedded broker is started for each."""
    baselines = {decoder: _with_broker(bootstrap, measure_baseline, decoder) for decoder in DECODERS}
    of = f"Bytewax, one JSON message per tick: {baselines['json']:,.0f} ticks/s"
    fast = f"the same with msgspec instead of json: {baselines['msgspec']:,.0f} ticks/s"
    results: list[dict[str, object]] = []
    for frame_rows, count in SIZES.items():
        found = _with_broker(bootstrap, measure_flow, frame_rows, count)
        what = f"market flow, {frame_rows:,} rows a frame"
        for unit, value, baseline, ratio in (
            ("ticks/s", found, of, found / baselines["json"]),
            ("ticks/s", found, fast, found / baselines["msgspec"]),
            ("frames/s", found / frame_rows, "", None),
        ):
            results.append({"name": what, "value": value, "unit": unit, "baseline": baseline, "ratio": ratio})
    return results


def _with_broker(bootstrap: str | None, measure: Callable[..., float], *what: object) -> float:
    if bootstrap:
        return measure(bootstrap, *what)
    with EmbeddedBroker() as broker:
        return measure(broker.bootstrap, *what)


@contextlib.contextmanager
def _alone(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """Run a process on core 0, and this one and the broker's threads on the others."""
    cores = os.sched_getaffinity(0)
    first, *others = sorted(cores)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GENESIS_")}
    process = subprocess.Popen(["taskset", "-c", str(first), *command], env=kept | environment)
    os.sched_setaffinity(0, others or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        process.kill()
        process.wait()


def ticks(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return trades and quotes, in time order, of random walks; the same each time."""
    rng = np.random.default_rng(7)
    number = np.arange(count)
    event_ns = START_NS + number * (SECOND_NS // TICKS_HZ)
    symbol = rng.integers(0, SYMBOLS.size, count)
    price = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-5, count))), 2)
    is_trade = number % (QUOTES_PER_TRADE + 1) == 0
    trades, quotes = TRADE.empty(int(is_trade.sum())), QUOTE.empty(int((~is_trade).sum()))
    for rows, of in ((trades, is_trade), (quotes, ~is_trade)):
        rows["event_ns"] = rows["recv_ns"] = rows["effective_ns"] = event_ns[of]
        rows["symbol"], rows["market"] = SYMBOLS[symbol[of]], Market.SPOT
    for name in SYMBOLS:  # ids are contiguous per instrument
        mine = trades["symbol"] == name
        trades["trade_id"][mine] = np.arange(1, mine.sum() + 1)
    trades["price"] = price[is_trade]
    trades["qty"], trades["side"] = 1.0, np.where(rng.random(trades.size) < 0.5, 1, -1)
    quotes["update_id"] = number[~is_trade] + 1
    quotes["bid_price"], quotes["ask_price"] = price[~is_trade] - 0.01, price[~is_trade] + 0.01
    quotes["bid_qty"] = quotes["ask_qty"] = 1.0
    return trades, quotes


def _fill(bootstrap: str, frame_rows: int, count: int) -> None:
    """Write the frames as the feed does, but in batches as large as those of the baseline."""
    ensure_topics(bootstrap, 1)
    producer = _producer(bootstrap)
    for topic, rows in zip((topics.TRADES, topics.QUOTES), ticks(count), strict=True):
        for number, first in enumerate(range(0, rows.size, frame_rows)):
            frame = rows[first : first + frame_rows]
            headers = frames.encode_headers(topic.rows, int(frame["event_ns"][-1]) - LATENESS_NS)
            headers.append((FRAME_HEADER, b"bench:%d" % number))
            _produce(producer, topic.full_name, frame.tobytes(), headers)
    for topic in topics.TICKS:
        _produce(producer, topic.full_name, b"", frames.encode_headers(topic.rows, WATERMARK_FINAL_NS))
    assert not producer.flush(60.0)


def _producer(bootstrap: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "linger.ms": 20,
            "queue.buffering.max.kbytes": 500_000,
        }
    )


def _produce(producer: Producer, name: str, value: bytes, headers: frames.Headers) -> None:
    while True:
        try:
            return producer.produce(name, value, partition=0, headers=headers)
        except BufferError:
            producer.poll(0.1)


def measure_flow(bootstrap: str, frame_rows: int, count: int) -> float:
    """Return the ticks a second of the market flow."""
    _fill(bootstrap, frame_rows, count)
    program = (
        "from genesis.connectors.settings import read; from genesis.flows.market import main; main(read())"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "GENESIS_DATA": folder,
            "GENESIS_BROKER": bootstrap,
            "GENESIS_EMBEDDED_BROKER": "true",
            "GENESIS_GENERATION_MB": "60000",
            "GENESIS_SHARDS": "1",
        }
        consumer = FrameConsumer(bootstrap, {("bars", 0): None}, fetch_wait_ms=5, name="bench")

        def watermarks() -> list[int]:
            messages = consumer.poll(1_000, 0.05)
            return [int(dict(message.headers)["watermark_ns"]) for message in messages]

        with _alone([sys.executable, "-c", program], environment):
            rate = _rate(watermarks, START_NS + count * (SECOND_NS // TICKS_HZ))
        consumer.close()
    return rate


def _rate(progress: Callable[[], list[int]], end_ns: int) -> float:
    """Return ticks a second from the times at which event time was seen to have reached a point."""
    first: tuple[float, int] | None = None
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        found = progress()
        now_s = time.monotonic()
        if found and first is None and min(found) > START_NS:
            first = (now_s, max(time_ns for time_ns in found if time_ns < end_ns))
        elif found and first is not None and max(found) >= end_ns - SECOND_NS:
            at_ns = min(max(found), end_ns)
            return (at_ns - first[1]) / SECOND_NS * TICKS_HZ / (now_s - first[0])
    raise TimeoutError("the flow did not come to the end of the topics")


def measure_baseline(bootstrap: str, decoder: str) -> float:
    """Return the ticks a second of Bytewax with one JSON message per tick."""
    trades, quotes = ticks(BASELINE_TICKS)
    messages = [
        Tick(at, name.decode(), number, price, qty, 0.0, 0.0)
        for at, name, number, price, qty in zip(
            *(trades[each].tolist() for each in ("event_ns", "symbol", "trade_id", "price", "qty")),
            strict=True,
        )
    ]
    messages += [
        Tick(at, name.decode(), 0, 0.0, 0.0, bid, ask)
        for at, name, bid, ask in zip(
            *(quotes[each].tolist() for each in ("event_ns", "symbol", "bid_price", "ask_price")), strict=True
        )
    ]
    messages.sort(key=lambda tick: tick.event_ns)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for made in admin.create_topics([NewTopic(name, 1, 1) for name in (TICKS, BARS)]).values():
        made.result()
    producer = _producer(bootstrap)
    for message in messages:
        _produce(producer, TICKS, msgspec.json.encode(message), [])
    assert not producer.flush(60.0)
    with tempfile.TemporaryDirectory() as folder:
        own = {"group.id": "bench", "fetch.wait.max.ms": 5, "log_level": 0}
        consumer = Consumer({"bootstrap.servers": bootstrap} | own)
        consumer.assign([TopicPartition(BARS, 0, 0)])
        decode = msgspec.json.Decoder(Bar).decode

        def ended() -> list[int]:
            found = (message.value() for message in consumer.consume(1_000, 0.05) if message.error() is None)
            return [decode(value).open_ns + SECOND_NS for value in found if value]

        with _alone([sys.executable, "-m", "benchmarks.json_baseline", bootstrap, folder, decoder], {}):
            rate = _rate(ended, START_NS + BASELINE_TICKS * (SECOND_NS // TICKS_HZ) - SECOND_NS)
        consumer.close()
    return rate
