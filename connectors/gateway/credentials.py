"""Credentials: API key and secret from a file, the environment or Vault; never shown by anything.

Law: the secret leaves this module only into the client that signs. It is in no ``repr``, no message
and no pickle.
"""

import os
import stat
from pathlib import Path
from typing import NoReturn, Protocol

import msgspec
from pydantic import SecretStr

from genesis.connectors import logs

PRIVATE_MODES = stat.S_IRWXG | stat.S_IRWXO
"""Permissions that a file with a secret must not have."""


class CredentialsMissing(ValueError):
    """There are no usable credentials; the message says what is wrong and what to do, without them."""


class Credentials:
    """API key and secret of one account.

    Parameters
    ----------
    api_key
        What Binance calls the API key.
    secret
        HMAC secret, or a private key (RSA or Ed25519) in PEM.

    >>> Credentials("key", "secret")
    Credentials(…)
    """

    __slots__ = ("_api_key", "_secret")

    def __init__(self, api_key: str, secret: str) -> None:
        if not api_key or not secret:
            raise CredentialsMissing("credentials need both an API key and a secret; one of them is empty")
        self._api_key, self._secret = SecretStr(api_key), SecretStr(secret)
        logs.hide(api_key)
        logs.hide(secret)

    def __repr__(self) -> str:
        return "Credentials(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials do not leave their process")

    @property
    def api_key(self) -> str:
        """Return the API key, for the client alone."""
        return self._api_key.get_secret_value()

    @property
    def secret(self) -> str:
        """Return the secret, for the client alone."""
        return self._secret.get_secret_value()

    @property
    def is_private_key(self) -> bool:
        """Say whether the secret is a private key rather than one for HMAC."""
        return self.secret.lstrip().startswith("-----BEGIN")


class Vault(Protocol):
    """What is asked of a Vault client (`vault.VaultClient`)."""

    def read(self, path: str) -> dict[str, str]:
        """Return the fields of a secret."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    api_key: str
    secret: str


def from_file(path: Path) -> Credentials:
    """Return credentials from a JSON file with ``api_key`` and ``secret`` that only its owner can read.

    Raises
    ------
    CredentialsMissing
        When there is none, others can read it, or it does not hold the two.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise CredentialsMissing(f"no credentials at {path}: {(error.strerror or '').lower()}") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_mode & PRIVATE_MODES or status.st_uid != os.getuid():
            raise CredentialsMissing(f"{path} must be yours, and nobody else may read it: chmod 600 {path}")
        text = file.read(65_536)
    try:
        held = msgspec.json.decode(text, type=_File)
    except msgspec.MsgspecError:
        raise CredentialsMissing(
            f'{path} must be JSON with "api_key" and "secret" and nothing else; its content is not shown'
        ) from None
    return Credentials(held.api_key, held.secret)


def from_vault(vault: Vault, path: str) -> Credentials:
    """Return credentials from Vault.

    Raises
    ------
    CredentialsMissing
        When the secret cannot be read, or lacks a field.
    """
    fields = vault.read(path)
    try:
        return Credentials(fields["api_key"], fields["secret"])
    except KeyError as error:
        raise CredentialsMissing(f"the secret at {path!r} in Vault has no field {error.args[0]!r}") from None


def find(file: str, api_key: SecretStr, secret: SecretStr) -> Credentials:
    """Return credentials from where they are configured: file, else environment.

    Raises
    ------
    CredentialsMissing
        When they are nowhere.
    """
    if file:
        return from_file(Path(file))
    if api_key.get_secret_value() or secret.get_secret_value():
        return Credentials(api_key.get_secret_value(), secret.get_secret_value())
    raise CredentialsMissing(
        "no credentials: give GENESIS_CREDENTIALS_FILE, a file that only you can read,"
        " GENESIS_API_KEY and GENESIS_API_SECRET, or GENESIS_VAULT_ADDRESS and GENESIS_VAULT_PATH"
    )
