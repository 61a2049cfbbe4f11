"""The page of tiers says what the tables say: every gate, every fall, every edge of the diagram."""

import importlib.util
import itertools
import re
from pathlib import Path

import pytest

from genesis.operators.account.tier_gates import DEMOTIONS, GATES, Tier

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def page() -> str:
    spec = importlib.util.spec_from_file_location("tiers_page", DOCS / "tiers_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.page())


def test_every_gate_and_every_rule_has_its_line(page: str) -> None:
    lines = page.splitlines()
    for gate in (gate for gates in GATES.values() for gate in gates):
        ends = f"| {gate.sentence} | {gate.bound.sign} {gate.bound.value:g} |"
        assert [line for line in lines if line.startswith(f"| `{gate.code}`") and line.endswith(ends)]
    for rule in DEMOTIONS:
        assert [line for line in lines if line.startswith(f"| `{rule.code}` | {rule.sentence} |")]


def test_the_diagram_has_an_edge_up_and_down_between_neighbours_and_no_other(page: str) -> None:
    names = [tier.title for tier in Tier]
    expected = {("[*]", names[0]), (names[0], names[0])}
    for lower, upper in itertools.pairwise(names):
        expected |= {(lower, upper), (upper, lower)}
    assert set(re.findall(r"^    (\S+) --> (\w+)", page, re.MULTILINE)) == expected


def test_every_table_is_whole(page: str) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_page_in_the_repository_is_current(page: str) -> None:
    assert (DOCS / "tiers.md").read_text(encoding="utf-8").endswith(page)
