"""Faults of the trading side at work: what becomes of an order and of its answer."""

from decimal import Decimal

from genesis.connectors.venue.fault_kinds import Scope
from genesis.connectors.venue.faults import Fault, Faults
from genesis.connectors.venue.player import Player
from genesis.connectors.venue.rest import ApiError
from genesis.connectors.venue.trading.errors import rejected
from genesis.connectors.venue.trading.exchange import Interference
from genesis.connectors.venue.trading.orders import OrderRequest
from genesis.operators.records import Market

TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."


class Lost(Exception):
    """The answer is lost, in the way that the message says: a code, a status, silence or drop."""

    @property
    def how(self) -> str:
        """The way."""
        return str(self)

    @property
    def error(self) -> ApiError:
        """The answer that is given instead, where one is."""
        return ApiError(-1007, TIMEOUT, 504)


class Interferer:
    """Looks up what faults do to each new order."""

    def __init__(self, faults: Faults, player: Player) -> None:
        self.loss: Lost | None = None  # of the newest order that was accepted
        self._faults = faults
        self._player = player

    def on_order(self, request: OrderRequest) -> Interference:
        """Return what faults do to an order that is about to be accepted.

        Raises
        ------
        ApiError
            When a fault refuses it.
        Lost
            When a fault loses it before it is accepted.
        """
        self.loss = None
        fraction, expires = Decimal(1), False
        for fault in self._faults.on_trading(Scope.ORDER, request.symbol, self._player.recv_ns):
            kind, spec = fault.spec.kind, fault.spec
            if kind == "reject_order":
                raise rejected(str(spec["msg"]))
            if kind == "order_timeout":
                self.loss = Lost(str(spec["how"]))
                if spec["when"] == "before":
                    raise self.loss
            elif kind == "drop_after_accept":
                self.loss = Lost("drop")
            elif kind == "expire_order":
                expires = True
            elif kind == "partial_fill":
                fraction = min(Decimal(str(spec["fraction"])), Decimal(1))
        return Interference(fraction, expires, is_dropped=self.loss is not None and self.loss.how == "drop")

    def on_report(self, symbol: str) -> list[Fault]:
        """Return the faults that an execution report meets."""
        return self._faults.on_trading(Scope.REPORT, symbol, self._player.recv_ns)

    def on_request(self, endpoint: str, symbol: str = "") -> list[Fault]:
        """Return the faults that a request meets."""
        return self._faults.on_request(Market.SPOT, endpoint, self._player.recv_ns, symbol)
