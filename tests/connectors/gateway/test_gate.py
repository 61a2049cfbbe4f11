"""Nothing reaches a host that its kind of venue does not allow, and secrets show nowhere."""

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from genesis.connectors.gateway import credentials, hosts
from genesis.connectors.gateway.credentials import Credentials, CredentialsMissing
from genesis.connectors.gateway.factory import make_venue
from genesis.connectors.gateway.hosts import UNLOCK_PHRASE, GateClosed, Kind
from genesis.connectors.gateway.rest import RestClient
from genesis.connectors.settings import Settings

SECRET = "do-not-show-this-secret"

TRICKS = [
    "https://api.binance.com",
    "http://api.binance.com",
    "http://localhost:8777",
    "http://127.0.0.1@api.binance.com",
    "http://api.binance.com#127.0.0.1",
    "http://127.0.0.1.nip.io:80",
    "http://user:pw@127.0.0.1:80",
    "http://127.0.0.1:80/redirect",
    "http://127.0.0.1:80?to=api.binance.com",
    "http://0.0.0.0:80",
    "http://192.168.1.2:80",
    "http://[::ffff:3.3.3.3]:80",
    "http://2130706433:80",
    "ws://127.0.0.1:80",
    "http://127.0.0.1:99999",
    "127.0.0.1:80",
    "",
]


@pytest.mark.parametrize("url", TRICKS)
def test_the_simulator_is_on_loopback_by_number_or_nowhere(url: str) -> None:
    with pytest.raises(GateClosed, match="loopback"):
        hosts.endpoints(Kind.SIMULATOR, url, UNLOCK_PHRASE)


@given(st.text(max_size=80))
def test_no_text_leads_the_simulator_off_this_machine(text: str) -> None:
    for url in (text, f"http://{text}", f"http://127.0.0.1{text}"):
        try:
            places = hosts.simulator(url)
        except GateClosed:
            continue
        assert places.rest.startswith(("http://127.", "http://[::1]", "http://[::ffff:127."))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("url", [*TRICKS, "https://api.binance.com.evil.example", "https://evil.example"])
def test_every_connection_is_checked_once_more_when_it_is_made(kind: Kind, url: str) -> None:
    if (kind, url) == (Kind.LIVE, "https://api.binance.com"):
        return
    with pytest.raises(GateClosed):
        RestClient(kind, url, Credentials("k", SECRET), lambda: 0)


def test_paper_has_no_address_at_all() -> None:
    assert Kind.PAPER not in hosts.HOSTS
    with pytest.raises(GateClosed):
        hosts.endpoints(Kind.PAPER, "", UNLOCK_PHRASE)


@pytest.mark.parametrize("typed", ["", "yes", "true", "i trade real money", UNLOCK_PHRASE + " "])
def test_live_needs_the_phrase_word_for_word(typed: str) -> None:
    with pytest.raises(GateClosed, match="locked"):
        hosts.endpoints(Kind.LIVE, "", typed)
    assert hosts.endpoints(Kind.LIVE, "", UNLOCK_PHRASE) == hosts.HOSTS[Kind.LIVE]


@pytest.mark.parametrize("kind", [Kind.TESTNET, Kind.LIVE])
def test_other_venues_take_no_address(kind: Kind) -> None:
    with pytest.raises(GateClosed, match="leave the address out"):
        hosts.endpoints(kind, "https://evil.example", UNLOCK_PHRASE)


def test_a_venue_without_credentials_is_refused_with_a_sentence() -> None:
    with pytest.raises(CredentialsMissing, match="GENESIS_CREDENTIALS_FILE"):
        make_venue(Settings(trading="testnet"))  # type: ignore[arg-type]
    with pytest.raises(CredentialsMissing, match="GENESIS_VAULT_ADDRESS must begin"):
        make_venue(Settings(trading="testnet", vault_path="secret/binance"))  # type: ignore[arg-type]


def test_a_file_that_others_can_read_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"api_key": "key", "secret": SECRET}))
    path.chmod(0o640)
    with pytest.raises(CredentialsMissing, match="chmod 600"):
        credentials.from_file(path)
    path.chmod(0o600)
    found = credentials.from_file(path)
    assert (found.api_key, found.secret) == ("key", SECRET)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with pytest.raises(CredentialsMissing):
        credentials.from_file(link)


@pytest.mark.parametrize(
    "text", ["", "{", '{"api_key":1,"secret":"' + SECRET + '"}', '{"key":"' + SECRET + '"}']
)
def test_a_broken_file_shows_nothing_of_itself(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(CredentialsMissing) as caught:
        credentials.from_file(path)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


class _Vault:
    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def read(self, path: str) -> dict[str, str]:
        return self._fields


def test_vault_gives_credentials_or_names_what_is_missing() -> None:
    assert credentials.from_vault(_Vault({"api_key": "k", "secret": SECRET}), "p").secret == SECRET
    with pytest.raises(CredentialsMissing, match="no field 'secret'"):
        credentials.from_vault(_Vault({"api_key": "k"}), "p")


def test_credentials_and_clients_show_no_secret() -> None:
    held = Credentials("a-public-key", SECRET)
    client = RestClient(Kind.TESTNET, hosts.HOSTS[Kind.TESTNET].rest, held, lambda: 0)
    settings = Settings(api_key=SecretStr("a-public-key"), api_secret=SecretStr(SECRET))
    shown = f"{held!r} {held} {client!r} {settings!r} {vars(client)!r}"
    assert SECRET not in shown
    with pytest.raises(TypeError):
        pickle.dumps(held)
