"""The scan of .ci/scan: deliberate flaws are caught, what was reviewed is not, and no reason is no review."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docker.engine import ROOT

NOTHING = "left_out: {}\nkept: []\n"
SHELL = "import subprocess\n\nsubprocess.run(input(), shell=True, check=True)  # from a user\n"
KEY = "AKIA" + "Q3EGRT7LMN2VWXYZ"  # in two pieces, so that the scan of this tree does not find it


def scan(root: Path, files: dict[str, str], review: str = NOTHING) -> "subprocess.CompletedProcess[str]":
    """Write files below a folder, and scan them."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "review.yaml").write_text(review, encoding="utf-8")
    command = [sys.executable, "docker/scan.py", "--root", str(root), "--review", str(root / "review.yaml")]
    return subprocess.run(
        [*command, *files], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("docker/Dockerfile", "FROM debian:latest\nUSER 1\n", "DL3007"),
        ("docker/Dockerfile", "FROM debian:12\nRUN cd /tmp && sudo true\nUSER 1\n", "DL3004"),
        ("cli/shell.py", SHELL, "B602"),
        ("connectors/unpickle.py", "import pickle\n\npickle.loads(input().encode())\n", "B301"),
        ("docs/page.md", f"The key is {KEY}.\n", "AWS Access Key"),
        ("helm/values.yaml", 'password: "correct-horse-battery-9"\n', "Secret Keyword"),
        ("docker/key.txt", "-----BEGIN " + "RSA PRIVATE KEY-----\n", "Private Key"),
    ],
)
def test_a_flaw_is_found(tmp_path: Path, name: str, text: str, rule: str) -> None:
    done = scan(tmp_path, {name: text})
    assert done.returncode == 1, done.stderr
    assert re.search(rf"^{name}:\d+: {rule} ", done.stdout, re.MULTILINE), done.stdout


def test_without_a_flaw_nothing_is_found(tmp_path: Path) -> None:
    done = scan(tmp_path, {"cli/sum.py": "print(1 + 1)\n", "docker/Dockerfile": "FROM debian:12\nUSER 1\n"})
    assert (done.returncode, done.stdout) == (0, "2 files looked at, 0 findings\n"), done.stderr


def test_what_was_reviewed_stays_until_its_line_changes(tmp_path: Path) -> None:
    marks = dict(re.findall(r": (B\d+) .*\[(L\w+)\]", scan(tmp_path, {"cli/shell.py": SHELL}).stdout))
    kept = [
        {"rule": "B602", "why": "a test shows it", "at": {"cli/shell.py": [marks["B602"]]}},
    ]
    review = yaml.safe_dump({"left_out": {"B404": "seen where it is used"}, "kept": kept})
    done = scan(tmp_path, {"cli/shell.py": SHELL}, review)
    assert done.returncode == 0, done.stdout
    moved = scan(tmp_path, {"cli/shell.py": "\n" + SHELL}, review)
    assert moved.returncode == 0, "a line that only moved must not be looked at again"

    changed = scan(tmp_path, {"cli/shell.py": SHELL.replace("input()", "input('$ ')")}, review)
    assert changed.returncode == 1
    assert "B602 subprocess call with shell=True" in changed.stdout
    assert f"cli/shell.py: B602 [{marks['B602']}] is reviewed but not found" in changed.stdout


def test_a_review_gives_a_reason(tmp_path: Path) -> None:
    kept = "left_out: {}\nkept: [{rule: B602, at: {cli/shell.py: [L0]}}]\n"
    done = scan(tmp_path, {"cli/shell.py": SHELL}, kept)
    assert done.returncode == 1
    assert "has no reason" in done.stderr


def test_a_tool_that_cannot_do_its_work_is_no_clean_scan(tmp_path: Path) -> None:
    done = scan(tmp_path, {"cli/broken.py": "def (:\n"})
    assert done.returncode == 1
    assert "bandit could not read" in done.stderr


def test_it_is_a_step_of_every_change() -> None:
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert steps.index("make check") < steps.index(".ci/scan") < steps.index("make test")
