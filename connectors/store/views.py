"""Views of the store: the newest revision of every bar, daily bars, correlation by the minute.

A rollup is three objects: a table ``NAME_data``, a materialised view ``NAME_fill`` that feeds it
from every insert into its source, and the view ``NAME`` that people read. Its aggregates are
idempotent: offering it rows again changes nothing. That is why a crash between the insert into the
source and the one into the rollup is healed by offering the newest rows again at start.
"""

from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from genesis.connectors.store.schema import INSERTED_AT, LOG_FIELDS, quoted, table_of
from genesis.operators import topics

HEALED_HOURS = 1
"""How far back, from the newest stored row, rollups are offered their source's rows at start."""


class View(NamedTuple):
    """One object made by a statement. In ``body``, ``{db}`` stands for the quoted database."""

    name: str
    doc: str
    kind: str
    body: str

    def create(self, database: str) -> str:
        """Return the CREATE statement, without a comment."""
        return f"CREATE {self.kind} {quoted(database)}.{quoted(self.name)}\n" + self.body.format(
            db=quoted(database)
        )


class Rollup(NamedTuple):
    """A table kept up to date from another: ``select`` is what it takes, with ``{{where}}`` for a filter."""

    name: str
    source: str
    doc: str
    columns: str
    engine: str
    order: str
    select: str
    read: str

    @property
    def views(self) -> tuple[View, View, View]:
        """The table, the materialised view that fills it, and the view that is read."""
        data, fill = f"{self.name}_data", f"{self.name}_fill"
        table = f"(\n{self.columns}\n)\nENGINE = {self.engine}\nORDER BY ({self.order})"
        select = self.select.replace("{where}", "")
        return (
            View(data, f"Rows of {self.name}; read that view.", "TABLE", table),
            View(
                fill,
                f"Fills {data} from {self.source}.",
                "MATERIALIZED VIEW",
                f"TO {{db}}.{data} AS\n{select}",
            ),
            View(self.name, self.doc, "VIEW", f"AS\n{self.read}"),
        )

    def offer(self, where: str) -> str:
        """Return the INSERT that offers rows of the source again; ``{db}`` is left in it."""
        return f"INSERT INTO {{db}}.{self.name}_data\n" + self.select.replace("{where}", f"WHERE {where}")


def _bar_columns() -> list[tuple[str, str, str]]:
    table = table_of(topics.BARS)
    log = {field.name for field in LOG_FIELDS} | {INSERTED_AT}
    kept = [c for c in table.columns if c.kind in ("", "DEFAULT") and c.name not in log]
    return [(c.name, c.type, c.doc.replace("'", "\\'")) for c in kept]


_BARS_LATEST = Rollup(
    name="bars_latest",
    source="bars",
    doc="The newest revision of every bar: one row a bar.",
    columns=",\n".join(f"    `{name}` {kind} COMMENT '{doc}'" for name, kind, doc in _bar_columns()),
    engine="ReplacingMergeTree(revision)",
    order="market, symbol, interval_ns, open_ns",
    select=f"SELECT {', '.join(name for name, _, _ in _bar_columns())} FROM {{db}}.bars {{where}}",
    read="SELECT *, fromUnixTimestamp64Nano(open_ns, 'UTC') AS open_time FROM {db}.bars_latest_data FINAL",
)

