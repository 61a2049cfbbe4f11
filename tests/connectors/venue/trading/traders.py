"""A venue with accounts for tests, and clients of it: the official SDK, unchanged."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from genesis.connectors.venue.trading.desk import TradingOptions
from genesis.operators.synthetic_market import SyntheticParameters
from tests.connectors.venue.venues import Venue, running

sdk = pytest.importorskip("binance_sdk_spot.spot")
configuration = pytest.importorskip("binance_common.configuration")
errors = pytest.importorskip("binance_common.errors")

KEY, SECRET = "k" * 64, "s" * 64
ED_KEY, RSA_KEY, POOR_KEY = "e" * 64, "r" * 64, "p" * 64
SYMBOL = "BTCUSDT"


class Keys:
    """Key pairs, made once."""

    def __init__(self) -> None:
        self.ed = Ed25519PrivateKey.generate()
        self.rsa = generate_private_key(65_537, 2_048)

    @staticmethod
    def private(key: Any) -> str:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # type: ignore[no-any-return]

    @staticmethod
    def public(key: Any) -> str:
        form = PublicFormat.SubjectPublicKeyInfo
        return key.public_key().public_bytes(Encoding.PEM, form).decode()  # type: ignore[no-any-return]


KEYS = Keys()


def write_accounts(folder: Path) -> Path:
    balances = {"USDT": "1000000", "BTC": "100"}
    rows = [
        {"name": "main", "api_key": KEY, "secret": SECRET, "balances": balances},
        {"name": "ed", "api_key": ED_KEY, "public_key": Keys.public(KEYS.ed), "balances": balances},
        {"name": "rsa", "api_key": RSA_KEY, "public_key": Keys.public(KEYS.rsa), "balances": balances},
        {"name": "poor", "api_key": POOR_KEY, "secret": SECRET, "balances": {"USDT": "6"}},
    ]
    path = folder / "accounts.json"
    path.write_text(json.dumps(rows))
    return path


@contextlib.asynccontextmanager
async def trading(folder: Path, *, seconds: float = 2.0, **more: Any) -> AsyncIterator[Venue]:
    """Run a venue whose short play is over when it yields, so that its market stands still."""
    options = TradingOptions(write_accounts(folder), latency_ms=more.pop("latency_ms", 2.0))
    parameters = SyntheticParameters(2, 5, 400.0)
    market = {"synthetic": parameters, "duration_s": seconds, "speed": float("inf"), "wait_for": ()}
    async with running(**{**market, **more}, trading=options) as venue:
        if "speed" not in more:
            await venue.server.player.over.wait()
        yield venue


def rest_client(venue: Venue, account: str = "main") -> Any:
    return sdk.Spot(
        config_rest_api=configuration.ConfigurationRestAPI(
            base_path=venue.url, timeout=20_000, retries=0, **_credentials(account)
        )
    ).rest_api


async def ws_client(venue: Venue, account: str = "main") -> Any:
    url = venue.url.replace("http", "ws") + "/ws-api/v3"
    chosen = configuration.ConfigurationWebSocketAPI(
        stream_url=url, reconnect_delay=50, **_credentials(account)
    )
    client = sdk.Spot(config_ws_api=chosen).websocket_api
    return await client.create_connection() or client


def _credentials(account: str) -> dict[str, str]:
    if account == "ed":
        return {"api_key": ED_KEY, "private_key": Keys.private(KEYS.ed)}
    if account == "rsa":
        return {"api_key": RSA_KEY, "private_key": Keys.private(KEYS.rsa)}
    return {"api_key": KEY if account == "main" else POOR_KEY, "api_secret": SECRET}


async def ask(call: Callable[..., Any], **parameters: Any) -> Any:
    """Return what a call of the blocking SDK returns."""
    return (await asyncio.to_thread(call, **parameters)).data()


async def best(venue: Venue) -> tuple[str, str]:
    """Return best bid and ask."""
    depth = await venue.get(f"/api/v3/depth?symbol={SYMBOL}&limit=5")
    return depth["bids"][0][0], depth["asks"][0][0]
