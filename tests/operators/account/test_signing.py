"""Seals are HMAC-SHA256 as everybody computes it, whatever the key and the fields."""

import hmac

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.account import signing


@given(st.binary(min_size=signing.KEY_BYTES_MIN, max_size=200), st.lists(st.text(), max_size=5))
def test_it_is_the_hmac_of_the_library(key: bytes, fields: list[str]) -> None:
    packed = msgspec.msgpack.encode(fields)
    assert signing.mac(key, *fields) == hmac.digest(key, packed, "sha256").hex()
    assert signing.mac(key, *fields) == hmac.digest(key, packed, "sha256").hex()  # and a second time


def test_fields_are_told_apart() -> None:
    key = b"k" * 32
    assert signing.mac(key, "ab", "c") != signing.mac(key, "a", "bc")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        signing.mac(b"short", "a")
