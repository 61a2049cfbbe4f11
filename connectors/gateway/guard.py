"""Guard: the kill switch. It needs the venue, and of our own only what is there.

Flows, broker, ticker and gateway may all be dead. It fences the gateway off in the ledger, cancels every
open order by REST, sells what is held if it is asked to, and leaves the account halted: no gateway sends
for it until the halt is lifted. When the ledger itself is broken it goes on with the venue, and says so.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, Protocol

from genesis.connectors.gateway import hosts, wire
from genesis.connectors.gateway.clock import VenueClock
from genesis.connectors.gateway.credentials import Credentials
from genesis.connectors.gateway.rest import RestClient
from genesis.connectors.gateway.venues import (
    ClockSkew,
    Rejected,
    Throttled,
    TradingError,
    Unknown,
    Unreachable,
)
from genesis.operators.account.events import Listing

TRIES = 6
"""How often each step is tried while the venue does not answer or throttles."""

PAUSE_S = 1.0
"""Pause between two tries, where the venue does not name one."""

PAUSE_MOST_S = 30.0
"""The longest pause that is waited for; after it the step is given up and reported."""

QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI", "USD", "EUR")
"""What counts as money: not sold, and sold for in this order."""


class Halts(Protocol):
    """What is asked of the ledger."""

    def halt(self, account_id: str) -> int:
        """Halt an account and fence its gateway off."""


@dataclass
class Outcome:
    """What was done."""

    is_fenced: bool = False
    cancelled: int = 0
    sold: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Say whether everything that was asked for is done."""
        return not self.faults


