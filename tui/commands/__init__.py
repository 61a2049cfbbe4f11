"""The command language: one table of verbs, and pure functions from what is typed to what is meant."""
