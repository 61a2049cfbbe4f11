"""The trading side of a system on this machine: keys, the simulator's account, and the parts that trade."""

import secrets
from collections.abc import Callable

import msgspec

from genesis.cli.errors import CommandError
from genesis.cli.supervisor import Supervisor
from genesis.connectors import keys, private_file, strategist
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
        private_file.replace(accounts, msgspec.json.encode([{**entry, "balances": {"USDT": capital}}]))
        private_file.replace(credentials, msgspec.json.encode({"api_key": api_key, "secret": secret}))
    update = {"credentials_file": str(credentials)}
    if not system.settings.credentials_file:
        system.settings = system.settings.model_copy(update=update)
    return ["--accounts", str(accounts), "--state", str(folder / "venue-state.jsonl")]


def start(system: Supervisor) -> None:
    """Start the parts that trade: the account's flow, its clock, and the gateway."""
    system.start("account")
    system.start("ticker")
    system.start("gateway")


def strategy_watch() -> Callable[[Supervisor], None]:
    """Return what starts the strategist once a strategy is wanted; from then on it looks itself."""
    said = ""

    def look(system: Supervisor) -> None:
        nonlocal said
        if "strategist" in system.children or "account" not in system.children:
            return
        try:
            if strategist.read_wanted(system.data).strategies:
                system.start("strategist")
        except (SettingsError, CommandError) as error:
            if str(error) != said:
                said = str(error)
                system.notice(said)

    return look
