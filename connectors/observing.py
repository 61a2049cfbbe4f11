"""Observing: what a record that this process sends says of it, as metrics and readiness.

Every process sends its health, its dead letters and its decisions as records anyway; so they are counted
where they are sent, and a metric and the topic cannot disagree.
"""

from collections.abc import Callable
from typing import cast

import msgspec
from prometheus_client import Counter, Gauge

from genesis.connectors import metrics
from genesis.connectors.probes import STATE
from genesis.operators import topics
from genesis.operators.account.outcomes import AccountStatus, ChildOrder, Decision, Fill
from genesis.operators.records import DeadLetter, Health
from genesis.operators.topics import Topic

STATES = ("ok", "starting", "degraded", "complete", "stopped")
"""What a process may say that it is."""

MODES = ("active", "reducing", "halted")

SECONDS = 1e-3
"""Figures in ms become metrics in seconds."""

GAUGES: dict[tuple[str, str], tuple[Gauge, float]] = {
    ("archive", "lag_ms"): (metrics.STORE_LAG, SECONDS),
    ("gateway", "unknown_orders"): (metrics.GATEWAY_UNKNOWN, 1.0),
}
"""Metrics that are a figure of a health report times a factor, by component and name of the figure."""

COUNTERS: dict[tuple[str, str], Counter] = {
    ("archive", "rows_total"): metrics.STORE_ROWS,
}
"""Metrics that count up with a figure that is a total."""

_totals: dict[tuple[str, str], float] = {}


def health(record: Health) -> None:
    """Take a health report."""
    STATE.health, STATE.detail = record.state, record.detail
    for state in STATES:
        metrics.HEALTH_STATE.labels(record.component, state).set(state == record.state)
    for name, value in record.figures.items():
        key = (record.component, name)
        if key in GAUGES:
            gauge, factor = GAUGES[key]
            gauge.set(value * factor)
        elif key in COUNTERS:
            COUNTERS[key].inc(max(value - _totals.get(key, 0.0), 0.0))
            _totals[key] = value
    if record.component == "gateway":
        metrics.GATEWAY_SERVING.set(record.state == "ok")


def decision(record: Decision) -> None:
    """Count a decision."""
    metrics.DECISIONS.labels(record.subject, "yes" if record.accepted else "no").inc()
    if not record.accepted:
        metrics.REFUSALS.labels(record.code).inc()


def account(record: AccountStatus) -> None:
    """Take how an account stands."""
    name = record.account_id
    if record.tier in metrics.TIERS:
        metrics.TIER.labels(name).set(metrics.TIERS.index(record.tier))
    for mode in MODES:
        metrics.MODE.labels(name, mode).set(mode == record.mode)
    metrics.TILT.labels(name).set(record.tilt_level)
    metrics.EQUITY.labels(name).set(float(record.equity))
    metrics.PNL_DAY.labels(name).set(record.pnl_day)
    metrics.BUDGET.labels(name).set(record.daily_budget)
    metrics.DRAWDOWN.labels(name).set(record.drawdown)
    metrics.OVERRIDES.labels(name).set(record.override_attempts)


def _letter(record: DeadLetter) -> None:
    metrics.DEAD_LETTERS.labels(record.reason).inc()


def _child(record: ChildOrder) -> None:
    metrics.ORDERS.labels(record.action).inc()


def _fill(record: Fill) -> None:
    metrics.FILLS.labels(record.side).inc()


_OBSERVERS = cast(
    "dict[str, Callable[[msgspec.Struct], None]]",
    {
        topics.HEALTH.name: health,
        topics.DEAD_LETTERS.name: _letter,
        topics.DECISIONS.name: decision,
        topics.CHILD_ORDERS.name: _child,
        topics.EXECUTIONS.name: _fill,
        topics.ACCOUNT.name: account,
    },
)


def sent(topic: Topic, record: msgspec.Struct) -> None:
    """Take a record that was queued for the broker."""
    observe = _OBSERVERS.get(topic.name)
    if observe is not None:
        observe(record)
