"""What the chart renders is valid Kubernetes, safe by default, and refuses what cannot work."""

import json
import re
from typing import Any

import pytest
from helm_python.chart import Chart, lint

from genesis.connectors.keys import NAMES
from genesis.connectors.settings import Settings
from tests.helm.charts import CHART, EXAMPLES, changed, example, name_of, pods, rendered

PARTS = {"feed", "market", "account", "archive", "ticker", "gateway"}
LAPTOP = example("laptop")
WATCHED = {"metrics__enabled": True, "monitoring__enabled": True}
COLOURED = {"colours__enabled": True, "colours__blueTag": "0.1", "colours__greenTag": "0.2"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_strict_lint_finds_nothing(name: str) -> None:
    report = lint(CHART, example(name), strict=True)
    assert report["messages"] == []
    assert report["errors"] == []


def closed(schema: dict[str, Any], path: str = "values") -> None:
    if schema.get("type") == "object":
        more = schema.get("additionalProperties")
        assert more is False or (isinstance(more, dict) and "type" in more and "propertyNames" in schema), (
            path
        )
    for name, inner in schema.get("properties", {}).items():
        closed(inner, f"{path}.{name}")
    if "items" in schema:
        closed(schema["items"], f"{path}[]")


def test_the_schema_is_closed_everywhere_and_knows_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    closed(schema)
    with Chart.load(CHART) as chart:
        values = chart.values

    def compare(known: dict[str, Any], given: Any, path: str) -> None:
        if "properties" not in known:
            return
        assert set(known["properties"]) - {"global"} == set(given), path
        for name, inner in given.items():
            compare(known["properties"][name], inner, f"{path}.{name}")

    tolerations = schema["properties"].pop("tolerations")
    assert tolerations["type"] == "array"
    assert values.pop("tolerations") == []
    compare(schema, values, "values")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_container_runs_with_as_little_as_it_can(name: str) -> None:
    found = pods(rendered(changed(example(name), **WATCHED)))
    assert len(found) == len(PARTS) + 3  # dashboard, migration, test
    for title, pod in found.items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, title
        assert spec["securityContext"]["runAsNonRoot"] is True, title
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == 10001, title
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, title
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), title
        assert not [each for each in spec["volumes"] if "hostPath" in each], title
        for container in [*spec["initContainers"], *spec["containers"]]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, title
            assert security["allowPrivilegeEscalation"] is security["privileged"] is False, title
            assert security["capabilities"] == {"drop": ["ALL"]}, title
            assert set(container["resources"]) == {"requests", "limits"}, title
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]), title
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", title


def test_a_part_hears_sigterm_and_a_service_cannot_become_an_unknown_setting() -> None:
    for title, pod in pods(rendered(LAPTOP)).items():
        assert pod["spec"]["shareProcessNamespace"] is True, title
        assert pod["spec"]["enableServiceLinks"] is False, title


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_variable_is_a_setting_and_no_secret_is_among_the_values(name: str) -> None:
    known = {f"GENESIS_{each.upper()}" for each in Settings.model_fields} | {"HOME", "NUMBA_CACHE_DIR"}
    for title, pod in pods(rendered(example(name))).items():
        given = pod["spec"]["containers"][0]["env"]
        names = [each["name"] for each in given]
        assert len(names) == len(set(names)), title
        assert set(names) <= known, title
        secret = [each for each in given if each["name"] in ("GENESIS_LEDGER_URL", "GENESIS_STORE_PASSWORD")]
        assert all("valueFrom" in each for each in secret), title


def test_a_part_gets_the_keys_that_it_needs_and_no_others() -> None:
    def keys(pod: dict[str, Any]) -> set[str]:
        mounted = [each["secret"] for each in pod["spec"]["volumes"] if each["name"] == "keys"]
        return {item["path"].removesuffix(".key") for secret in mounted for item in secret["items"]}

    found = {title.rpartition("-")[2]: keys(pod) for title, pod in pods(rendered(LAPTOP)).items()}
    assert found["account"] == set(NAMES)
    assert found["gateway"] == {"gateway", "permit", "ticker", "guard"}
    assert found["ticker"] == {"ticker"}
    assert found["dashboard"] == {"trader", "guard", "examiner", "audit"}
    assert not found["feed"] | found["market"] | found["archive"] | found["migrate"]


