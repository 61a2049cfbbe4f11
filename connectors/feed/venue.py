"""The venue as the feed sees it: what it offers, where its streams are, where a snapshot is.

Everything that is Binance's own is behind this interface, in `genesis.connectors.feed.binance`, and in
the message types of `genesis.connectors.feed.messages`.
"""

from typing import NamedTuple, Protocol

from genesis.operators.records import Market


class FeedError(RuntimeError):
    """The feed cannot work as asked; the message says why and what to do."""


class Offer(NamedTuple):
    """The instruments of one market: those that trade, and those that exist but do not now."""

    trading: tuple[str, ...]
    halted: dict[str, str]  # symbol → the venue's word for its status


class Address(NamedTuple):
    """One connection: where it goes, and what it carries of which instruments."""

    url: str
    symbols: tuple[str, ...]
    has_ticks: bool  # trades or quotes
    has_books: bool


class VenueAdapter(Protocol):
    """What a venue must be able to tell.

    Attributes
    ----------
    name
        Whose times these are, to tell a restart at the same venue from a start at another.
    is_replay
        Whether the venue is a simulator, which hands receive times along and waits for its clients.
    headers
        Of every request and handshake.
    hosts
        The only hosts that anything is ever sent to.
    """

    name: str
    is_replay: bool
    headers: dict[str, str]
    hosts: frozenset[str]

    def markets(self) -> tuple[Market, ...]:
        """Return the markets to look at."""

    def listings_url(self, market: Market) -> str:
        """Return where a market says what it offers."""

    def offer(self, market: Market, body: bytes) -> Offer:
        """Return what a market offers, from its answer; raise FeedError when that cannot be read."""

    def chosen(self, market: Market, offer: Offer) -> tuple[str, ...]:
        """Return the instruments to follow; raise FeedError for one that does not exist."""

    def addresses(self, market: Market, symbols: tuple[str, ...]) -> list[Address]:
        """Return the connections that carry trades, quotes and books of these instruments."""

    def snapshot_url(self, market: Market, symbol: str) -> str:
        """Return where the order book of an instrument is."""
