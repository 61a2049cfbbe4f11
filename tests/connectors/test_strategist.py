"""Strategies on a real broker: what a backtest would ask for, once, through swaps, crashes and bad files."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from genesis.connectors import settings, strategist
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import FrameConsumer, FrameProducer, ensure_topics
from genesis.connectors.settings import Settings
from genesis.connectors.strategist import Strategist, Wanted
from genesis.operators import topics
from genesis.operators.account import signing
from genesis.operators.account.events import AccountEvent, Mark, MarketRecord, Role
from genesis.operators.strategies import catalog

KEY, TICKER_KEY = b"s" * 32, b"t" * 32
START_NS = 1_700_000_000 * 10**9
QUICK = {"half_life_s": "20", "samples_min": "10", "enter": "1.0"}
OTHER = {"half_life_s": "20", "samples_min": "10", "enter": "1.2"}
DEADLINE_S = 60.0

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        ensure_topics(running.bootstrap, 1)
        yield running


class Lab:
    """An account's log of its own, written by hand, and what the strategist adds to it."""

    def __init__(self, broker: EmbeddedBroker, data: Path, account: str) -> None:
        self.settings: Settings = settings.read(
            data=data, broker=broker.bootstrap, embedded_broker=True, shards=1, account=account
        )
        self._producer = FrameProducer(broker.bootstrap, 1, embedded=True, name="test")
        parts = {strategist.PART: None}
        self._consumer = FrameConsumer(broker.bootstrap, dict(parts), fetch_wait_ms=5, name="test")
        self.asked: list[AccountEvent] = []
        self.market = _market(seed=len(account))
        self.crash()

    def tell(self, count: int) -> list[tuple[int, MarketRecord]]:
        """Append the next records to the log, as the ticker would."""
        told = [next(self.market) for _ in range(count)]
        for event_ns, record in told:
            event = signing.sealed(
                TICKER_KEY, Role.TICKER, self.settings.account, f"m-{event_ns}", event_ns, record
            )
            self._producer.send_record(topics.ACCOUNT_EVENTS, event)
        self._producer.flush(5.0)
        return told

    def want(self, **strategies: dict[str, str]) -> None:
        """Have strategies wanted."""
        strategist.want(self.settings.data, Wanted(strategies))

    def step_until(self, happened: Callable[[], object]) -> None:
        """Let the strategist work until something has happened, and read what it asked for."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < deadline_s, "waited in vain"
            self.strategist.step()
            self.read()

    def read(self) -> None:
        """Read what was asked for in this account."""
        for message in self._consumer.poll(1_000, 0.01):
            event = msgspec.json.decode(message.value, type=AccountEvent)
            if event.role == Role.STRATEGY and event.account_id == self.settings.account:
                self.asked.append(event)

    def reach(self, records: list[tuple[int, MarketRecord]]) -> None:
        """Let the strategist work until every strategy has taken the last of the records."""
        end_ns = records[-1][0]
        self.step_until(lambda: all(each.event_ns >= end_ns for each in self.strategist.running.values()))

    def crash(self) -> None:
        """Put a new strategist in the place of one that says nothing any more; it is at the log's end."""
        self.strategist = Strategist(self.settings, KEY)
        self.strategist.step()


def _market(seed: int) -> Iterator[tuple[int, MarketRecord]]:
    chance, prices, now_ns = random.Random(seed), {"ETHUSDT": 2_500.0, "BTCUSDT": 60_000.0}, START_NS
    while True:
        now_ns += 500_000_000
        marks = []
        prices = {name: price * (1.0 + chance.gauss(0.0, 4e-4)) for name, price in prices.items()}
        for name, price in prices.items():
            bid, ask = f"{price:.2f}", f"{price + 0.02:.2f}"
            marks.append(Mark(symbol=name, bid=bid, ask=ask, bid_qty="1", ask_qty="1"))
        yield now_ns, MarketRecord(marks=marks)


def in_backtest(records: list[tuple[int, MarketRecord]], parameters: dict[str, str]) -> list[tuple[int, str]]:
    """Return what the strategy asks for by itself: the time of the record, and the intent."""
    strategy = catalog.made("pairs", parameters)
    state, asked = strategy.begin(), []
    for event_ns, record in records:
        state, intents = strategy.on_market(state, record, event_ns)
        asked += [(event_ns, msgspec.json.encode(each).decode()) for each in intents]
    return asked


def as_asked(events: list[AccountEvent]) -> list[tuple[int, str]]:
    """Return the same of events."""
    return [(int(event.id.split("-")[2]), event.body) for event in events]


