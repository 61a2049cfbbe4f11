"""The bill of materials: every locked package that is installed, once, with the hashes it was checked by."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    command = [sys.executable, "docker/sbom.py", "--lock", "requirements.lock"]
    written = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return dict(json.loads(written.stdout))


def test_it_is_cyclonedx_of_this_version(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["purl"] == "pkg:pypi/genesis-stream@0.1.0"


def test_it_keeps_the_schema_of_cyclonedx(bill: dict[str, Any]) -> None:
    schema = JsonStrictValidator(SchemaVersion.V1_6)
    assert schema.validate_str(json.dumps(bill)) is None
    for change in (
        {"serialNumber": "not a URN"},
        {"components": [{"type": "library"}]},
        {"componnents": []},
        {"metadata": {"component": bill["metadata"]["component"] | {"type": "programme"}}},
    ):
        assert schema.validate_str(json.dumps(bill | change)) is not None, change


def test_every_dependency_is_in_it_once_with_hashes(bill: dict[str, Any]) -> None:
    found = [each["name"] for each in bill["components"]]
    assert found == sorted(set(found))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    wanted = [Requirement(line) for line in re.findall(r"^(\S+==.*?) *\\$", lock, re.MULTILINE)]
    here = {each.name for each in wanted if each.marker is None or each.marker.evaluate()}
    assert len(here) > 60
    assert here == set(found)
    for each in bill["components"]:
        assert each["purl"] == each["bom-ref"] == f"pkg:pypi/{each['name']}@{each['version']}"
        assert each["hashes"], each["name"]
        for digest in each["hashes"]:
            assert re.fullmatch("[0-9a-f]{64}", digest["content"]), each["name"]


def test_most_packages_say_their_licence(bill: dict[str, Any]) -> None:
    named = [each for each in bill["components"] if "licenses" in each]
    assert len(named) > 0.7 * len(bill["components"])
