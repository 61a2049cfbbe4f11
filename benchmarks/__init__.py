"""Benchmarks: every figure next to its baseline, measured in the same run."""
