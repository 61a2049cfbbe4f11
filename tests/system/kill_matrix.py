"""The kill matrix: at every step between a command and its booking, every part killed with -9, over seeds.

`python -m tests.system.kill_matrix --seeds 3` runs it on systems of its own and writes
build/kill_matrix.json. A cell places an order, waits until the step is seen from outside (in the log, the
ledger, at the venue), kills the part, and then looks: one decision, one order at the venue for every
recorded id, an audit chain without a fault, and books that equal the venue's, before and after all is sold.
"""

import argparse
import itertools
import json
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from genesis.connectors.commanding import NoDecisionError
from genesis.operators.account.events import Flatten, PlaceOrder
from genesis.operators.account.outcomes import Decision
from tests.system import running
from tests.system.test_trading import PARTS, SYMBOL, System

STEP_S = 20.0
"""Longest time for a step to be seen; a decision that refuses has no later ones."""

JITTER_S = 0.01

UNTRIED = "not tried"
"""Begins what is said of a cell that tried nothing."""


class Cell:
    """One order, and what is seen of it."""

    def __init__(self, system: System, notional: str) -> None:
        self.system, self.command_id = system, secrets.token_hex(8)
        self._order = PlaceOrder(symbol=SYMBOL, side="buy", notional=notional)
        self._audit_before = system.account().head_number
        self._held_before = _held(system)
        self._orders_before = len(system.sent())
        venue = system.venue_account()
        self._venue_before = (venue["orders"], venue["trades"])
        self.decision: Decision | None = None
        self.failure = ""
        self._asking = threading.Thread(target=self._ask, daemon=True)
        self._asking.start()

    def _ask(self) -> None:
        try:
            self.decision = self.system.ask(self._order, self.command_id)
        except NoDecisionError as error:
            self.failure = str(error)

    def sees(self, step: str) -> bool:
        """Say whether a step has been reached, as far as can be seen from outside."""
        try:
            return _SEEN[step](self)
        except Exception:  # noqa: BLE001 - a ledger being written to, a venue that is away: look again
            return False

    def is_decided(self) -> bool:
        """Say whether the ledger has the decision."""
        return bool(self.decisions())

    def decisions(self) -> list[str]:
        """Return the ids of the ledger's decisions on the order."""
        with self.system.ledger() as ledger:
            entries = ledger.audit_entries("main", self._audit_before)
        told = [json.loads(entry.body) for entry in entries if entry.subject == "decisions"]
        return [each["id"] for each in told if each["cause"] == self.command_id]

    def is_recorded(self) -> bool:
        """Say whether the gateway has put the order down."""
        return len(self.system.sent()) > self._orders_before

    def is_at_venue(self) -> bool:
        """Say whether the venue has the order."""
        return bool(self.system.venue_account()["orders"] > self._venue_before[0])

    def is_traded(self) -> bool:
        """Say whether the venue has traded it."""
        return bool(self.system.venue_account()["trades"] > self._venue_before[1])

    def is_booked(self) -> bool:
        """Say whether the account holds what was bought."""
        return _held(self.system) > self._held_before

    def untried(self, *, is_seen: bool) -> str:
        """Return why the cell tried nothing, such as an order that was refused; or nothing."""
        assert self.decision is not None
        if not self.decision.accepted:
            return f"{UNTRIED}: the order was refused ({self.decision.code})"
        return "" if is_seen else f"{UNTRIED}: the step was not seen"

    def end(self) -> None:
        """Wait for the decision."""
        self._asking.join(90.0)
        assert self.decision is not None, f"the command was lost: {self.failure}"


def _held(system: System) -> Decimal:
    """Return how much the account holds; the crumb of a sale stays."""
    position = system.account().portfolio.positions.get(SYMBOL)
    return position.qty if position is not None else Decimal(0)


_SEEN: dict[str, Callable[[Cell], bool]] = {
    "asked": lambda _cell: True,
    "decided": Cell.is_decided,
    "recorded": Cell.is_recorded,
    "at the venue": Cell.is_at_venue,
    "traded": Cell.is_traded,
    "booked": Cell.is_booked,
}
STEPS = tuple(_SEEN)


