"""Naive books: the same trades booked again, slowly and with fractions, from their venue's own list."""

from fractions import Fraction

from genesis.operators.account.portfolio import Traded


class Books:
    """What is owned and what was earned, worked out from whole lists every time."""

    def __init__(self, cash: Fraction) -> None:
        self.cash = cash
        self.transferred = cash
        self.lots: dict[str, dict[str, list[list[Fraction]]]] = {}  # by asset and method: [qty, cost]
        self.realised: dict[str, dict[str, Fraction]] = {}  # by asset and method

    def _of(self, asset: str) -> tuple[dict[str, list[list[Fraction]]], dict[str, Fraction]]:
        methods = ("average", "fifo", "lifo")
        lots = self.lots.setdefault(asset, {method: [] for method in methods})
        return lots, self.realised.setdefault(asset, dict.fromkeys(methods, Fraction()))

    def qty(self, asset: str) -> Fraction:
        return sum((qty for qty, _ in self._of(asset)[0]["fifo"]), Fraction())

    def cost(self, asset: str, method: str) -> Fraction:
        return sum((cost for _, cost in self._of(asset)[0][method]), Fraction())

    def come(self, asset: str, qty: Fraction, cost: Fraction) -> None:
        for lots in self._of(asset)[0].values():
            lots.append([qty, cost])

    def go(self, asset: str, qty: Fraction, proceeds: Fraction, price: Fraction) -> dict[str, Fraction]:
        """Sell a quantity; what is lacking comes from outside at the price. Return the gain by method."""
        lacking = max(qty - self.qty(asset), Fraction())
        if lacking:
            self.come(asset, lacking, lacking * price)
            self.transferred += lacking * price
        lots, realised = self._of(asset)
        gains = {}
        for method in ("average", "fifo", "lifo"):
            if method == "average":
                whole = sum((each[0] for each in lots["average"]), Fraction())
                cost = sum((each[1] for each in lots["average"]), Fraction())
                given = cost * qty / whole
                lots["average"] = [[whole - qty, cost - given]] if whole > qty else []
            else:
                given = self._taken(lots[method], qty, newest=method == "lifo")
            gains[method] = proceeds - given
            realised[method] += gains[method]
        return gains

    @staticmethod
    def _taken(lots: list[list[Fraction]], qty: Fraction, *, newest: bool) -> Fraction:
        cost = Fraction()
        while qty:
            lot = lots[-1 if newest else 0]
            part = min(qty, lot[0])
            given = lot[1] * part / lot[0]
            lot[0], lot[1] = lot[0] - part, lot[1] - given
            cost, qty = cost + given, qty - part
            if not lot[0]:
                lots.remove(lot)
        return cost

    def trade(self, fill: Traded, fee_price: Fraction) -> dict[str, Fraction]:
        """Book a trade; return its gain by method, and the value of its fee."""
        qty, price, fee = Fraction(fill.qty), Fraction(fill.price), Fraction(fill.commission)
        in_base = fee if fill.commission_asset == fill.base else Fraction()
        in_quote = fee if fill.commission_asset == fill.quote else Fraction()
        other = fee - in_base - in_quote
        if other:
            self.go(fill.commission_asset, other, other * fee_price, fee_price)
        cash_fee = in_quote + other * fee_price
        if fill.side == "buy":
            self.come(fill.base, qty - in_base, qty * price + cash_fee)
            self.cash -= qty * price + in_quote
            gains = dict.fromkeys(("average", "fifo", "lifo"), Fraction())
        else:
            gains = self.go(fill.base, qty + in_base, qty * price - cash_fee, price)
            self.cash += qty * price - in_quote
        return gains | {"fee": in_quote + in_base * price + other * fee_price}