def test_only_the_gateway_gets_what_opens_the_exchange_account() -> None:
    live = {"trading__mode": "live", "trading__unlockLive": "I trade real money"}
    values = changed(example("production-singapore"), **live)
    holders = [
        title
        for title, pod in pods(rendered(values)).items()
        if re.search("genesis-exchange|UNLOCK", str(pod))
    ]
    assert holders == ["Deployment/genesis-gateway"]


def test_flows_keep_their_volume_and_the_rest_is_never_doubled() -> None:
    found = {
        name_of(each): each["spec"]
        for each in rendered(LAPTOP)
        if each["kind"] in ("StatefulSet", "Deployment")
    }
    for part in ("market", "account", "archive"):
        spec = found[f"StatefulSet/genesis-{part}"]
        assert spec["podManagementPolicy"] == "Parallel"
        assert spec["replicas"] == 1
        assert bool(spec.get("volumeClaimTemplates")) is (part != "archive")
    for part in ("feed", "ticker", "gateway"):
        spec = found[f"Deployment/genesis-{part}"]
        assert spec["strategy"] == {"type": "Recreate"}
        assert spec["replicas"] == 1


def test_every_part_has_probes_a_budget_a_service_and_a_policy() -> None:
    manifests = rendered(changed(LAPTOP, **WATCHED))
    by_name = {name_of(each): each for each in manifests}
    for part in PARTS:
        service = by_name[f"Service/genesis-{part}"]["spec"]
        assert service["clusterIP"] == "None"
        assert service["publishNotReadyAddresses"] is True
        assert by_name[f"PodDisruptionBudget/genesis-{part}"]["spec"]["maxUnavailable"] == 1
        assert f"NetworkPolicy/genesis-{part}" in by_name
        (pod,) = (pod for title, pod in pods(manifests).items() if title.endswith(f"-{part}"))
        container = pod["spec"]["containers"][0]
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert "startupProbe" in container
        assert pod["spec"]["topologySpreadConstraints"]
        assert service["selector"].items() <= pod["metadata"]["labels"].items()


def test_the_network_is_closed_but_for_what_is_needed() -> None:
    found = {
        each["metadata"]["name"]: each["spec"] for each in rendered(LAPTOP) if each["kind"] == "NetworkPolicy"
    }
    assert found["genesis-default-deny"].keys() == {"podSelector", "policyTypes"}
    assert found["genesis-default-deny"]["policyTypes"] == ["Ingress", "Egress"]

    def ports(part: str) -> set[int]:
        return {port["port"] for rule in found[f"genesis-{part}"]["egress"] for port in rule["ports"]}

    assert {part for part in PARTS if 443 in ports(part)} == {"feed", "ticker", "gateway"}
    assert {part for part in PARTS if 5432 in ports(part)} == {"account", "gateway"}
    assert {part for part in PARTS if 8123 in ports(part)} == {"archive"}


def test_a_region_binds_the_pods_to_it() -> None:
    for title, pod in pods(rendered(example("production-singapore"))).items():
        assert "'values': ['sgp1']" in str(pod["spec"]["affinity"]), title


