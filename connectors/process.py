"""What every process of the system does alike: say that it is ready, and stop when asked."""

import json
import signal
import sys
import threading
from types import FrameType


def announce_ready(**facts: object) -> None:
    """Tell the supervisor, on standard output, that this process serves, and where."""
    sys.stdout.write(json.dumps({"ready": facts}) + "\n")
    sys.stdout.flush()


def stop_on_signals() -> threading.Event:
    """Return an event that is set when the process is asked to end (SIGTERM, SIGINT)."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
