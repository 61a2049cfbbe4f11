"""Settings come from the environment alone; what is not a setting, or not a value, is refused."""

import pytest

from genesis.connectors import settings
from genesis.connectors.settings import SettingsError


def test_a_variable_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_SHARDS", "8")
    assert settings.read().shards == 8


def test_a_misspelt_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_SHARD", "8")
    with pytest.raises(SettingsError, match="GENESIS_SHARD is not a setting"):
        settings.read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHARDS", "0"),
        ("SHARDS", "many"),
        ("LATENESS_MS", "-1"),
        ("HALF_LIVES_S", "60,-1"),
        ("VENUE", "moon"),
    ],
)
def test_a_value_outside_its_range_is_refused_with_the_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GENESIS_{name}", value)
    with pytest.raises(SettingsError, match=f"GENESIS_{name}"):
        settings.read()


def test_a_child_process_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    first = settings.read(shards=3, half_lives_s="equal,60", store_password="s3cret")
    for name, value in settings.to_environment(first).items():
        monkeypatch.setenv(name, value)
    assert settings.read() == first


def test_half_lives_are_sorted_nanoseconds_with_zero_for_equal_weights() -> None:
    assert settings.read(half_lives_s="300, 60,equal").half_lives_ns == (0, 60_000_000_000, 300_000_000_000)


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "s3cret" not in repr(settings.read(store_password="s3cret"))