_CORRELATION_1M = Rollup(
    name="correlation_1m",
    source="correlation",
    doc="Correlation of every pair by the minute: last, least and greatest value. NaN while undefined.",
    columns="""\
    half_life_ns Int64 COMMENT 'half-life of the weights, ns; 0 for equal weights',
    interval_ns Int64 COMMENT 'sampling step of the log returns, ns',
    market_a Enum8('spot' = 1, 'usdm' = 2, 'coinm' = 3) COMMENT 'market of the first instrument',
    symbol_a LowCardinality(String) COMMENT 'first instrument',
    market_b Enum8('spot' = 1, 'usdm' = 2, 'coinm' = 3) COMMENT 'market of the second instrument',
    symbol_b LowCardinality(String) COMMENT 'second instrument',
    minute DateTime('UTC') COMMENT 'start of the minute in which the samples ended',
    last AggregateFunction(argMax, Float64, Int64) COMMENT 'correlation at the newest sample',
    least SimpleAggregateFunction(min, Nullable(Float64)) COMMENT 'least correlation',
    greatest SimpleAggregateFunction(max, Nullable(Float64)) COMMENT 'greatest correlation',
    effective_count AggregateFunction(argMax, Float64, Int64) COMMENT 'effective number at the newest sample',
    newest_ns SimpleAggregateFunction(max, Int64) COMMENT 'time of the newest sample',
    stale SimpleAggregateFunction(max, Int8) COMMENT '1 when any sample was touched by a gap'""",
    engine="AggregatingMergeTree",
    order="half_life_ns, interval_ns, market_a, symbol_a, market_b, symbol_b, minute",
    select="""\
SELECT half_life_ns, interval_ns, market_a, symbol_a, market_b, symbol_b,
    toStartOfMinute(fromUnixTimestamp64Nano(sample_ns - 1, 'UTC')) AS minute,
    argMaxState(c.correlation, sample_ns) AS last,
    min(if(isNaN(c.correlation), NULL, c.correlation)) AS least,
    max(if(isNaN(c.correlation), NULL, c.correlation)) AS greatest,
    argMaxState(c.effective_count, sample_ns) AS effective_count,
    max(sample_ns) AS newest_ns,
    max(c.stale) AS stale
FROM {db}.correlation AS c {where}
GROUP BY half_life_ns, interval_ns, market_a, symbol_a, market_b, symbol_b, minute""",
    read="""\
SELECT half_life_ns, interval_ns, market_a, symbol_a, market_b, symbol_b, minute,
    argMaxMerge(last) AS correlation,
    ifNull(min(least), nan) AS correlation_min,
    ifNull(max(greatest), nan) AS correlation_max,
    argMaxMerge(d.effective_count) AS effective_count,
    max(newest_ns) AS sample_ns,
    max(d.stale) AS stale
FROM {db}.correlation_1m_data AS d
GROUP BY half_life_ns, interval_ns, market_a, symbol_a, market_b, symbol_b, minute""",
)

_BARS_1D = View(
    "bars_1d",
    "Daily bars, UTC, from the newest revision of the hourly ones; the running day so far.",
    "VIEW",
    """AS
SELECT market, symbol, toDate(open_time) AS day,
    argMin(b.open, open_ns) AS open, max(b.high) AS high,
    min(b.low) AS low, argMax(b.close, open_ns) AS close,
    sum(b.qty) AS qty, sum(b.buy_qty) AS buy_qty, sum(b.notional) AS notional,
    sum(b.qty * b.vwap) / sum(b.qty) AS vwap,
    sum(b.trade_count) AS trade_count, max(b.stale) AS stale, count() AS hours
FROM {db}.bars_latest AS b
WHERE interval_ns = 3600000000000 AND b.trade_count > 0
GROUP BY market, symbol, day""",
)

ROLLUPS = (_BARS_LATEST, _CORRELATION_1M)

GROUPS: tuple[tuple[View, ...], ...] = (*(rollup.views for rollup in ROLLUPS), (_BARS_1D,))
"""What belongs together, each view after those it reads; the order in which they are created."""


def heal(client: Client, database: str) -> None:
    """Offer every rollup the newest rows of its source, all of them when it has none yet."""
    for rollup in ROLLUPS:
        db = quoted(database)
        has_rows = client.query(f"SELECT count() > 0 FROM {db}.{rollup.name}_data").result_rows[0][0]
        newest = f"(SELECT max({INSERTED_AT}) FROM {db}.{rollup.source})"
        where = f"{INSERTED_AT} >= {newest} - INTERVAL {HEALED_HOURS} HOUR" if has_rows else "1"
        client.command(rollup.offer(where).format(db=db))
