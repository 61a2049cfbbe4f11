"""Strategy: what every strategy is: a pure function from state and market record to intents.

Law: what comes out depends on the state, the record and its time alone; a state that went in is not
changed, so it can be kept, pickled and taken up again. A strategy has no clock and sees no decision: what
it asks for may be refused, and what it believes to hold may not be there. Nothing rests on that belief: a
sale of what is not held is refused by the account.
"""

from typing import Any, Protocol

from genesis.operators.account.events import CancelOrders, MarketRecord, PlaceOrder

Intent = PlaceOrder | CancelOrders
"""What a strategy may ask for; the role ``strategy`` can make nothing else."""


class Strategy(Protocol):
    """A strategy with its parameters."""

    @property
    def name(self) -> str:
        """Name in the registry; the account counts its profits under it."""
        ...

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it follows, as the venue writes it."""
        ...

    def begin(self) -> Any:
        """Return the state before the first record."""
        ...

    def on_market(self, state: Any, record: MarketRecord, event_ns: int) -> tuple[Any, list[Intent]]:
        """Return the state after a record, and what is asked for."""
        ...
