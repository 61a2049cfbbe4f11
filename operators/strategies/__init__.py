"""Strategies: market records in, order intents out; they ask, the account's fold decides."""
