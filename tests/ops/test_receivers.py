"""Compose's receivers of alerts: made from files, routes as the generated ones, and half set refused."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KEY = "0123456789abcdef0123456789abcdef"
ALL = {
    "pagerduty_key": KEY,
    "chat_url": "https://chat.example.com/hooks/opensesame",
    "mail_server": "mail.example.com:587",
    "mail_from": "genesis@example.com",
    "mail_to": "operators@example.com",
    "mail_user": "genesis",
    "mail_password": "correct horse",
    "watchdog_url": "https://watchdog.example.com/ping",
}
MAIL = {name: text for name, text in ALL.items() if name.startswith("mail_")}
NO_PASSWORD = {name: text for name, text in MAIL.items() if name not in ("mail_user", "mail_password")}


def run(folder: Path, alerts: str | None, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Make the configuration in ``made`` of a folder, from files in ``files``."""
    for name in ("files", "made"):
        (folder / name).mkdir(exist_ok=True)
    for path in (folder / "files").iterdir():
        path.unlink()
    for name, text in files.items():
        (folder / "files" / name).write_text(f"{text}\n", encoding="utf-8")
    environment = {"PATH": os.environ["PATH"]} | ({"GENESIS_ALERTS": alerts} if alerts is not None else {})
    words = [ROOT / "ops/receivers.py", folder / "files", folder / "made", folder / "made"]
    return subprocess.run(
        [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True, check=False
    )


def config(folder: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((folder / "made" / "alertmanager.yml").read_text(encoding="utf-8")))


def told(folder: Path) -> dict[str, set[str]]:
    """Return by receiver which kinds of it there are."""
    return {each["name"]: set(each) - {"name"} for each in config(folder)["receivers"]}


def test_on_a_laptop_alerts_are_shown_and_nobody_is_told(tmp_path: Path, monitoring: Path) -> None:
    done = run(tmp_path, None, {})
    assert (done.returncode, done.stdout) == (0, "alerts: nobody is told; they are kept and shown\n")
    assert told(tmp_path) == {"duty": set(), "day": set(), "watchdog": set()}
    check = [monitoring / "amtool", "check-config", tmp_path / "made" / "alertmanager.yml"]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("alerts", "files", "duty", "day"),
    [
        ("pagerduty", {"pagerduty_key"}, {"pagerduty_configs"}, {"pagerduty_configs"}),
        ("mail", set(MAIL), {"email_configs"}, {"email_configs"}),
        ("mail", set(NO_PASSWORD), {"email_configs"}, {"email_configs"}),
        ("chat, watchdog", {"chat_url", "watchdog_url"}, {"slack_configs"}, {"slack_configs"}),
        (
            "pagerduty,chat,mail,watchdog",
            set(ALL),
            {"pagerduty_configs", "slack_configs"},
            {"slack_configs", "email_configs"},
        ),
    ],
)
def test_what_is_named_is_told_and_somebody_hears_of_both_severities(
    tmp_path: Path, monitoring: Path, alerts: str, files: set[str], duty: set[str], day: set[str]
) -> None:
    done = run(tmp_path, alerts, {name: ALL[name] for name in files})
    assert done.returncode == 0, done.stderr
    assert (told(tmp_path)["duty"], told(tmp_path)["day"]) == (duty, day)
    check = [monitoring / "amtool", "check-config", tmp_path / "made" / "alertmanager.yml"]
    said = subprocess.run(check, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_routes_are_those_of_the_generated_file_and_secrets_are_files_of_one_user(tmp_path: Path) -> None:
    assert run(tmp_path, "pagerduty,chat,mail,watchdog", ALL).returncode == 0
    generated = (ROOT / "ops/alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    for part in ("route", "inhibit_rules"):
        assert config(tmp_path)[part] == yaml.safe_load(generated)[part]
    text = (tmp_path / "made" / "alertmanager.yml").read_text(encoding="utf-8")
    for name in ("pagerduty_key", "chat_url", "mail_password"):
        path = tmp_path / "made" / name
        assert path.read_text(encoding="utf-8") == ALL[name]
        assert path.stat().st_mode & 0o777 == 0o400
        assert ALL[name] not in text
        assert str(path) in text
    assert run(tmp_path, "shown", {}).returncode == 0
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["alertmanager.yml"]


@pytest.mark.parametrize(
    ("alerts", "files", "sentence"),
    [
        ("pagerduty", {}, "pagerduty_key is missing: put a routing key of 32 characters in it"),
        ("pagerduty", {"pagerduty_key": ""}, "pagerduty_key has to hold a routing key of 32 characters"),
        ("chat", {"chat_url": "http://chat.example.com"}, "chat_url has to hold an address with https"),
        ("mail", {"mail_server": "mail:587", "mail_from": "a@b"}, "mail_to is missing"),
        ("mail", NO_PASSWORD | {"mail_user": "me"}, "mail_user and mail_password belong together"),
        ("shown", {"pagerduty_key": KEY}, "pagerduty_key would not be used: add pagerduty to GENESIS_ALERTS"),
        ("mail", MAIL | {"chat_url": ALL["chat_url"]}, "chat_url would not be used: add chat"),
        ("shown,mail", MAIL, "GENESIS_ALERTS is 'shown', or names out of pagerduty, chat, mail, watchdog"),
        ("email", MAIL, "was 'email'"),
        ("", {}, "was ''"),
    ],
)
def test_what_is_half_set_is_refused_and_leaves_all_as_it_was(
    tmp_path: Path, alerts: str, files: dict[str, str], sentence: str
) -> None:
    assert run(tmp_path, "pagerduty", {"pagerduty_key": KEY}).returncode == 0
    before = (tmp_path / "made" / "alertmanager.yml").read_text(encoding="utf-8")
    done = run(tmp_path, alerts, files)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not [text for text in (KEY, "correct horse", "opensesame") if text in done.stderr]
    assert (tmp_path / "made" / "alertmanager.yml").read_text(encoding="utf-8") == before
