"""Desk: what every handler of the fold works with: the account, the keys, and what goes out.

Each outcome gets the id of the event that led to it and a number, so a repeat of the event makes the same.
Decisions, child orders and executions are also chained into the audit, in the order in which they happen.
"""

from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from genesis.operators.account import audit, signing
from genesis.operators.account import execution as working_orders
from genesis.operators.account import portfolio as money_of
from genesis.operators.account.events import AccountEvent
from genesis.operators.account.money import ZERO, on_grid, text
from genesis.operators.account.outcomes import ChildOrder, Decision, ParentOrder, PositionStatus
from genesis.operators.account.signing import Keys
from genesis.operators.account.state import BUY, CHILDREN_MAX, SELL, Account, Child, Working
from genesis.operators.account.tiers import name_of
from genesis.operators.slicing.orders import EventKind

PERMIT_NS = 10 * 10**9
"""How long a permit holds, by the account's clock."""

AUDITED = frozenset({"decisions", "child_orders", "executions"})
"""What is chained."""

SIDES = {BUY: "buy", -BUY: "sell"}


class FoldKeys(NamedTuple):
    """Keys of the fold: of all roles to check seals, of permits, and of the audit chain."""

    roles: Keys
    permit: bytes
    audit: bytes

    def __repr__(self) -> str:
        return "FoldKeys(…)"


class Outcome(NamedTuple):
    """One record that goes out, and the topic it goes to."""

    topic: str
    record: msgspec.Struct


class Refused(Exception):
    """A command that is not carried out: code and sentence."""

    def __init__(self, code: str, sentence: str, figures: dict[str, float] | None = None) -> None:
        super().__init__(sentence)
        self.code, self.sentence, self.figures = code, sentence, figures or {}


