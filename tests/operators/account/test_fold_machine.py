"""A machine over the fold: commands, a venue that answers late, twice or not yet, moving prices, crashes."""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from genesis.operators.account import figures, state
from genesis.operators.account.events import (
    Act,
    ActKind,
    AmendOrder,
    Behaviour,
    CancelOrders,
    Command,
    Execution,
    Flatten,
    PauseOrder,
    PermitRefused,
    PlaceOrder,
    ResumeOrder,
    Role,
    SetMode,
    SetStop,
    VenueBalances,
    VenueLink,
)
from genesis.operators.account.outcomes import ChildOrder, ParentOrder
from genesis.operators.account.state import BUY
from genesis.operators.account.tier_gates import Tier
from tests.operators.account.lab import SYMBOLS, Lab, Venue, folded, of

CAPITAL = Decimal(9_000)
PRICES = {"BTCUSDT": Decimal(100), "ETHUSDT": Decimal(50), "ADAUSDT": Decimal(2)}
TIER = Tier.HUNTER

symbols = st.sampled_from(SYMBOLS)
amounts = st.sampled_from(["6", "20", "60", "150", "400", "0", "-5", "NaN", "1e30"])
shares = st.sampled_from(["0.25", "0.5", "1", "1.5", "0"])
algorithms = st.sampled_from(["one", "one", "twap", "vwap", "pov"])