def run_cell(system: System, part: str, step: str, chance: random.Random) -> str:
    """Kill a part at a step of an order; return what is wrong afterwards, or nothing."""
    running.wait_for(system.is_open, "the system to be whole", system.process)
    cell = Cell(system, f"{chance.randint(600, 1_900) / 100}")
    deadline_s = time.monotonic() + STEP_S
    while not (is_seen := cell.sees(step)) and time.monotonic() < deadline_s:
        time.sleep(0.001)
    time.sleep(chance.random() * JITTER_S)  # the moment within the step is what is tried
    system.kill(part)
    cell.end()
    running.wait_for(system.is_open, f"the system to be whole after {part} was killed", system.process)
    running.wait_for(system.agrees, "the books to agree", system.process)
    faults = wrong(system, cell) or cell.untried(is_seen=is_seen)
    assert system.ask(Flatten()).accepted
    running.wait_for(system.agrees, "the books to agree after selling", system.process)
    return faults


def wrong(system: System, cell: Cell) -> str:
    """Return what is wrong with the ledger and the venue, or nothing."""
    with system.ledger() as ledger:
        sent = ledger.recorded_orders("main", 10_000)
    if len({each.order.client_order_id for each in sent}) != len(sent):
        return "an order id was recorded twice"
    arrived = sum(each.venue_order_id >= 0 for each in sent)  # the venue has given them a number
    at_venue = system.venue_account()["orders"]
    if not arrived <= at_venue <= _recorded(system):
        return f"the venue has {at_venue} orders; {len(sent)} are recorded, {arrived} of them with its number"
    decisions = cell.decisions()
    if len(decisions) != 1:
        return f"{len(decisions)} decisions on one command"
    with system.ledger() as ledger:
        if ledger.audit_report("main").faults:
            return "the audit chain has a fault"
    return ""


def _recorded(system: System) -> int:
    """Return how many orders the ledger has by now: a stop may be placed while one looks."""
    return len(system.sent())


def matrix(seed: int) -> list[dict[str, str]]:
    """Return one row for every cell of a seed: seed, part, step, and what was wrong."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        system = System(Path(folder))
        system.start()
        try:
            chance = random.Random(seed)
            for step, part in itertools.product(STEPS, PARTS):
                fault = run_cell(system, part, step, chance)
                rows.append({"seed": str(seed), "part": part, "step": step, "fault": fault})
                sys.stdout.write(f"seed {seed}  {step:<13} {part:<8} {fault or 'as it should be'}\n")
                sys.stdout.flush()
        finally:
            system.stop()
    return rows


def in_process_of_its_own(seed: int) -> list[dict[str, str]]:
    """Return the rows of a seed, run by a process of its own, which librdkafka may end.

    Its issue 5315, a null pointer when a broker dies, meets the one who asks here as it meets any client; a
    seed that it ends is begun anew, once, and otherwise counts as one with something wrong.
    """
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        for _try in range(2):
            words = (sys.executable, "-m", "tests.system.kill_matrix", "--seed", str(seed), "--out", out.name)
            ended = subprocess.run(words, check=False).returncode
            if ended >= 0:
                return list(json.loads(Path(out.name).read_bytes() or b"[]")) or [_lost(seed, ended)]
            sys.stdout.write(f"seed {seed}  its process was ended by signal {-ended}\n")
        return [_lost(seed, ended)]


def _lost(seed: int, status: int) -> dict[str, str]:
    return {"seed": str(seed), "part": "", "step": "", "fault": f"the seed ended with status {status}"}


def main() -> int:
    """Run the matrix; return 1 when something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="so many, from 0, each by a process of its own")
    parser.add_argument("--seed", type=int, help="one alone, in this process")
    parser.add_argument("--out", type=Path, default=Path("build/kill_matrix.json"))
    given = parser.parse_args()
    if given.seed is not None:
        rows = matrix(given.seed)
    else:
        rows = [row for seed in range(given.seeds) for row in in_process_of_its_own(seed)]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    untried = sum(row["fault"].startswith(UNTRIED) for row in rows)
    wrong_ones = sum(bool(row["fault"]) for row in rows) - untried
    sys.stdout.write(
        f"{len(rows)} kills: {wrong_ones} with something wrong, {untried} not tried; {given.out}\n"
    )
    return 1 if wrong_ones else 0


if __name__ == "__main__":
    sys.exit(main())
