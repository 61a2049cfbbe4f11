"""The images in a real engine: small, unprivileged; the parts work, and recover when killed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docker.engine import Engine
from tests.docker.fleet import PARTS, USER, Fleet
from tests.kafka_server import ApacheKafka
from tests.postgres_server import Postgres

CLUSTER_MB_MAX = 500
RECORDINGS = ("binance_spot_btcusdt_20240808.txt.gz", "binance_spot_ethusdt_20240808.txt.gz")

Say = Callable[[str], None]


@pytest.fixture(scope="module")
def fleet(
    images: Engine,
    kafka: ApacheKafka,
    postgres: Postgres,
    recordings: Path,
    say: Say,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    """Give the whole system in containers, with the market running."""
    folder = tmp_path_factory.mktemp("fleet")
    found = Fleet(images, folder, kafka.bootstrap, postgres.new_database())
    try:
        begun_s = time.monotonic()
        found.start_venue(recordings / "raw_ws", *RECORDINGS)
        for part in PARTS:
            found.start(part)
        found.until(lambda: found.rows("trades") > 0, "the first trade to be stored")
        took = ", ".join(f"{part} {took_s:.1f} s" for part, took_s in found.started_s.items())
        say(f"From docker run to a stored trade {time.monotonic() - begun_s:.0f} s ({took})")
        yield found
    finally:
        found.close()


def test_the_cluster_image_is_small_and_says_what_is_in_it(images: Engine, say: Say) -> None:
    sizes = {name: images.inspect(f"genesis/{name}:dev")["Size"] / 1e6 for name in ("cluster", "embedded")}
    say(", ".join(f"genesis/{name} {size:.0f} MB" for name, size in sizes.items()))
    assert sizes["cluster"] < CLUSTER_MB_MAX
    for name in sizes:
        config = images.inspect(f"genesis/{name}:dev")["Config"]
        assert config["User"] == f"{USER}:{USER}"
        assert config["Entrypoint"] == ["tini", "--", "genesis-entrypoint"]
        assert config["Healthcheck"]["Test"] == ["CMD", "genesis", "healthcheck"]
        assert not [each for each in config["Env"] if "SECRET" in each or "PASSWORD" in each]
    absent = ("run", "--rm", "--entrypoint", "sh", "genesis/cluster:dev", "-c")
    listed = images(
        *absent, "ls /opt/genesis/lib/python3*/site-packages; grep -c purl /opt/genesis/sbom.cdx.json"
    )
    assert "numba" in listed
    assert "chdb" not in listed
    assert "calfkit" not in listed
    assert int(listed.splitlines()[-1]) > 100


def test_what_is_missing_is_said_in_a_sentence(images: Engine) -> None:
    run = ("run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", "genesis/cluster:dev", "run")
    for part, option, words in (
        ("market", "GENESIS_BROKER=", "GENESIS_BROKER is empty"),
        ("ticker", "GENESIS_BROKER=127.0.0.1:1", "genesis keys"),
        ("account", "GENESIS_LEDGER_URL_FILE=/run/secrets/none", "cannot be read (no such file"),
    ):
        said = images.tried(*run[:-2], "-e", option, *run[-2:], part)
        assert said.returncode == 1, said
        assert words in said.stderr
        assert "Traceback" not in said.stderr


def test_the_parts_are_ready_and_the_market_goes_through_them(fleet: Fleet, say: Say) -> None:
    for part in PARTS:
        fleet.until(lambda part=part: fleet.ready(part), f"{part} to be ready")
    for table in ("quotes", "bars", "market_state"):
        fleet.until(lambda table=table: fleet.rows(table) > 0, f"{table} to be stored")
    for part in PARTS:
        assert fleet.metric(part, "genesis_ready") == 1.0, part
    stored = ", ".join(f"{fleet.rows(table)} {table}" for table in ("trades", "quotes", "bars"))
    say(f"Stored so far: {stored}")


def test_no_part_compiles_a_kernel_and_none_has_more_than_it_needs(fleet: Fleet) -> None:
    for part in PARTS:
        name = fleet.container(part)
        count = "find {} -name '*.nb*' | sort | xargs -r -n 1 basename"
        in_image = fleet.engine("exec", name, "sh", "-c", count.format("/opt/genesis/kernels"))
        at_work = fleet.engine("exec", name, "sh", "-c", count.format("/tmp/kernels"))
        more = set(at_work.splitlines()) - set(in_image.splitlines())
        assert not more, f"{part} compiled what is not in the image"
        assert fleet.engine("exec", name, "id", "-u") == str(USER)
        assert fleet.engine.tried("exec", name, "touch", "/opt/genesis/new").returncode != 0
        assert "ledger_url" not in fleet.engine(
            "exec", name, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
        )
        assert "postgresql" not in fleet.engine("exec", name, "env")


def test_the_health_check_of_the_image_finds_a_ready_part(fleet: Fleet) -> None:
    for part in PARTS:
        fleet.until(lambda part=part: fleet.ready(part), f"{part} to be ready")
        assert fleet.engine("exec", fleet.container(part), "genesis", "healthcheck") == "ready"
    health = fleet.engine.inspect(fleet.container("market"))["State"]
    assert health["Health"]["Status"] in ("starting", "healthy")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_comes_back_and_goes_on(fleet: Fleet, part: str, say: Say) -> None:
    before = fleet.rows("quotes")
    took_s = fleet.kill(part)
    fleet.until(lambda: fleet.rows("quotes") > before, "the store to go on")
    for other in PARTS:
        fleet.until(lambda other=other: fleet.ready(other), f"{other} to be ready")
    say(f"{part} killed, ready again after {took_s:.1f} s")


def test_asked_to_end_every_part_ends_by_itself(fleet: Fleet, say: Say) -> None:
    took_s = {}
    for part in reversed(PARTS):
        begun_s = time.monotonic()
        fleet.engine("stop", "--time", "30", fleet.container(part))
        took_s[part] = time.monotonic() - begun_s
        status = fleet.engine.inspect(fleet.container(part))["State"]["ExitCode"]
        assert status == 0, f"{part} ended with {status}\n{fleet.logs()}"
    say("Stopped: " + ", ".join(f"{part} {seconds:.1f} s" for part, seconds in took_s.items()))


def test_the_whole_system_runs_in_one_container(images: Engine, say: Say) -> None:
    name = "genesis-test-embedded"
    options = ("--read-only", "--tmpfs", "/tmp:size=512m", "--cap-drop", "ALL", "--memory", "3g")
    options += ("-v", "/var/lib/genesis", "-v", "/run/genesis/keys")  # volumes that go with the container
    images.tried("rm", "--force", "--volumes", name)
    begun_s = time.monotonic()
    images(
        "run",
        "--detach",
        "--name",
        name,
        *options,
        "genesis/embedded:dev",
        "up",
        "--headless",
        "--rate",
        "300",
    )
    try:
        deadline_s = begun_s + 240.0
        while images.tried("exec", name, "genesis", "healthcheck").returncode != 0:
            said = images.tried("logs", "--tail", "20", name)
            assert images.inspect(name)["State"]["Running"], said.stdout + said.stderr
            assert time.monotonic() < deadline_s, said.stdout + said.stderr
        say(f"genesis up in one container: every part ready after {time.monotonic() - begun_s:.0f} s")
        assert "market" in images("exec", name, "genesis", "status")
        images("stop", "--time", "60", name)
        assert images.inspect(name)["State"]["ExitCode"] == 0
    finally:
        images.tried("rm", "--force", "--volumes", name)
