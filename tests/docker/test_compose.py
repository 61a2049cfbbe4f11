"""docker/compose.yaml: valid, bounded, private, its secrets files; what makes them is run in the image."""

import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from genesis.connectors.settings import SECRETS, Settings, variable
from tests.docker.engine import LEFT_OUT, ROOT, Engine
from tests.docker.fleet import KEYS, USER

COMPOSE = ROOT / "docker" / "compose.yaml"
ONCE = ("init", "migrate", "receivers")
PREPARES = ("init", "receivers")
"""Not a part of ours, but scripts in our image that make files for others."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"])


def ours(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: each for name, each in services.items() if "genesis/" in each["image"] and name not in PREPARES
    }


def test_every_service_has_limits_a_tag_and_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    for name, each in services.items():
        assert each["mem_limit"], name
        assert name == "init" or each["cpus"], name
        tag = each["image"].rpartition(":")[2].rstrip("}")
        assert tag == "dev" or re.search(r"\d+\.\d+", tag), f"{name}: {each['image']}"
        is_ours = "genesis/" in each["image"]  # which has a health check
        assert is_ours or "healthcheck" in each, name
        assert name in ONCE or each["restart"] == "unless-stopped", name


def test_nothing_is_published_but_on_loopback_and_the_databases_reach_nothing(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, each in services.items():
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ())), name
        assert each.get("network_mode") in (None, "none"), name
    private = ("kafka", "clickhouse", "postgres", "elasticsearch", "vault", "account", "market", "archive")
    assert all(services[name]["networks"] == ["inside"] for name in private)
    assert yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["networks"]["inside"] == {"internal": True}


def test_our_parts_have_no_privileges_and_only_settings_that_exist(
    services: dict[str, dict[str, Any]],
) -> None:
    known = {variable(name) for name in Settings.model_fields} - {variable(name) for name in SECRETS}
    known |= {variable(name, in_file=True) for name in SECRETS}
    for name, each in ours(services).items():
        assert each["read_only"] is True, name
        assert each["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in each["security_opt"], name
        assert set(each["environment"]) <= known, name
    settings = [str(each.get("environment", "")) for each in services.values()]
    assert not [text for text in settings if re.search(r"PASSWORD': '(?!/run/secrets)", text)]


def test_a_part_waits_for_what_it_needs_to_be_healthy(services: dict[str, dict[str, Any]]) -> None:
    for name, each in ours(services).items():
        waits = {on: how["condition"] for on, how in each["depends_on"].items()}
        assert waits["kafka"] == "service_healthy", name
        assert waits["init"] == "service_completed_successfully", name
        assert name in ONCE or waits["migrate"] == "service_completed_successfully", name
    assert services["archive"]["depends_on"]["clickhouse"] == {"condition": "service_healthy"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    made = {"condition": "service_completed_successfully"}
    assert services["alertmanager"]["depends_on"] == {"receivers": made}


def test_a_part_is_given_only_its_own_keys(services: dict[str, dict[str, Any]]) -> None:
    rings = {
        name: [volume for volume in each.get("volumes", ()) if ":/run/genesis/keys" in volume]
        for name, each in services.items()
    }
    for name, mounted in rings.items():
        wanted = [f"keys-{name}:/run/genesis/keys:ro"] if name in (*KEYS, "trader") else []
        assert mounted == wanted, name


def test_every_file_that_is_mounted_is_there(services: dict[str, dict[str, Any]]) -> None:
    volumes = [volume for each in services.values() for volume in each.get("volumes", ())]
    mounted = {volume.split(":")[0] for volume in volumes if volume.startswith(".")}
    assert len(mounted) > 4
    assert all((COMPOSE.parent / path).exists() for path in mounted)


def test_prometheus_asks_every_part_under_the_name_of_what_it_runs(
    services: dict[str, dict[str, Any]],
) -> None:
    config = yaml.safe_load((ROOT / "ops" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    asked = {each["job_name"]: each["static_configs"][0]["targets"] for each in config["scrape_configs"]}
    assert asked.pop("prometheus") == ["localhost:9090"]
    assert asked.pop("alertmanager") == ["alertmanager:9093"]
    running = {
        each["command"][1]: [f"{name}:9100"]
        for name, each in services.items()
        if each.get("command", [""])[0] == "run"
    }
    assert asked == running


def test_compose_itself_takes_the_file(engine: Engine) -> None:
    words = [engine.client, "compose"]
    if engine.tried("compose", "version").returncode != 0:
        found = shutil.which("docker-compose")
        assert found, (
            f"there is neither docker compose nor docker-compose: root installs it by .ci/engine, {LEFT_OUT}"
        )
        words = [found]
    command = [*words, "-f", str(COMPOSE), "config", "--quiet"]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.fixture
def volumes(images: Engine, services: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    """Give the mounts of the service ``init``, on volumes of the test's own."""
    prefix = f"genesis-test-{secrets.token_hex(3)}"
    mounts = [each for each in services["init"]["volumes"] if each.partition(":")[2].startswith("/made/")]
    yield [f"{prefix}-{each}" for each in mounts]
    for each in mounts:
        images.tried("volume", "rm", "--force", f"{prefix}-{each.partition(':')[0]}")


