"""The workflows run what `.ci/run` and `make` run, with no more rights than they need."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.engine import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def test_there_are_workflows_for_changes_and_for_releases() -> None:
    assert [path.stem for path in WORKFLOWS] == ["check", "release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_is_a_target_or_a_script_that_is_there(path: Path) -> None:
    commands = [step["run"] for step in steps(path) if "run" in step]
    assert commands
    for command in commands:
        words = command.split()
        if words[0] == "make":
            assert len(words) == 2, command
            assert words[1] in TARGETS, command
        else:
            script = ROOT / words[0]
            assert words[0].startswith(".ci/"), command
            assert script.is_file(), command
            assert os.access(script, os.X_OK), command
        assert "${{" not in command, "an expression in a command can be made to run something else"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_have_versions_and_jobs_have_limits(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 90, name
        assert name == "release" or "permissions" not in job, name
    for step in steps(path):
        assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", step.get("uses", "a/b@v1")), step


def test_a_release_is_tested_first_and_what_was_pushed_is_attested() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    assert jobs["release"]["needs"] == "test"
    assert [step["run"] for step in jobs["test"]["steps"] if "run" in step] == [".ci/run"]
    used = [step.get("uses", step.get("run", "")).partition("@")[0] for step in jobs["release"]["steps"]]
    assert used.index("docker/login-action") < used.index('.ci/release "$REPOSITORY" "$GITHUB_REF_NAME"')
    assert used.count("actions/attest-build-provenance") == 2
