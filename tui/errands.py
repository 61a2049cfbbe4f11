"""Errands: threads that carry out what the command line asks for, so that no key ever waits for it.

One looks at what a command would lead to, the newest question alone. Another sends commands and waits for
what is decided on each; one that is not decided yet holds up no other. A third tells the account what was
seen of the hands at the keys.
"""

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaException

from genesis.connectors import keys
from genesis.connectors.commanding import Commander, Teller
from genesis.connectors.ledger import LedgerError
from genesis.connectors.previewing import NoPreviewError, Previewer
from genesis.connectors.settings import Settings
from genesis.operators.account.events import ACTS_MAX, AGO_MS_MAX, Act, Role
from genesis.tui.behaviour import Seen
from genesis.tui.commands.errand import Answer, Errand, What
from genesis.tui.source import Place, Sighting

DESK_IDLE_S = 30.0
"""After so long without a command the connection for them is closed."""

TOGETHER_S = 5.0
"""How long what is seen is gathered before it is told."""

SEEN_MAX = 4 * ACTS_MAX
"""Most that waits to be told."""

DECIDED_S = 15.0
"""After so long without a decision it is said that there is none yet."""

Leave = Callable[[Answer], None]
Fail = Callable[[BaseException], None]


class Carrier(Protocol):
    """What carries errands out."""

    def start(self) -> None:
        """Begin."""

    def put(self, errand: Errand) -> None:
        """Have an errand carried out; never blocks."""

    def tell(self, seen: list[Seen]) -> None:
        """Tell the account what was seen of the hands at the keys; never blocks."""

    def stop(self) -> None:
        """Carry out no more."""


class Nobody:
    """Carries nothing out, and says so: for a dashboard that belongs to no system."""

    def __init__(self, leave: Leave) -> None:
        self._leave = leave

    def start(self) -> None:
        """Do nothing."""

    def put(self, errand: Errand) -> None:
        """Say that it goes nowhere."""
        self._leave(Answer(errand.number, trouble="no system takes commands here, so none is sent"))

    def tell(self, seen: list[Seen]) -> None:
        """Tell nobody."""

    def stop(self) -> None:
        """Do nothing."""


