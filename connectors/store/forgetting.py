"""Forgetting: what was seen of a trader leaves the store when he says so.

The wish is a record of the topic `behaviour` and stays as a row; whatever is older than it says is deleted
here, there and among the account's events. So a deletion that a crash cut short is made up for at the next
start, and rows that are stored again, from an older log, go again.
"""

from clickhouse_connect.driver.client import Client

from genesis.connectors.store.schema import literal, quoted
from genesis.operators import topics
from genesis.operators.account.events import Behaviour
from genesis.operators.account.outcomes import FORGOTTEN

_SEEN = {
    topics.BEHAVIOUR.name: f"what != {literal(FORGOTTEN)}",
    topics.ACCOUNT_EVENTS.name: f"kind = {literal(str(Behaviour.__struct_config__.tag))}",
}
"""Which rows of a table tell what was seen of a trader."""


def forget(client: Client, database: str) -> int:
    """Delete all that traders asked to be forgotten; return how many rows went. Repeating it is harmless."""
    place = quoted(database)
    asked = client.query(
        f"SELECT account_id, max(value) FROM {place}.{topics.BEHAVIOUR.name} "
        f"WHERE what = {literal(FORGOTTEN)} GROUP BY account_id"
    ).result_rows
    gone = 0
    for account_id, before_s in asked:
        for name, seen in _SEEN.items():
            where = f"account_id = {literal(account_id)} AND event_ns < {round(before_s * 1e9)} AND {seen}"
            rows = int(client.query(f"SELECT count() FROM {place}.{name} WHERE {where}").result_rows[0][0])
            if rows:
                client.command(f"ALTER TABLE {place}.{name} DELETE WHERE {where} SETTINGS mutations_sync = 2")
            gone += rows
    return gone
