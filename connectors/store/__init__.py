"""The store: tables and rows in ClickHouse, embedded or on a server."""
