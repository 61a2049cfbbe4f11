"""Commanding: send a command into an account's log, and wait for what was decided.

A command without a decision is sent again with the same id, which changes nothing when the first arrived.
"""

import secrets
import time

import msgspec

from genesis.connectors.kafka import BrokerUnreachable, FrameConsumer, FrameProducer, QueueFull
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.account import signing
from genesis.operators.account.events import Command
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
        self._consumer.poll(POLL_MESSAGES, POLL_S)  # finds the end of the topic, so that no answer is missed

    def ask(self, command: Command, timeout_s: float, command_id: str = "") -> Decision:
        """Send a command; return the decision on it.

        Raises
        ------
        NoDecisionError
            When none came in time. The command may still be carried out.
        """
        command_id = command_id or secrets.token_hex(12)
        event = signing.sealed(
            self._key, self._role, self._settings.account, command_id, time.time_ns(), command
        )
        deadline_s, sent_s = time.monotonic() + timeout_s, -AGAIN_S
        while time.monotonic() < deadline_s:
            if time.monotonic() - sent_s > AGAIN_S:
                sent_s = time.monotonic()
                try:
                    self._producer.send_record(topics.ACCOUNT_EVENTS, event)
                except QueueFull:
                    continue
                except BrokerUnreachable:
                    sent_s += LOOK_AGAIN_S - AGAIN_S
                    continue
            self._producer.poll()
            for message in self._consumer.poll(POLL_MESSAGES, POLL_S):
                decision = _decoder.decode(message.value)
                if decision.cause == command_id and decision.subject == event.kind:
                    return decision
        raise NoDecisionError(
            f"no decision on {event.kind} within {timeout_s:g} s. It may still be carried out under the id "
            f"{command_id}; see `genesis orders`, and the log of account"
        )

    def close(self) -> None:
        """Leave the broker."""
        self._producer.flush(1.0)
        self._consumer.close()
