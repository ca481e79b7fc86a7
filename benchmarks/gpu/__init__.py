"""What `benchmarks/gpu_check.py` asks of a GPU, a module a step.

They are built to run once, on a machine that is lent for minutes: each figure is written as soon as it is there.
"""
