"""The ledger: the truth about every account, in SQLite or PostgreSQL."""
