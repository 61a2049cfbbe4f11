"""Settings come from the environment alone; what is not a setting, or not a value, is refused."""

from pathlib import Path

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


@pytest.mark.parametrize("name", settings.SECRETS)
def test_a_secret_may_be_in_a_file_and_a_child_reads_it_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret of two words\n")
    monkeypatch.setenv(settings.variable(name, in_file=True), str(path))
    first = settings.read()
    assert getattr(first, name).get_secret_value() == "s3cret of two words"
    given = settings.to_environment(first.model_copy(update={"shards": 3}))
    assert "s3cret" not in f"{given} {first!r}"
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    assert settings.read() == first.model_copy(update={"shards": 3})


def test_a_secret_in_two_places_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("one")
    monkeypatch.setenv("GENESIS_API_SECRET", "another")
    monkeypatch.setenv("GENESIS_API_SECRET_FILE", str(path))
    with pytest.raises(SettingsError, match="are both set") as caught:
        settings.read()
    assert "another" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: bytes
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(body)
    monkeypatch.setenv("GENESIS_STORE_PASSWORD_FILE", str(path))
    with pytest.raises(SettingsError, match="GENESIS_STORE_PASSWORD_FILE"):
        settings.read()


def test_only_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_SHARDS_FILE", "shards")
    with pytest.raises(SettingsError, match="GENESIS_SHARDS_FILE is not a setting"):
        settings.read()
