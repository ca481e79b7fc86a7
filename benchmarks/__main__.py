"""`make bench`: every benchmark against its alternatives, one after the other; about a quarter of an hour.

`sustained` and `cost` take longer and are commands of their own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks import bursts, event_loop, overload, pathological, reward_model, rpr, single_requests, verifier

OVERLOAD_S = 30


def _reward_model(output: Path) -> None:
    """The shape that says most; the whole grid takes 25 minutes."""
    figures = str(output.with_suffix(".reward_model.json"))
    reward_model.main(["--shapes", "400,400", "--loads", "groups", "burst", "--no-check", "--json", figures])


ALL: dict[str, Callable[[Path], object]] = {
    "rpr": rpr.main,
    "single_requests": single_requests.main,
    "event_loop": event_loop.main,
    "pathological": pathological.main,
    "verifier": verifier.main,
    "reward_model": _reward_model,
    "bursts": bursts.main,
    "overload": lambda output: overload.main(output, seconds=OVERLOAD_S),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks.jsonl"), help="the figures, a line a benchmark")
    parser.add_argument("--only", nargs="+", choices=list(ALL), default=list(ALL), help="some of them")
    arguments = parser.parse_args()
    for name in arguments.only:
        ALL[name](arguments.output)
    print(f"\nfigures: {arguments.output}", flush=True)
