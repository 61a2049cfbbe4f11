"""The ticker: a process that appends the market to the accounts' log; it is the clock of every account.

What a record holds is decided by `operators.account.ticking`. Here topics are read and records sealed and
sent. The venue's rules for each symbol are asked for at the start and every hour.
"""

import json
import time
import urllib.error
import urllib.request

from genesis.connectors import frames, keys, logs, probes, process
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.kafka import FrameConsumer, FrameProducer, ensure_topics
from genesis.connectors.kafka.consumer import Position
from genesis.connectors.settings import Settings, SettingsError, Venue
from genesis.operators import topics
from genesis.operators.account import signing
from genesis.operators.account.events import Body, Listing, Listings, Role
from genesis.operators.account.ticking import Ticking

READ = ("quotes", "trades", "market_state", "correlation", "day_volume")
"""Topics that are read."""

FETCH_WAIT_EMBEDDED_MS, FETCH_WAIT_MS = 50, 100
"""How long a broker may hold a fetch; a record is due every 100 ms, and idle polling costs the broker."""

POLL_S = 0.02
POLL_MESSAGES = 2_000

LISTINGS_EVERY_S = 3_600.0
LISTINGS_RETRY_S = 1.0
ANSWER_S = 5.0
"""Longest time that the venue's rules are waited for."""

BINANCE = "https://data-api.binance.vision"
"""Where the rules of live public data are asked for: a host without any trading."""


class Ticker:
    """The ticker of one account."""

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._settings, self._key = settings, key
        parts: dict[tuple[str, int], Position | None] = {
            (name, part): None
            for name in READ
            for part in range(settings.shards if topics.BY_NAME[name].sharded else 1)
        }
        embedded = settings.embedded_broker
        self._consumer = FrameConsumer(
            settings.broker,
            parts,
            fetch_wait_ms=FETCH_WAIT_EMBEDDED_MS if embedded else FETCH_WAIT_MS,
            start_at_end=True,
            name="ticker",
        )
        self._producer = FrameProducer.of(settings, "ticker")
        self._ticking = Ticking([key for key in parts if key[0] in ("quotes", "trades")])
        self._listings_s = -LISTINGS_EVERY_S
        self._now_ns = 0

    def step(self) -> None:
        """Read what has come, and send what is due."""
        for message in self._consumer.poll(POLL_MESSAGES, POLL_S):
            try:
                frame = frames.decode(message.topic.rows, message.value, message.headers)
            except frames.FrameError as error:
                letter = dead_letter("ticker", error.reason, str(error), message.value, time.time_ns())
                self._producer.send_record(topics.DEAD_LETTERS, letter)
                continue
            self._ticking.take(message.topic.name, message.partition, frame.rows, frame.watermark_ns)
        for due in self._ticking.due():
            self._now_ns = due.event_ns
            self._send(f"m-{due.event_ns}", due.event_ns, due.record)
        if self._now_ns and time.monotonic() - self._listings_s > LISTINGS_EVERY_S:
            self._tell_listings()
        self._producer.poll()

    def _send(self, event_id: str, event_ns: int, body: Body) -> None:
        account = self._settings.account
        event = signing.sealed(self._key, Role.TICKER, account, event_id, event_ns, body)
        self._producer.send_record(topics.ACCOUNT_EVENTS, event)

    def _tell_listings(self) -> None:
        try:
            found = listings(self._settings)
        except (OSError, ValueError, KeyError) as error:
            logs.get("ticker").warning("the venue's rules are not known yet", reason=str(error))
            self._listings_s += LISTINGS_RETRY_S
            return
        self._listings_s = time.monotonic()
        self._send(f"l-{self._now_ns}", self._now_ns, found)

    def close(self) -> None:
        """Deliver what waits, and leave the broker."""
        self._producer.flush(2.0)
        self._consumer.close()


def listings(settings: Settings) -> Listings:
    """Return the venue's rules for the followed spot symbols.

    Raises
    ------
    OSError, ValueError, KeyError
        When the venue does not answer, or not in the documented form.
    """
    base = BINANCE if settings.venue is Venue.BINANCE else settings.venue_url
    with urllib.request.urlopen(f"{base}/api/v3/exchangeInfo", timeout=ANSWER_S) as answer:
        told = json.load(answer)
    followed = {name.partition(":")[2] for name in settings.symbols.split(",") if name.startswith("spot:")}
    return Listings(
        listings=[_listing(each) for each in told["symbols"] if not followed or each["symbol"] in followed]
    )


def _listing(symbol: dict[str, object]) -> Listing:
    filters = {each["filterType"]: each for each in symbol["filters"]}  # type: ignore[attr-defined]
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    return Listing(
        symbol=str(symbol["symbol"]),
        base=str(symbol["baseAsset"]),
        quote=str(symbol["quoteAsset"]),
        tick=price["tickSize"],
        lot=lot["stepSize"],
        min_qty=lot["minQty"],
        max_qty=lot["maxQty"],
        min_notional=notional.get("minNotional", "0"),
        trading=symbol["status"] == "TRADING",
    )


def main(settings: Settings) -> int:
    """Tick until the process is asked to end; return its exit status.

    Raises
    ------
    SettingsError
        When no broker is named, or the keys cannot be used.
    """
    if not settings.broker:
        raise SettingsError("GENESIS_BROKER is empty: the ticker needs the address of a broker")
    stopping = process.stop_on_signals()
    probes.serve(settings, "ticker")
    ring = keys.open_keys(settings, Role.TICKER)
    ensure_topics(settings.broker, settings.shards)
    ticker = Ticker(settings, ring[Role.TICKER])
    process.announce_ready()
    logs.get("ticker").info("started")
    while not stopping.is_set():
        ticker.step()
    ticker.close()
    return 0
