"""The market data feed: from exchange messages to frames."""
