"""Every object that the chart makes is valid, to the last field, where it is going."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import ValidationError

from tests.helm import schemas
from tests.helm.charts import EXAMPLES, Manifest, changed, example, name_of, rendered

KUBERNETES = ("1.29", "1.37")
LAPTOP = example("laptop")
MOST = {
    "metrics__enabled": True,
    "monitoring__enabled": True,
    "monitoring__labels": {"release": "monitoring"},
    "colours__enabled": True,
}
pytestmark = pytest.mark.usefixtures("operator_kinds")


def of_kind(kind: str) -> Manifest:
    """Return the one object of a kind of a release with all there is."""
    (found,) = (each for each in rendered(changed(LAPTOP, **MOST)) if each["kind"] == kind)
    return found


@pytest.mark.parametrize("changes", [MOST, {"metrics__enabled": False}], ids=["most", "least"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_object_is_valid_without_a_field_too_many(name: str, changes: dict[str, Any]) -> None:
    made = rendered(changed(example(name), **changes))
    assert ({"ServiceMonitor", "PrometheusRule"} <= {each["kind"] for each in made}) is (changes is MOST)
    for each in made:
        for version in KUBERNETES:
            try:
                schemas.validate(each, version)
            except kubernetes_validate.SchemaNotFoundError:
                pytest.fail(f"no schema for {name_of(each)} in Kubernetes {version}")
            except ValidationError as error:
                pytest.fail(f"{name_of(each)} in Kubernetes {version}: {error.message}")


def test_a_misspelt_field_of_kubernetes_is_refused() -> None:
    pod = next(each for each in rendered(LAPTOP) if each["kind"] == "StatefulSet")
    pod["spec"]["podManagmentPolicy"] = "Parallel"
    with pytest.raises(ValidationError, match="podManagmentPolicy"):
        schemas.validate(pod, "1.33")


@pytest.mark.parametrize("changes", [{"kind": "ServiceMonitr"}, {"apiVersion": "monitoring.coreos.com/v2"}])
def test_a_kind_without_a_schema_is_no_kind_that_passes(changes: dict[str, str]) -> None:
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        schemas.validate(of_kind("ServiceMonitor") | changes, "1.33")


ENDPOINT = ("spec", "endpoints", 0)
RULE = ("spec", "groups", 0, "rules", 0)


@pytest.mark.parametrize(
    ("kind", "place", "name", "value", "said"),
    [
        ("ServiceMonitor", ENDPOINT, "intervall", "15s", "'intervall' was unexpected"),
        ("ServiceMonitor", ENDPOINT, "interval", "quarter of a minute", "does not match"),
        ("ServiceMonitor", ENDPOINT, "interval", 15, "not of type 'string'"),
        ("ServiceMonitor", ENDPOINT, "scheme", "gopher", "is not one of"),
        ("ServiceMonitor", ENDPOINT, "targetPort", 1.5, "not of type 'integer', 'string'"),
        ("ServiceMonitor", ("spec",), "endpoints", {}, "not of type 'array'"),
        ("ServiceMonitor", ("spec",), "jobLable", "part", "'jobLable' was unexpected"),
        ("ServiceMonitor", ("spec",), "selector", None, "'selector' is a required property"),
        ("ServiceMonitor", ("metadata",), "lables", {}, "'lables' was unexpected"),
        ("PrometheusRule", RULE, "alret", "GenesisPartDown", "'alret' was unexpected"),
        ("PrometheusRule", RULE, "expr", None, "'expr' is a required property"),
        ("PrometheusRule", RULE, "for", "2 minutes", "does not match"),
        ("PrometheusRule", (*RULE, "labels"), "severity", 1, "not of type 'string'"),
        ("PrometheusRule", ("spec", "groups", 0), "partial_response_strategy", "maybe", "does not match"),
        ("PrometheusRule", ("spec", "groups", 1), "name", "genesis-parts", "have the same name"),
        ("PrometheusRule", (), "spec", None, "'spec' is a required property"),
    ],
)
def test_a_bad_object_of_the_prometheus_operator_is_refused(
    kind: str, place: tuple[str | int, ...], name: str, value: object, said: str
) -> None:
    honest = of_kind(kind)
    bad: Any = copy.deepcopy(honest)
    spot = bad
    for step in place:
        spot = spot[step]
    if value is None:
        del spot[name]
    else:
        spot[name] = value
    schemas.validate(honest, "1.33")
    with pytest.raises(ValidationError, match=said):
        schemas.validate(bad, "1.33")


def test_definitions_that_were_changed_are_refused(tmp_path: Path) -> None:
    for kind in schemas.SHA256:
        (tmp_path / schemas.file_of(kind)).write_text("spec: {}", encoding="utf-8")
    with pytest.raises(schemas.SchemasUnavailable, match="Remove the folder, and it is fetched again"):
        schemas.fetch(tmp_path)


def test_without_go_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(schemas.SchemasUnavailable, match="install Go"):
        schemas.fetch(tmp_path)
