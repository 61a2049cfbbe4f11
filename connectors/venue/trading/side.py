"""The trading side put together: accounts, desk, calls and their interfaces."""

import msgspec
from aiohttp import web

from genesis.connectors.venue.control import guarded
from genesis.connectors.venue.faults import Faults
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.limits import WeightBudget
from genesis.connectors.venue.player import Player
from genesis.connectors.venue.trading.accounts import open_accounts
from genesis.connectors.venue.trading.calls import Calls, all_calls
from genesis.connectors.venue.trading.desk import Desk, TradingOptions
from genesis.connectors.venue.trading.interference import Interferer
from genesis.connectors.venue.trading.orders import Json, e8
from genesis.connectors.venue.trading.rest import TradingRest


class TradingSide:
    """Everything that trades at one venue.

    Raises
    ------
    AccountsError
        When the file of accounts cannot be used.
    """

    def __init__(
        self, hub: Hub, player: Player, faults: Faults, budget: WeightBudget, options: TradingOptions
    ) -> None:
        accounts = open_accounts(options.accounts_file, hub.instruments.values())
        self.desk = Desk(hub, player, accounts, options)
        self.interferer = Interferer(faults, player)
        calls = all_calls(Calls(self.desk.exchange, self.interferer.on_order))
        self._rest = TradingRest(self.desk, self.interferer, calls, budget)
        self._options = options

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        control = [web.get("/genesis/accounts", guarded(self._accounts))]
        return [*self._rest.routes(), *control]

    async def _accounts(self, _request: web.Request) -> web.Response:
        """Return the accounts, without what is secret."""
        exchange = self.desk.exchange
        rows: list[Json] = [
            {
                "name": account.name,
                "key_type": account.key_type,
                "balances": {
                    asset: {
                        "free": e8(account.wallet.free(asset)),
                        "locked": e8(account.wallet.locked(asset)),
                    }
                    for asset in account.wallet.assets
                },
                "open_orders": len(exchange.open_orders(account)),
                "orders": sum(order.account == account.name for order in exchange.orders.values()),
                "trades": len(exchange.fills[account.name]),
            }
            for account in self.desk.accounts
        ]
        file = self._options.accounts_file
        answer = {"file": str(file) if file else None, "accounts": rows}
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
