"""The strategist: a process that runs strategies on the account's own market records, as a backtest does.

Which strategies are wanted, with which parameters, stands in a file of the data folder; it is looked at
twice a second, so a strategy is started, stopped or swapped while everything else runs on. A strategy that
begins first reads what the log still has, without asking for anything, then it is live. Where orders go
(simulator, paper, testnet, live) is the gateway's affair: to a strategy it is all the same.

Law: the id of an intent is made from the strategy, its parameters, the record that led to it and a number,
so a record that is read twice asks once. The state is kept after every intent and every ten seconds; after
a crash reading goes on behind it, and what the last seconds asked for is asked for again.
"""

import pickle
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from genesis.connectors import keys, logs, private_file, probes, process
from genesis.connectors.kafka import FrameConsumer, FrameProducer, Message, Position, ensure_topics
from genesis.connectors.settings import Settings, SettingsError
from genesis.operators import topics
from genesis.operators.account import signing
from genesis.operators.account.events import AccountEvent, MarketRecord, Role, decode
from genesis.operators.records import Health
from genesis.operators.strategies import catalog
from genesis.operators.strategies.strategy import Intent, Strategy

PART = (topics.ACCOUNT_EVENTS.name, 0)
FETCH_WAIT_EMBEDDED_MS, FETCH_WAIT_MS = 50, 100
POLL_S = 0.05
POLL_MESSAGES = 2_000

LOOK_EVERY_S = 0.5
"""How often the file is looked at."""

KEEP_EVERY_S = 10.0
"""Longest time between two states that are kept."""

WARM_S = 15.0
"""Longest time for reading back; what was not reached by then is done without."""

AGAIN_NS = 5 * 10**9
"""After a crash, intents of the records of so much event time are sent again."""

HEALTH_EVERY_S = 1.0

_events = msgspec.json.Decoder(AccountEvent)


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which strategies are wanted: parameters as text, by name."""

    strategies: dict[str, dict[str, str]] = {}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How a strategy is."""

    name: str
    parameters: dict[str, str]
    state: str  # running or refused; a command that asks says waiting when nobody has told yet
    detail: str = ""
    event_ns: int = 0  # newest record, venue time
    records: int = 0
    intents: int = 0


class _Kept(NamedTuple):
    """What is kept of a strategy."""

    mark: str
    event_ns: int
    state: Any
    intents: int


def wanted_in(data: Path) -> Path:
    """Return where the file of wanted strategies is."""
    return data / "strategies.json"


def told_in(data: Path) -> Path:
    """Return where it is told how they are."""
    return data / "strategies.told.json"


def read_wanted(data: Path) -> Wanted:
    """Return which strategies are wanted; none when there is no file.

    Raises
    ------
    SettingsError
        When the file cannot be read as one.
    """
    path = wanted_in(data)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Wanted)
    except FileNotFoundError:
        return Wanted()
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(
            f"{path} cannot be used: {error}. `genesis strategy stop` writes it anew"
        ) from None


def want(data: Path, wanted: Wanted) -> None:
    """Put down which strategies are wanted."""
    private_file.replace(wanted_in(data), msgspec.json.encode(wanted))


def read_told(data: Path) -> dict[str, Told]:
    """Return how the strategies are, by name; empty when nothing is told."""
    try:
        return msgspec.json.decode(told_in(data).read_bytes(), type=dict[str, Told])
    except (OSError, msgspec.MsgspecError):
        return {}


def mark_of(name: str, parameters: dict[str, str]) -> str:
    """Return a short name for a strategy with these parameters.

    >>> mark_of("pairs", {}) == mark_of("pairs", {}), mark_of("pairs", {"enter": "3"}) == mark_of("pairs", {})
    (True, False)
    """
    text = msgspec.json.encode([name, sorted(parameters.items())])
    return blake2b(text, digest_size=6).hexdigest()


