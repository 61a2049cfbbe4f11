"""Where one topic is being written: generation, numbers of its frames, and how full the generation is."""

import time
from collections import deque

MESSAGE_OVERHEAD_BYTES = 200
"""What a message costs the broker's memory besides its value, headers included; an estimate."""

GENERATION_BATCHES = 1_500
"""The embedded broker walks through all batches of a partition for every fetch, and falls silent at
some 15,000 of them; so a topic rolls after so many in one partition, however small."""

BATCH_APART_S = 0.001
"""Messages of one partition that come closer than this travel in one batch, more or less."""

RECENT_RECORDS_MAX = 10_000
"""Most records since the last look that are kept to be sent again after a roll."""


class Stream:
    """Where one topic is being written."""

    def __init__(self, generation: int, log_id: str) -> None:
        self.generation = generation
        self.log_id = log_id
        self.sent_bytes = self.sent = self.told = 0
        self.batches: dict[int, float] = {}
        self.sent_s: dict[int, float] = {}
        self.numbers: dict[int, int] = {}
        self.looked_s = time.monotonic()
        self.recent: deque[bytes] = deque(maxlen=RECENT_RECORDS_MAX)

    def count(self, partition: int, size: int) -> None:
        """Note a message that was sent."""
        now_s = time.monotonic()
        apart = now_s - self.sent_s.get(partition, 0.0) > BATCH_APART_S
        self.batches[partition] = self.batches.get(partition, 0.0) + (1.0 if apart else 0.1)
        self.sent_s[partition] = now_s
        self.sent += 1
        self.sent_bytes += size + MESSAGE_OVERHEAD_BYTES

    def fill(self, generation_bytes: int) -> float:
        """Return how full this generation is; from 1 on it is time to roll."""
        return max(
            self.sent_bytes / generation_bytes, max(self.batches.values(), default=0.0) / GENERATION_BATCHES
        )

    def move(self, generation: int, log_id: str) -> None:
        """Go on in another generation."""
        self.generation, self.log_id = generation, log_id
        self.sent_bytes = 0
        self.batches.clear()
