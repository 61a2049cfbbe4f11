"""What every process of the system does alike: warm up, say that it is ready, stop, die with its parent."""

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from genesis.connectors import probes

PR_SET_PDEATHSIG = 1


def announce_ready(**facts: object) -> None:
    """Tell the supervisor, on standard output, that this process serves, and where."""
    probes.started()
    sys.stdout.write(json.dumps({"ready": facts}) + "\n")
    sys.stdout.flush()


def die_with_parent() -> None:
    """Have this process killed when its parent ends, however that ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def warm_up(compile_kernels: Callable[[], None]) -> None:
    """Compile kernels in a child process, then load them here from the cache on disk.

    The compiler keeps the memory that it once needed, some 200 MB for all kernels of a flow: here it
    goes with the child. Call it before this process has threads. When the child fails, the error is
    met again here.
    """
    child = os.fork()
    if child == 0:
        try:
            die_with_parent()
            compile_kernels()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    compile_kernels()


def stop_on_signals() -> threading.Event:
    """Return an event that is set when the process is asked to end (SIGTERM, SIGINT)."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