class Running:
    """One strategy at work.

    Parameters
    ----------
    name, parameters
        As wanted.
    folder
        Where its state is kept.

    Raises
    ------
    StrategyError
        When there is none of that name, or a parameter is wrong.
    """

    def __init__(self, name: str, parameters: dict[str, str], folder: Path) -> None:
        self.name, self.parameters, self.mark = name, parameters, mark_of(name, parameters)
        self._strategy: Strategy = catalog.made(name, parameters)
        self._path = folder / f"{name}.state"
        self._state = self._strategy.begin()
        self._kept_s = time.monotonic()
        self.event_ns = self.records = self.intents = 0
        self._unheard = set(self._strategy.symbols)
        self.is_resumed = self._take_up()

    def _take_up(self) -> bool:
        """Go on from the state that was kept with the same parameters; say whether there was one."""
        try:
            kept = pickle.loads(self._path.read_bytes())
        except (OSError, ValueError, TypeError, EOFError, AttributeError, ImportError, pickle.PickleError):
            return False
        if not isinstance(kept, _Kept) or kept.mark != self.mark:
            return False
        self.event_ns, self._state, self.intents = kept.event_ns, kept.state, kept.intents
        return True

    def take(self, record: MarketRecord, event_ns: int) -> list[tuple[str, Intent]]:
        """Take a record; return what is asked for, with ids. A record that is known already asks nothing."""
        if event_ns <= self.event_ns:
            return []
        self.event_ns, self.records = event_ns, self.records + 1
        if self._unheard:
            self._unheard.difference_update(mark.symbol for mark in record.marks)
        self._state, intents = self._strategy.on_market(self._state, record, event_ns)
        return [(f"s-{self.mark}-{event_ns}-{number}", intent) for number, intent in enumerate(intents)]

    def keep(self, *, at_once: bool) -> None:
        """Keep the state, at once or when it is time."""
        if at_once or time.monotonic() - self._kept_s > KEEP_EVERY_S:
            self._kept_s = time.monotonic()
            kept = _Kept(self.mark, self.event_ns, self._state, self.intents)
            private_file.replace(self._path, pickle.dumps(kept))

    def forget(self) -> None:
        """Forget the state that was kept."""
        self._path.unlink(missing_ok=True)

    def told(self) -> Told:
        """Return how it is."""
        missing = ", ".join(sorted(self._unheard))
        return Told(
            name=self.name,
            parameters=self.parameters,
            state="running",
            detail=f"no price of {missing} has come yet; check the name if it stays so" if missing else "",
            event_ns=self.event_ns,
            records=self.records,
            intents=self.intents,
        )