class Guard:
    """The kill switch for one account at one venue.

    Parameters
    ----------
    kind, places, credentials
        Where, and as whom.
    say
        Told every step, as a sentence.
    sleep
        How to wait.
    """

    def __init__(
        self,
        kind: hosts.Kind,
        places: hosts.Endpoints,
        credentials: Credentials,
        say: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = VenueClock(time.monotonic_ns)
        self._rest = RestClient(kind, places.rest, credentials, self._clock.now_ms)
        self._say, self._sleep = say, sleep
        self._number = 0

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    def act(self, account_id: str, open_ledger: Callable[[], Halts], *, flatten: bool) -> Outcome:
        """Fence, cancel and, if asked, sell; go on whatever fails."""
        outcome = Outcome()
        self.fence(account_id, open_ledger, outcome)
        steps: list[tuple[str, Callable[[Outcome], None]]] = [("cancel the open orders", self.cancel)]
        if flatten:
            steps.append(("sell what is held", self.flatten))
        for name, step in steps:
            try:
                step(outcome)
            except (TradingError, wire.NotUnderstood) as error:
                outcome.faults.append(f"could not {name}: {error}")
                self._say(outcome.faults[-1])
        return outcome

    def fence(self, account_id: str, open_ledger: Callable[[], Halts], outcome: Outcome) -> None:
        """Halt the account in the ledger, so that no gateway can send any more."""
        try:
            number = open_ledger().halt(account_id)
        except Exception as error:  # noqa: BLE001 - a broken ledger must not keep orders from being cancelled
            outcome.faults.append(f"the ledger could not be marked as halted: {error}")
            self._say(f"{outcome.faults[-1]}. Going on with the venue; stop the gateway by hand")
            return
        outcome.is_fenced = True
        self._say(
            f"account {account_id} is halted in the ledger (number {number}); no gateway can send for it"
        )

    def cancel(self, outcome: Outcome) -> None:
        """Cancel until the venue has no open order of ours."""
        for _ in range(TRIES):
            found = self._try("GET", "/api/v3/openOrders", {})
            if not found:
                self._say(f"no order is open at the venue; {outcome.cancelled} cancelled")
                return
            for symbol in sorted({str(each["symbol"]) for each in found}):
                mine = [each for each in found if each["symbol"] == symbol]
                count, stops = len(mine), sum("STOP_LOSS" in str(each.get("type")) for each in mine)
                with contextlib.suppress(Rejected):  # filled or gone meanwhile; asked again above
                    self._try("DELETE", "/api/v3/openOrders", {"symbol": symbol})
                    outcome.cancelled += count
                    self._say(f"cancelled {count} open on {symbol}")
                    if stops:
                        self._say(f"a stop-loss was among them: nothing guards what is held of {symbol} now")
        raise Unknown("orders are still open after several rounds; look at the venue itself")

    def flatten(self, outcome: Outcome) -> None:
        """Sell all that can be sold at market."""
        listings = [wire.listing_of(each) for each in self._open("/api/v3/exchangeInfo")["symbols"]]
        held = wire.balances_of(self._try("GET", "/api/v3/account", {}))
        for asset, (free, _locked) in sorted(held.items()):
            if asset in QUOTES or not Decimal(free):
                continue
            market = _market_of(asset, listings)
            if market is None:
                outcome.left.append(f"{free} {asset}: no market to sell it in")
                continue
            self._sell(market, Decimal(free), outcome)
        for each in outcome.left:
            self._say(f"left: {each}")
        self._say(f"sold in {len(outcome.sold)} markets; {len(outcome.left)} rests left")

    def _sell(self, market: Listing, free: Decimal, outcome: Outcome) -> None:
        lot = Decimal(market.lot)
        qty = min(free, Decimal(market.max_qty)).quantize(lot, ROUND_DOWN) // lot * lot
        if qty <= 0 or qty < Decimal(market.min_qty):
            outcome.left.append(f"{free} {market.base}: less than {market.symbol} trades")
            return
        self._number += 1
        params = {
            "symbol": market.symbol,
            "side": "SELL",
            "type": "MARKET",
            "quantity": wire.plain(format(qty, "f")),
            "newClientOrderId": f"kill-{time.time_ns() // 1_000_000}-{self._number}",
        }
        try:
            self._place(params)
        except Rejected as error:
            outcome.left.append(f"{free} {market.base}: {error}")
            return
        outcome.sold.append(market.symbol)
        self._say(f"sold {params['quantity']} {market.base} at market")

    def _place(self, params: dict[str, str]) -> None:
        """Send one order; after an unknown outcome ask, and send again only what never arrived."""
        for _ in range(TRIES):
            try:
                self._stamp()
                self._rest.signed("POST", "/api/v3/order", params)
            except Unknown:
                if self._is_there(params):
                    return
            except (Unreachable, Throttled, ClockSkew) as error:
                self._wait(error)
            else:
                return
        raise Unreachable("the venue takes no order")

    def _is_there(self, params: dict[str, str]) -> bool:
        self._sleep(13.0)  # the venue's own timeout and the window of the request
        query = {"symbol": params["symbol"], "origClientOrderId": params["newClientOrderId"]}
        try:
            self._try("GET", "/api/v3/order", query)
        except Rejected as error:
            if error.code == wire.NO_SUCH_ORDER:
                return False
            raise
        return True

    def _try(self, method: str, path: str, params: dict[str, Any]) -> Any:
        """Ask until there is an answer; all that is asked so may be asked twice."""
        for _ in range(TRIES):
            try:
                self._stamp()
                return self._rest.signed(method, path, params)
            except (Unknown, Unreachable, Throttled, ClockSkew) as error:
                self._wait(error)
        raise Unreachable(f"no answer from the venue after {TRIES} tries")

    def _open(self, path: str) -> Any:
        for _ in range(TRIES):
            try:
                return self._rest.open(path)
            except (Unknown, Unreachable, Throttled) as error:
                self._wait(error)
        raise Unreachable(f"no answer from the venue after {TRIES} tries")

    def _stamp(self) -> None:
        if self._clock.is_stale:
            sent_ns = time.monotonic_ns()
            told_ms = wire.whole_number(self._rest.open("/api/v3/time"), "serverTime")
            self._clock.heard(told_ms, sent_ns, time.monotonic_ns())

    def _wait(self, error: TradingError) -> None:
        pause_s = min(error.wait_s, PAUSE_MOST_S) if isinstance(error, Throttled) else PAUSE_S
        self._clock.forget()
        self._say(f"{error}; trying again in {pause_s:.0f} s")
        self._sleep(pause_s)


def _market_of(asset: str, listings: list[Listing]) -> Listing | None:
    """Return where an asset is sold for money, the usual money first."""
    found = {each.quote: each for each in listings if each.base == asset and each.trading}
    return next((found[quote] for quote in QUOTES if quote in found), None)
