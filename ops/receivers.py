"""Who is told of alerts on one host: alertmanager.yml for compose, made from files of one line each.

``GENESIS_ALERTS`` is ``shown`` (alerts are kept and shown, and nobody is told) or names out of pagerduty,
chat, mail and watchdog, such as ``pagerduty,mail``. Each has its files in the folder of the first argument;
the configuration and copies of the secrets, readable by Alertmanager alone, are written to the second, which
Alertmanager sees under the path of the third. What is half set is refused with exit status 1, before anything
is written. Only Python's own library is needed.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import delivery

SHOWN = "shown"
USER = 65534
"""nobody, whom Alertmanager's image runs as."""

ADDRESS = r"https?://\S+"
LETTERBOX = r"[^@\s]+@[^@\s]+"


class File(NamedTuple):
    """A file of one line, and what has to be in it."""

    name: str
    pattern: str
    like: str
    is_secret: bool = False
    is_needed: bool = True


FILES: dict[str, tuple[File, ...]] = {
    "pagerduty": (
        File("pagerduty_key", r"[0-9a-zA-Z]{32}", "a routing key of 32 characters", is_secret=True),
    ),
    "chat": (File("chat_url", r"https://\S+", "an address with https", is_secret=True),),
    "mail": (
        File("mail_server", r"[^\s:]+:\d+", "a server with its port, as mail.example.com:587"),
        File("mail_from", LETTERBOX, "an address, as genesis@example.com"),
        File("mail_to", LETTERBOX, "an address, as operators@example.com"),
        File("mail_user", r"\S+", "a name", is_needed=False),
        File("mail_password", r".+", "a password", is_secret=True, is_needed=False),
    ),
    "watchdog": (File("watchdog_url", ADDRESS, "an address with http or https"),),
}


class HalfSet(ValueError):
    """The receivers cannot be made; the message says what lacks and what to do."""


def settings(chosen: str, folder: Path) -> dict[str, str]:
    """Return the content of each file that the chosen receivers have.

    Raises
    ------
    HalfSet
        When a name is unknown, or a file is missing, of another shape, or there without being used.
    """
    names = [name.strip() for name in chosen.split(",")]
    unknown = [name for name in names if name not in (SHOWN, *FILES)]
    if unknown or (SHOWN in names and len(names) > 1):
        raise HalfSet(
            f"GENESIS_ALERTS is {SHOWN!r}, or names out of {', '.join(FILES)} with commas between; "
            f"was {chosen!r}"
        )
    wanted = {name: FILES[name] for name in names if name != SHOWN}
    found = {each.name: _line(name, each, folder) for name, files in wanted.items() for each in files}
    for name, files in FILES.items():
        idle = [each.name for each in files if name not in wanted and (folder / each.name).exists()]
        if idle:
            raise HalfSet(
                f"{' and '.join(idle)} would not be used: add {name} to GENESIS_ALERTS, which is {chosen!r}, "
                f"or remove it from {folder}"
            )
    if bool(found.get("mail_user")) != bool(found.get("mail_password")):
        raise HalfSet("mail_user and mail_password belong together: one is there without the other")
    return {name: text for name, text in found.items() if text}


def _line(receiver: str, file: File, folder: Path) -> str:
    path = folder / file.name
    if not path.exists():
        if file.is_needed:
            raise HalfSet(
                f"GENESIS_ALERTS names {receiver}, and {path} is missing: put {file.like} in it, "
                f"or take {receiver} out"
            )
        return ""
    text = path.read_text(encoding="utf-8").strip()
    if not re.fullmatch(file.pattern, text):
        raise HalfSet(f"{path} has to hold {file.like}, in one line")  # what it holds may be secret
    return text


def places(found: dict[str, str], made: Path) -> dict[str, Any]:
    """Return where the chosen receivers are, as `delivery.alertmanager` takes it."""
    result: dict[str, Any] = {}
    if "pagerduty_key" in found:
        url = "https://events.pagerduty.com/v2/enqueue"
        result["pagerduty"] = {"url": url, "key_file": f"{made}/pagerduty_key"}
    if "chat_url" in found:
        result["chat"] = {"url_file": f"{made}/chat_url"}
    if "mail_to" in found:
        names = {"smarthost": "mail_server", "from": "mail_from", "to": "mail_to"}
        result["mail"] = {key: found[name] for key, name in names.items()}
    if "mail_password" in found:
        result["mail"] |= {"username": found["mail_user"], "password_file": f"{made}/mail_password"}
    if "watchdog_url" in found:
        result["watchdog"] = {"url": found["watchdog_url"]}
    return result


def write(found: dict[str, str], folder: Path, made: Path) -> None:
    """Write the configuration and the secrets that it names, each for Alertmanager's user alone.

    Parameters
    ----------
    found
        What `settings` has read.
    folder
        Where to write; what was made before goes.
    made
        The path under which Alertmanager sees that folder.
    """
    secret = {each.name for files in FILES.values() for each in files if each.is_secret}
    content = {name: text for name, text in found.items() if name in secret}
    content["alertmanager.yml"] = json.dumps(delivery.alertmanager(places(found, made), 1), indent=1)
    for old in secret - set(content):
        (folder / old).unlink(missing_ok=True)
    for name, text in content.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.touch(mode=0o400)
        path.chmod(0o600)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o400)
        if os.getuid() == 0:
            os.chown(path, USER, USER)
    folder.chmod(0o755)


def main() -> int:
    """Write what Alertmanager reads; return the exit status."""
    folder, written, made = (Path(word) for word in sys.argv[1:4])
    chosen = os.environ.get("GENESIS_ALERTS", SHOWN)
    try:
        found = settings(chosen, folder)
    except HalfSet as refused:
        print(f"alerts: {refused}", file=sys.stderr)
        return 1
    write(found, written, made)
    told = "nobody is told; they are kept and shown" if chosen == SHOWN else f"told to {chosen}"
    print(f"alerts: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
