"""Signatures against Binance's own worked examples, and accounts as files."""

import base64
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.connectors.venue.source import Instrument
from genesis.connectors.venue.trading.accounts import Account, AccountEntry, AccountsError, open_accounts
from genesis.connectors.venue.trading.signatures import is_signed, rest_payload, websocket_payloads
from genesis.operators.records import Market
from tests.connectors.venue.trading.traders import KEYS, Keys

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
INSTRUMENT = Instrument(Market.SPOT, "BTCUSDT", "BTC", "USDT", 1, 1)


def account(**entry: str) -> Account:
    return Account(AccountEntry("main", KEY, **entry))


def test_binance_s_worked_examples() -> None:
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559"
    )
    signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    owner = account(secret=SECRET)
    assert is_signed(owner, rest_payload(f"{query}&signature={signature}", ""), signature)
    assert is_signed(owner, rest_payload("", query), signature), "all in the body"
    half = query.index("&quantity")
    mixed = rest_payload(query[:half], query[half + 1 :] + "&signature=0fd168b8")
    assert is_signed(owner, mixed, "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77")
    assert not is_signed(owner, rest_payload(query.replace("=1&", "=2&"), ""), signature)


def test_other_characters_are_encoded_before_signing() -> None:
    first, *_rest = websocket_payloads({"symbol": "１２３４５６", "apiKey": KEY, "signature": "00"})
    assert first == f"apiKey={KEY}&symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96".encode()


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=3))
def test_only_the_key_s_own_signature_fits(payload: bytes, more: bytes) -> None:
    owner = account(public_key=Keys.public(KEYS.ed))
    signature = base64.b64encode(KEYS.ed.sign(payload)).decode()
    assert is_signed(owner, payload, signature)
    assert not is_signed(owner, payload + more, signature)
    assert not is_signed(account(secret=SECRET), payload, signature)


def test_a_missing_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "accounts.json"
    (made,) = open_accounts(path, [INSTRUMENT])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (entry,) = json.loads(path.read_text())
    assert (entry["api_key"], entry["secret"].encode()) == (made.api_key, made.secret)
    assert made.wallet.free("USDT") == 10_000
    (again,) = open_accounts(path, [INSTRUMENT])
    assert again.api_key == made.api_key
    assert entry["secret"] not in repr(made) + repr(made.wallet)
    assert len({open_accounts(None, [INSTRUMENT])[0].api_key for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"name": "a", "api_key": "k"}], "give either secret or public_key"),
        ([{"name": "a", "api_key": "k", "public_key": "PEM"}], "no PEM of a public key"),
        ([{"name": "a", "api_key": "k", "secret": "hush", "balances": {"BTC": "-1"}}], "a number from 0"),
        ([{"name": "a", "api_key": "k", "secret": "hush", "colour": 1}], "unknown field"),
        ([{"name": n, "api_key": "k", "secret": "hush"} for n in "ab"], "must be unique"),
        ({"name": "a"}, "expected a list of accounts"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_without_its_secrets(
    tmp_path: Path, rows: object, sentence: str
) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(AccountsError, match=sentence) as error:
        open_accounts(path, [INSTRUMENT])
    assert "hush" not in str(error.value)
