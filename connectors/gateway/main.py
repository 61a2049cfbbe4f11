"""The gateway as a process: topics in, venue out, events back."""

import asyncio
import contextlib
import signal
import threading
import time
from collections import deque

import msgspec

from genesis.connectors import metrics, probes
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.gateway.clock import AccountClock
from genesis.connectors.gateway.desk import Desk, log
from genesis.connectors.gateway.factory import make_venue
from genesis.connectors.gateway.gateway import Gateway
from genesis.connectors.gateway.paper import PaperVenue
from genesis.connectors.gateway.tracker import Phase
from genesis.connectors.gateway.venues import TradingVenue
from genesis.connectors.kafka import BrokerUnreachable, FrameConsumer, FrameProducer, Log, Message, QueueFull
from genesis.connectors.keys import KeyRing, open_keys
from genesis.connectors.ledger import Ledger, LedgerError, open_ledger
from genesis.connectors.ledger.errors import FenceLost
from genesis.connectors.process import announce_ready
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.account import events, signing
from genesis.operators.account.events import AccountEvent, Listings, MarketRecord, PermitRefused
from genesis.operators.account.outcomes import ChildOrder
from genesis.operators.records import Health

POLL_WAIT_S = 0.05
POLL_MESSAGES = 256
FETCH_WAIT_MS = 5
PUMP_EVERY_S = 0.01
RELEASE_EVERY_S = 1.0
REPORT_EVERY_S = 1.0
HALT_LOOK_S = 1.0
"""How often the ledger is asked whether the kill switch was used, or its halt lifted."""

WAITING_EVENTS_MAX = 100_000
"""Most events that wait here while the broker is away; then the process ends, and asks the venue later."""

_child_orders = msgspec.json.Decoder(ChildOrder)
_events = msgspec.json.Decoder(AccountEvent)


class KafkaOutlet:
    """Events on their way to the broker.

    Parameters
    ----------
    producer
        Writes the account's log.
    """

    def __init__(self, producer: FrameProducer) -> None:
        self._producer = producer
        self._waiting: deque[AccountEvent] = deque()

    def publish(self, event: AccountEvent) -> None:
        """Hand an event on, or keep it until the broker is there."""
        if len(self._waiting) >= WAITING_EVENTS_MAX:
            raise BrokerUnreachable(
                f"{WAITING_EVENTS_MAX} events wait for the broker; it has been away too long"
            )
        self._waiting.append(event)
        self.pump()

    def pump(self) -> None:
        """Send what waits, and look after the producer."""
        with contextlib.suppress(QueueFull, BrokerUnreachable):
            while self._waiting:
                self._producer.send_record(topics.ACCOUNT_EVENTS, self._waiting[0])
                self._waiting.popleft()
            self._producer.poll()

    def is_delivered(self) -> bool:
        """Say whether all that was published is with the broker."""
        self.pump()
        return not self._waiting and self._producer.flush(0.0) == 0


class Reader:
    """Reads the topics in a thread of its own, since the client waits; hands over on the event loop.

    Parameters
    ----------
    settings
        Where the broker is.
    take
        Called on the loop with what has come.
    is_full
        True while nothing more should be read.
    """

    def __init__(self, settings: Settings, gateway: Gateway, keys: KeyRing, producer: FrameProducer) -> None:
        parts = {(topics.CHILD_ORDERS.name, 0): None, (topics.ACCOUNT_EVENTS.name, 0): None}
        self._consumer = FrameConsumer(
            settings.broker, dict(parts), fetch_wait_ms=FETCH_WAIT_MS, start_at_end=True, name="gateway"
        )
        self._gateway, self._keys, self._producer = gateway, keys, producer
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        self._thread.join(5.0)

    def _read(self) -> None:
        released_s = time.monotonic()
        while not self._stopping.is_set():
            if self._gateway.is_full:
                self._stopping.wait(POLL_WAIT_S)
                continue
            found = self._consumer.poll(1, POLL_WAIT_S)  # returns with the first
            if found:
                found += self._consumer.poll(POLL_MESSAGES)
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._take, found)
            if time.monotonic() - released_s > RELEASE_EVERY_S:
                released_s = time.monotonic()
                self._consumer.release(self._consumer.positions())
        self._consumer.close()

    def _take(self, messages: list[Message]) -> None:
        for message in messages:
            if message.topic is topics.CHILD_ORDERS:
                self._take_child(message)
            else:
                self._take_event(message)

    def _take_child(self, message: Message) -> None:
        if message.restarted:
            self._gateway.sender.log_began_anew()
        origin = f"{message.position.log_id}:{message.position.offset}"
        try:
            order = _child_orders.decode(message.value)
        except msgspec.MsgspecError as error:
            source = f"child_orders/0/{message.position.offset}"
            letter = dead_letter(source, "malformed_json", str(error), message.value, time.time_ns())
            with contextlib.suppress(QueueFull, BrokerUnreachable):
                self._producer.send_record(topics.DEAD_LETTERS, letter)
            metrics.GATEWAY_REFUSALS.labels("MALFORMED").inc()
            refused = PermitRefused(client_order_id="", code="MALFORMED", detail="it is no child order")
            self._gateway.desk.book.refused_permit(self._gateway.desk.account_id, "", "MALFORMED", str(error))
            self._gateway.desk.publish(f"refused:{origin}", refused)
            return
        self._gateway.hand_in(order, origin)

    def _take_event(self, message: Message) -> None:
        try:
            event = _events.decode(message.value)
        except msgspec.MsgspecError:
            return  # the account flow writes the dead letter
        mine = event.account_id == self._gateway.desk.account_id
        if not mine or event.kind not in ("market", "listings"):
            return
        if signing.refusal({"ticker": self._keys["ticker"]}, event):
            return
        self._gateway.desk.clock.tick(event.event_ns)
        venue = self._gateway.desk.venue
        if isinstance(venue, PaperVenue):
            match events.decode(event.body):
                case MarketRecord() as record:
                    venue.feed(record, event.event_ns)
                case Listings() as listings:
                    venue.learn(listings)
        self._gateway.wake()


