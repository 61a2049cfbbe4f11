"""Paper: a venue inside the gateway, matched against the market records of the account's log.

Law: nothing in here can reach a network: it has no address, no client and no credentials.

What is assumed: an order meets what the newest record shows at best bid and ask (every 100 ms), no deeper;
what it takes is gone until the next record. A waiting order fills when the other side comes to its price,
with what is shown there; trades through the spread are not counted. Fees are 0.1 % of what is received.
"""

import os
from decimal import Decimal
from pathlib import Path

import msgspec

from genesis.connectors.gateway.venues import TERMINAL, Listener, Rejected, Trade, Unreachable
from genesis.operators.account.events import Execution, Listing, Listings, Mark, MarketRecord
from genesis.operators.account.outcomes import ChildOrder
from genesis.operators.order_matching import Level, Match, Matcher, Resting, Side, Taker

FEE = Decimal("0.001")

ENDED_KEPT = 1_000
"""Ended orders, with their trades, that are kept."""

ZERO = Decimal(0)


class PaperOrder(msgspec.Struct):
    """An order as this venue has it."""

    order: ChildOrder
    number: int
    status: str = "new"
    filled: Decimal = ZERO
    is_waiting: bool = False  # a stop that is not triggered
    changed_ns: int = 0
    trades: list[tuple[int, str, str, str, str, bool, int]] = []  # id, qty, price, fee, asset, maker, ns


class PaperState(msgspec.Struct):
    """What survives a restart."""

    totals: dict[str, Decimal] = {}
    listings: dict[str, Listing] = {}  # the rules are told once an hour only
    orders: dict[str, PaperOrder] = {}
    newest_order: int = 0
    newest_trade: int = 0


