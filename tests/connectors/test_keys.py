"""Keys are made once, readable by their owner alone, and never shown."""

import logging
import os
import pickle
import stat
import threading
import traceback
from pathlib import Path

import pytest
import structlog

from genesis.connectors import keys, settings
from genesis.connectors.keys import KeyRing, KeysError, create_keys, open_keys
from genesis.connectors.settings import Settings


@pytest.fixture
def configured(tmp_path: Path) -> Settings:
    return settings.read(data=tmp_path / "data")


def test_each_role_gets_a_key_of_its_own_and_keeps_it(configured: Settings) -> None:
    first = create_keys(configured)
    assert list(first) == ["trader", "strategy", "ticker", "gateway", "guard", "examiner", "permit", "audit"]
    assert {len(key) for key in first.values()} == {32}
    assert len(set(first.values())) == len(first)
    assert dict(create_keys(configured)) == dict(first)
    assert dict(open_keys(configured)) == dict(first)
    assert dict(open_keys(configured, "gateway", "permit")) == dict(first.only("gateway", "permit"))


def test_files_and_folder_are_closed_to_others(configured: Settings) -> None:
    create_keys(configured)
    folder = keys.folder_of(configured)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert len(files) == 8, "nothing else is left behind"
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_a_folder_of_its_own_can_be_named(tmp_path: Path) -> None:
    ring = create_keys(settings.read(data=tmp_path / "data", keys=str(tmp_path / "elsewhere")))
    assert (tmp_path / "elsewhere" / "audit.key").read_bytes() == ring["audit"]
    assert not (tmp_path / "data").exists()


def test_processes_that_start_at_once_agree(configured: Settings) -> None:
    found: list[dict[str, bytes]] = []
    threads = [threading.Thread(target=lambda: found.append(dict(create_keys(configured)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666])
def test_a_key_that_others_can_read_is_refused_with_the_remedy(configured: Settings, mode: int) -> None:
    create_keys(configured)
    path = keys.folder_of(configured) / "permit.key"
    path.chmod(mode)
    with pytest.raises(KeysError, match=f"others can read .*permit.key.*chmod 600 {path}"):
        open_keys(configured)
    assert "trader" in open_keys(configured, "trader")


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o755, 0o777])
def test_a_folder_that_others_can_enter_is_refused(configured: Settings, mode: int) -> None:
    create_keys(configured)
    keys.folder_of(configured).chmod(mode)
    for attempt in (open_keys, create_keys):
        with pytest.raises(KeysError, match="chmod 700"):
            attempt(configured)


def test_missing_keys_are_not_made_by_who_only_reads(configured: Settings) -> None:
    with pytest.raises(KeysError, match="genesis up"):
        open_keys(configured)
    create_keys(configured)
    (keys.folder_of(configured) / "audit.key").unlink()
    with pytest.raises(KeysError, match=r"audit\.key.*genesis up"):
        open_keys(configured)
    assert "trader" in open_keys(configured, "trader")


@pytest.mark.parametrize("size", [0, 31, keys.KEY_BYTES_MAX + 1])
def test_a_key_of_the_wrong_size_is_refused_without_showing_it(configured: Settings, size: int) -> None:
    create_keys(configured)
    path = keys.folder_of(configured) / "audit.key"
    path.write_bytes(b"S" * size)
    with pytest.raises(KeysError, match="backup") as caught:
        open_keys(configured)
    assert "SSSS" not in str(caught.value)


def test_a_folder_in_the_place_of_a_key_is_explained(configured: Settings) -> None:
    create_keys(configured)
    path = keys.folder_of(configured) / "audit.key"
    path.unlink()
    path.mkdir(mode=0o700)
    with pytest.raises(KeysError, match="cannot be read"):
        open_keys(configured)


def test_a_process_has_only_the_keys_that_it_was_given(configured: Settings) -> None:
    ring = create_keys(configured).only("gateway", "permit")
    assert list(ring) == ["gateway", "permit"]
    assert "audit" not in ring
    assert ring.get("audit") is None
    with pytest.raises(KeysError, match="no key 'audit' here"):
        ring["audit"]
    with pytest.raises(KeysError):
        ring.only("gateway", "audit")


def spellings(key: bytes) -> list[str]:
    return [repr(key)[2:-1], key.hex(), key.decode("latin-1")]


def test_no_key_is_in_any_text_that_a_ring_leads_to(
    configured: Settings, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = create_keys(configured)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("ring %s %r", ring, ring)
        structlog.get_logger().warning("ring", ring=ring)
    try:
        ring["nobody"]
    except KeysError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    output = capsys.readouterr()
    texts = [repr(ring), str(ring), f"{ring}", f"{vars(KeyRing)}", told, caplog.text, output.out, output.err]
    texts += [str(configured), repr(settings.to_environment(configured)), repr(os.environ)]
    for text in texts:
        for key in ring.values():
            assert not any(spelt in text for spelt in spellings(key))


def test_a_ring_cannot_be_pickled(configured: Settings) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(create_keys(configured))


def test_a_secret_that_a_deployment_mounts_may_be_read_by_its_group(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_keys(configured)
    folder = keys.folder_of(configured)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o750 if path.is_dir() else 0o440)
    if os.getuid():
        pytest.skip("only root can make a file that root owns")
    with pytest.raises(KeysError):
        open_keys(configured)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert len(open_keys(configured)) == 8
    folder.chmod(0o755)
    with pytest.raises(KeysError, match="others can read"):
        open_keys(configured)
