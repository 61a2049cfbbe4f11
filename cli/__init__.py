"""The composition root: the `genesis` command."""
