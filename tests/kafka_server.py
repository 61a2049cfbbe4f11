"""Apache Kafka on loopback, for tests and benchmarks: one real node that can be killed and restarted.

The jars are resolved once by Maven from ``tests/kafka/pom.xml`` and kept in ``build/``, under a name that
contains the hash of that file. Nothing is installed, and nothing outside ``build/``, Maven's own cache and
the given folder is written.
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).resolve().parent.parent
POM = ROOT / "tests" / "kafka" / "pom.xml"

RESOLVE_TIMEOUT_S = 600
"""Longest that Maven may take to fetch the jars, about 45 MB."""

START_TIMEOUT_S = 60.0
"""Longest from the start of the process until it answers; two or three seconds are usual."""

STOP_TIMEOUT_S = 20.0
"""Longest for an orderly end; then the process is killed."""

HEAP_MB = 512
"""Largest Java heap. The process takes some 150 MB more."""

LOG_TAIL_LINES = 20
"""Lines of the server's log that an error quotes."""

# As in Kafka's own start script, so that latencies are those of a Kafka as people run it.
JVM_OPTIONS = (
    "-server",
    "-Xms128m",
    f"-Xmx{HEAP_MB}m",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-Djava.awt.headless=true",
    "-Dorg.apache.logging.log4j.level=WARN",
)

# One node is broker and controller. Segments, indexes and the cleaner's buffer are small, because a test
# writes little and a laptop has little; topics are created by name, so that a misspelt one is an error.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker_port}
log.dirs={log_dirs}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=250
broker.session.timeout.ms=1500
num.network.threads=2
num.io.threads=2
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=4194304
"""


class KafkaUnavailable(RuntimeError):
    """Apache Kafka cannot be had on this machine; the message says what is missing and what to do."""


class KafkaFailed(RuntimeError):
    """The server did not start; the message quotes the end of its log."""


def _program(name: str) -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=f"{home}/bin") if home else None
    found = found or shutil.which(name)
    if found is None:
        raise KafkaUnavailable(f"Apache Kafka needs Java 17 and Maven, but there is no {name}: install it")
    return found


def jar_folder() -> Path:
    """Return where the jars are, or will be, for the present ``pom.xml``."""
    text = POM.read_bytes()
    version = re.search(rb"<kafka\.version>([\d.]+)</kafka\.version>", text)
    assert version is not None, f"{POM} names no kafka.version"
    name = f"kafka-{version[1].decode()}-{hashlib.sha256(text).hexdigest()[:8]}"
    return ROOT / "build" / name / "lib"


def resolve_jars() -> Path:
    """Return the folder with Kafka's jars, fetching them first if this ``pom.xml`` has not been resolved yet.

    Raises
    ------
    KafkaUnavailable
        When there is no Java or Maven, or when Maven cannot fetch the jars.
    """
    _program("java")
    folder = jar_folder()
    if folder.is_dir():
        return folder
    maven = _program("mvn")
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="kafka-partial-") as partial:
        command = [maven, "--batch-mode", "--quiet", "--strict-checksums", "-Dstyle.color=never"]
        command += ["-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={partial}/lib"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=RESOLVE_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise KafkaUnavailable(
                f"Maven did not fetch Kafka's jars within {RESOLVE_TIMEOUT_S} s: see whether Maven Central "
                "can be reached"
            ) from None
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
            raise KafkaUnavailable(
                f"Maven could not fetch Kafka's jars: {said[0]} (try: mvn -f {POM} dependency:resolve)"
            )
        folder.parent.mkdir(exist_ok=True)
        try:
            (Path(partial) / "lib").rename(folder)
        except OSError:  # another process was quicker
            if not folder.is_dir():
                raise
    return folder


def _free_ports(count: int) -> list[int]:
    """Return free ports of 127.0.0.1; all are held until the last is found, so no two are equal."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class ApacheKafka:
    """One node whose data, settings and log lie in ``folder``. Use it by ``apache_kafka``.

    Attributes
    ----------
    bootstrap
        Address for clients; the same after each restart.
    log_path
        What the server writes to standard output and standard error.
    """

    def __init__(self, folder: Path) -> None:
        self._jars = resolve_jars()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        broker_port, controller_port = _free_ports(2)
        self.bootstrap = f"127.0.0.1:{broker_port}"
        self.log_path = folder / "server.log"
        self._settings = folder / "server.properties"
        self._settings.write_text(
            PROPERTIES.format(
                broker_port=broker_port,
                controller_port=controller_port,
                log_dirs=(folder / "data").resolve().as_posix(),
            ),
            encoding="utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise KafkaFailed("Apache Kafka is not running: call start() first")
        return self._process.pid

    def start(self) -> None:
        """Start the server on its folder, formatted if it is new, and return when it answers.

        Raises
        ------
        KafkaFailed
            When it ends before, or does not answer within START_TIMEOUT_S.
        """
        assert self._process is None, "already running"
        with self.log_path.open("ab") as log:
            if not (self._folder / "data" / "meta.properties").exists():
                # Kafka's ids are 16 bytes in base64; the leading zero keeps it from looking like an option.
                cluster_id = urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
                tool = self._java("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config")
                if subprocess.run(tool, stdout=log, stderr=log, check=False).returncode:
                    raise KafkaFailed(f"Apache Kafka could not format {self._folder}: {self._log_tail()}")
            self._process = self._spawn(log)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the server in good order; kill it if it takes longer than STOP_TIMEOUT_S."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the server at once, as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Start again on the same data and the same port, after stopping it if it still runs."""
        self.stop()
        self.start()

    def _java(self, main: str, *arguments: str) -> list[str]:
        options = [*JVM_OPTIONS, "-cp", f"{self._jars}/*"]
        return [_program("java"), *options, main, *arguments, str(self._settings)]

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = self._java("kafka.Kafka")
        # A session of its own: Ctrl-C goes to the tests, which then stop the server.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self._folder,
            start_new_session=True,
        )

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap,
                "log_level": 0,  # refused connections are expected
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
            }
        )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise KafkaFailed(
                    f"Apache Kafka ended with status {self._process.returncode}: {self._log_tail()}"
                )
            try:
                if admin.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:  # not there yet: asking has waited
                continue
        raise KafkaFailed(f"Apache Kafka did not answer within {START_TIMEOUT_S:.0f} s: {self._log_tail()}")

    def _log_tail(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"the end of {self.log_path} is", *lines[-LOG_TAIL_LINES:]])


@contextmanager
def apache_kafka(folder: Path) -> Iterator[ApacheKafka]:
    """Run Apache Kafka in a folder while the block runs.

    Parameters
    ----------
    folder
        For its data, settings and log. If it holds data, the server goes on with them.

    Raises
    ------
    KafkaUnavailable
        When there is no Java, no Maven, or the jars cannot be fetched.
    KafkaFailed
        When the server does not start.
    """
    kafka = ApacheKafka(folder)
    kafka.start()
    try:
        yield kafka
    finally:
        kafka.stop()
