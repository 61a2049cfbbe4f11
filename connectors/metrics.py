"""Prometheus metrics: one registry, base units, served where GENESIS_METRICS_PORT says."""

from prometheus_client import Counter, Gauge, start_http_server

FEED_MESSAGES = Counter("genesis_feed_messages", "Usable messages from the venue.", ["market", "kind"])
FEED_ROWS = Counter("genesis_feed_rows", "Rows sent to a topic.", ["topic"])
FEED_GAPS = Counter("genesis_feed_gaps", "Gaps noticed.", ["stream", "reason"])
FEED_GAPS_OPEN = Gauge("genesis_feed_gaps_open", "Gaps that are not closed yet.")
FEED_DEAD_LETTERS = Counter("genesis_feed_dead_letters", "Messages that could not be used.", ["reason"])
FEED_DUPLICATES = Counter("genesis_feed_duplicates", "Messages that had come before, and were dropped.")
FEED_CONNECTS = Counter("genesis_feed_connects", "Connections opened.", ["market"])
FEED_CONNECTIONS = Gauge("genesis_feed_connections", "Connections that are open.")
FEED_RESYNCS = Counter("genesis_feed_resyncs", "Order books begun again.", ["symbol"])
FEED_SNAPSHOTS = Counter("genesis_feed_snapshots", "Snapshot requests.", ["outcome"])
FEED_WEIGHT = Gauge(
    "genesis_feed_request_weight",
    "Request weight used in the present minute, by the venue's count.",
    ["market"],
)
FEED_LAG = Gauge(
    "genesis_feed_lag_seconds", "Age of the newest message when it arrived, beyond the clock offset."
)
FEED_OFFSET = Gauge("genesis_feed_clock_offset_seconds", "Our clock less the venue's.", ["market"])
FEED_QUEUE = Gauge("genesis_feed_queue_frames", "Frames that wait for the broker.")


def serve(port: int) -> None:
    """Serve the metrics on loopback; port 0 serves nothing."""
    if port:
        start_http_server(port, addr="127.0.0.1")
