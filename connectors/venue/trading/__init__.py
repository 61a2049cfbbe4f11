"""The trading side of the simulated venue: accounts, orders, matching, user data."""
