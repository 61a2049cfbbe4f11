"""The simulated venue: a Binance-compatible exchange on loopback."""
