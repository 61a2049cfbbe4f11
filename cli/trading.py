"""The trading side of a system on this machine: keys, the simulator's account, and the parts that trade."""

import os
import secrets
from pathlib import Path

import msgspec

from genesis.cli.errors import CommandError
from genesis.cli.supervisor import Supervisor
from genesis.connectors import keys, strategist
from genesis.connectors.settings import Settings, SettingsError, Trading, Venue

CAPITAL = "500"
"""What the simulator's account begins with, USDT: the first tier's."""


def trades(settings: Settings) -> bool:
    """Say whether this system trades: on the simulator, or where the settings say."""
    return settings.venue is Venue.SIMULATOR or settings.trading is not Trading.SIMULATOR


def prepare(system: Supervisor, capital: str = CAPITAL) -> list[str]:
    """Make keys and the simulator's account when they are not there; return the venue's options for it."""
    keys.create_keys(system.settings)
    if system.settings.trading is not Trading.SIMULATOR:
        return []
    folder = keys.folder_of(system.settings)
    accounts, credentials = folder / "venue-accounts.json", folder / "venue-credentials.json"
    if not accounts.exists() or not credentials.exists():
        api_key, secret = secrets.token_hex(32), secrets.token_hex(32)
        entry = {"name": system.settings.account, "api_key": api_key, "secret": secret}
        _write(accounts, [{**entry, "balances": {"USDT": capital}}])
        _write(credentials, {"api_key": api_key, "secret": secret})
    update = {"credentials_file": str(credentials)}
    if not system.settings.credentials_file:
        system.settings = system.settings.model_copy(update=update)
    return ["--accounts", str(accounts), "--state", str(folder / "venue-state.jsonl")]


def _write(path: Path, content: object) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    scratch = path.with_suffix(".part")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(content))
    scratch.replace(path)


def start(system: Supervisor) -> None:
    """Start the parts that trade: the account's flow, its clock, and the gateway."""
    system.start("account")
    system.start("ticker")
    system.start("gateway")


def look_for_strategies(system: Supervisor) -> None:
    """Start the strategist when a strategy is wanted for the first time; it then follows the file itself."""
    if "strategist" in system.children or "account" not in system.children:
        return
    try:
        if strategist.read_wanted(system.data).strategies:
            system.start("strategist")
    except (SettingsError, CommandError) as error:
        system.notice(str(error))
