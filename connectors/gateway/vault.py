"""Vault: the exchange account's key and secret from a KV version 2 engine, read once when the gateway starts.

A token comes from a file or the environment, or an AppRole gives one. What Vault answers in words is not
passed on, since nobody knows what is in it; each failure is one sentence that says what to do.
"""

import urllib.parse
from typing import NamedTuple

import hvac
import requests
from hvac import exceptions
from pydantic import SecretStr

from genesis.connectors import logs
from genesis.connectors.gateway.credentials import CredentialsMissing

TIMEOUT_S = 10.0

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Where a token may go without TLS."""


class Entrance(NamedTuple):
    """Where Vault is, and by what it lets us in: a token, or the two halves of an AppRole."""

    address: str
    token: SecretStr
    role_id: str = ""
    secret_id: SecretStr = SecretStr("")


class VaultClient:
    """Reads secrets.

    Parameters
    ----------
    entrance
        Where and as whom.

    Raises
    ------
    CredentialsMissing
        When the address would carry the token in the clear, or there is neither token nor role.
    """

    def __init__(self, entrance: Entrance) -> None:
        place = urllib.parse.urlsplit(entrance.address)
        if place.scheme != "https" and not (place.scheme == "http" and place.hostname in LOOPBACK):
            raise CredentialsMissing(
                "GENESIS_VAULT_ADDRESS must begin with https://, or the token would travel in the clear"
            )
        if place.username or place.password:
            raise CredentialsMissing(
                "GENESIS_VAULT_ADDRESS has a user or password in it: leave them out, Vault takes a token"
            )
        if not (entrance.token.get_secret_value() or entrance.role_id):
            raise CredentialsMissing(
                "Vault asks for a token: name its file in GENESIS_VAULT_TOKEN_FILE, or give "
                "GENESIS_VAULT_ROLE_ID and GENESIS_VAULT_SECRET_ID_FILE"
            )
        self._place, self._entrance = f"{place.scheme}://{place.netloc}", entrance

    def __repr__(self) -> str:
        return f"VaultClient({self._place})"

    def read(self, path: str) -> dict[str, str]:
        """Return the fields of the newest version of a secret, by its path as ``MOUNT/PATH``.

        Raises
        ------
        CredentialsMissing
            When Vault is away, sealed, does not let us in, or has nothing there.
        """
        mount, _, name = path.strip("/").partition("/")
        if not name:
            raise CredentialsMissing(
                f"GENESIS_VAULT_PATH is {path!r}, and it is MOUNT/PATH, such as secret/genesis/exchange"
            )
        try:
            client = self._entered()
            found = client.secrets.kv.v2.read_secret_version(
                path=name, mount_point=mount, raise_on_deleted_version=True
            )
            fields = found["data"]["data"]
        except (exceptions.VaultError, requests.RequestException) as error:
            raise CredentialsMissing(self._sentence(error, path)) from None
        except (KeyError, TypeError):
            raise CredentialsMissing(
                f"what Vault has at {path!r} is no secret of a KV version 2 engine: write it there with "
                "`vault kv put`"
            ) from None
        for value in fields.values():
            logs.hide(str(value))
        return {str(key): str(value) for key, value in fields.items()}

    def _entered(self) -> hvac.Client:
        given = self._entrance
        client = hvac.Client(
            url=self._place, token=given.token.get_secret_value() or None, timeout=TIMEOUT_S,
            allow_redirects=False,
        )  # fmt: skip
        if not given.token.get_secret_value():
            client.auth.approle.login(role_id=given.role_id, secret_id=given.secret_id.get_secret_value())
        return client

    def _sentence(self, error: Exception, path: str) -> str:
        match error:
            case exceptions.VaultDown():
                said = "is sealed or on standby: unseal it; the gateway is started again"
            case exceptions.Forbidden() | exceptions.Unauthorized():
                said = (
                    f"does not let this token read {path!r}: it has expired, or its policy lacks it; put a "
                    "fresh one into the token's file"
                )
            case exceptions.InvalidPath():
                said = f"has nothing at {path!r}: write it there, or mend GENESIS_VAULT_PATH"
            case exceptions.InvalidRequest():
                said = "does not know this role, or its secret id was used up: make a new one"
            case requests.RequestException():
                said = "does not answer: see that it runs and can be reached from here"
            case _:
                said = f"could not be asked ({type(error).__name__}); its own log says why"
        return f"Vault at {self._place} {said}"
