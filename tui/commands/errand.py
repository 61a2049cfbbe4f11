"""Errands: what the command line asks the world for, and the answers, as values.

The fold of keys makes an `Errand`; a thread carries it out; its `Answer` comes back as any record does. Each
has a number, so that an answer is shown with its own question alone.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from genesis.operators.account.events import Command
from genesis.operators.account.outcomes import Decision
from genesis.operators.account.preview import Preview

ANSWERS_MAX = 16
"""Answers that are remembered, the newest."""


class What(Enum):
    """What is to be done with a command."""

    GLANCE = "look at what it would lead to, unless there is a newer question"
    SEND = "have it decided"


class Errand(NamedTuple):
    """One thing to do."""

    number: int
    what: What
    command: Command


class Answer(NamedTuple):
    """What became of an errand: a preview, a decision, or what stood in the way in a calm sentence."""

    number: int
    preview: Preview | None = None
    decision: Decision | None = None
    trouble: str = ""


def newest_answers(first: Mapping[int, Answer], then: Mapping[int, Answer]) -> Mapping[int, Answer]:
    """Return the newest answers of both, by their numbers.

    >>> list(newest_answers({n: Answer(n) for n in range(20)}, {20: Answer(20)}))[:2]
    [5, 6]
    """
    if not then:
        return first
    both = {**first, **then}
    return {number: both[number] for number in sorted(both)[-ANSWERS_MAX:]}
