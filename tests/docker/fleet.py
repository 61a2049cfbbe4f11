"""The system as containers, one part in each, on the host's network: started, probed, killed, looked at.

Kafka and PostgreSQL run outside of containers, from Apache's jars and from a package, since their images
cannot be pulled everywhere. ClickHouse is the embedded one, in the image that has it; everything else runs
from the cluster image. The market is a recording, played by the simulated venue; orders are paper.
"""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genesis.connectors import keys
from genesis.connectors.broker import free_port
from tests.docker.engine import Engine
from tests.system.running import ask, wait_for

PARTS = ("store", "market", "account", "ticker", "gateway", "feed")
"""In the order in which they are started."""

KEYS = {
    "account": keys.NAMES,
    "ticker": ("ticker",),
    "gateway": ("gateway", "permit", "ticker"),
}
"""What is mounted for a part; the others get no key."""

HARDENED = ("--read-only", "--tmpfs", "/tmp:size=256m", "--cap-drop", "ALL", "--pids-limit", "256")
HARDENED += ("--security-opt", "no-new-privileges", "--network", "host")

MEMORY_MB = 900
USER = 10_001


class Fleet:
    """The containers of one system.

    Parameters
    ----------
    engine
        Where they run.
    folder
        For secrets and keys; readable by the user of the containers.
    broker, ledger_url
        Where Kafka and PostgreSQL are.
    """

    def __init__(self, engine: Engine, folder: Path, broker: str, ledger_url: str) -> None:
        self.engine, self.folder = engine, folder
        self.prefix = f"genesis-test-{secrets.token_hex(3)}"
        self.ports = {part: free_port() for part in PARTS}
        self.venue_port, self.store_port = free_port(), free_port()
        self.started_s: dict[str, float] = {}
        self._containers: list[str] = []
        self._settings = {
            "GENESIS_BROKER": broker,
            "GENESIS_TRADING": "paper",
            "GENESIS_VENUE_URL": f"http://127.0.0.1:{self.venue_port}",
            "GENESIS_STORE_PORT": self.store_port,
            "GENESIS_EPOCH_S": 2,
        }
        self._ring(ledger_url)

    def _ring(self, ledger_url: str) -> None:
        """Have the image make the keys, and lay out what each part is given."""
        everything = self.folder / "keys"
        everything.mkdir(mode=0o700)
        self.own(everything)
        self.run("keys", "genesis/cluster:dev", ("keys",), mounts=[f"{everything}:/run/genesis/keys"])
        for part, names in KEYS.items():
            ring = self.folder / part
            ring.mkdir(mode=0o700)
            for name in names:
                target = ring / f"{name}.key"
                target.write_bytes((everything / f"{name}.key").read_bytes())
                target.chmod(0o600)
                self.own(target)
            self.own(ring)
        secret = self.folder / "ledger_url"
        secret.write_text(ledger_url + "\n")
        secret.chmod(0o400)
        self.own(secret)

    def own(self, path: Path) -> None:
        """Give a file to the user of the containers, by the engine, so that we need not be root."""
        words = ("--rm", "--user", "0", "--entrypoint", "chown", "-v", f"{path.parent}:/at")
        self.engine("run", *words, "genesis/cluster:dev", f"{USER}:{USER}", f"/at/{path.name}")

    def run(self, name: str, image: str, words: tuple[str, ...], *, mounts: list[str]) -> str:
        """Run a command to its end in a container with a read-only root; return what it said."""
        given = [each for mount in mounts for each in ("-v", mount)]
        settings = [each for key, value in self._settings.items() for each in ("-e", f"{key}={value}")]
        called = ("--name", f"{self.prefix}-{name}", "--rm")
        return self.engine("run", *called, *HARDENED, *given, *settings, image, *words)

    def _start(self, name: str, image: str, words: tuple[str, ...], *options: str) -> None:
        container = f"{self.prefix}-{name}"
        self._containers.append(container)
        settings = [each for key, value in self._settings.items() for each in ("-e", f"{key}={value}")]
        limits = ("--memory", f"{MEMORY_MB}m", "--restart", "on-failure")
        self.engine(
            "run", "--detach", "--name", container, *HARDENED, *limits, *settings, *options, image, *words
        )

    def start_venue(self, recordings: Path, *names: str) -> None:
        """Play recordings, at the speed of their time."""
        files = [word for name in names for word in ("--replay", f"/recordings/{name}")]
        words = ("venue", *files, "--speed", "1", "--port", str(self.venue_port))
        self._start(
            "venue", "genesis/cluster:dev", words, "-v", f"{recordings}:/recordings:ro", "--no-healthcheck"
        )

    def start(self, part: str) -> None:
        """Start a part, and wait until it is ready."""
        options = ["-v", f"{self.prefix}-{part}:/var/lib/genesis"]
        options += ["-e", f"GENESIS_METRICS_PORT={self.ports[part]}"]
        if part in KEYS:
            options += ["-v", f"{self.folder / part}:/run/genesis/keys:ro"]
        if part in ("account", "gateway"):
            options += ["-v", f"{self.folder / 'ledger_url'}:/run/secrets/ledger_url:ro"]
            options += ["-e", "GENESIS_LEDGER_URL_FILE=/run/secrets/ledger_url"]
        begun_s = time.monotonic()
        self._start(
            part, f"genesis/{'embedded' if part == 'store' else 'cluster'}:dev", ("run", part), *options
        )
        self.until(lambda: self.answers(part), f"{part} to serve")
        self.started_s[part] = time.monotonic() - begun_s

    def container(self, part: str) -> str:
        """Return the name of a part's container."""
        return f"{self.prefix}-{part}"

    def _asked(self, part: str, path: str) -> tuple[int, bytes]:
        """Return status and body of a probe; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[part]}{path}", timeout=2) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def answers(self, part: str) -> bool:
        """Say whether a part has said that it serves, whatever it still waits for."""
        status, body = self._asked(part, "/readyz")
        return status > 0 and "it is still starting" not in json.loads(body)["reasons"]

    def ready(self, part: str) -> bool:
        """Say whether a part is ready."""
        return self._asked(part, "/readyz")[0] == 200

    def metrics(self, part: str) -> str:
        """Return what a part measures."""
        return self._asked(part, "/metrics")[1].decode()

    def metric(self, part: str, name: str) -> float:
        """Return the sum of a metric over its labels; 0 when it is not there."""
        lines = [line for line in self.metrics(part).splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def rows(self, table: str) -> int:
        """Return how many rows a table has; 0 while the store does not answer."""
        try:
            return int(
                ask(f"http://127.0.0.1:{self.store_port}", f"SELECT count() FROM genesis.{table}")[0][0]
            )
        except OSError:
            return 0

    def kill(self, part: str) -> float:
        """Kill a part's process as a crash would; return the seconds until it is ready again."""
        name = self.container(part)
        restarts = self.engine.inspect(name)["RestartCount"]
        begun_s = time.monotonic()
        self.engine.tried("exec", name, "sh", "-c", "kill -9 -1")
        self.until(
            lambda: self.engine.inspect(name)["RestartCount"] > restarts, f"{part} to be started again"
        )
        self.until(lambda: self.ready(part), f"{part} to be ready again")
        return time.monotonic() - begun_s

    def until(self, happened: Callable[[], Any], what: str) -> None:
        """Wait until something has happened; else show the ends of the logs."""
        try:
            wait_for(happened, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None

    def logs(self) -> str:
        """Return the end of what each container said."""
        found = []
        for name in self._containers:
            said = self.engine.tried("logs", "--tail", "5", name)
            found.append(f"== {name}\n{said.stdout[-700:]}{said.stderr[-1200:]}")
        return "\n".join(found)

    def close(self) -> None:
        """Remove the containers and their volumes."""
        if self._containers:
            self.engine.tried("rm", "--force", "--volumes", *self._containers)
        for part in PARTS:
            self.engine.tried("volume", "rm", "--force", f"{self.prefix}-{part}")