class Account(RuleBasedStateMachine):
    """One account and its venue. Reports wait until a rule delivers them, those of one order in turn."""

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.lab, self.venue = Lab(TIER, f"{CAPITAL:f}"), Venue(seed)
        self.moved = dict(PRICES)
        self.waiting: list[Execution] = []
        self.delivered: list[Execution] = []

    def ask(self, command: Command) -> None:
        self.lab.ask(command)

    @rule(symbol=symbols, notional=amounts, algorithm=algorithms, stop=st.sampled_from([0, 20_000]))
    def buy(self, symbol: str, notional: str, algorithm: str, stop: int) -> None:
        account = self.lab.account
        decision = self.lab.ask(
            PlaceOrder(
                symbol=symbol,
                side="buy",
                notional=notional,
                algorithm=algorithm,
                duration_s=0 if algorithm == "one" else 30,
                slices=0 if algorithm == "one" else 3,
                stop_ppm=stop,
                reason="a reason of some five words",
            )
        )
        if decision.accepted:
            mid = account.views[symbol].mid
            held = account.portfolio.positions.get(symbol)
            left = sum(
                each.left for each in account.working.values() if (each.symbol, each.side) == (symbol, BUY)
            )
            worth = ((held.qty if held is not None else 0) + left) * mid
            assert worth <= figures.limits_of(account).position_max_notional * Decimal("1.001")
            assert account.mode == "active"

    @rule(symbol=symbols, share=shares, algorithm=algorithms)
    def sell(self, symbol: str, share: str, algorithm: str) -> None:
        seconds, slices = (0, 0) if algorithm == "one" else (30, 3)
        self.ask(
            PlaceOrder(
                symbol=symbol,
                side="sell",
                share=share,
                algorithm=algorithm,
                duration_s=seconds,
                slices=slices,
            )
        )

    @rule(symbol=symbols, distance=st.integers(0, 60_000))
    def move_stop(self, symbol: str, distance: int) -> None:
        self.ask(SetStop(symbol=symbol, distance_ppm=distance))

    @rule(symbol=st.sampled_from(["", *SYMBOLS]))
    def flatten(self, symbol: str) -> None:
        self.ask(Flatten(symbol=symbol))

    @rule(which=st.integers(0, 5), kind=st.sampled_from(["pause", "resume", "cancel", "amend"]))
    def change(self, which: int, kind: str) -> None:
        names = list(self.lab.account.working)
        name = names[which % len(names)] if names else "unknown"
        made: dict[str, Command] = {
            "pause": PauseOrder(parent_id=name),
            "resume": ResumeOrder(parent_id=name),
            "cancel": CancelOrders(parent_id=name),
            "amend": AmendOrder(parent_id=name, limit_price="101"),
        }
        self.ask(made[kind])

    @rule(mode=st.sampled_from(["active", "active", "reducing", "halted"]))
    def set_mode(self, mode: str) -> None:
        self.ask(SetMode(mode=mode))

    @rule(connected=st.sampled_from([True, True, False]))
    def link(self, connected: bool) -> None:
        self.lab.put(Role.GATEWAY, VenueLink(connected=connected))

    @rule(value=st.integers(1, 400))
    def hands(self, value: int) -> None:
        acts = (Act(what=ActKind.KEYS, value=float(value), other=5.0),)
        self.lab.put(Role.TRADER, Behaviour(client="c", session="s", acts=acts))

    @rule()
    def arrive(self) -> None:
        """Let the gateway take what was sent: what came too late it refuses, what the venue says waits."""
        for order in self.lab.new_children(self.venue):
            if order.expires_ns > self.lab.now_ns:
                self.waiting += self.venue.take(order, self.lab.now_ns)
                continue
            self.venue.known.add(order.id)
            if order.action == "send":
                self.lab.put(
                    Role.GATEWAY,
                    PermitRefused(client_order_id=order.client_order_id, code="EXPIRED", detail="too late"),
                )

    @rule(rounds=st.integers(1, 4))
    def settle(self, rounds: int) -> None:
        """Let everything arrive in good order for a while."""
        for _ in range(rounds):
            self.arrive()
            while self.waiting:
                self.deliver(0, again=False)
            self.tick(1.0, "BTCUSDT", 0)

    @rule(symbol=symbols)
    def buy_a_little(self, symbol: str) -> None:
        self.buy(symbol, "20", "one", 20_000)
        self.settle(2)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9), again=st.booleans())
    def deliver(self, which: int, again: bool) -> None:
        name = self.waiting[which % len(self.waiting)].client_order_id
        report = next(each for each in self.waiting if each.client_order_id == name)
        self.waiting.remove(report)
        self.delivered.append(report)
        for _ in range(1 + again):
            self.lab.put(Role.GATEWAY, report)

    @precondition(lambda self: self.delivered)
    @rule(which=st.integers(0, 50))
    def deliver_an_old_one(self, which: int) -> None:
        before = self.lab.account.portfolio
        cash = before.cash
        self.lab.put(Role.GATEWAY, self.delivered[which % len(self.delivered)])
        assert self.lab.account.portfolio.cash == cash

    @rule(symbol=symbols, share=st.sampled_from(["1", "0.5"]))
    def come_to_the_stops(self, symbol: str, share: str) -> None:
        self.waiting += self.venue.trigger(symbol, share)

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 70.0]), symbol=symbols, percent=st.integers(-4, 4))
    def tick(self, seconds: float, symbol: str, percent: int) -> None:
        self.moved[symbol] = (PRICES[symbol] * (100 + percent) / 100).quantize(Decimal("0.01"))
        prices = {name: (f"{bid:f}", f"{bid + Decimal('0.02'):f}") for name, bid in self.moved.items()}
        self.lab.tick(seconds, **prices)

    @precondition(lambda self: not self.waiting and not self.lab.new_children(self.venue))
    @rule()
    def reconcile(self) -> None:
        balances = {name: (f"{qty:f}", "0") for name, qty in self.venue.balances(CAPITAL).items() if qty > 0}
        self.lab.put(Role.GATEWAY, VenueBalances(balances=balances))

    @rule()
    def crash(self) -> None:
        self.lab.account = state.decoded(state.encoded(self.lab.account))

    @invariant()
    def one_child_of_a_parent_is_open_and_none_is_beyond_it(self) -> None:
        if not hasattr(self, "lab"):
            return
        account = self.lab.account
        for working in account.working.values():
            children = [each for each in account.children.values() if each.parent_id == working.parent_id]
            assert sum(each.is_open for each in children) <= 1
            assert working.filled <= working.qty
            open_qty = sum(each.qty - each.filled for each in children if each.is_open)
            assert working.filled + open_qty <= working.qty
        for name, guard in account.guards.items():
            child = account.children.get(guard.child)
            assert child is None or (child.is_open and child.symbol == name)

    @invariant()
    def all_that_was_delivered_is_booked_to_the_last_digit(self) -> None:
        if not hasattr(self, "lab") or self.waiting:
            return
        book = self.lab.account.portfolio
        ours = {each.base: each.qty for each in book.positions.values()} | {"USDT": book.cash}
        theirs = self.venue.balances(CAPITAL)
        for asset in ("USDT", "BTC", "ETH", "ADA"):
            assert ours.get(asset, Decimal(0)) == theirs.get(asset, Decimal(0)), asset

    def teardown(self) -> None:
        if not hasattr(self, "lab"):
            return
        sent = of(self.lab.outcomes, "child_orders", ChildOrder)
        names = [each.client_order_id for each in sent if each.action == "send"]
        assert len(names) == len(set(names))
        for parent in of(self.lab.outcomes, "parent_orders", ParentOrder):
            assert Decimal(parent.filled_qty) <= Decimal(parent.qty)
        assert folded(self.lab.log, TIER, [7, 30, 31, 90]) == folded(self.lab.log, TIER, [], -1)


Account.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAccount = Account.TestCase
