"""The venue's accounts: who may trade, by which key, with what. Read from a file, or made up into one."""

import os
import secrets
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from genesis.connectors.venue.source import Instrument
from genesis.connectors.venue.trading.wallet import Wallet
from genesis.operators.records import Market

FILE_MODE = 0o600
FIRST_BALANCE = "10000"
"""Of every quote asset, for an account that is made up."""

PublicKey = Ed25519PublicKey | RSAPublicKey


class AccountsError(ValueError):
    """The file of accounts cannot be used; the message says why and never what is secret in it."""


class AccountEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One account as the file has it; ``secret`` for HMAC, or ``public_key`` (PEM) for RSA and Ed25519."""

    name: str
    api_key: str
    secret: str = ""
    public_key: str = ""
    balances: dict[str, str] = {}
    maker_rate: str = "0.001"
    taker_rate: str = "0.001"
    pays_in_bnb: bool = False

    def __repr__(self) -> str:
        return f"AccountEntry({self.name!r})"


class Account:
    """One account of the venue.

    Raises
    ------
    AccountsError
        When its entry contradicts itself.
    """

    def __init__(self, entry: AccountEntry) -> None:
        self.name = entry.name
        self.api_key = entry.api_key
        self.pays_in_bnb = entry.pays_in_bnb
        if bool(entry.secret) == bool(entry.public_key):
            raise AccountsError(f"account {entry.name!r}: give either secret or public_key")
        self.secret = entry.secret.encode()
        self.public_key = _public_key(entry) if entry.public_key else None
        amounts = {asset: _amount(entry.name, asset, text) for asset, text in entry.balances.items()}
        self.wallet = Wallet(amounts)
        self.maker_rate = _amount(entry.name, "maker_rate", entry.maker_rate)
        self.taker_rate = _amount(entry.name, "taker_rate", entry.taker_rate)

    def __repr__(self) -> str:
        return f"Account({self.name!r})"

    @property
    def key_type(self) -> str:
        """How its requests are signed."""
        if self.public_key is None:
            return "HMAC"
        return "Ed25519" if isinstance(self.public_key, Ed25519PublicKey) else "RSA"


def open_accounts(path: Path | None, instruments: Iterable[Instrument]) -> list[Account]:
    """Return the accounts of a file; one is made up, and written to the file, when there is none yet.

    Raises
    ------
    AccountsError
        When the file cannot be read or written, or does not say what it must.
    """
    try:
        if path is not None and path.exists():
            entries = msgspec.json.decode(path.read_bytes(), type=list[AccountEntry])
        else:
            entries = [_made_up(instruments)]
            if path is not None:
                _write(path, entries)
    except OSError as error:
        raise AccountsError(f"accounts file {path}: {error.strerror}; choose another --accounts") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AccountsError(f"accounts file {path}: {error}; expected a list of accounts") from None
    accounts = [Account(entry) for entry in entries]
    for names in ([each.name for each in accounts], [each.api_key for each in accounts]):
        if len(set(names)) != len(names) or not all(names):
            raise AccountsError(f"accounts file {path}: names and API keys must be unique and not empty")
    return accounts


def _made_up(instruments: Iterable[Instrument]) -> AccountEntry:
    quotes = sorted({each.quote for each in instruments if each.market == Market.SPOT and each.quote})
    balances = dict.fromkeys(quotes or ["USDT"], FIRST_BALANCE)
    return AccountEntry("main", secrets.token_hex(32), secrets.token_hex(32), balances=balances)


def _write(path: Path, entries: list[AccountEntry]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = msgspec.json.format(msgspec.json.encode(entries)) + b"\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "wb") as file:
        file.write(body)


def _public_key(entry: AccountEntry) -> PublicKey:
    try:
        key = load_pem_public_key(entry.public_key.encode())
    except ValueError:
        raise AccountsError(f"account {entry.name!r}: public_key is no PEM of a public key") from None
    if not isinstance(key, Ed25519PublicKey | RSAPublicKey):
        raise AccountsError(f"account {entry.name!r}: public_key must be Ed25519 or RSA")
    return key


def _amount(name: str, what: str, text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise AccountsError(f"account {name!r}: {what} must be a number from 0, was {text!r}")
    return amount