class Errands:
    """The threads.

    Parameters
    ----------
    settings
        Whose account it is, and where its ledger and keys are.
    look
        Returns where the broker is now.
    leave
        Called, from a thread, with each answer.
    fail
        Called, from a thread, with the defect that ended it.
    client
        By what name this dashboard is known to the account.
    """

    def __init__(
        self, settings: Settings, look: Callable[[], Sighting], leave: Leave, fail: Fail, client: str = ""
    ) -> None:
        self._settings, self._look, self._leave, self._fail = settings, look, leave, fail
        self._client = client
        self._changed = threading.Condition()
        self._question: Errand | None = None
        self._orders: list[Errand] = []
        self._seen: list[Seen] = []
        self._session = secrets.token_hex(8)
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._guarded, args=(run,), name=name, daemon=True)
            for name, run in (
                ("glances", self._glances),
                ("commands", self._commands),
                ("behaviour", self._behaviour),
            )
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def put(self, errand: Errand) -> None:
        """Have an errand carried out; a newer question takes the place of one that nobody has begun."""
        with self._changed:
            if errand.what is What.GLANCE:
                self._question = errand
            else:
                self._orders.append(errand)
            self._changed.notify_all()

    def tell(self, seen: list[Seen]) -> None:
        """Tell the account what was seen; the oldest of what nobody takes gives way."""
        if seen:
            with self._changed:
                self._seen = (self._seen + seen)[-SEEN_MAX:]
                self._changed.notify_all()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Carry out no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_s)

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            self._fail(error)
            raise

    def _key(self) -> bytes:
        return keys.open_keys(self._settings, Role.TRADER)[Role.TRADER]

    def _glances(self) -> None:
        previewer: Previewer | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._question is not None or self._stopping)
                errand, self._question = self._question, None
                if self._stopping or errand is None:
                    break
            try:
                if previewer is None:
                    previewer = Previewer(self._settings, self._key())
                self._leave(Answer(errand.number, preview=previewer.preview(errand.command)))
            except (keys.KeysError, NoPreviewError, LedgerError) as error:
                self._leave(Answer(errand.number, trouble=str(error)))
        if previewer is not None:
            previewer.close()

    def _behaviour(self) -> None:
        """Tell what was seen, a few times a minute and at the end."""
        told: tuple[Place, Teller] | None = None
        while not self._stopping:
            with self._changed:
                self._changed.wait_for(lambda: self._seen or self._stopping)
                self._changed.wait_for(lambda: self._stopping, TOGETHER_S)
                seen, self._seen = self._seen, []
            with suppress(keys.KeysError, KafkaException, OSError):
                told = self._told(told, seen)
        if told is not None:
            told[1].close()

    def _told(self, told: tuple[Place, Teller] | None, seen: list[Seen]) -> tuple[Place, Teller] | None:
        place = self._look().place
        if place is None or not seen:
            return told
        if told is None or told[0] != place:
            told = place, Teller(self._at(place), self._key(), self._client, self._session)
        now_ns = time.monotonic_ns()
        told[1].tell([_act(each, now_ns) for each in seen])
        return told

    def _commands(self) -> None:
        desk: _Desk | None = None
        while True:
            with self._changed:
                if desk is None or not desk.busy:
                    idle_s = None if desk is None else DESK_IDLE_S
                    self._changed.wait_for(lambda: self._orders or self._stopping, idle_s)
                errands, self._orders = self._orders, []
                if self._stopping:
                    break
            if desk is not None and not desk.busy and not errands:
                desk.commander.close()  # its fetches would cost the broker while nobody waits
                desk = None
                continue
            try:
                desk = self._settled(desk, errands)
            except (keys.KeysError, KafkaException, OSError) as error:
                for errand in errands:
                    self._leave(Answer(errand.number, trouble=f"nothing was sent: {error}"))
                desk = None
        if desk is not None:
            desk.commander.close()

    def _settled(self, desk: "_Desk | None", errands: list[Errand]) -> "_Desk | None":
        """Send what is new, and hand out what was decided."""
        if errands:
            place = self._look().place
            if place is None:
                for errand in errands:
                    self._leave(Answer(errand.number, trouble="nothing was sent: no system is running"))
                return desk
            if desk is None or desk.place != place:
                if desk is not None:
                    desk.commander.close()
                desk = _Desk(place, self._commander(place))
        if desk is None:
            return None
        for answer in desk.step(errands):
            self._leave(answer)
        return desk

    def _commander(self, place: Place) -> Commander:
        return Commander(self._at(place), self._key())

    def _at(self, place: Place) -> Settings:
        """Return the settings of a client at a place."""
        embedded = self._settings.embedded_broker or not self._settings.broker
        update = {"broker": place.broker, "shards": place.shards, "embedded_broker": embedded}
        return self._settings.model_copy(update=update)


def _act(seen: Seen, now_ns: int) -> Act:
    ago_ms = min(max(now_ns - seen.at_ns, 0) // 1_000_000, AGO_MS_MAX)
    return Act(what=seen.what, ago_ms=ago_ms, value=seen.value, other=seen.other, symbol=seen.symbol)


class _Desk:
    """Commands under way at one broker."""

    def __init__(self, place: Place, commander: Commander) -> None:
        self.place, self.commander = place, commander
        self._begun: dict[str, tuple[int, float]] = {}

    @property
    def busy(self) -> bool:
        """True while something waits for its decision."""
        return bool(self._begun)

    def step(self, errands: list[Errand]) -> list[Answer]:
        """Send, and return what was decided or is late."""
        for errand in errands:
            name = self.commander.begin(errand.command)
            self._begun[name] = (errand.number, time.monotonic() + DECIDED_S)
        found = []
        for name, decision in self.commander.settle().items():
            number, _ = self._begun.pop(name)
            found.append(Answer(number, decision=decision))
        for name, (number, deadline_s) in list(self._begun.items()):
            if time.monotonic() > deadline_s:
                self.commander.forget(name)
                del self._begun[name]
                words = "no decision yet; it may still be carried out, and this screen will show it"
                found.append(Answer(number, trouble=words))
        return found
