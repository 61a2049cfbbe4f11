"""Prometheus metrics: one registry, base units, from which docs/metrics.md and the checks are made.

Every metric is declared here and nowhere else; `connectors.probes` serves them. A process shows all
of them, those of other parts at zero or without a series.
"""

from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""From what a fold takes to what nobody would trade on."""


class Metric(NamedTuple):
    """One metric, as the reference page shows it."""

    name: str  # as it is exposed, counters with _total
    kind: str  # counter, gauge or histogram
    help: str
    labels: tuple[str, ...]


REGISTRY: dict[str, Metric] = {}
"""All metrics of ours by name."""

TIERS = ("sniper", "hunter", "strategist", "architect")
"""What the value of ``genesis_account_tier`` counts through, from 0."""

PROCESS = (
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
)
"""What the client library adds of each process, as far as our rules and dashboards use it."""


def _declared(kind: str, name: str, text: str, labels: Sequence[str]) -> None:
    full = f"{name}_total" if kind == "counter" else name
    REGISTRY[full] = Metric(full, kind, text, tuple(labels))


def _counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    _declared("counter", name, text, labels)
    return Counter(name, text, labels)


def _gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
    _declared("gauge", name, text, labels)
    return Gauge(name, text, labels)


def _histogram(name: str, text: str, labels: Sequence[str] = ()) -> Histogram:
    _declared("histogram", name, text, labels)
    return Histogram(name, text, labels, buckets=LATENCY_BUCKETS_S)


# Every process
READY = _gauge("genesis_ready", "1 when the process does its work, as /readyz says.", ["part"])
RECOVERY = _gauge(
    "genesis_recovery_seconds",
    "From the start of the process until it was ready for the first time.",
    ["part"],
)
PROGRESS_AGE = _gauge("genesis_progress_age_seconds", "Since the main loop last came by.", ["part"])
EPOCH_AGE = _gauge("genesis_epoch_age_seconds", "Since the last recovery snapshot; 0 without any.", ["part"])
HEALTH_STATE = _gauge(
    "genesis_health_state", "1 for the state that the process reports of itself, else 0.", ["part", "state"]
)

# Broker
CONSUMED = _counter("genesis_consumed_messages", "Messages that were read.", ["reader"])
LAG = _gauge(
    "genesis_consumer_lag_messages",
    "Messages that are in the log and not yet read, of the present generation.",
    ["reader", "topic", "partition"],
)
VOID_FRAMES = _counter(
    "genesis_void_frames", "Frames of a colour that had been fenced off.", ["reader", "topic"]
)
LOG_BREAKS = _counter(
    "genesis_log_breaks", "Times a log that is read began anew or had a hole.", ["reader", "topic"]
)
BROKER_AWAY = _gauge("genesis_broker_away_seconds", "How long the broker has not answered.", ["client"])
PRODUCED = _counter("genesis_produced_messages", "Messages that were queued for the broker.", ["topic"])
UNCONFIRMED = _gauge(
    "genesis_unconfirmed_messages", "Messages that the broker has not confirmed yet.", ["client"]
)
LOST = _counter("genesis_lost_frames", "Frames that were given up; each leaves a published gap.", ["topic"])
SINK_FULL = _counter(
    "genesis_sink_full", "Sends that were refused since the bounded queue was full.", ["topic"]
)
DEAD_LETTERS = _counter("genesis_dead_letters", "Messages that could not be used.", ["reason"])

# Feed
FEED_MESSAGES = _counter("genesis_feed_messages", "Usable messages from the venue.", ["market", "kind"])
FEED_ROWS = _counter("genesis_feed_rows", "Rows sent to a topic.", ["topic"])
FEED_SILENCE = _gauge("genesis_feed_silence_seconds", "Since the last usable message from the venue.")
FEED_GAPS = _counter("genesis_feed_gaps", "Gaps noticed.", ["stream", "reason"])
FEED_GAPS_OPEN = _gauge("genesis_feed_gaps_open", "Gaps that are not closed yet.")
FEED_DUPLICATES = _counter("genesis_feed_duplicates", "Messages that had come before, and were dropped.")
FEED_CONNECTS = _counter("genesis_feed_connects", "Connections opened.", ["market"])
FEED_CONNECTIONS = _gauge("genesis_feed_connections", "Connections that are open.")
FEED_RESYNCS = _counter("genesis_feed_resyncs", "Order books begun again.", ["symbol"])
FEED_SNAPSHOTS = _counter("genesis_feed_snapshots", "Snapshot requests.", ["outcome"])
FEED_WEIGHT = _gauge(
    "genesis_feed_request_weight",
    "Request weight used in the present minute, by the venue's count.",
    ["market"],
)
FEED_THROTTLED = _counter(
    "genesis_feed_throttled", "Answers 429 (slow down) and 418 (banned) to snapshot requests.", ["status"]
)
FEED_LAG = _gauge(
    "genesis_feed_lag_seconds", "Age of the newest message when it arrived, beyond the clock offset."
)
FEED_OFFSET = _gauge("genesis_feed_clock_offset_seconds", "Our clock less the venue's.", ["market"])
FEED_QUEUE = _gauge("genesis_feed_queue_frames", "Frames that wait for the broker.")

# Flows and store
FLOW_ROWS = _counter("genesis_flow_rows", "Rows that the market flow has read.")
TICK_TO_SIGNAL = _histogram(
    "genesis_tick_to_signal_seconds", "From the sending of a tick to the sending of the signal it led to."
)
STORE_ROWS = _counter("genesis_store_rows", "Rows that the archive has stored.")
STORE_LAG = _gauge("genesis_store_lag_seconds", "Age of the oldest message of the newest insert.")
STORE_BUSY = _counter("genesis_store_busy", "Times the store asked for patience.")

# Trading
DECISIONS = _counter("genesis_decisions", "What became of commands.", ["subject", "accepted"])
REFUSALS = _counter("genesis_refusals", "Commands that were refused, by stable code.", ["code"])
ORDERS = _counter("genesis_child_orders", "Child orders that the account decided.", ["action"])
FILLS = _counter("genesis_fills", "Trades of ours.", ["side"])
TIER = _gauge("genesis_account_tier", "Tier: 0 sniper, 1 hunter, 2 strategist, 3 architect.", ["account"])
MODE = _gauge("genesis_account_mode", "1 for the mode that the account is in, else 0.", ["account", "mode"])
TILT = _gauge("genesis_account_tilt_level", "Tilt level, 0 to 3.", ["account"])
EQUITY = _gauge(
    "genesis_account_equity_quote", "Cash and positions at their marks, quote asset.", ["account"]
)
PNL_DAY = _gauge(
    "genesis_account_pnl_day_quote", "Equity against that of midnight (UTC), quote asset.", ["account"]
)
BUDGET = _gauge(
    "genesis_account_daily_budget_quote", "What may still be lost today, quote asset.", ["account"]
)
DRAWDOWN = _gauge(
    "genesis_account_drawdown_ratio", "Equity below its peak, as a share of the peak.", ["account"]
)
OVERRIDES = _gauge("genesis_account_override_attempts", "Override attempts in the last 24 h.", ["account"])
COMMAND_TO_WIRE = _histogram(
    "genesis_command_to_wire_seconds", "From the decision on a child order to its sending to the venue."
)
GATEWAY_REFUSALS = _counter(
    "genesis_gateway_refusals", "Child orders that the gateway refused, by stable code.", ["code"]
)
GATEWAY_USED = _gauge(
    "genesis_gateway_limit_used_ratio", "Share of a limit of the venue that is used.", ["limit", "interval"]
)
GATEWAY_THROTTLED = _counter(
    "genesis_gateway_throttled", "Answers 429 (slow down) and 418 (banned).", ["status"]
)
GATEWAY_SERVING = _gauge("genesis_gateway_serving", "1 with a reconciled connection to the venue.")
GATEWAY_UNKNOWN = _gauge("genesis_gateway_unknown_orders", "Orders whose outcome is not known yet.")
FENCE_LOSSES = _counter("genesis_fence_losses", "Times a later gateway took over from this one.")

# Simulated venue
VENUE_MESSAGES = _gauge("genesis_venue_messages_played", "Messages that the simulated venue has played.")
VENUE_CONNECTIONS = _gauge("genesis_venue_connections", "Connections to the simulated venue's streams.")