def test_keys_and_passwords_are_made_once_and_their_user_can_read_them(
    images: Engine, services: dict[str, dict[str, Any]], volumes: list[str]
) -> None:
    init = services["init"]
    options = ["--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", "--user", init["user"]]
    options += ["--cap-drop", "ALL", *(word for name in init["cap_add"] for word in ("--cap-add", name))]
    options += ["-v", f"{ROOT / 'docker' / 'init'}:/init:ro", "--entrypoint", "/init"]
    mounts = [word for each in volumes for word in ("-v", each)]
    look = "cd /made; find . -name '*.key' -o -type f | sort | xargs sha256sum; stat -c '%a %u %n' */*"
    shown = ["--rm", "--user", "0", "--entrypoint", "sh", *mounts, "genesis/cluster:dev", "-c", look]
    images("run", *options, *mounts, "genesis/cluster:dev")
    first = images("run", *shown)
    images("run", *options, *mounts, "genesis/cluster:dev")
    assert images("run", *shown) == first
    for line in first.splitlines():
        if re.match(r"\d+ \d+ ", line):
            mode, user, path = line.split()
            assert int(mode, 8) & 0o077 == 0, line
            expected = {"keys": "0", "secrets-grafana": "472"}.get(str(Path(path).parent), str(USER))
            assert user == expected, line
    owner = ["--rm", "--entrypoint", "sh", *mounts, "genesis/cluster:dev", "-c"]
    ring = images("run", *owner, "cd /made/keys-gateway; cat *.key >/dev/null; ls")
    assert ring.split() == ["gateway.key", "permit.key", "ticker.key"]
    url = images("run", *owner, "cat /made/secrets-ledger/ledger_url")
    assert re.fullmatch(r"postgresql\+psycopg://genesis:[\w-]{32}@postgres:5432/genesis", url)


def test_alertmanager_gets_its_receivers_from_files_and_what_is_half_set_is_refused(
    images: Engine, services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    each = services["receivers"]
    volume = f"genesis-test-{secrets.token_hex(3)}"
    options = ["--rm", "--read-only", "--network", each["network_mode"], "--user", each["user"]]
    options += ["--cap-drop", "ALL", *(word for name in each["cap_add"] for word in ("--cap-add", name))]
    options += ["-v", f"{ROOT / 'ops'}:/ops:ro", "-v", f"{tmp_path}:/alerts:ro", "-v", f"{volume}:/made"]
    program, *words = each["entrypoint"]
    command = ["--entrypoint", program, "genesis/cluster:dev", *words]
    look = ["--rm", "--user", "65534", "--entrypoint", "sh", "-v", f"{volume}:/made", "genesis/cluster:dev"]
    try:
        assert "nobody is told" in images("run", *options, *command)
        half = images.tried("run", "-e", "GENESIS_ALERTS=pagerduty", *options, *command)
        assert half.returncode == 1
        (tmp_path / "pagerduty_key").write_text("0123456789abcdef" * 2, encoding="utf-8")
        assert "told to pagerduty" in images("run", "-e", "GENESIS_ALERTS=pagerduty", *options, *command)
        shown = images("run", *look, "-c", "cat /made/*; echo; stat -c '%a %u' /made/*")
        assert "/etc/alertmanager/pagerduty_key" in shown
        assert shown.split()[-4:] == ["400", "65534"] * 2
    finally:
        images.tried("volume", "rm", "--force", volume)
