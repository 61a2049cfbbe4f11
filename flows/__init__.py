"""The wiring: from a topic, through an operator, to a topic."""
