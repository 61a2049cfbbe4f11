"""Polling: reports of orders by asking, while the WebSocket API is not to be had."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from genesis.connectors.gateway.venues import TERMINAL, Throttled, TradingError
from genesis.operators.account.events import Execution

ASK_EVERY_S = 0.5
"""Pause between two rounds, for up to ORDERS_A_ROUND orders; longer for more, so that the weight that
they cost (4 each) stays below half of the venue's limit."""

ORDERS_A_ROUND = 5

TRY_AGAIN_S = 30.0
"""How often the WebSocket API is tried again."""


class Poller:
    """Asks for each order that is open, and reports what it hears.

    Parameters
    ----------
    ask
        Returns how an order is, by symbol and client order id.
    report
        Told every answer; repeats are for the receiver to drop.
    """

    def __init__(
        self, ask: Callable[[str, str], Awaitable[Execution | None]], report: Callable[[Execution], None]
    ) -> None:
        self._ask, self._report = ask, report
        self._open: dict[str, str] = {}
        self._added = asyncio.Event()

    def follow(self, symbol: str, client_order_id: str) -> None:
        """Ask for this order until it has ended."""
        self._open[client_order_id] = symbol
        self._added.set()

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            if not self._open:
                self._added.clear()
                await self._added.wait()
            pause_s = ASK_EVERY_S * max(len(self._open) / ORDERS_A_ROUND, 1.0)
            for client_order_id, symbol in list(self._open.items()):
                try:
                    said = await self._ask(symbol, client_order_id)
                except Throttled as error:
                    pause_s = max(pause_s, error.wait_s)
                except TradingError:
                    pause_s = max(pause_s, 1.0)
                else:
                    self._take(client_order_id, said)
            await asyncio.sleep(pause_s)

    def _take(self, client_order_id: str, said: Execution | None) -> None:
        if said is not None:
            self._report(said)
            if said.status in TERMINAL:
                with contextlib.suppress(KeyError):
                    del self._open[client_order_id]