class Desk:
    """The account while one event is handled."""

    def __init__(self, account: Account, keys: FoldKeys) -> None:
        self.account, self.keys = account, keys
        self.outcomes: list[Outcome] = []
        self.event_id = ""
        self._number = 0

    def begin(self, event: AccountEvent) -> None:
        """Turn to an event."""
        self.event_id, self._number = event.id, 0

    def next_id(self) -> str:
        """Return the id of the next outcome."""
        self._number += 1
        return f"{self.event_id}/{self._number}"

    def tell(self, topic: str, record: msgspec.Struct) -> None:
        """Send a record out; chain it when its topic is audited."""
        self.outcomes.append(Outcome(topic, record))
        if topic in AUDITED:
            account = self.account
            body = msgspec.json.encode(record).decode()
            entry = audit.chained(
                self.keys.audit, account.head, account.account_id, account.now_ns, (topic, body)
            )
            account.head_hash, account.head_number = entry.id, entry.number
            self.outcomes.append(Outcome("audit", entry))

    def decide(
        self,
        subject: str,
        code: str,
        sentence: str,
        figures: dict[str, float] | None = None,
        parent_id: str = "",
    ) -> Decision:
        """Send out what was decided; the code OK accepts, any other refuses."""
        decision = Decision(
            id=self.next_id(),
            event_ns=self.account.now_ns,
            account_id=self.account.account_id,
            cause=self.event_id,
            subject=subject,
            accepted=code == "OK",
            code=code,
            sentence=sentence,
            figures={name: float(value) for name, value in (figures or {}).items()},
            parent_id=parent_id,
        )
        if not decision.accepted:
            self.account.last_refusal = decision
        self.tell("decisions", decision)
        return decision

    def send(self, working: Working, wish: working_orders.Wish) -> None:
        """Send a child of a parent order, with its permit."""
        account = self.account
        working.children += 1
        digest = blake2b(f"{account.account_id}\n{working.parent_id}".encode(), digest_size=11)
        child = Child(
            client_order_id=f"g{digest.hexdigest()}-{working.children}",
            parent_id=working.parent_id,
            number=working.children,
            symbol=working.symbol,
            side=working.side,
            qty=wish.qty,
            limit_price=wish.limit_price,
            decided_ns=account.now_ns,
        )
        working.open_child = child.client_order_id
        self._keep(child, wish.time_in_force)

    def guard(self, symbol: str, qty: Decimal, stop_price: Decimal, limit_price: Decimal) -> Child:
        """Send a stop-loss that rests at the venue; it belongs to no parent order."""
        account = self.account
        parent_id = f"{self.event_id}.{symbol}.stop"
        digest = blake2b(f"{account.account_id}\n{parent_id}".encode(), digest_size=11)
        child = Child(
            client_order_id=f"g{digest.hexdigest()}-1",
            parent_id=parent_id,
            number=1,
            symbol=symbol,
            side=SELL,
            qty=qty,
            limit_price=limit_price,
            decided_ns=account.now_ns,
            stop_price=stop_price,
        )
        self._keep(child, "gtc")
        return child

    def cancel(self, child: Child) -> None:
        """Ask for a child to be cancelled, once."""
        if child.is_open and not child.cancel_asked:
            child.cancel_asked = True
            self._order("cancel", child, "")

    def _keep(self, child: Child, time_in_force: str) -> None:
        account = self.account
        account.children[child.client_order_id] = child
        account.sends_ns.append(account.now_ns)
        self._forget_children()
        self._order("send", child, time_in_force)

    def _order(self, action: str, child: Child, time_in_force: str) -> None:
        account = self.account
        order = ChildOrder(
            id=self.next_id(),
            event_ns=account.now_ns,
            account_id=account.account_id,
            action=action,
            client_order_id=child.client_order_id,
            parent_id=child.parent_id,
            symbol=child.symbol,
            side=SIDES[child.side],
            order_type="stop_loss_limit" if child.stop_price else "limit",
            time_in_force=time_in_force,
            qty=text(child.qty),
            limit_price=text(child.limit_price),
            stop_price=text(child.stop_price) if child.stop_price else "",
            tier=name_of(account.standing.tier),
            ledger_head=account.head_hash,
            expires_ns=account.now_ns + PERMIT_NS,
            permit="",
        )
        permit = signing.permit(self.keys.permit, order)
        self.tell("child_orders", msgspec.structs.replace(order, permit=permit))

    def _forget_children(self) -> None:
        children = self.account.children
        while len(children) > CHILDREN_MAX:
            closed = next((name for name, child in children.items() if not child.is_open), None)
            if closed is None:
                return
            del children[closed]

    def call_off(self, working: Working) -> None:
        """Cancel an order on the account's own behalf."""
        account = self.account
        rules = account.rules[working.symbol]
        wishes = working_orders.on_command(working, rules, EventKind.CANCEL, account.now_ns)
        self.carry_out(working, wishes)

    def carry_out(self, working: Working, wishes: list[working_orders.Wish]) -> None:
        """Do what an order wants, and tell how it stands when that changed."""
        account = self.account
        for wish in wishes:
            if wish.action == "send":
                self.send(working, wish)
            elif working.open_child in account.children:
                self.cancel(account.children[working.open_child])
        if working.status == "ended":
            account.working.pop(working.parent_id, None)
        if wishes or working.status == "ended":
            self.tell_parent(working)

    def tell_parent(self, working: Working) -> None:
        """Tell how a parent order stands."""
        average = text(on_grid(working.spent / working.filled)) if working.filled > ZERO else ""
        figures = {"arrival_price": float(working.arrival_price), "fees": float(working.fees)}
        if working.filled > ZERO:
            figures["shortfall_bps"] = working_orders.reference(working)
        self.tell(
            "parent_orders",
            ParentOrder(
                id=self.next_id(),
                event_ns=self.account.now_ns,
                account_id=self.account.account_id,
                parent_id=working.parent_id,
                symbol=working.symbol,
                side=SIDES[working.side],
                algorithm=working.algorithm,
                status=working.status,
                reason=working.reason,
                qty=text(working.qty),
                filled_qty=text(working.filled),
                average_price=average,
                children=working.children,
                strategy=working.strategy,
                figures=figures,
            ),
        )

    def tell_position(self, symbol: str) -> None:
        """Tell how a position stands."""
        account = self.account
        position = money_of.position_of(account.portfolio, symbol)
        if position is None:
            return
        view = account.views.get(symbol)
        mark = view.mid if view is not None and view.is_two_sided else None
        stop = account.stops.get(symbol)
        self.tell(
            "positions",
            PositionStatus(
                id=self.next_id(),
                event_ns=account.now_ns,
                account_id=account.account_id,
                symbol=symbol,
                qty=text(position.qty),
                average_cost=text(money_of.average_cost(position)),
                realised=text(position.realised),
                mark_price=text(mark) if mark is not None else "",
                unrealised=text(money_of.unrealised(position, mark)) if mark is not None else "",
                stop_price=text(stop) if stop is not None else "",
                stop_rests=symbol in account.guards and bool(account.guards[symbol].child),
            ),
        )


def promised(account: Account, symbol: str) -> Decimal:
    """Return how much of a symbol's base asset is promised to working sales."""
    sales = (each.left for each in account.working.values() if each.symbol == symbol and each.side != BUY)
    return sum(sales, ZERO)
