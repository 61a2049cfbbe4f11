"""Hosts: where each kind of venue may be reached, as data; everything else is out of reach.

The simulator is on loopback, by number and never by name, so that no resolver can lead it astray.
Binance's hosts are reached by TLS alone, whose certificate names the host, and no redirect is followed.
"""

from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from genesis.connectors.settings import Trading

UNLOCK_PHRASE = "I trade real money"
"""What the setting ``unlock_live`` must say, word for word, before an order goes to Binance itself."""


class GateClosed(ValueError):
    """A venue may not be reached as asked; the message says why and what to do."""


Kind = Trading
"""Where orders go; paper has no address at all."""


class Endpoints(NamedTuple):
    """Addresses of one venue."""

    rest: str
    websocket: str


HOSTS: dict[Kind, Endpoints] = {
    Kind.TESTNET: Endpoints(
        "https://testnet.binance.vision", "wss://ws-api.testnet.binance.vision/ws-api/v3"
    ),
    Kind.LIVE: Endpoints("https://api.binance.com", "wss://ws-api.binance.com:443/ws-api/v3"),
}
"""The only addresses that are ever spoken to beyond loopback."""


def simulator(url: str) -> Endpoints:
    """Return the addresses of a simulator.

    Raises
    ------
    GateClosed
        When the address is anything but plain HTTP to a loopback number.

    >>> simulator("http://127.0.0.1:8777").websocket
    'ws://127.0.0.1:8777/ws-api/v3'
    """
    try:
        parts = urlsplit(url)
        is_loopback = ip_address(parts.hostname or "").is_loopback
        port = parts.port
    except ValueError:
        parts, is_loopback, port = urlsplit(""), False, None
    if parts.scheme != "http" or not is_loopback or parts.username or parts.path.strip("/") or parts.query:
        raise GateClosed(
            f"the simulator is reached at a loopback address like http://127.0.0.1:8777 only, was {url!r}"
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    place = f"{host}:{port or 80}"
    return Endpoints(f"http://{place}", f"ws://{place}/ws-api/v3")


def endpoints(kind: Kind, url: str, unlock: str) -> Endpoints:
    """Return where the orders of a kind of venue go.

    Parameters
    ----------
    kind
        Where orders go.
    url
        Address of the simulator; must be empty for the others.
    unlock
        What was typed to unlock live trading.

    Raises
    ------
    GateClosed
        When it is not allowed.
    """
    if kind is Kind.PAPER:
        raise GateClosed("paper has no address to send orders to: it matches them itself")
    if kind is Kind.SIMULATOR:
        return simulator(url)
    if url:
        raise GateClosed(
            f"orders for {kind} go to {HOSTS[kind].rest} and nowhere else; leave the address out"
        )
    if kind is Kind.LIVE and unlock != UNLOCK_PHRASE:
        raise GateClosed(
            f"live trading is locked. Set GENESIS_UNLOCK_LIVE to the words {UNLOCK_PHRASE!r}"
            " once you mean it; until then use the simulator, paper or testnet"
        )
    return HOSTS[kind]


def check(kind: Kind, url: str) -> None:
    """Check an address just before it is connected to, whoever made it.

    Raises
    ------
    GateClosed
        When the kind of venue does not allow the host, or not this scheme.
    """
    if kind is Kind.SIMULATOR:
        scheme, _, place = url.partition("://")
        allowed = simulator(f"http://{place.partition('/')[0]}") if scheme in ("http", "ws") else ()
    else:
        allowed = HOSTS.get(kind, ())
    if url not in allowed:
        raise GateClosed(f"{kind} may not speak to {url[:128]!r}: its addresses are fixed")
