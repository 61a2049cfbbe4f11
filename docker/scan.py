"""Look for known kinds of flaws: hadolint on the Dockerfile, bandit on sources, detect-secrets on the tree.

`.ci/scan` runs it; nothing of it asks the network. `.ci/scan.yaml` holds what was looked at and is left as it
is, each with its reason. A finding that is not there fails, and so does an entry that nothing answers to any
more. A finding is known by its rule, its file and the text of its line, not by the line's number.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

DIGITS = 10
"""Of the SHA-256 of a line, in the reviewed list."""

UNREAD = (".lock", ".svg", ".png", ".gz")
"""Files without secrets to find: hashes of packages, and pictures."""

UNREAD_FOLDERS = ("tests/tui/snapshots/",)
TIMEOUT_S = 120


class Finding(NamedTuple):
    """What a tool has found in one line."""

    rule: str
    path: str
    line: int
    says: str
    mark: str
    """The beginning of the SHA-256 of the line, without the spaces around it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what a reviewed finding is known by."""
        return self.rule, self.path, self.mark


class Review(NamedTuple):
    """The reviewed list: rules that are left out, and findings that stay, each with a reason."""

    left_out: dict[str, str]
    kept: Counter[tuple[str, str, str]]

    @classmethod
    def read(cls, path: Path) -> "Review":
        """Read it.

        Raises
        ------
        ValueError
            When something has no reason.
        """
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        for entry in (*({"why": why} for why in told["left_out"].values()), *told["kept"]):
            if len(str(entry.get("why") or "")) < 10:
                raise ValueError(f"{path.name}: {entry} has no reason")
        kept = Counter(
            (entry["rule"], name, mark)
            for entry in told["kept"]
            for name, marks in entry["at"].items()
            for mark in marks
        )
        return cls(told["left_out"], kept)


def found(root: Path, rule: str, path: str, line: int, says: str) -> Finding:
    """Return a finding with the mark of its line."""
    text = (root / path).read_text(encoding="utf-8", errors="replace").splitlines()[line - 1].strip()
    return Finding(rule, path, line, says, "L" + hashlib.sha256(text.encode()).hexdigest()[:DIGITS])


def said(root: Path, *command: str) -> Any:
    """Return the JSON that a tool printed; its exit status tells only whether it found something.

    Raises
    ------
    RuntimeError
        When it printed none: a tool that did not run must not pass for one that found nothing.
    """
    tool = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [str(tool), *command[1:]], cwd=root, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"{command[0]} did not run: {done.stderr.strip()[-500:]}") from None


def of_hadolint(root: Path, files: list[str]) -> list[Finding]:
    """Look at the Dockerfiles."""
    dockerfiles = [each for each in files if Path(each).name == "Dockerfile"]
    if not dockerfiles:
        return []
    lines = said(root, "hadolint", "--format", "json", *dockerfiles)
    return [found(root, each["code"], each["file"], each["line"], each["message"]) for each in lines]


def of_bandit(root: Path, files: list[str]) -> list[Finding]:
    """Look at what runs, not at the tests."""
    sources = [each for each in files if each.endswith(".py") and not each.startswith("tests/")]
    if not sources:
        return []
    told = said(root, "bandit", "--quiet", "--format", "json", *sources)
    if told["errors"]:
        raise RuntimeError(f"bandit could not read {told['errors']}")
    return [
        found(
            root,
            each["test_id"],
            each["filename"].removeprefix("./"),
            each["line_number"],
            each["issue_text"],
        )
        for each in told["results"]
    ]


def of_secrets(root: Path, files: list[str]) -> list[Finding]:
    """Look at every file that is kept; nothing is sent anywhere to see whether it is in use."""
    read = [each for each in files if not each.endswith(UNREAD) and not each.startswith(UNREAD_FOLDERS)]
    if not read:
        return []
    told = said(root, "detect-secrets", "-c", "2", "scan", "--no-verify", *read)
    return [
        found(root, each["type"], name, each["line_number"], "looks like a secret")
        for name, several in told["results"].items()
        for each in several
    ]


def scan(root: Path, files: list[str], review: Review) -> list[str]:
    """Return what is wrong: findings that nobody has reviewed, and reviews of what is not there any more."""
    findings = [each for tool in (of_hadolint, of_bandit, of_secrets) for each in tool(root, files)]
    left = review.kept.copy()
    wrong = []
    for each in sorted(set(findings)):
        if each.rule in review.left_out:
            continue
        if left[each.key] > 0:
            left[each.key] -= 1
        else:
            wrong.append(f"{each.path}:{each.line}: {each.rule} {each.says} [{each.mark}]")
    gone = [key for key in left.elements() if key[1] in files or not (root / key[1]).exists()]
    return wrong + [f"{path}: {rule} [{mark}] is reviewed but not found" for rule, path, mark in gone]


def main() -> int:
    """Scan the files that git keeps, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--root", type=Path, default=Path.cwd())
    options.add_argument("--review", type=Path, required=True, help="the reviewed list")
    options.add_argument("files", nargs="*", help="below the root; all that git keeps by default")
    given = options.parse_args()
    files = given.files
    if not files:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=given.root, capture_output=True, text=True, timeout=30, check=True
        )
        files = [each for each in listed.stdout.split("\0") if each and (given.root / each).is_file()]
        files = [each for each in files if (given.root / each).resolve() != given.review.resolve()]
    wrong = scan(given.root, files, Review.read(given.review))
    for line in wrong:
        sys.stdout.write(line + "\n")
    sys.stdout.write(f"{len(files)} files looked at, {len(wrong)} findings\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
