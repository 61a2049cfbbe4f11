"""Commanding: send a command into an account's log, and wait for what was decided.

A command without a decision is sent again with the same id, which changes nothing when the first arrived.
"""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from genesis.connectors.kafka import BrokerUnreachable, FrameConsumer, FrameProducer, QueueFull
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.account import signing
from genesis.operators.account.events import (
    ACTS_MAX,
    AccountEvent,
    Act,
    Behaviour,
    Command,
    Role,
    StressReplay,
    kind_of,
)
from genesis.operators.account.outcomes import Decision

AGAIN_S = 3.0
"""A command without a decision is sent again after so long."""

LOOK_AGAIN_S = 0.5
"""After so long a broker that was away is tried again."""

POLL_S = 0.05
FETCH_WAIT_MS = 20
POLL_MESSAGES = 500

_decoder = msgspec.json.Decoder(Decision)


class NoDecisionError(RuntimeError):
    """Nothing was decided in time; the message says what to look at."""


class Teller:
    """One who tells an account what hands did at the keys, and waits for no answer.

    Parameters
    ----------
    settings
        Where the broker is, and which account.
    key
        Key of the trader.
    client, session
        By what names the account knows the machine and user, and the dashboard that was opened.
    """

    def __init__(self, settings: Settings, key: bytes, client: str, session: str) -> None:
        self._account, self._key = settings.account, key
        self._client, self._session = client, session
        self._producer = FrameProducer.of(settings, "behaviour")

    def tell(self, acts: Sequence[Act]) -> None:
        """Send, oldest first; what a broker that is away does not take is lost."""
        for first in range(0, len(acts), ACTS_MAX):
            told = tuple(acts[first : first + ACTS_MAX])
            body = Behaviour(client=self._client, session=self._session, acts=told)
            number, now_ns = secrets.token_hex(12), time.time_ns()
            event = signing.sealed(self._key, Role.TRADER, self._account, number, now_ns, body)
            with suppress(QueueFull, BrokerUnreachable):
                self._producer.send_record(topics.ACCOUNT_EVENTS, event)
                self._producer.poll()

    def arrive(self, wait_s: float) -> None:
        """Wait up to ``wait_s`` until the log has what was told; what others send later is behind it."""
        self._producer.flush(wait_s)

    def close(self) -> None:
        """Send what waits, and leave the broker."""
        self._producer.flush(1.0)


@dataclass
class _Waiting:
    """A command without a decision, and when it was sent last, monotonic."""

    event: AccountEvent
    sent_s: float


class Commander:
    """One who may command an account.

    Parameters
    ----------
    settings
        Where the broker is, and which account.
    key
        Key of the role.
    role
        Who commands.
    """

    def __init__(self, settings: Settings, key: bytes, role: str = "trader") -> None:
        self._settings, self._key, self._role = settings, key, role
        self._consumer = FrameConsumer(
            settings.broker,
            {(topics.DECISIONS.name, 0): None},
            fetch_wait_ms=FETCH_WAIT_MS,
            start_at_end=True,
            name=f"command-{secrets.token_hex(3)}",
        )
        self._producer = FrameProducer.of(settings, "command")
        self._waiting: dict[str, _Waiting] = {}
        self._consumer.poll(POLL_MESSAGES, POLL_S)  # finds the end of the topic when the broker is there

    def begin(self, command: Command | StressReplay, command_id: str = "") -> str:
        """Send a command; return its id, by which `settle` gives the decision on it."""
        command_id = command_id or secrets.token_hex(12)
        event = signing.sealed(
            self._key, self._role, self._settings.account, command_id, time.time_ns(), command
        )
        self._waiting[command_id] = _Waiting(event, self._send(event))
        return command_id

    def _send(self, event: AccountEvent) -> float:
        """Send; return the moment from which on it waits for its decision.

        Nothing is sent before the decisions are being read: a repeat of a decided command gets no answer.
        """
        now_s = time.monotonic()
        if not self._consumer.is_located():
            return -AGAIN_S
        try:
            self._producer.send_record(topics.ACCOUNT_EVENTS, event)
        except QueueFull:
            return -AGAIN_S
        except BrokerUnreachable:
            return now_s + LOOK_AGAIN_S - AGAIN_S
        return now_s

    def settle(self, wait_s: float = POLL_S) -> dict[str, Decision]:
        """Return decisions on commands that were begun, by their ids, after waiting up to ``wait_s``."""
        for waiting in self._waiting.values():
            if time.monotonic() - waiting.sent_s > AGAIN_S:
                waiting.sent_s = self._send(waiting.event)
        self._producer.poll()
        found = {}
        for message in self._consumer.poll(POLL_MESSAGES, wait_s):
            decision = _decoder.decode(message.value)
            begun = self._waiting.get(decision.cause)
            if begun is not None and decision.subject == begun.event.kind:
                del self._waiting[decision.cause]
                found[decision.cause] = decision
        return found

    def forget(self, command_id: str) -> None:
        """Wait for the decision on a command no longer."""
        self._waiting.pop(command_id, None)

    def ask(self, command: Command | StressReplay, timeout_s: float, command_id: str = "") -> Decision:
        """Send a command; return the decision on it.

        Raises
        ------
        NoDecisionError
            When none came in time. The command may still be carried out.
        """
        command_id = self.begin(command, command_id)
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            found = self.settle().get(command_id)
            if found is not None:
                return found
        self.forget(command_id)
        raise NoDecisionError(
            f"no decision on {kind_of(command)} within {timeout_s:g} s. It may still be carried out under "
            f"the id {command_id}; see `genesis orders`, and the log of account"
        )

    def close(self) -> None:
        """Leave the broker."""
        self._producer.flush(1.0)
        self._consumer.close()
