"""The reference of the topics is complete and current."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from genesis.connectors import topic_docs
from genesis.operators import topics
from genesis.operators.topics import Topic

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pages_are_current() -> None:
    assert not topic_docs.stale(DOCS), "run `make docs`"


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_every_field_says_what_it_means(topic: Topic) -> None:
    silent = [field.name for field in topic_docs.fields_of(topic) if not field.doc]
    assert not silent


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_every_time_and_duration_has_its_unit(topic: Topic) -> None:
    for field in topic_docs.fields_of(topic):
        if re.search(r"_(ns|bps|hz|bytes)$", field.name):
            assert field.unit, field.name


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def test_the_asyncapi_document_holds_together() -> None:
    document = msgspec.yaml.decode((DOCS / "asyncapi.yaml").read_bytes())
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} == {
        topic.full_name for topic in topics.ALL
    }
    for reference in references(document):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_stale_pages_are_named(tmp_path: Path) -> None:
    assert sorted(topic_docs.stale(tmp_path)) == ["asyncapi.yaml", "topics.md"]
