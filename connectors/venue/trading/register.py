"""The register: every order that was ever accepted, and which of them are open."""

from collections.abc import Iterable

from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.orders import Fill, Order


class Register:
    """Orders and fills of all accounts.

    Parameters
    ----------
    symbols, accounts
        Names of what there is.
    """

    def __init__(self, symbols: Iterable[str], accounts: Iterable[str]) -> None:
        self.orders: dict[int, Order] = {}
        self.open: dict[int, Order] = {}
        self.fills: dict[str, list[Fill]] = {name: [] for name in accounts}
        self._open_counts = dict.fromkeys(symbols, 0)
        self._newest: dict[tuple[str, str, str], Order] = {}  # by account, symbol and client order id

    def add(self, order: Order) -> None:
        """Take in a new order, which is open."""
        self.orders[order.order_id] = self.open[order.order_id] = order
        self._open_counts[order.request.symbol] += 1
        self.name(order)

    def name(self, order: Order) -> None:
        """Note the client order id that an order has now."""
        self._newest[order.account, order.request.symbol, order.client_order_id] = order

    def leave(self, order: Order) -> None:
        """Note that an order is open no longer."""
        del self.open[order.order_id]
        self._open_counts[order.request.symbol] -= 1

    def take_up(self, orders: Iterable[Order]) -> None:
        """Hold orders of an earlier run; those of accounts and symbols that are gone are not open."""
        for order in orders:
            self.orders[order.order_id] = order
            if order.account not in self.fills:
                continue
            for client_order_id in (*order.former_ids, order.client_order_id):
                self._newest[order.account, order.request.symbol, client_order_id] = order
            self.fills[order.account] += order.fills
            if order.is_open and order.request.symbol in self._open_counts:
                self.open[order.order_id] = order
                self._open_counts[order.request.symbol] += 1
        for fills in self.fills.values():
            fills.sort(key=lambda fill: fill.trade_id)

    def has_open(self, symbol: str) -> bool:
        """Return whether any order on a symbol is open."""
        return self._open_counts[symbol] > 0

    def newest(self, account: Account, symbol: str, client_order_id: str) -> Order | None:
        """Return the newest order that a client has given an id."""
        return self._newest.get((account.name, symbol, client_order_id))

    def find(self, account: Account, symbol: str, order_id: int | None, client_order_id: str) -> Order | None:
        """Return an order of an account by its id, its client's id, or both."""
        if order_id is None:
            return self.newest(account, symbol, client_order_id)
        order = self.orders.get(order_id)
        if order is None or order.account != account.name or order.request.symbol != symbol:
            return None
        return order if client_order_id in ("", order.client_order_id) else None

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        """Return the open orders of an account, oldest first."""
        return [
            order
            for order in self.open.values()
            if order.account == account.name and symbol in (None, order.request.symbol)
        ]