@pytest.fixture
def lab(broker: EmbeddedBroker, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(broker, tmp_path, f"a{abs(hash(request.node.name)) % 10**6}")
    yield made
    made.strategist.close()


def test_live_it_asks_for_what_the_backtest_asks_for(lab: Lab) -> None:
    lab.want(pairs=QUICK)
    records = lab.tell(1)
    lab.step_until(lambda: lab.strategist.running)
    records += lab.tell(600)
    lab.reach(records)
    expected = in_backtest(records, QUICK)
    assert len(expected) > 5
    lab.step_until(lambda: len(lab.asked) >= len(expected))
    assert as_asked(lab.asked) == expected
    assert all(signing.refusal({Role.STRATEGY: KEY}, event) == "" for event in lab.asked)


def test_one_that_begins_late_reads_the_log_first_and_asks_for_nothing_of_the_past(lab: Lab) -> None:
    past = lab.tell(400)
    lab.strategist.step()
    lab.want(pairs=QUICK)
    present = lab.tell(1)
    lab.step_until(lambda: lab.strategist.running)
    present += lab.tell(400)
    lab.reach(present)
    expected = [each for each in in_backtest(past + present, QUICK) if each[0] > present[0][0]]
    lab.step_until(lambda: len(lab.asked) >= len(expected))
    assert as_asked(lab.asked) == expected


def test_after_a_crash_it_goes_on_and_asks_for_nothing_under_two_ids(lab: Lab) -> None:
    lab.want(pairs=QUICK)
    records = lab.tell(1)
    lab.step_until(lambda: lab.strategist.running)
    for _ in range(3):
        records += lab.tell(150)
        lab.reach(records)
        lab.crash()
        records += lab.tell(1)
        lab.step_until(lambda: lab.strategist.running)
        lab.reach(records)
    expected = in_backtest(records, QUICK)
    lab.step_until(lambda: len({each.id for each in lab.asked}) >= len(expected))
    once = {event.id: event for event in lab.asked}
    assert as_asked(list(once.values())) == expected


def test_a_swap_stops_nobody_and_a_stop_forgets(lab: Lab) -> None:
    lab.want(pairs=QUICK, breakout={})
    records = lab.tell(1)
    lab.step_until(lambda: len(lab.strategist.running) == 2)
    untouched = lab.strategist.running["breakout"]
    lab.want(pairs=OTHER, breakout={})
    lab.step_until(lambda: lab.strategist.running["pairs"].parameters == OTHER)
    assert lab.strategist.running["breakout"] is untouched
    records += lab.tell(50)
    lab.reach(records)
    kept = lab.settings.data / "strategies"
    lab.strategist.running["pairs"].keep(at_once=True)
    assert (kept / "pairs.state").exists()
    lab.want(breakout={})
    lab.step_until(lambda: "pairs" not in lab.strategist.running)
    assert not (kept / "pairs.state").exists()
    assert set(strategist.read_told(lab.settings.data)) == {"breakout"}


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("luck", {}, "there is no strategy"),
        ("pairs", {"enter": "nan"}, "pairs"),
        ("pairs", {"e": "1"}, "pairs"),
    ],
)
def test_what_cannot_run_is_refused_with_a_sentence_and_the_others_run_on(
    lab: Lab, name: str, parameters: dict[str, str], said: str
) -> None:
    lab.want(breakout={})
    lab.tell(1)
    lab.step_until(lambda: lab.strategist.running)
    lab.want(**{"breakout": {}, name: parameters})
    lab.step_until(lambda: name in strategist.read_told(lab.settings.data))
    told = strategist.read_told(lab.settings.data)
    assert (told[name].state, told["breakout"].state) == ("refused", "running")
    assert said in told[name].detail


def test_a_file_that_cannot_be_read_changes_nothing(lab: Lab) -> None:
    lab.want(breakout={})
    lab.tell(1)
    lab.step_until(lambda: lab.strategist.running)
    strategist.wanted_in(lab.settings.data).write_text("{", encoding="utf-8")
    records = lab.tell(20)
    lab.reach(records)
    assert list(lab.strategist.running) == ["breakout"]


def test_a_symbol_of_which_no_price_comes_is_named(lab: Lab) -> None:
    lab.want(pairs={**QUICK, "first": "NOSUCHUSDT"})
    lab.tell(1)
    lab.step_until(lambda: lab.strategist.running)
    lab.reach(lab.tell(5))
    detail = lab.strategist.running["pairs"].told().detail
    assert "NOSUCHUSDT" in detail
    assert "BTCUSDT" not in detail
