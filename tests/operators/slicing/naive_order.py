"""The slow, obvious twin of `decisions`: plain Python objects, exact fractions, one rule after the other."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from genesis.operators.slicing.orders import (
    Algorithm,
    DecisionKind,
    EventKind,
    Reason,
    Routing,
    State,
    Status,
)

MILLION = 1_000_000
LARGEST = 2**40
MASK = 2**64 - 1


def draw(seed: int, number: int) -> int:
    """SplitMix64, as its authors write it, on Python's integers."""
    z = (seed + 0x9E3779B97F4A7C15 * (number + 1)) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return (z >> 11) % (2 * MILLION + 1) - MILLION


def varied(value: int, variation: int, seed: int, number: int) -> int:
    return value + math.floor(Fraction(value * (variation * draw(seed, number) // MILLION), MILLION))


def clamp(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))


class Order:
    """One parent order; made from a fresh state."""

    def __init__(self, state: State) -> None:
        self.o = {name: int(state.order[0][name]) for name in state.order.dtype.names or ()}
        self.schedule = state.schedule.tolist()
        self.buys = self.o["side"] == 1
        rate = Fraction(self.o["rate_ppm"], MILLION)
        self.limited = rate < 1
        self.per_lot = rate / (1 - rate) if self.limited else Fraction(0)
        self.credit = (
            Fraction(self.o["credit"], MILLION - self.o["rate_ppm"]) if self.limited else Fraction(0)
        )
        self.now = self.o["start_ns"]
        self.status, self.reason = Status.WORKING, Reason.NONE
        self.filled = self.volume = self.number = self.rejects = self.good_children = 0
        self.paused_at = self.pauses = self.not_before = 0
        self.child: dict[str, Any] | None = None
        self.impatient = False

    def tell(self, event: dict[str, int]) -> list[tuple[Any, ...]]:
        self.now = max(self.now, event["event_ns"])
        kind = event["kind"]
        if kind == EventKind.MARKET:
            return self.on_market(event)
        if kind in (EventKind.FILL, EventKind.CLOSED, EventKind.REJECTED):
            return self.on_child(event)
        return self.on_command(kind)

    # What leads to a decision

    def on_market(self, e: dict[str, int]) -> list[tuple[Any, ...]]:
        if self.status in (Status.PAUSED, Status.ENDED):
            return []
        quoted = 0 < e["bid_ticks"] <= e["ask_ticks"] <= LARGEST
        least = (
            clamp(math.ceil(Fraction(self.o["notional_min"], e["bid_ticks"])), 1, LARGEST) if quoted else 1
        )
        if e["lots"] > 0:
            lots = min(e["lots"], LARGEST)
            self.volume = min(self.volume + lots, LARGEST)
            most = 2 * self.o["slice_lots"] + least
            self.credit = min(self.credit + lots * self.per_lot, max(self.credit, Fraction(most)))
        if self.status == Status.ENDING:
            return []
        elapsed = self.now - self.o["start_ns"] - self.pauses
        if elapsed >= self.o["horizon_ns"] + self.o["grace_ns"]:
            return self.end(Reason.EXPIRED)
        if not quoted:
            return []
        if self.filled >= self.o["total_lots"]:
            return self.end(Reason.FILLED)
        price = e["ask_ticks"] if self.buys else e["bid_ticks"]
        if price > self.o["collar_ticks"] if self.buys else price < self.o["collar_ticks"]:
            return self.end(Reason.SLIPPAGE)
        if self.child:
            return self.watch(e)
        if self.o["total_lots"] - self.filled < least:
            return self.end(Reason.REMAINDER)
        if elapsed < 0:
            return []
        lots = self.size(self.wanted(e, elapsed), least)
        return self.send(e, lots, elapsed) if lots else []

    def wanted(self, e: dict[str, int], elapsed: int) -> int:
        o = self.o
        if elapsed < self.not_before:
            return 0
        if o["algorithm"] == Algorithm.POV:
            return o["child_lots_max"]
        if o["algorithm"] == Algorithm.ICEBERG:
            return max(varied(o["slice_lots"], o["size_variation_ppm"], o["seed"], 2 * self.number), 1)
        clock = elapsed
        if o["lead_max_ns"]:
            over = self.due(elapsed, but=1)
            lead = math.floor(Fraction(o["lead_max_ns"] * self.urgency(e, over), MILLION))
            if lead > 0 or o["horizon_ns"] - elapsed > o["interval_ns"]:
                clock += lead
        return self.due(max(clock, 0)) - self.filled

    def due(self, clock: int, but: int = 0) -> int:
        begun = [row for row in self.schedule if row[0] <= clock]
        begun = begun[: max(len(begun) - but, 0)]
        if not begun:
            return 0
        whole = self.schedule[-1][2]
        by_volume = self.o["algorithm"] == Algorithm.VWAP and self.o["volume_prior_ppm"] and whole > 0
        if len(begun) == len(self.schedule) or not by_volume:
            return int(begun[-1][1])
        before = begun[-2][2] if len(begun) > 1 else 0
        prior = float(whole) * self.o["volume_prior_ppm"] / MILLION
        level = (prior + self.volume) / (prior + before)
        share = (self.volume + level * (begun[-1][2] - before)) / (self.volume + level * (whole - before))
        return min(int(self.o["total_lots"] * share), self.o["total_lots"])

    def urgency(self, e: dict[str, int], due: int) -> int:
        o, total = self.o, 0
        if o["favourable_full_ppm"]:
            gain = o["side"] * (o["arrival_2_ticks"] - e["bid_ticks"] - e["ask_ticks"])
            gain = clamp(gain * MILLION // o["arrival_2_ticks"], -100 * MILLION, 100 * MILLION)
            total += clamp(gain * MILLION // o["favourable_full_ppm"], -MILLION, MILLION)
        if o["widening_full_ppm"]:
            wider = max(e["ask_ticks"] - e["bid_ticks"] - o["usual_spread_ticks"], 0)
            wider = min(wider * MILLION // o["usual_spread_ticks"], 100 * MILLION)
            total -= min(wider * MILLION // o["widening_full_ppm"], MILLION)
        total, lag = clamp(total, -MILLION, MILLION), due - self.filled
        if total < 0 and lag > 0:
            total = min(0, total + min(MILLION, lag * MILLION // o["slice_lots"]))
        return total

    def size(self, wanted: int, least: int) -> int:
        o, remaining = self.o, self.o["total_lots"] - self.filled
        bounds = [o["child_lots_max"] + least, remaining]
        if self.limited:
            bounds.append(math.floor(self.credit))
        if o["slices_min"] > self.good_children + 1:
            bounds.append(remaining - (o["slices_min"] - self.good_children - 1) * least)
        allowed = min(bounds)
        lots = min(wanted, allowed, o["child_lots_max"])
        if 0 < remaining - lots < least:
            lots = remaining if allowed >= remaining else remaining - least
        return lots if lots >= least else 0

    def send(self, e: dict[str, int], lots: int, elapsed: int) -> list[tuple[Any, ...]]:
        o = self.o
        better = min if self.buys else max
        worst = better(o["collar_ticks"], o["limit_ticks"]) if o["limit_ticks"] else o["collar_ticks"]
        there, opposite = ("ask_lots", "ask_ticks") if self.buys else ("bid_lots", "bid_ticks")
        own = e["bid_ticks"] if self.buys else e["ask_ticks"]
        cheap = e["ask_ticks"] - e["bid_ticks"] <= o["cross_spread_ticks"]
        enough = lots <= math.floor(Fraction(clamp(e[there], 0, LARGEST) * o["cross_depth_ppm"], MILLION))
        crosses = o["patience_ns"] == 0 or self.impatient or (cheap and enough)
        rests = o["algorithm"] == Algorithm.ICEBERG or not crosses
        if not rests and better(e[opposite], worst) != e[opposite]:
            return []
        self.number += 1
        price, how = (better(own, worst), Routing.REST) if rests else (worst, Routing.CROSS)
        self.child = {"lots": lots, "filled": 0, "price": price, "how": how, "sent": self.now, "cancelled": 0}
        self.credit -= lots if self.limited else 0
        self.not_before = 0
        if o["algorithm"] == Algorithm.POV:
            wait = varied(o["interval_ns"], o["time_variation_ppm"], o["seed"], 2 * self.number)
            self.not_before = elapsed + wait
        if o["algorithm"] == Algorithm.VWAP and o["volume_prior_ppm"]:
            self.not_before = min((row[0] for row in self.schedule if row[0] > elapsed), default=0)
        return [(DecisionKind.SEND, self.now, self.number, lots, price, how, 0)]

    def watch(self, e: dict[str, int]) -> list[tuple[Any, ...]]:
        assert self.child
        age = self.now - self.child["sent"]
        if self.child["how"] == Routing.CROSS:
            return []
        if self.o["algorithm"] == Algorithm.ICEBERG:
            left = e["bid_ticks"] > self.child["price"] if self.buys else e["ask_ticks"] < self.child["price"]
            return self.withdraw() if left and age >= self.o["delay_min_ns"] else []
        if age >= self.o["patience_ns"] and not self.child["cancelled"]:
            self.impatient = True
            return self.withdraw()
        return []

    # What happens to children, and commands

    def on_child(self, e: dict[str, int]) -> list[tuple[Any, ...]]:
        current = self.child is not None and e["child"] == self.number
        if e["kind"] == EventKind.FILL:
            lots = clamp(e["lots"], 0, LARGEST)
            self.filled += lots
            self.rejects = 0
            if not current or self.child is None:
                return []
            self.good_children += self.child["filled"] == 0 and lots > 0
            self.child["filled"] += lots
            self.child["lots"] = max(self.child["lots"] - lots, 0)
            if self.child["lots"]:
                return []
        if not current or self.child is None:
            return []
        unfilled, rested = self.child["lots"], self.child["how"] == Routing.REST
        self.credit += unfilled if self.limited else 0
        self.impatient = self.impatient and rested and unfilled > 0
        self.rejects = self.rejects + 1 if e["kind"] == EventKind.REJECTED else 0
        self.child = None
        if self.o["algorithm"] == Algorithm.ICEBERG:
            low, high = self.o["delay_min_ns"], self.o["delay_max_ns"]
            chance = draw(self.o["seed"], 2 * self.number + 1)
            wait = (low + high) // 2 + math.floor(Fraction((high - low) // 2 * chance, MILLION))
            self.not_before = self.now - self.o["start_ns"] - self.pauses + wait
        if self.status == Status.ENDED:
            return []
        if self.filled >= self.o["total_lots"]:
            return self.end(Reason.FILLED)
        if self.status == Status.ENDING:
            return self.end(self.reason)
        return self.end(Reason.REJECTED) if self.rejects == 5 else []

    def on_command(self, kind: int) -> list[tuple[Any, ...]]:
        if kind == EventKind.CANCEL and self.status in (Status.WORKING, Status.PAUSED):
            return self.end(Reason.CANCELLED)
        if kind == EventKind.PAUSE and self.status == Status.WORKING:
            self.status, self.paused_at = Status.PAUSED, self.now
            return self.withdraw() if self.child else []
        if kind == EventKind.RESUME and self.status == Status.PAUSED:
            self.status = Status.WORKING
            self.pauses += max(self.now - max(self.paused_at, self.o["start_ns"]), 0)
        return []

    def withdraw(self) -> list[tuple[Any, ...]]:
        assert self.child
        if self.child["cancelled"]:
            return []
        self.child["cancelled"] = 1
        return [(DecisionKind.CANCEL, self.now, self.number, 0, 0, 0, 0)]

    def end(self, reason: Reason) -> list[tuple[Any, ...]]:
        if self.status != Status.ENDING or reason == Reason.FILLED:
            self.reason = reason
        self.status = Status.ENDING
        if self.child:
            return self.withdraw()
        self.status = Status.ENDED
        left = max(self.o["total_lots"] - self.filled, 0)
        return [(DecisionKind.END, self.now, self.number, left, 0, 0, self.reason)]


def decided(state: State, told: np.ndarray) -> list[tuple[Any, ...]]:
    """Return all decisions of a fresh order on the events."""
    order = Order(state)
    names = told.dtype.names or ()
    found = []
    for row in told.tolist():
        found += order.tell(dict(zip(names, row, strict=True)))
    return found
