"""The exchange: accounts, orders and matching, without network or clock.

Law: whatever is called in the same order over the same market data gives the same ids, fills and events. A
call either does all that it says or raises an `ApiError` and changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from genesis.connectors.venue.rest import ApiError
from genesis.connectors.venue.trading import orders as names
from genesis.connectors.venue.trading import settlement
from genesis.connectors.venue.trading.accounts import Account
from genesis.connectors.venue.trading.counts import OrderCount
from genesis.connectors.venue.trading.errors import filter_failure, insufficient_balance, rejected
from genesis.connectors.venue.trading.filters import SymbolRules, check_order, check_qty
from genesis.connectors.venue.trading.journal import Entry, Journal
from genesis.connectors.venue.trading.orders import STOPS, Fill, Json, Order, OrderRequest
from genesis.connectors.venue.trading.register import Register
from genesis.operators.order_matching import ZERO, Level, Match, Matcher, Resting, Side, Taken, Taker


class MarketView(Protocol):
    """The recorded market, as it is now."""

    @property
    def now_ms(self) -> int:
        """Source time, milliseconds."""
        ...

    def levels(self, symbol: str, side: Side) -> list[Level]:
        """Return the recorded levels of one side, best first."""
        ...

    def last_price(self, symbol: str) -> Decimal | None:
        """Return the price of the newest recorded trade."""
        ...


class Interference(NamedTuple):
    """What faults do to one new order."""

    fraction: Decimal = Decimal(1)  # of its quantity that can fill at once
    expires: bool = False  # by the price-range rule, once it is accepted
    is_dropped: bool = False  # the account's connections end before it is accepted


NO_INTERFERENCE = Interference()
Listener = Callable[[str, Json], None]


class Exchange:
    """All orders of all accounts.

    Parameters
    ----------
    rules
        Of each symbol.
    accounts
        Who may trade.
    market
        What orders meet.
    journal
        Where what happens is kept, and taken up from; None for nowhere.
    """

    def __init__(
        self,
        rules: Mapping[str, SymbolRules],
        accounts: Iterable[Account],
        market: MarketView,
        journal: Journal | None = None,
    ) -> None:
        self.rules = rules
        self.accounts = {account.name: account for account in accounts}
        self.counts = {name: OrderCount() for name in self.accounts}
        self.register = Register(rules, self.accounts)
        self.orders, self.open, self.fills = self.register.orders, self.register.open, self.register.fills
        self.listeners: list[Listener] = []  # called with account and event
        self.droppers: list[Callable[[str], None]] = []  # end the connections of an account
        self.matchers = {symbol: Matcher() for symbol in rules}
        self._market = market
        self._trade_id = 0
        self._changed: dict[int, Order] = {}  # since the journal was written
        self._journal = journal
        if journal is not None:
            self._take_up(journal)

    def is_idle(self, symbol: str) -> bool:
        """Return whether market data of a symbol changes nothing here."""
        return not self.register.has_open(symbol) and self.matchers[symbol].is_idle

    def check(self, account: Account, request: OrderRequest) -> None:
        """Refuse an order that could not be placed now.

        Raises
        ------
        ApiError
            As `place` would.
        """
        rules = self.known(request.symbol)
        self.counts[account.name].check(self._market.now_ms)
        kinds = [each.request.kind for each in self.register.open_orders(account, request.symbol)]
        check_order(rules, request, self._reference_price(request.symbol), kinds)
        before = self.register.newest(account, request.symbol, request.client_order_id)
        if before is not None and before.is_open:
            raise rejected("Duplicate order sent.")
        if request.kind in STOPS:
            if self._is_triggered(request, self._market.last_price(request.symbol)):
                raise rejected("Stop price would trigger immediately.")
        elif request.kind == "LIMIT_MAKER" and self._rehearse(account.name, request).matches:
            raise rejected("Order would immediately match and take.")
        self._check_balance(account, rules, request)

    def place(
        self, account: Account, request: OrderRequest, interference: Interference = NO_INTERFERENCE
    ) -> Order:
        """Accept an order, and fill what fills at once.

        Raises
        ------
        ApiError
            When it is refused; then nothing has changed.
        """
        self.check(account, request)
        rules, now_ms = self.rules[request.symbol], self._market.now_ms
        qty = request.qty if request.qty is not None else self._rehearse(account.name, request).qty
        if request.notional is not None and qty > ZERO:
            check_qty(rules, qty, is_market=True)
        if interference.is_dropped:
            for drop in self.droppers:
                drop(account.name)
        order_id = len(self.orders) + 1
        client_order_id = request.client_order_id or f"venue{order_id:017d}"
        order = Order(request, account.name, order_id, client_order_id, now_ms, qty, updated_ms=now_ms)
        if request.kind != "MARKET":
            settlement.lock(account, rules, order)
        if request.kind not in STOPS:
            order.working_ms = now_ms
        self.register.add(order)
        self.counts[account.name].add(now_ms)
        self._tell(order, "NEW")
        if interference.expires:
            self._close(order, "EXPIRED", names.PRICE_RANGE)
        elif not order.is_waiting:
            self._execute(order, interference.fraction)
        self.publish_positions()
        return order

    def cancel(self, order: Order, cancel_id: str = "") -> Json:
        """Cancel an open order; return the answer."""
        cancel_id = cancel_id or f"cancel{order.order_id:016d}"
        self._close(order, "CANCELED", cancel_id=cancel_id)
        self.publish_positions()
        return order.cancel_answer(cancel_id)

    def amend(self, account: Account, order: Order, new_qty: Decimal, new_client_order_id: str) -> Json:
        """Make an order smaller without losing its place; return the answer.

        Raises
        ------
        ApiError
            When the quantity is not smaller, or not more than what is filled.
        """
        rules = self.rules[order.request.symbol]
        check_qty(rules, new_qty, is_market=False)
        if not order.filled_qty < new_qty < order.qty:
            raise ApiError(-2038, "Order amend (quantity increase) is not supported.")
        if len(order.amends) >= rules.number("MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends"):
            raise filter_failure("MAX_NUM_ORDER_AMENDS")
        now_ms, old_id, old_qty = self._market.now_ms, order.client_order_id, order.qty
        settlement.unlock(account, order, order.qty - new_qty)
        resting = self.matchers[order.request.symbol].resting.get(order.order_id)
        if resting is not None:
            resting.left_qty -= order.qty - new_qty
        order.qty, order.updated_ms = new_qty, now_ms
        order.client_order_id = new_client_order_id or f"amend{order.order_id:011d}n{len(order.amends):05d}"
        self.register.name(order)
        change: Json = {
            "symbol": order.request.symbol,
            "orderId": order.order_id,
            "executionId": len(self.orders) * 100 + len(order.amends),
            "origClientOrderId": old_id,
            "newClientOrderId": order.client_order_id,
            "origQty": names.e8(old_qty),
            "newQty": names.e8(new_qty),
            "time": now_ms,
        }
        order.amends.append(change)
        event = order.report("REPLACED", now_ms)
        self._changed[order.order_id] = order
        self._send(order.account, event | {"C": old_id})
        self.publish_positions()
        return {"transactTime": now_ms, "executionId": change["executionId"]}

    def known(self, symbol: str) -> SymbolRules:
        """Return the rules of a symbol.

        Raises
        ------
        ApiError
            -1121.
        """
        if symbol not in self.rules:
            raise ApiError(-1121, "Invalid symbol.")
        return self.rules[symbol]

    def order_counts(self, account: Account) -> list[Json]:
        """Return the unfilled orders of an account as rate limits."""
        return self.counts[account.name].json(self._market.now_ms)

    def on_trade(self, symbol: str, price: Decimal, qty: Decimal, aggressor: Side) -> None:
        """Take in a recorded trade: it may fill resting orders and trigger stops."""
        for match in self.matchers[symbol].on_trade(price, qty, aggressor):
            self._fill_maker(match)
        for order in [each for each in self.open.values() if each.is_waiting]:
            if order.request.symbol == symbol and self._is_triggered(order.request, price):
                self._trigger(order)
        self.publish_positions()

    def on_level(self, symbol: str, side: Side, level: Level) -> None:
        """Take in a recorded level: it may fill resting orders."""
        for match in self.matchers[symbol].on_level(side, *level):
            self._fill_maker(match)
        self.publish_positions()

    def publish_positions(self) -> None:
        """End an action: keep what it changed, and tell every account whose balances have changed."""
        now_ms = self._market.now_ms
        if self._journal is not None:
            self._write(self._journal)
        for name, account in self.accounts.items():
            wallet = account.wallet
            if not wallet.changed:
                continue
            rows = [
                {"a": asset, "f": names.e8(wallet.free(asset)), "l": names.e8(wallet.locked(asset))}
                for asset in sorted(wallet.changed)
            ]
            wallet.changed.clear()
            self._send(name, {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": rows})

    def deposit(self, account: Account, asset: str, amount: Decimal) -> None:
        """Add to an account from outside, or take away.

        Raises
        ------
        ApiError
            When it has not as much.
        """
        account.wallet.add(asset, amount)
        now_ms = self._market.now_ms
        event: Json = {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": names.e8(amount), "T": now_ms}
        self._send(account.name, event)
        self.publish_positions()

    def _execute(self, order: Order, fraction: Decimal = Decimal(1)) -> None:
        """Let an order take what it can, and rest or expire with what is left."""
        request = order.request
        matcher = self.matchers[request.symbol]
        step = self.rules[request.symbol].step
        qty = order.left_qty if fraction == 1 else order.left_qty * fraction // step * step
        taker = Taker(order.account, request.side, request.price, qty, prevention=request.prevention)
        levels = self._market.levels(request.symbol, request.side.opposite)
        is_all = request.time_in_force == "FOK"
        if is_all and matcher.take(taker, levels, is_rehearsal=True).qty < order.left_qty:
            self._close(order, "EXPIRED", names.FOK_EXPIRED)
            return
        taken = matcher.take(taker, levels)
        for order_id in taken.prevented:
            self._close(self.orders[order_id], "EXPIRED_IN_MATCH", execution="TRADE_PREVENTION")
        for match in taken.matches:
            self._fill(order, match, is_maker=False)
            if match.maker is not None:
                self._fill_maker(match)
        if not order.is_open:
            return
        is_market = request.price is None
        if taken.is_stopped:
            self._close(order, "EXPIRED_IN_MATCH", execution="TRADE_PREVENTION")
        elif is_market or request.time_in_force != "GTC":
            self._close(order, "EXPIRED", names.NO_LIQUIDITY if is_market else names.IOC_EXPIRED)
        else:
            self._rest(order, self._market.levels(request.symbol, request.side))

    def _trigger(self, order: Order) -> None:
        """Let a stop into the book: its price has been traded."""
        account = self.accounts[order.account]
        order.working_ms = order.updated_ms = self._market.now_ms
        self._tell(order, "NEW")
        if order.request.price is None:
            settlement.unlock(account, order, order.left_qty)
            order.lock_asset = ""
            try:
                self._check_balance(account, self.rules[order.request.symbol], order.request, is_now=True)
            except ApiError:
                self._close(order, "EXPIRED", names.NO_LIQUIDITY)
                return
        self._execute(order)

    def _fill_maker(self, match: Match) -> None:
        assert match.maker is not None, "a maker's match names its order"
        self._fill(self.orders[match.maker], match, is_maker=True)

    def _fill(self, order: Order, match: Match, *, is_maker: bool) -> None:
        account, rules = self.accounts[order.account], self.rules[order.request.symbol]
        side = order.request.side
        bnb_price = self._market.last_price(settlement.BNB + rules.quote)
        cost = settlement.commission(account, rules, side, match, is_maker=is_maker, bnb_price=bnb_price)
        self._trade_id += 1
        now_ms = self._market.now_ms
        symbol = order.request.symbol
        fill = Fill(
            self._trade_id, order.order_id, symbol, side, match.price, match.qty, *cost, is_maker, now_ms
        )
        settlement.settle(account, rules, order, fill)
        self.fills[account.name].append(fill)
        if len(order.fills) == 1:
            self.counts[account.name].add(now_ms, -1)
        if not order.is_open:
            self.register.leave(order)
        self._tell(order, "TRADE", fill)

    def _close(
        self, order: Order, status: str, reason: str = "", *, execution: str = "", cancel_id: str = ""
    ) -> None:
        """End an order, and give back what was set aside for it."""
        self.matchers[order.request.symbol].cancel(order.order_id)
        settlement.unlock(self.accounts[order.account], order, order.left_qty)
        order.status, order.expiry_reason, order.updated_ms = status, reason, self._market.now_ms
        self.register.leave(order)
        self._tell(order, execution or status, cancel_id=cancel_id)

    def _rehearse(self, owner: str, request: OrderRequest) -> Taken:
        """Return what an order would take now."""
        step = self.rules[request.symbol].step
        taker = Taker(owner, request.side, request.price, request.qty, request.notional, step)
        levels = self._market.levels(request.symbol, request.side.opposite)
        return self.matchers[request.symbol].take(taker, levels, is_rehearsal=True)

    def _check_balance(
        self, account: Account, rules: SymbolRules, request: OrderRequest, *, is_now: bool = False
    ) -> None:
        """Refuse what the account cannot pay; ``is_now`` for a stop that has been triggered."""
        wallet = account.wallet
        if request.side is Side.SELL:
            qty = request.qty if request.qty is not None else self._rehearse(account.name, request).qty
            is_covered = wallet.free(rules.base) >= qty
        elif request.kind == "MARKET" or is_now:
            cost = request.notional
            if cost is None:
                matches = self._rehearse(account.name, request).matches
                cost = sum((match.price * match.qty for match in matches), ZERO)
            is_covered = wallet.free(rules.quote) >= cost
        else:
            price = request.price or request.stop_price or ZERO
            is_covered = wallet.free(rules.quote) >= price * (request.qty or ZERO)
        if not is_covered:
            raise insufficient_balance()

    def _reference_price(self, symbol: str) -> Decimal | None:
        """Return the price that filters go by: of the last trade, else the best of the book."""
        price = self._market.last_price(symbol)
        if price is not None:
            return price
        best = [self._market.levels(symbol, side)[:1] for side in Side]
        prices = [levels[0].price for levels in best if levels]
        return sum(prices, ZERO) / len(prices) if prices else None

    def _is_triggered(self, request: OrderRequest, price: Decimal | None) -> bool:
        if price is None or request.stop_price is None:
            return False
        is_upward = (request.side is Side.BUY) == request.kind.startswith("STOP_LOSS")
        return price >= request.stop_price if is_upward else price <= request.stop_price

    def _write(self, journal: Journal) -> None:
        balances = {
            name: {asset: account.wallet.amounts(asset) for asset in account.wallet.changed}
            for name, account in self.accounts.items()
            if account.wallet.changed
        }
        if self._changed or balances:
            journal.write(Entry(self._trade_id, list(self._changed.values()), balances))
        self._changed.clear()

    def _take_up(self, journal: Journal) -> None:
        """Hold what the journal says; resting orders have nothing ahead until the book is known."""
        orders: dict[int, Order] = {}
        for entry in journal.read():
            self._trade_id = entry.trade_id
            orders.update({order.order_id: order for order in entry.orders})
            for name, amounts in entry.balances.items():
                if name in self.accounts:
                    self.accounts[name].wallet.restore(amounts)
        self.register.take_up(orders.values())
        for order in self.open.values():
            if not order.is_waiting and order.request.price is not None:
                self._rest(order, [])

    def _rest(self, order: Order, levels: list[Level]) -> None:
        request = order.request
        assert request.price is not None, "an order that rests has a price"
        resting = Resting(order.order_id, order.account, request.side, request.price, order.left_qty)
        self.matchers[request.symbol].rest(resting, levels)

    def _tell(self, order: Order, execution: str, fill: Fill | None = None, *, cancel_id: str = "") -> None:
        self._changed[order.order_id] = order
        self._send(order.account, order.report(execution, self._market.now_ms, fill, cancel_id))

    def _send(self, account: str, event: Json) -> None:
        for listener in self.listeners:
            listener(account, event)
