"""Conducting: lead a release through gate, flip and watch, by what the two colours report.

Nothing is kept here: whoever is interrupted begins again, and goes on where the control topic says.
"""

import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from genesis.connectors.kafka import FrameConsumer
from genesis.connectors.release.control import Control
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.records import Health
from genesis.operators.release import COLOURS, Policy, Release, breaches, other, stepped

POLL_S = 0.2
KEPT = 120
"""Reports of a colour that are kept."""

SILENT_FACTOR = 3
"""A colour that was given the signals must have reported within so many times the reports asked for."""

_decoder = msgspec.json.Decoder(Health)
Say = Callable[[str], None]


class Outcome(NamedTuple):
    """How a release ended, or stands."""

    release: Release
    promoted: bool
    reasons: list[str]


class Reports:
    """What both colours report, newest last, from now on."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = FrameConsumer(
            settings.broker,
            {(topics.HEALTH.name, 0): None},
            fetch_wait_ms=50,
            start_at_end=True,
            name=f"release-reports-{secrets.token_hex(3)}",
        )
        self.of: dict[str, deque[Health]] = {colour: deque(maxlen=KEPT) for colour in COLOURS}

    def poll(self) -> None:
        """Read what has come."""
        for message in self._consumer.poll(500, POLL_S):
            try:
                health = _decoder.decode(message.value)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if "release_green" in health.figures:
                self.of[COLOURS[int(health.figures["release_green"])]].append(health)

    def forget(self) -> None:
        """Begin anew: what was reported before a flip says nothing about what comes after it."""
        for each in self.of.values():
            each.clear()

    def breaches(self, release: Release, policy: Policy) -> list[str]:
        """Return what is the matter with the colour that the phase is about."""
        watch = release.phase == "watch"
        judged = release.active if watch else other(release.active)
        return breaches(
            policy,
            list(self.of[judged]),
            list(self.of[other(judged)]),
            shadow="beside" if watch else "judged",
            now_ns=time.time_ns(),
        )

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


class Conductor:
    """Leads one release.

    Parameters
    ----------
    settings
        Where the broker is.
    control
        The control topic, read to its end.
    policy
        What is asked of a colour.
    say
        Called with a sentence when something happens.
    """

    def __init__(self, settings: Settings, control: Control, policy: Policy, say: Say) -> None:
        self._settings, self._control, self._policy, self._say = settings, control, policy, say
        self._reports = Reports(settings)

    def step(self, name: str, reason: str) -> Release:
        """Take a step and wait until it holds; raises ReleaseError when it is not possible now."""
        record = stepped(self._control.now, name, reason, time.time_ns())
        self._control.write(self._settings, record)
        return self._control.now

    def promote(self, wait_s: float, watch_s: float) -> Outcome:
        """Wait for the gate, flip, watch, and go back on a breach.

        Raises
        ------
        ReleaseError
            When no release is under way, or somebody else changed it.
        """
        if self._control.now.phase != "watch":
            stepped(self._control.now, "promote", "", 0)  # refuses at once what is not possible
            reasons = self._gate(wait_s)
            if reasons:
                return Outcome(self._control.now, promoted=False, reasons=reasons)
            now = self.step("promote", "the gate is open")
            self._say(f"{now.active} has the signals (epoch {now.epoch}); watching it for {watch_s:.0f} s")
        return self._watch(watch_s)

    def _gate(self, wait_s: float) -> list[str]:
        """Wait until the gate is open; return what still holds it shut."""
        deadline_s, said = time.monotonic() + wait_s, ""
        while True:
            self._reports.poll()
            reasons = self._reports.breaches(self._control.now, self._policy)
            if not reasons or time.monotonic() > deadline_s:
                return reasons
            kind = re.sub(r"[0-9]+", "", reasons[0])
            if kind != said:
                said = kind
                self._say(f"waiting: {reasons[0]}")

    def _watch(self, watch_s: float) -> Outcome:
        began_s = time.monotonic()
        self._reports.forget()
        while time.monotonic() - began_s < watch_s:
            self._reports.poll()
            self._control.poll()
            if self._control.now.phase != "watch":
                return Outcome(self._control.now, promoted=False, reasons=[self._control.now.reason])
            reasons = self._breaches_now(time.monotonic() - began_s)
            if reasons:
                now = self.step("rollback", "; ".join(reasons))
                self._say(f"{now.active} has the signals again (epoch {now.epoch}): {now.reason}")
                return Outcome(now, promoted=False, reasons=reasons)
        now = self.step("settle", "nothing was the matter while it was watched")
        return Outcome(now, promoted=True, reasons=[])

    def _breaches_now(self, passed_s: float) -> list[str]:
        """Return what is the matter; too few reports are, only when they should have come."""
        active = self._control.now.active
        few = len(self._reports.of[active]) < self._policy.reports
        if few and passed_s < SILENT_FACTOR * self._policy.reports:
            return []
        return self._reports.breaches(self._control.now, self._policy)

    def figures(self, seconds: float) -> dict[str, dict[str, float]]:
        """Return the newest figures of each colour that reports within some seconds."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s and not all(self._reports.of.values()):
            self._reports.poll()
        return {colour: dict(reports[-1].figures) for colour, reports in self._reports.of.items() if reports}

    def close(self) -> None:
        """Leave the broker."""
        self._reports.close()
