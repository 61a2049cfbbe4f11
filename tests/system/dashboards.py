"""Helpers for tests at the dashboard: a system with an account that was there before, and keys typed."""

import json
import secrets
import stat
import sys
from pathlib import Path

import msgspec

from genesis.connectors import keys, settings
from genesis.connectors.ledger import Saved, open_ledger
from genesis.operators.account import state
from genesis.operators.account.state import Account, Tilt
from genesis.operators.account.tier_gates import Tier
from genesis.tui.terminal import Session
from tests.system import running
from tests.system.test_trading import System

SLOW_S = 90.0
CAPITAL = "9000"
"""Of a Hunter; a quarter of its usual size, on the way back, still takes an order of $60 and one of $50."""


def prepare(data: Path, tilt: Tilt) -> None:
    """Put down, before anything runs, a Hunter's account of whom so much is known."""
    config = settings.read(data=data)
    ring = keys.create_keys(config)
    folder = keys.folder_of(config)
    api_key, secret = secrets.token_hex(32), secrets.token_hex(32)
    entry = {"name": "main", "api_key": api_key, "secret": secret, "balances": {"USDT": CAPITAL}}
    for name, body in (
        ("venue-accounts.json", [entry]),
        ("venue-credentials.json", {"api_key": api_key, "secret": secret}),
    ):
        path = folder / name
        path.write_text(json.dumps(body))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    account = Account("main", tilt=tilt)
    account.standing = msgspec.structs.replace(account.standing, tier=Tier.HUNTER, entered_ns=1)
    with open_ledger(config, audit_key=ring[keys.AUDIT]) as ledger:
        saved = Saved(snapshot=state.encoded(account), position="", head=account.head)
        ledger.commit("main", before=account.head, saved=saved, audit=[], outbox=[])


def at_dashboard(system: System, *words: str, size: tuple[int, int] = (120, 40)) -> Session:
    variables = running.environment() | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    variables.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "genesis.cli.main", "tui", "--data", str(system.data), *words]
    return Session(command, size, variables)


def send(session: Session, command: str, answer: str) -> None:
    """Type a command, look at it, send it, and wait for what is said of it."""
    session.type(command + "\r")
    session.wait("enter sends it", SLOW_S)
    session.type("\r")
    session.wait(answer, SLOW_S)


def pass_first_steps(session: Session) -> None:
    """Go through what is shown to somebody new."""
    session.wait("Three panels, always in the same place", SLOW_S)
    session.type("\r\r\r")
