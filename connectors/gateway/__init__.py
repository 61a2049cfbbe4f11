"""The gateway: the one process that sends orders to a venue, and only with a permit."""
