"""Signatures of requests: HMAC-SHA256, RSA (PKCS#1 v1.5, SHA-256) and Ed25519, verified. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from genesis.connectors.venue.trading.accounts import Account


def is_signed(account: Account, payload: bytes, signature: str) -> bool:
    """Return whether a signature is that of the account under exactly these bytes."""
    if account.public_key is None:
        expected = hmac.new(account.secret, payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(account.public_key, Ed25519PublicKey):
            account.public_key.verify(raw, payload)
        else:
            account.public_key.verify(raw, payload, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def rest_payload(query: str, body: str) -> bytes:
    """Return what the signature of a REST request covers: query and body as sent, without the signature.

    >>> rest_payload("symbol=BTCUSDT&signature=00", "side=BUY")
    b'symbol=BTCUSDTside=BUY'
    """
    return (_unsigned(query) + _unsigned(body)).encode()


def websocket_payloads(parameters: Mapping[str, str]) -> list[bytes]:
    """Return what the signature of a WebSocket API request may cover.

    The parameters in alphabetical order, percent-encoded; clients differ in how they encode a space, and in
    which of the characters that an order id may have they leave as they are.

    >>> websocket_payloads({"symbol": "BTCUSDT", "apiKey": "k"})[0]
    b'apiKey=k&symbol=BTCUSDT'
    """
    spellings = {"true": "True", "false": "False"}  # of clients written in Python
    texts = [
        text
        for replaced in ({}, spellings)
        for text in _encoded({name: replaced.get(value, value) for name, value in parameters.items()})
    ]
    return [text.encode() for text in dict.fromkeys(texts)]


def _encoded(parameters: Mapping[str, str]) -> list[str]:
    pairs = sorted((name, value) for name, value in parameters.items() if name != "signature")
    encodings = (quote_plus, lambda text: quote(text, safe=""), lambda text: quote(text, safe=":/,@"))
    return ["&".join(f"{name}={encode(value)}" for name, value in pairs) for encode in encodings]


def is_signed_by_any(account: Account, payloads: Iterable[bytes], signature: str) -> bool:
    """Return whether a signature fits one of several texts."""
    return any(is_signed(account, payload, signature) for payload in payloads)


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))