class PaperVenue:
    """A venue without a network.

    Parameters
    ----------
    path
        File that keeps orders, trades and balances.
    opening
        Balances of an account that begins, by asset.
    """

    name = "paper"

    def __init__(self, path: Path, opening: dict[str, Decimal]) -> None:
        self._path = path
        self._state = PaperState(totals=dict(opening))
        if path.exists():
            self._state = msgspec.json.decode(path.read_bytes(), type=PaperState)
        self._listener: Listener | None = None
        self._marks: dict[str, Mark] = {}
        self._matchers: dict[str, Matcher] = {}
        self._now_ns = 0
        self._news: list[Execution] = []  # told once it is kept
        for each in self._open():
            if not each.is_waiting:
                self._rest(each)

    def learn(self, listings: Listings) -> None:
        """Take the rules of the symbols."""
        told = {each.symbol: each for each in listings.listings}
        if told != self._state.listings:
            self._state.listings = told
            self._save()

    def feed(self, record: MarketRecord, event_ns: int) -> None:
        """Take a market record; orders may fill."""
        self._now_ns = max(self._now_ns, event_ns)
        is_changed = False
        for mark in record.marks:
            self._marks[mark.symbol] = mark
            matcher = self._matchers.get(mark.symbol)
            if self._listener is None:  # nobody would hear of it
                continue
            if matcher is not None:
                matcher.on_snapshot()
                for side, price, qty in (
                    (Side.BUY, mark.bid, mark.bid_qty),
                    (Side.SELL, mark.ask, mark.ask_qty),
                ):
                    is_changed |= self._fill_makers(mark.symbol, matcher.on_level(side, _d(price), _d(qty)))
            is_changed |= self._trigger(mark)
        if is_changed:
            self._save()

    async def connect(self, listener: Listener) -> None:
        """Begin to report."""
        if not self._state.listings or not self._marks:
            raise Unreachable("paper trading waits for the first market record and the rules of the symbols")
        self._listener = listener

    async def close(self) -> None:
        """Report no more."""
        self._listener = None

    async def place(self, order: ChildOrder) -> int:
        """Match an order, or let it wait."""
        mark = self._marks.get(order.symbol)
        if mark is None or order.symbol not in self._state.listings:
            raise Rejected(-1121, "Invalid symbol.")
        known = self._state.orders.get(order.client_order_id)
        if known is not None and known.status not in TERMINAL:
            raise Rejected(-2010, "Duplicate order sent.")
        self._check_funds(order, mark)
        levels = _levels(order.side, mark)
        taker = _taker(order)
        reached = self._matcher(order.symbol).take(taker, levels, is_rehearsal=True).qty
        if order.order_type == "limit_maker" and reached:
            raise Rejected(-2010, "Order would immediately match and take.")
        is_stop = order.order_type == "stop_loss_limit"
        if is_stop and _is_triggered(order, mark):
            raise Rejected(-2010, "Stop price would trigger immediately.")
        self._state.newest_order += 1
        placed = PaperOrder(order, self._state.newest_order, changed_ns=self._now_ns)
        placed.is_waiting = is_stop
        self._state.orders[order.client_order_id] = placed
        self._tell(placed)
        if not placed.is_waiting:
            self._match(placed)
        self._forget()
        self._save()
        return placed.number

    def _match(self, placed: PaperOrder) -> None:
        """Take what can be taken; let the rest wait, or expire."""
        order = placed.order
        matcher, levels = self._matcher(order.symbol), _levels(order.side, self._marks[order.symbol])
        is_all_or_none = order.time_in_force == "fok"
        if not is_all_or_none or matcher.take(_taker(order), levels, is_rehearsal=True).qty == _d(order.qty):
            for match in matcher.take(_taker(order), levels).matches:
                self._fill(placed, match, is_maker=False)
        if placed.status in TERMINAL:
            return
        if order.order_type == "market" or order.time_in_force in ("ioc", "fok"):
            placed.status = "expired"
            self._tell(placed)
        else:
            self._rest(placed)

    def _rest(self, placed: PaperOrder) -> None:
        order = placed.order
        side = Side(order.side.upper())
        left = _d(order.qty) - placed.filled
        self._matcher(order.symbol).rest(Resting(placed.number, "", side, _d(order.limit_price), left), ())

    def _trigger(self, mark: Mark) -> bool:
        """Send the stops that this mark reaches; say whether there was one."""
        is_changed = False
        for placed in self._open():
            order = placed.order
            if placed.is_waiting and order.symbol == mark.symbol and _is_triggered(order, mark):
                placed.is_waiting, is_changed = False, True
                self._match(placed)
        return is_changed

    def _fill_makers(self, symbol: str, matches: list[Match]) -> bool:
        by_number = {each.number: each for each in self._open() if each.order.symbol == symbol}
        for match in matches:
            if match.maker in by_number:
                self._fill(by_number[match.maker], match, is_maker=True)
        return bool(matches)

    def _fill(self, placed: PaperOrder, match: Match, *, is_maker: bool) -> None:
        order, listing = placed.order, self._state.listings.get(placed.order.symbol)
        base = listing.base if listing is not None else order.symbol
        quote = listing.quote if listing is not None else "USDT"
        cost = match.price * match.qty
        received, asset = (match.qty, base) if order.side == "buy" else (cost, quote)
        fee = received * FEE
        sign = 1 if order.side == "buy" else -1
        totals = self._state.totals
        totals[base] = totals.get(base, ZERO) + sign * match.qty
        totals[quote] = totals.get(quote, ZERO) - sign * cost
        totals[asset] -= fee
        placed.filled += match.qty
        placed.status = "filled" if placed.filled >= _d(order.qty) else "partially_filled"
        placed.changed_ns = self._now_ns
        self._state.newest_trade += 1
        texts = tuple(format(each, "f") for each in (match.qty, match.price, fee))
        placed.trades.append(
            (self._state.newest_trade, texts[0], texts[1], texts[2], asset, is_maker, self._now_ns)
        )
        self._tell(placed, is_trade=True)

    def _check_funds(self, order: ChildOrder, mark: Mark) -> None:
        listing = self._state.listings[order.symbol]
        price = _d(order.limit_price) if order.order_type != "market" else _d(mark.ask)
        need, asset = (
            (_d(order.qty) * price, listing.quote) if order.side == "buy" else (_d(order.qty), listing.base)
        )
        if need > self._free(asset):
            raise Rejected(-2010, "Account has insufficient balance for requested action.")

    def _locked(self, asset: str) -> Decimal:
        locked = ZERO
        for placed in self._open():
            order, listing = placed.order, self._state.listings.get(placed.order.symbol)
            left = _d(order.qty) - placed.filled
            if listing is not None and order.side == "buy" and listing.quote == asset:
                locked += left * _d(order.limit_price)
            elif listing is not None and order.side == "sell" and listing.base == asset:
                locked += left
        return locked

    def _free(self, asset: str) -> Decimal:
        return self._state.totals.get(asset, ZERO) - self._locked(asset)

    def _open(self) -> list[PaperOrder]:
        return [each for each in self._state.orders.values() if each.status not in TERMINAL]

    def _matcher(self, symbol: str) -> Matcher:
        return self._matchers.setdefault(symbol, Matcher())

    def _said(self, placed: PaperOrder, *, is_trade: bool = False) -> Execution:
        order = placed.order
        said = Execution(
            client_order_id=order.client_order_id,
            venue_order_id=placed.number,
            symbol=order.symbol,
            side=order.side,
            status=placed.status,
            filled_qty=format(placed.filled, "f"),
            venue_ns=placed.changed_ns,
        )
        if not is_trade:
            return said
        trade_id, qty, price, fee, asset, is_maker, _ = placed.trades[-1]
        return msgspec.structs.replace(
            said,
            trade_id=trade_id,
            last_qty=qty,
            last_price=price,
            commission=fee,
            commission_asset=asset,
            is_maker=is_maker,
        )

    def _tell(self, placed: PaperOrder, *, is_trade: bool = False) -> None:
        self._news.append(self._said(placed, is_trade=is_trade))

    def _forget(self) -> None:
        ended = [key for key, each in self._state.orders.items() if each.status in TERMINAL]
        for key in ended[: max(len(ended) - ENDED_KEPT, 0)]:
            del self._state.orders[key]

    def _save(self) -> None:
        """Keep all at once, on the disk, or nothing; then tell what is new."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(".part")
        with scratch.open("wb") as file:
            file.write(msgspec.json.encode(self._state))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._path)
        news, self._news = self._news, []
        for said in news:
            if self._listener is not None:
                self._listener.report(said)

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """Cancel an order."""
        placed = self._state.orders.get(client_order_id)
        if placed is None or placed.status in TERMINAL or placed.order.symbol != symbol:
            raise Rejected(-2011, "Unknown order sent.")
        self._matcher(symbol).cancel(placed.number)
        placed.status, placed.changed_ns = "canceled", self._now_ns
        self._tell(placed)
        self._save()

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""
        for placed in self._open():
            if placed.order.symbol == symbol:
                await self.cancel(symbol, placed.order.client_order_id)

    async def order_status(self, symbol: str, client_order_id: str) -> Execution | None:
        """Return how an order is."""
        placed = self._state.orders.get(client_order_id)
        return None if placed is None or placed.order.symbol != symbol else self._said(placed)

    async def open_orders(self) -> list[Execution]:
        """Return every open order."""
        return [self._said(each) for each in self._open()]

    async def trades_since(self, symbol: str, trade_id: int) -> list[Trade]:
        """Return the trades from this id on."""
        found = [
            t for each in self._state.orders.values() for t in _trades(each) if each.order.symbol == symbol
        ]
        return sorted((t for t in found if t.trade_id >= trade_id), key=lambda each: each.trade_id)

    async def trades_of(self, symbol: str, venue_order_id: int) -> list[Trade]:
        """Return the trades of one order."""
        return [t for t in await self.trades_since(symbol, 0) if t.venue_order_id == venue_order_id]

    async def balances(self) -> dict[str, tuple[str, str]]:
        """Return free and locked by asset."""
        held = {asset: total for asset, total in self._state.totals.items() if total}
        return {a: (format(self._free(a), "f"), format(self._locked(a), "f")) for a in held}

    async def listings(self) -> list[Listing]:
        """Return the rules of every symbol."""
        return list(self._state.listings.values())

    async def server_time_ms(self) -> int:
        """Return the time of the newest market record."""
        return self._now_ns // 1_000_000


def _trades(placed: PaperOrder) -> list[Trade]:
    order = placed.order
    return [
        Trade(order.symbol, number, placed.number, order.side, qty, price, fee, asset, is_maker, ns)
        for number, qty, price, fee, asset, is_maker, ns in placed.trades
    ]


def _levels(side: str, mark: Mark) -> list[Level]:
    """Return what an order of this side meets."""
    price, qty = (mark.ask, mark.ask_qty) if side == "buy" else (mark.bid, mark.bid_qty)
    return [Level(_d(price), _d(qty))] if _d(qty) > ZERO else []


def _is_triggered(order: ChildOrder, mark: Mark) -> bool:
    """Say whether a mark has reached the trigger of a stop."""
    stop = _d(order.stop_price)
    return _d(mark.bid) <= stop if order.side == "sell" else _d(mark.ask) >= stop


def _taker(order: ChildOrder) -> Taker:
    limit = None if order.order_type == "market" else _d(order.limit_price)
    return Taker("", Side(order.side.upper()), limit=limit, qty=_d(order.qty))


def _d(text: str) -> Decimal:
    return Decimal(text or "0")
