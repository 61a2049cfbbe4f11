"""What cannot work is refused early: by the schema, the chart, or the step that comes before any part."""

import re
from pathlib import Path
from typing import Any

import pytest
from helm_python.errors import HelmError

from genesis.connectors.broker import EmbeddedBroker, free_port
from genesis.connectors.settings import SECRETS
from tests.helm.charts import CHART, changed, example, pods, rendered
from tests.helm.cluster import WAIT_S, Cluster, cluster

LAPTOP = example("laptop")
COLOURED = {"colours__enabled": True, "colours__blueTag": "0.1", "colours__greenTag": "0.2"}
LIVE = {
    "trading__mode": "live",
    "trading__unlockLive": "I trade real money",
    "exchange__existingSecret": "genesis-exchange",
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"markte": {"shards": 2}}, "markte"),
        ({"market__shard": 2}, "shard"),
        ({"market__shards": "two"}, "shards"),
        ({"market__shards": 0}, "shards"),
        ({"trading__mode": "simulator"}, "mode"),
        ({"probes__startupSeconds": "long"}, "startupSeconds"),
        ({"image__digest": "latest"}, "digest"),
        ({"networkPolicy__dataCidrs": []}, "dataCidrs"),
        ({"settings": {"BROKER": "kafka:9092"}}, "BROKER"),
        ({"keys__existingSecret": ""}, "genesis-keys --from-file=FOLDER"),
        ({"ledger__existingSecret": ""}, "name it here"),
        ({"broker__servers": ""}, "set it to the Kafka bootstrap servers"),
        ({"store__url": ""}, "set it to ClickHouse's HTTP address"),
        ({"trading__mode": "testnet"}, "or set trading.mode: paper"),
        ({"trading__mode": "live", "exchange__existingSecret": "x"}, "`I trade real money`"),
        ({**LIVE}, "Set environment: production with region: sgp1"),
        ({"venue__source": "simulator"}, "or venue.source: binance"),
        ({"monitoring__enabled": True, "metrics__enabled": False}, "Set both, or none"),
        ({"colours__enabled": True, "colours__candidate": "red"}, "candidate"),
        ({**COLOURED, "colours__greenReplicas": 2}, "greenReplicas"),
        ({**COLOURED, "colours__greenReplicas": 0, "colours__blueReplicas": 0}, "nobody computes signals"),
        ({"market__workers": 4}, "Lower workers or raise shards"),
        ({"environment": "production", "region": "fra1"}, "Set region: sgp1, or environment: staging"),
        ({"environment": "production"}, "Set region: sgp1"),
        (
            {"broker__servers": "kafka:9092,other:9093"},
            "name every server with that port, or set broker.port",
        ),
        ({"broker__servers": "kafka"}, "/broker/servers"),
        ({"store__url": "https://clickhouse:8443"}, "set store.port to 8443"),
        ({"store__url": "http://clickhouse"}, "set store.port to 80"),
        ({"settings": {"GENESIS_SHARDS": "4"}}, "would stand above market.shards"),
        ({"settings": {"GENESIS_TRADING": "live"}}, "would stand above trading.mode"),
    ],
    ids=lambda each: each if isinstance(each, str) else next(iter(each)),
)
def test_what_cannot_work_is_refused_and_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmError, match=re.escape(said)):
        rendered(changed(LAPTOP, **change))


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_has_no_place_among_the_settings(name: str) -> None:
    with pytest.raises(HelmError, match="use the existingSecret"):
        rendered(changed(LAPTOP, settings={f"GENESIS_{name.upper()}": "x"}))


def test_a_variable_that_a_value_is_for_is_no_setting() -> None:
    values = changed(example("production-singapore"), **LIVE, **COLOURED)
    given = {
        each["name"]: each.get("value", "")
        for pod in pods(rendered(values)).values()
        for each in pod["spec"]["containers"][0]["env"]
        if each["name"].startswith("GENESIS_") and "value" in each
    }
    for name in given:
        with pytest.raises(HelmError, match=f"settings.{name} would stand above"):
            rendered(changed(LAPTOP, settings={name: "1"}))


def install(given: Cluster, values: dict[str, Any]) -> str:
    """Return why an install was refused; nothing may have been made."""
    before = {kind: given.objects.all(kind) for kind in ("services", "persistentvolumeclaims", "secrets")}
    with pytest.raises(HelmError) as refused:
        given.helm.install(CHART, "genesis", values, wait="watcher", timeout=WAIT_S)
    assert not given.objects.all("deployments") + given.objects.all("statefulsets"), "a part was started"
    assert before == {kind: given.objects.all(kind) for kind in before}
    return str(refused.value)


def test_what_is_missing_in_the_namespace_is_named_with_what_makes_it(tmp_path: Path) -> None:
    with cluster(tmp_path, "kafka:9092") as given:
        said = install(given, changed(LAPTOP, keys__existingSecret="other"))
        assert "secret other is not in namespace trading" in said
        assert "kubectl -n trading create secret generic other --from-file=FOLDER" in said
        assert "or name another in keys.existingSecret" in said

        said = install(given, changed(LAPTOP, store__existingSecret="genesis-store"))
        assert "create secret generic genesis-store --from-file=password=FILE" in said

        said = install(given, changed(LAPTOP, store__existingSecret="genesis-ledger"))
        assert "secret genesis-ledger in namespace trading has no password: add it" in said

        said = install(given, changed(LAPTOP, colours__enabled=True, colours__greenReplicas=0))
        assert "there is no volume data-genesis-market-green-0" in said
        assert "set it to 1 for the first upgrade with colours" in said
        assert not given.kubelet.pods


@pytest.mark.timeout(240)
def test_a_broker_that_does_not_answer_ends_it_before_any_part_and_says_so(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with cluster(tmp_path, nowhere) as given:
        assert "genesis-migrate" in install(given, LAPTOP)
        log = (tmp_path / "genesis-migrate.log").read_text(encoding="utf-8")
        assert f"no answer from the broker at {nowhere}" in log
        assert "GENESIS_BROKER" in log


@pytest.mark.timeout(240)
def test_a_misspelt_setting_ends_an_upgrade_before_any_part_and_is_named(tmp_path: Path) -> None:
    with EmbeddedBroker() as log, cluster(tmp_path, log.bootstrap) as given:
        assert "genesis-migrate" in install(given, changed(LAPTOP, settings={"GENESIS_FRAME_ROW": "500"}))
        assert "GENESIS_FRAME_ROW" in (tmp_path / "genesis-migrate.log").read_text(encoding="utf-8")
