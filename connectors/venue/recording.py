"""Recordings as a source: several files, merged by receive time, read as they are played."""

import heapq
from collections.abc import Iterator, Sequence
from math import gcd
from operator import itemgetter
from pathlib import Path

from genesis.connectors.venue.recording_file import RecordingError, RecordingFile
from genesis.connectors.venue.source import Counts, Instrument, Message, StreamKey
from genesis.operators.records import Market

__all__ = ["RecordingError", "RecordingSource", "open_recordings"]


class RecordingSource:
    """The messages of several recordings in the order of ``recv_ns``; at equal times, in file order.

    Of each file only a few lines are in memory at a time.
    """

    live = False

    def __init__(self, files: Sequence[RecordingFile]) -> None:
        self._files = tuple(files)
        self.description = f"{len(self._files)} recording{'s' if len(self._files) != 1 else ''}"
        self.counts = Counts()
        self.start_ns = min(file.start_ns for file in self._files)
        self.instruments = _merged([each for file in self._files for each in file.instruments])
        self.streams: dict[StreamKey, str] = {}
        self.opening: dict[tuple[Market, str], Message] = {}
        for file in self._files:
            self.streams = {**file.streams, **self.streams}
            for key, message in file.opening.items():
                known = self.opening.get(key, message)
                self.opening[key] = min(known, message, key=itemgetter(0))

    def __iter__(self) -> Iterator[Message]:
        add = self.counts.add
        for message in heapq.merge(*self._files, key=itemgetter(0)):
            add(message.market, message.symbol, message.kind)
            yield message

    def fraction(self) -> float | None:
        """Return how much of the files has been read."""
        total = sum(file.bytes_total for file in self._files)
        return sum(file.bytes_read for file in self._files) / total if total else 1.0


def _merged(instruments: list[Instrument]) -> tuple[Instrument, ...]:
    """Return each instrument once, with increments that suit all files it is in."""
    found: dict[str, Instrument] = {}
    for each in instruments:
        known = found.get(each.name, each)
        tick_e8, step_e8 = gcd(known.tick_e8, each.tick_e8), gcd(known.step_e8, each.step_e8)
        found[each.name] = each._replace(tick_e8=tick_e8, step_e8=step_e8)
    return tuple(found.values())


def open_recordings(names: Sequence[str]) -> RecordingSource:
    """Return the source made of the named files.

    Parameters
    ----------
    names
        Paths; ``usdm=PATH`` (or ``spot=``, ``coinm=``) when a file does not show its market.

    Raises
    ------
    RecordingError
        When a file cannot be used or is named twice.
    """
    files: list[RecordingFile] = []
    paths: set[Path] = set()
    for name in names:
        prefix, _, rest = name.partition("=")
        market = Market[prefix.upper()] if rest and prefix.upper() in Market.__members__ else None
        path = Path(rest if market else name)
        if path.resolve() in paths:
            raise RecordingError(path, 0, "is named twice", "name it once")
        paths.add(path.resolve())
        files.append(RecordingFile(path, market))
    return RecordingSource(files)
