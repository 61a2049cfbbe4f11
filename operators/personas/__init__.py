"""Personas: simulated traders with a hidden state, for showing what tilt catches and how often it errs."""
