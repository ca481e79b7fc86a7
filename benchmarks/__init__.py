"""Measurements against named alternatives; each module is a command, `python -m benchmarks` runs them all."""