class Strategist:
    """Runs the strategies of one account.

    Parameters
    ----------
    settings
        Where the broker is, which account, and the data folder.
    key
        Key of the role ``strategy``.
    """

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._settings, self._key = settings, key
        self._wait_ms = FETCH_WAIT_EMBEDDED_MS if settings.embedded_broker else FETCH_WAIT_MS
        self._consumer = self._reader("strategist", start_at_end=True)
        self._producer = FrameProducer.of(settings, "strategist")
        self._at: Position | None = None
        self._wanted: Wanted | None = None
        self._refused: dict[str, Told] = {}
        self._looked_s = self._health_s = -LOOK_EVERY_S
        self.running: dict[str, Running] = {}

    def _reader(self, name: str, *, start_at_end: bool) -> FrameConsumer:
        return FrameConsumer(
            self._settings.broker,
            {PART: None},
            fetch_wait_ms=self._wait_ms,
            start_at_end=start_at_end,
            name=name,
        )

    def step(self) -> None:
        """Read what has come, ask for what the strategies want, and look whether others are wanted."""
        for message in self._consumer.poll(POLL_MESSAGES, POLL_S):
            self._at = message.position
            found = self._market(message)
            if found is not None:
                for each in self.running.values():
                    self._ask(each, each.take(*found))
        now_s = time.monotonic()
        if self._at is not None and now_s - self._looked_s > LOOK_EVERY_S:
            self._looked_s = now_s
            self._look()
        for each in self.running.values():
            each.keep(at_once=False)
        if now_s - self._health_s > HEALTH_EVERY_S:
            self._health_s = now_s
            self._tell()
        self._producer.poll()

    def _market(self, message: Message) -> tuple[MarketRecord, int] | None:
        """Return the market record in a message, and its time; None when it holds something else."""
        try:
            event = _events.decode(message.value)
            if event.kind != "market" or event.account_id != self._settings.account:
                return None
            body = decode(event.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None  # the account's flow writes the dead letter
        return (body, event.event_ns) if isinstance(body, MarketRecord) else None

    def _ask(self, running: Running, asked: list[tuple[str, Intent]]) -> None:
        for intent_id, intent in asked:
            event = signing.sealed(
                self._key, Role.STRATEGY, self._settings.account, intent_id, time.time_ns(), intent
            )
            self._producer.send_record(topics.ACCOUNT_EVENTS, event)
            running.intents += 1
        if asked:
            self._producer.flush(2.0)
            running.keep(at_once=True)

    def _look(self) -> None:
        """Start, swap and stop what the file says; a file that cannot be read changes nothing."""
        try:
            wanted = read_wanted(self._settings.data)
        except SettingsError as error:
            logs.get("strategist").warning("the wanted strategies cannot be read", reason=str(error))
            return
        if wanted == self._wanted:
            return
        self._wanted, self._refused = wanted, {}
        for name in [name for name in self.running if name not in wanted.strategies]:
            self.running.pop(name).forget()
            logs.get("strategist").info("strategy stopped", strategy=name)
        for name, parameters in wanted.strategies.items():
            if name in self.running and self.running[name].parameters == parameters:
                continue
            try:
                made = Running(name, parameters, self._settings.data / "strategies")
            except catalog.StrategyError as error:
                self._refused[name] = Told(
                    name=name, parameters=parameters, state="refused", detail=str(error)
                )
                continue
            self._warm(made)
            self.running[name] = made
            logs.get("strategist").info("strategy runs", strategy=name, records=made.records)
        self._tell()

    def _warm(self, running: Running) -> None:
        """Have a strategy read what the log has, up to where the others are."""
        assert self._at is not None
        reader = self._reader("strategist-warm", start_at_end=False)
        deadline_s, is_there = time.monotonic() + WARM_S, False
        asked: list[tuple[int, list[tuple[str, Intent]]]] = []
        while not is_there and time.monotonic() < deadline_s:
            for message in reader.poll(POLL_MESSAGES, POLL_S):
                at = message.position
                is_there = (at.generation, at.offset) >= (self._at.generation, self._at.offset)
                found = self._market(message)
                if found is not None:
                    asked.append((found[1], running.take(*found)))
                if is_there:
                    break
        reader.close()
        if running.is_resumed:
            for event_ns, intents in asked:
                if event_ns > running.event_ns - AGAIN_NS:
                    self._ask(running, intents)

    def _tell(self) -> None:
        told = {name: each.told() for name, each in self.running.items()} | self._refused
        private_file.replace(told_in(self._settings.data), msgspec.json.encode(told))
        now_ns = time.time_ns()
        figures = {f"{name}_intents": float(each.intents) for name, each in self.running.items()}
        health = Health(
            id=f"strategist-{now_ns}",
            recv_ns=now_ns,
            component="strategist",
            state="ok",
            detail=", ".join(self.running),
            figures={"strategies": float(len(self.running)), **figures},
        )
        self._producer.send_record(topics.HEALTH, health)

    def close(self) -> None:
        """Keep the states, deliver what waits, and leave the broker."""
        for each in self.running.values():
            each.keep(at_once=True)
        self._producer.flush(2.0)
        self._consumer.close()


def main(settings: Settings) -> int:
    """Run strategies until the process is asked to end; return its exit status.

    Raises
    ------
    SettingsError
        When no broker is named, or the keys cannot be used.
    """
    if not settings.broker:
        raise SettingsError("GENESIS_BROKER is empty: the strategist needs the address of a broker")
    stopping = process.stop_on_signals()
    probes.serve(settings, "strategist")
    ring = keys.open_keys(settings, Role.STRATEGY)
    ensure_topics(settings.broker, settings.shards)
    told_in(settings.data).unlink(missing_ok=True)
    strategist = Strategist(settings, ring[Role.STRATEGY])
    process.announce_ready()
    logs.get("strategist").info("started")
    while not stopping.is_set():
        strategist.step()
    strategist.close()
    return 0
