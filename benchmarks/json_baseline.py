"""The baseline of `throughput`: Bytewax as its guide shows it, one JSON message per tick.

Bytewax's own Kafka source and sink, one keyed step that makes 1 s bars and keeps the newest quote,
bars out as JSON. It does less than the market flow: one interval instead of four, no late trades,
no correlation, no market state. Ticks are decoded by Python's `json`, as in the guide, or by
msgspec, the fastest decoder there is.
"""

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

TICKS, BARS = "baseline.ticks", "baseline.bars"
SECOND_NS = 1_000_000_000


class Tick(msgspec.Struct):
    """A trade, or with ``trade_id`` 0 a quote."""

    event_ns: int
    symbol: str
    trade_id: int
    price: float
    qty: float
    bid_price: float
    ask_price: float


class Bar(msgspec.Struct):
    """A 1 s bar."""

    symbol: str
    open_ns: int
    open: float
    high: float
    low: float
    close: float
    qty: float
    trade_count: int
    bid_price: float
    ask_price: float


def fold(bar: Bar | None, tick: Tick) -> tuple[Bar | None, Bar | None]:
    """Put a tick into the bar of its symbol; return it, and the bar that ended."""
    open_ns = tick.event_ns // SECOND_NS * SECOND_NS
    ended = None
    if bar is not None and open_ns > bar.open_ns:
        bar, ended = None, bar
    if bar is None:
        price = tick.price or (tick.bid_price + tick.ask_price) / 2
        bar = Bar(tick.symbol, open_ns, price, price, price, price, 0.0, 0, 0.0, 0.0)
    if tick.trade_id:
        bar.high, bar.low, bar.close = max(bar.high, tick.price), min(bar.low, tick.price), tick.price
        bar.qty += tick.qty
        bar.trade_count += 1
    else:
        bar.bid_price, bar.ask_price = tick.bid_price, tick.ask_price
    return bar, ended


def decode_plainly(text: bytes) -> Tick:
    """Return a tick, decoded by Python's own parser."""
    return Tick(**json.loads(text))


DECODERS: dict[str, Callable[[bytes], Tick]] = {
    "json": decode_plainly,
    "msgspec": msgspec.json.Decoder(Tick).decode,
}


def build(bootstrap: str, decoder: str) -> Dataflow:
    """Return the flow."""
    decode = DECODERS[decoder]
    encode = msgspec.json.Encoder().encode
    flow = Dataflow("baseline")
    source = KafkaSource(
        [bootstrap], [TICKS], add_config={"fetch.wait.max.ms": "5", "log_level": "3"}, batch_size=1_000
    )
    ticks = op.map("decode", op.input("ticks", flow, source), lambda message: decode(message.value))
    keyed = op.key_on("symbol", ticks, lambda tick: tick.symbol)
    bars = op.stateful_map("bars", keyed, fold)
    ended = op.filter("ended", bars, lambda item: item[1] is not None)
    messages = op.map("encode", ended, lambda item: KafkaSinkMessage(None, encode(item[1])))
    kop.output("out", messages, brokers=[bootstrap], topic=BARS)
    return flow


def main() -> None:
    """Run it: ``python -m benchmarks.json_baseline BOOTSTRAP FOLDER DECODER``."""
    folder = Path(sys.argv[2])
    init_db_dir(folder, 1)
    cli_main(
        build(sys.argv[1], sys.argv[3]),
        epoch_interval=timedelta(seconds=5),
        recovery_config=RecoveryConfig(folder, timedelta(0)),
    )


if __name__ == "__main__":
    main()
