"""Quote venue: how a backtest fills orders: against the best quote of the market record after the decision.

Assumed, and said in every report: an order reaches the venue one record (100 ms) after it was decided;
it takes what is shown at the best price, no deeper, and that once until a new quote comes; what waits in
the book fills when the other side comes to its price; a stop-loss goes to the book when the best bid comes to
it, and takes what is shown then; the fee is 0.1 % of what is received. Our orders do
not move the market. An order without a good permit is not taken.
"""

from decimal import Decimal

from genesis.operators.account import signing
from genesis.operators.account.events import Execution, Mark, MarketRecord
from genesis.operators.account.money import ZERO, exact, text
from genesis.operators.account.outcomes import ChildOrder
from genesis.operators.account.state import Rules
from genesis.operators.order_matching import Level, Match, Matcher, Resting, Side, Taker

FEE = Decimal("0.001")
"""Commission, as a share of what is received."""


class _Placed:
    """An order at the venue."""

    def __init__(self, order: ChildOrder, number: int) -> None:
        self.order, self.number = order, number
        self.qty, self.filled = Decimal(order.qty), ZERO


class QuoteVenue:
    """A venue of best quotes.

    Parameters
    ----------
    rules
        The rules of the symbols.
    permit_key
        By which permits are checked.
    """

    def __init__(self, rules: dict[str, Rules], permit_key: bytes) -> None:
        self._rules, self._key = rules, permit_key
        self._marks: dict[str, Mark] = {}
        self._matchers: dict[str, Matcher] = {}
        self._waiting: list[ChildOrder] = []
        self._resting: dict[str, _Placed] = {}
        self._stops: dict[str, _Placed] = {}
        self._orders = self._trades = 0

    def submit(self, order: ChildOrder) -> None:
        """Take an order; it is dealt with at the next record."""
        self._waiting.append(order)

    @exact
    def on_record(self, record: MarketRecord, event_ns: int) -> list[Execution]:
        """Return what a record leads to."""
        reports: list[Execution] = []
        for mark in record.marks:
            before = self._marks.get(mark.symbol)
            self._marks[mark.symbol] = mark
            if before is None or before.quoted_ns != mark.quoted_ns:
                reports += self._renewed(mark, event_ns)
        waiting, self._waiting = self._waiting, []
        for order in waiting:
            reports += (
                self._cancel(order, event_ns) if order.action == "cancel" else self._place(order, event_ns)
            )
        return reports

    def _matcher(self, symbol: str) -> Matcher:
        return self._matchers.setdefault(symbol, Matcher())

    def _renewed(self, mark: Mark, event_ns: int) -> list[Execution]:
        matcher = self._matcher(mark.symbol)
        matcher.on_snapshot()
        by_number = {each.number: each for each in self._resting.values()}
        reports = []
        for side in Side:
            for level in self._levels(mark, side):
                for match in matcher.on_level(side, level.price, level.qty):
                    placed = by_number[match.maker or 0]
                    reports.append(self._filled(placed, match, event_ns, is_maker=True))
        for name, placed in list(self._stops.items()):
            reached = ZERO < Decimal(mark.bid) <= Decimal(placed.order.stop_price)
            if placed.order.symbol == mark.symbol and reached and not mark.stale:
                del self._stops[name]
                reports += self._take(placed, event_ns)
        return reports

    def _levels(self, mark: Mark, side: Side) -> list[Level]:
        price, qty = (mark.bid, mark.bid_qty) if side is Side.BUY else (mark.ask, mark.ask_qty)
        level = Level(Decimal(price), Decimal(qty))
        return [level] if level.price > ZERO and level.qty > ZERO and not mark.stale else []

    def _place(self, order: ChildOrder, event_ns: int) -> list[Execution]:
        self._orders += 1
        placed = _Placed(order, self._orders)
        if not signing.is_permitted(self._key, order) or order.expires_ns < event_ns:
            return [self._said(placed, "rejected", event_ns)]
        reports = [self._said(placed, "new", event_ns)]
        if order.order_type == "stop_loss_limit":
            self._stops[order.client_order_id] = placed
            return reports
        return reports + self._take(placed, event_ns)

    def _take(self, placed: _Placed, event_ns: int) -> list[Execution]:
        """Take what is shown; let the rest wait in the book, or expire."""
        order, reports = placed.order, []
        side, limit = Side(order.side.upper()), Decimal(order.limit_price)
        levels = self._levels(self._marks[order.symbol], side.opposite)
        matcher = self._matcher(order.symbol)
        for match in matcher.take(Taker("", side, limit, placed.qty), levels).matches:
            qty = match.qty - match.qty % self._rules[order.symbol].lot
            if qty > ZERO:
                reports.append(self._filled(placed, match._replace(qty=qty), event_ns, is_maker=False))
        if placed.filled >= placed.qty:
            return reports
        if order.time_in_force != "gtc":
            return [*reports, self._said(placed, "expired", event_ns)]
        self._resting[order.client_order_id] = placed
        matcher.rest(Resting(placed.number, "", side, limit, placed.qty - placed.filled), ())
        return reports

    def _cancel(self, order: ChildOrder, event_ns: int) -> list[Execution]:
        stop = self._stops.pop(order.client_order_id, None)
        if stop is not None:
            return [self._said(stop, "canceled", event_ns)]
        placed = self._resting.pop(order.client_order_id, None)
        if placed is None:
            return []
        self._matcher(order.symbol).cancel(placed.number)
        return [self._said(placed, "canceled", event_ns)]

    def _filled(self, placed: _Placed, match: Match, event_ns: int, *, is_maker: bool) -> Execution:
        order, rules = placed.order, self._rules[placed.order.symbol]
        placed.filled += match.qty
        self._trades += 1
        is_buy = order.side == "buy"
        received, asset = (match.qty, rules.base) if is_buy else (match.qty * match.price, rules.quote)
        is_whole = placed.filled >= placed.qty
        if is_whole:
            self._resting.pop(order.client_order_id, None)
        return self._said(
            placed,
            "filled" if is_whole else "partially_filled",
            event_ns,
            trade_id=self._trades,
            last_qty=text(match.qty),
            last_price=text(match.price),
            commission=text(received * FEE),
            commission_asset=asset,
            is_maker=is_maker,
        )

    def _said(self, placed: _Placed, status: str, event_ns: int, **trade: object) -> Execution:
        order = placed.order
        return Execution(
            client_order_id=order.client_order_id,
            venue_order_id=placed.number,
            symbol=order.symbol,
            side=order.side,
            status=status,
            filled_qty=text(placed.filled),
            venue_ns=event_ns,
            **trade,  # type: ignore[arg-type]
        )
