"""Tilt: how far a trader is from his usual self, from what he does, and what then protects him."""
