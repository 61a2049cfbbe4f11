"""Release: who of two colours writes the signals, when the other may, and when it must give them back.

States are data (`MOVES`): *settled*, one colour writes; *shadow*, the other computes beside it; *watch*, the
other writes and the first is kept warm. A flip raises the epoch by which readers know whose frames count.
The gate and the watch are the same judgement of one colour's reports beside the other's (`breaches`).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from genesis.operators.records import Health

COLOURS = ("blue", "green")


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Which colour of the market flow writes the signals. The first record of each number counts."""

    id: Annotated[str, Meta(description="identity of this record")]
    recv_ns: Annotated[int, Meta(description="when it was made, by our clock, ns since the epoch")]
    number: Annotated[int, Meta(description="one more than that of the record before")]
    epoch: Annotated[int, Meta(description="frames of a lower epoch are void behind the first of this one")]
    active: Annotated[str, Meta(description="colour that writes: blue or green")]
    phase: Annotated[str, Meta(description="settled, shadow or watch")]
    reason: Annotated[str, Meta(description="why, in a sentence")]


FIRST = Release(id="first", recv_ns=0, number=0, epoch=0, active="blue", phase="settled", reason="")
"""What holds without any record."""


class ReleaseError(ValueError):
    """A step that is not possible now; the message says what is."""


class Move(NamedTuple):
    """What a step leads to."""

    phase: str
    flips: bool


MOVES: Mapping[tuple[str, str], Move] = {
    ("settled", "start"): Move("shadow", flips=False),
    ("shadow", "promote"): Move("watch", flips=True),
    ("watch", "settle"): Move("settled", flips=False),
    ("shadow", "rollback"): Move("settled", flips=False),
    ("watch", "rollback"): Move("settled", flips=True),
}
"""Every step there is, by phase and name."""

REMEDIES = {
    "start": "a release is under way: promote it or roll it back first",
    "promote": "there is nothing to promote: begin with `genesis release start`",
    "settle": "nothing was promoted",
    "rollback": "no release is under way, so there is nothing to go back from",
}


def other(colour: str) -> str:
    """Return the other colour.

    >>> other("blue")
    'green'
    """
    return COLOURS[1 - COLOURS.index(colour)]


def stepped(now: Release, step: str, reason: str, now_ns: int) -> Release:
    """Return the record after a step.

    Raises
    ------
    ReleaseError
        When the step is not possible in this phase.

    Examples
    --------
    >>> shadow = stepped(FIRST, "start", "version 2", 5)
    >>> stepped(shadow, "promote", "the gate is open", 6).active
    'green'
    """
    move = MOVES.get((now.phase, step))
    if move is None:
        raise ReleaseError(f"{step} is not possible while the release is {now.phase}: {REMEDIES[step]}")
    return Release(
        id=f"{now.number + 1}-{now_ns}",
        recv_ns=now_ns,
        number=now.number + 1,
        epoch=now.epoch + move.flips,
        active=other(now.active) if move.flips else now.active,
        phase=move.phase,
        reason=reason,
    )


def accepted(now: Release, found: Release) -> Release:
    """Return what holds after a record was read: that record when it is the next one, else what held."""
    return found if found.number == now.number + 1 else now


class Policy(NamedTuple):
    """What is asked of a colour, over the newest reports of both; a report is about a second."""

    reports: int = 10
    report_age_s: float = 5.0
    lag_messages_max: float = 5_000
    p99_ms_max: float = 250.0
    p99_ratio_max: float = 2.0  # of the other colour's, where that is worse than p99_ms_max
    dead_letters_more_max: float = 0.0  # than the other colour in the same time
    wrong_rows_max: float = 0.0
    equal_rows_min: float = 1.0


def breaches(
    policy: Policy, judged: Sequence[Health], beside: Sequence[Health], *, shadow: str, now_ns: int
) -> list[str]:
    """Return what is the matter with a colour, in sentences; empty when it may write.

    Parameters
    ----------
    policy
        What is asked of it.
    judged, beside
        Reports of the colour and of the other one, oldest first.
    shadow
        Which of the two is the shadow, ``judged`` or ``beside``: it is the one that compares.
    now_ns
        The time now, by the clock that made the reports, in ns since the epoch.
    """
    mine, theirs = judged[-policy.reports :], beside[-policy.reports :]
    if len(mine) < policy.reports:
        return [f"{len(mine)} reports of {policy.reports} have come"]
    age_s = (now_ns - mine[-1].recv_ns) / 1e9
    if age_s > policy.report_age_s:
        return [f"it has not reported for {age_s:.0f} s"]
    found = []
    lag = _median(mine, "lag_messages")
    if lag > policy.lag_messages_max:
        found.append(f"it is {lag:.0f} messages behind, more than {policy.lag_messages_max:.0f}")
    p99_ms, theirs_ms = _median(mine, "tick_to_signal_p99_ms"), _median(theirs, "tick_to_signal_p99_ms")
    most_ms = max(policy.p99_ms_max, policy.p99_ratio_max * theirs_ms)
    if p99_ms > most_ms:
        found.append(f"its 99th percentile of tick to signal is {p99_ms:.0f} ms, more than {most_ms:.0f}")
    letters = _grown(mine, "dead_letters") - _grown(theirs, "dead_letters")
    if letters > policy.dead_letters_more_max:
        found.append(f"it refused {letters:.0f} messages more than the other")
    witness = mine if shadow == "judged" else theirs
    return found + _differences(policy, witness, shadow)


def _differences(policy: Policy, witness: Sequence[Health], shadow: str) -> list[str]:
    """Return what the shadow's comparison says; without reports of it, only the gate is held shut."""
    if len(witness) < 2:
        return ["nobody compares its rows yet"] if shadow == "judged" else []
    wrong, equal = _grown(witness, "parity_wrong_rows"), _grown(witness, "parity_equal_rows")
    if wrong > policy.wrong_rows_max:
        return [f"{wrong:.0f} rows are not those of the other colour ({equal:.0f} are)"]
    behind = witness[-1].figures.get("parity_unaligned_partitions", 1.0)
    if shadow == "judged" and behind:
        return [f"its rows cannot be compared yet in {behind:.0f} partitions of signals"]
    if shadow == "judged" and equal < policy.equal_rows_min:
        return ["no rows could be compared: the market is silent"]
    return []


def _median(reports: Sequence[Health], name: str) -> float:
    """Return the middle of a figure's values, 0 without any; one slow second is no breach."""
    values = sorted(each.figures[name] for each in reports if name in each.figures)
    return values[len(values) // 2] if values else 0.0


def _grown(reports: Sequence[Health], name: str) -> float:
    """Return by how much a count has grown; a process that began anew counts from 0."""
    values = [each.figures.get(name, 0.0) for each in reports]
    return sum(b - a if b >= a else b for a, b in pairwise(values))
