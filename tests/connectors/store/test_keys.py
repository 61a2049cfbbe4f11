"""Row identities: exact whatever the hashes do, against the obvious way with sets."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genesis.connectors.store import keys
from genesis.operators import topics
from genesis.operators.records import RowSchema

KEY = np.dtype([("id", "<i8"), ("symbol", "S3"), ("market", "i1"), ("_spare", "V4")])
SMALL = st.lists(
    st.tuples(st.integers(-2, 2), st.sampled_from([b"A", b"AB", b"", b"\0B"]), st.integers(-1, 1))
)


def packed(values: list[tuple[int, bytes, int]]) -> Any:
    return np.array([(*value, b"") for value in values], KEY)


def distinct(value: tuple[int, bytes, int]) -> tuple[int, bytes, int]:
    """Return what numpy keeps of a value: trailing zero bytes are no part of a text."""
    return (value[0], value[1].rstrip(b"\0"), value[2])


def obvious(values: list[tuple[int, bytes, int]], known: list[tuple[int, bytes, int]]) -> list[bool]:
    seen = set(map(distinct, known))
    found = []
    for value in map(distinct, values):
        found.append(value not in seen)
        seen.add(value)
    return found


@given(SMALL, SMALL)
def test_fresh_is_what_a_set_says(
    values: list[tuple[int, bytes, int]], known: list[tuple[int, bytes, int]]
) -> None:
    assert keys.fresh(packed(values), packed(known)).tolist() == obvious(values, known)


@given(SMALL, SMALL)
def test_colliding_hashes_cost_no_row(
    values: list[tuple[int, bytes, int]], known: list[tuple[int, bytes, int]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_hashes", lambda rows: np.full(rows.size, 7, np.uint64))
        assert keys.fresh(packed(values), packed(known)).tolist() == obvious(values, known)


def test_hashes_of_close_ids_differ() -> None:
    ids: NDArray[np.int64] = np.arange(-100_000, 100_000)
    made = np.zeros(ids.size, KEY)
    made["id"] = ids
    assert np.unique(keys._hashes(made)).size == ids.size


@pytest.mark.parametrize("topic", topics.ARCHIVED, ids=lambda topic: topic.name)
def test_key_layouts_are_whole_words(topic: topics.Topic) -> None:
    if not isinstance(topic.schema, RowSchema):
        pytest.skip("a record's key is its id")
    assert keys.key_dtype(topic.schema.dtype, topic.schema.key).itemsize % 8 == 0
