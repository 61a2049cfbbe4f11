"""The trading side put together: accounts, desk, calls and their interfaces."""

from decimal import Decimal

import msgspec
from aiohttp import web

from genesis.connectors.venue.control import guarded
from genesis.connectors.venue.exchange_info import exchange_info
from genesis.connectors.venue.faults import Faults
from genesis.connectors.venue.hub import Hub
from genesis.connectors.venue.limits import WeightBudget
from genesis.connectors.venue.player import Player
from genesis.connectors.venue.rest import ApiError, wanted_symbols
from genesis.connectors.venue.trading.accounts import open_accounts
from genesis.connectors.venue.trading.calls import Calls, all_calls
from genesis.connectors.venue.trading.desk import Desk, TradingOptions
from genesis.connectors.venue.trading.interference import Interferer
from genesis.connectors.venue.trading.orders import Json, e8
from genesis.connectors.venue.trading.parameters import Parameters
from genesis.connectors.venue.trading.rest import TradingRest
from genesis.connectors.venue.trading.websocket import Query, TradingWebsocket
from genesis.connectors.venue.websocket import Timing
from genesis.operators.records import Market


class _Deposit(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a deposit; the amount is decimal text."""

    asset: str
    amount: Decimal


class TradingSide:
    """Everything that trades at one venue.

    Raises
    ------
    AccountsError
        When the file of accounts cannot be used.
    """

    def __init__(
        self,
        hub: Hub,
        player: Player,
        faults: Faults,
        budget: WeightBudget,
        options: TradingOptions,
        timing: Timing,
    ) -> None:
        accounts = open_accounts(options.accounts_file, hub.instruments.values())
        self.desk = Desk(hub, player, accounts, options)
        self.interferer = Interferer(faults, player)
        calls = all_calls(Calls(self.desk.exchange, self.interferer.on_order))
        self._rest = TradingRest(self.desk, self.interferer, calls, budget)
        self._websocket = TradingWebsocket(
            self.desk, self.interferer, calls, budget, queries(hub, self.desk), timing
        )
        self._options = options

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        control = [
            web.get("/genesis/accounts", guarded(self._accounts)),
            web.get("/genesis/arrivals", guarded(self._arrivals)),
            web.post("/genesis/accounts/{name}/deposits", guarded(self._deposit)),
        ]
        return [*self._rest.routes(), *self._websocket.routes(), *control]

    async def close(self, _app: web.Application) -> None:
        """End all connections."""
        await self._websocket.close()
        if self.desk.journal is not None:
            self.desk.journal.close()

    async def _deposit(self, request: web.Request) -> web.Response:
        """Add to an account, or with a negative amount take away, as a transfer from outside would."""
        account = self.desk.exchange.accounts.get(request.match_info["name"])
        if account is None:
            return _json({"error": f"no account {request.match_info['name']!r}"}, 404)
        try:
            deposit = msgspec.json.decode(await request.read(), type=_Deposit)
            if not deposit.amount.is_finite():
                raise msgspec.ValidationError("amount must be a number")
            self.desk.exchange.deposit(account, deposit.asset, deposit.amount)
        except (msgspec.DecodeError, ApiError) as error:
            return _json({"error": str(error)}, 400)
        free = account.wallet.free(deposit.asset)
        return _json({"asset": deposit.asset, "free": e8(free)}, 201)

    async def _arrivals(self, _request: web.Request) -> web.Response:
        """Return when the newest orders arrived, ns since the epoch by this machine's clock."""
        return _json({"arrivals_ns": self.desk.arrivals_ns})

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
                "open_orders": len(exchange.register.open_orders(account)),
                "orders": sum(order.account == account.name for order in exchange.orders.values()),
                "trades": len(exchange.fills[account.name]),
            }
            for account in self.desk.accounts
        ]
        file = self._options.accounts_file
        return _json({"file": str(file) if file else None, "accounts": rows})


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")


def queries(hub: Hub, desk: Desk) -> dict[str, Query]:
    """Return the methods of the WebSocket API that need no account."""

    def server_time(_parameters: Parameters) -> Json:
        return {"serverTime": desk.now_ms}

    def info(parameters: Parameters) -> Json:
        spot = {each.symbol: each for each in hub.instruments.values() if each.market == Market.SPOT}
        wanted = wanted_symbols(parameters.values)
        if wanted is None:
            wanted = list(spot)
        if not set(wanted) <= set(spot):
            raise ApiError(-1121, "Invalid symbol.")
        return exchange_info(Market.SPOT, [spot[symbol] for symbol in wanted], desk.now_ms)

    return {"time": server_time, "exchangeInfo": info}
