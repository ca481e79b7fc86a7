"""`make bench`: every benchmark, one after the other."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks import event_loop, pathological, rpr, single_requests, verifier

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks.jsonl"), help="the figures, a line a benchmark")
    output = parser.parse_args().output
    for run in (rpr.main, single_requests.main, event_loop.main, pathological.main, verifier.main):
        run(output)
    Console().print(f"figures: {output}")