def test_two_colours_differ_in_what_a_release_needs_and_in_nothing_else() -> None:
    found = {name_of(each): each for each in rendered(changed(LAPTOP, **COLOURED))}
    one, two = (found[f"StatefulSet/genesis-market{end}"]["spec"] for end in ("", "-green"))
    blue, green = (each["template"]["spec"] for each in (one, two))

    def variables(pod: dict[str, Any]) -> dict[str, str]:
        return {each["name"]: each["value"] for each in pod["containers"][0]["env"]}

    assert variables(blue) == variables(green) | {"GENESIS_COLOUR": "blue"}
    assert variables(green)["GENESIS_COLOUR"] == "green"
    assert {each["image"] for each in blue["initContainers"] + blue["containers"]} == {"genesis/worker:0.1"}
    assert {each["image"] for each in green["initContainers"] + green["containers"]} == {"genesis/worker:0.2"}
    assert one["volumeClaimTemplates"] == two["volumeClaimTemplates"]
    assert found["Deployment/genesis-feed"]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        ":dev"
    )

    for pod in (blue, green):
        assert [each["name"] for each in pod["initContainers"]] == ["prepare", "snapshots"]
        assert "genesis release copy /other /var/lib/genesis" in pod["initContainers"][1]["command"][-1]
    (other,) = (each for each in green["volumes"] if each["name"] == "other")
    assert other["persistentVolumeClaim"]["claimName"] == "data-genesis-market-0"
    assert blue["affinity"] == green["affinity"]
    (near,) = green["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (components,) = near["labelSelector"]["matchExpressions"]
    assert set(components["values"]) == {"market", "market-green"}, "the last of them could never start again"
    assert "NetworkPolicy/genesis-market-green" in found


def test_a_colour_that_was_replaced_has_no_pod_and_is_not_missed() -> None:
    back = COLOURED | WATCHED | {"colours__candidate": "blue", "colours__blueReplicas": 0}
    manifests = rendered(changed(LAPTOP, **back))
    found = {name_of(each): each for each in manifests}
    assert found["StatefulSet/genesis-market"]["spec"]["replicas"] == 0
    assert found["StatefulSet/genesis-market-green"]["spec"]["replicas"] == 1
    assert "data-genesis-market-green-0" in str(found["StatefulSet/genesis-market"])
    asked = found["Pod/genesis-test"]["spec"]["containers"][0]["command"]
    assert "market-green" in asked
    assert "market" not in asked
    rules = found["PrometheusRule/genesis"]["spec"]["groups"][0]["rules"]
    assert {each["labels"]["component"] for each in rules} == PARTS - {"market"} | {"market-green"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "green"),
        ({"colours__blueReplicas": 0}, "nobody"),
        ({"colours__candidate": "blue"}, "blue"),
        ({"colours__candidate": "blue", "colours__greenReplicas": 0}, "nobody"),
    ],
)
def test_a_colour_that_goes_or_comes_starts_no_other_pod_again(changes: dict[str, Any], said: str) -> None:
    before, after = (
        {name_of(each): each for each in rendered(changed(LAPTOP, **COLOURED, **more))}
        for more in ({}, changes)
    )
    assert after["ConfigMap/genesis-colours"]["data"] == {"candidate": said}
    for name in ("StatefulSet/genesis-market", "StatefulSet/genesis-market-green"):
        assert before[name]["spec"]["template"] == after[name]["spec"]["template"]


def test_a_new_chart_alone_starts_no_pod_again() -> None:
    """A colour that is pinned by its tag goes on when the rest is upgraded."""
    for title, pod in pods(rendered(changed(LAPTOP, **COLOURED))).items():
        if not title.startswith("Pod/"):
            assert pod["metadata"]["labels"].keys() == {
                f"app.kubernetes.io/{name}" for name in ("name", "instance", "component")
            }, title


def test_a_simulator_in_the_cluster_can_be_reached() -> None:
    simulated = {"venue__source": "simulator", "venue__url": "http://venue:8777"}
    for each in rendered(changed(LAPTOP, **simulated)):
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] in ("genesis-feed", "genesis-ticker"):
            (opened,) = (
                rule for rule in each["spec"]["egress"] if {"protocol": "TCP", "port": 8777} in rule["ports"]
            )
            assert len(opened["to"]) == 3


def test_two_releases_share_no_name() -> None:
    first, second = ({name_of(each) for each in rendered(LAPTOP, release)} for release in ("blue", "green"))
    assert not first & second


def test_the_rules_of_the_operations_folder_come_with_the_chart() -> None:
    base = "https://books.example/"
    made = rendered(changed(LAPTOP, **WATCHED, monitoring__runbookBase=base))
    (rule,) = (each for each in made if each["kind"] == "PrometheusRule")
    groups = {group["name"]: group["rules"] for group in rule["spec"]["groups"]}
    assert {"genesis-parts", "genesis-serving", "genesis-failures"} <= set(groups)
    alerts = [each for rules in groups.values() for each in rules if "alert" in each]
    assert {"GenesisFeedSilent", "GenesisPartDown", "GenesisServingBurn"} <= {
        each["alert"] for each in alerts
    }
    for each in alerts:
        assert each["annotations"]["runbook_url"] == f"{base}{each['alert']}.md"