def run(settings: Settings) -> int:
    """Run until asked to end; return the exit status.

    Raises
    ------
    GateClosed, CredentialsMissing
        When the venue cannot be used as configured.
    KeysError, LedgerError
        When keys or ledger cannot be opened.
    """
    venue = make_venue(settings)
    probes.serve(settings, "gateway")
    keys = open_keys(settings, "gateway", "permit", "ticker")
    ledger = open_ledger(settings)
    try:
        Log(settings.broker, "gateway").names()
    except BrokerUnreachable as error:  # the kill switch needs no broker, so this one starts without
        log.warning("no orders come in until the broker answers", reason=str(error))
    try:
        asyncio.run(_run(settings, venue, keys, ledger))
    finally:
        ledger.close()
    return 0


async def _run(settings: Settings, venue: TradingVenue, keys: KeyRing, ledger: Ledger) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    producer = FrameProducer.of(settings, "gateway")
    outlet = KafkaOutlet(producer)
    desk = Desk(
        account_id=settings.account,
        venue=venue,
        book=ledger,
        outlet=outlet,
        token=ledger.take_fence(settings.account),
        permit_key=keys["permit"],
        gateway_key=keys["gateway"],
        clock=AccountClock(time.monotonic_ns),
        monotonic_ns=time.monotonic_ns,
    )
    is_halted = ledger.is_halted(settings.account)
    gateway = Gateway(desk, is_halted=is_halted)
    producer.on_restart = lambda names: _on_restart(names, desk)
    reader = Reader(settings, gateway, keys, producer)
    pumping = asyncio.create_task(_pump(outlet, gateway, producer))
    watching = asyncio.create_task(_end_when_lifted(ledger, desk, stopping, is_halted=is_halted))
    announce_ready(venue=venue.name)
    try:
        await gateway.run(stopping)
    except FenceLost as error:
        metrics.FENCE_LOSSES.inc()
        probes.STATE.trouble("fence", f"fenced off: {error}")
        log.error("fenced off", reason=str(error))
        desk.link(connected=False, detail=str(error))
        await venue.close()
        await stopping.wait()  # whoever started this one again would throw out the one that has taken over
    finally:
        reader.close()
        pumping.cancel()
        watching.cancel()
        producer.flush(2.0)


async def _end_when_lifted(ledger: Ledger, desk: Desk, stopping: asyncio.Event, *, is_halted: bool) -> None:
    """End this process once the halt that it met is lifted; the next one takes a new fence and reconciles."""
    while True:
        await asyncio.sleep(HALT_LOOK_S)
        try:
            halt = await asyncio.to_thread(ledger.newest_halt, desk.account_id)
        except LedgerError as error:
            log.warning("the ledger does not say whether the account is halted", reason=str(error))
            continue
        if halt.stands and not is_halted:
            is_halted = True
            log.warning("the kill switch was used")
            desk.link(connected=False, detail="the kill switch was used; lifting it lets orders go out again")
        elif not halt.stands and (is_halted or halt.number > desk.token):
            log.info("the halt is lifted; beginning anew")
            stopping.set()
            return


def _on_restart(names: list[str], desk: Desk) -> None:
    if topics.ACCOUNT_EVENTS.name in names:
        asyncio.get_running_loop().call_soon(desk.publish_again)


async def _pump(outlet: KafkaOutlet, gateway: Gateway, producer: FrameProducer) -> None:
    reported_s = 0.0
    while True:
        outlet.pump()
        if time.monotonic() - reported_s > REPORT_EVERY_S:
            reported_s = time.monotonic()
            with contextlib.suppress(QueueFull, BrokerUnreachable):
                producer.send_record(topics.HEALTH, _health(gateway))
        await asyncio.sleep(PUMP_EVERY_S)


def _health(gateway: Gateway) -> Health:
    now_ns, tracker = time.time_ns(), gateway.desk.tracker
    return Health(
        id=f"gateway-{now_ns}",
        recv_ns=now_ns,
        component="gateway",
        state="ok" if gateway.is_serving else "starting",
        detail="" if gateway.is_serving else "no reconciled connection to the venue",
        figures={
            "open_orders": float(len(tracker.in_phase(Phase.OPEN, Phase.SENT))),
            "unknown_orders": float(len(tracker.in_phase(Phase.UNKNOWN))),
            "unconfirmed": float(gateway.desk.unconfirmed),
        },
    )
