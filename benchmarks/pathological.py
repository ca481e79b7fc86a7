"""Answers made to hang a checker: how long each takes over HTTP, one at a time, and what the workers' memory becomes.

`--cases FILE.jsonl` has rows with `completion` and `ground_truth`; without it a few of the classic ones are used.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.processes import children, peak_mb, reward_server
from benchmarks.rounds import record, show

CLASSICS = (
    "9^{9^{9^{9}}}",
    "x^{9^{9^{9}}}",
    "\\binom{10^8}{10^7}x",
    "(a+b+c+d+e)^{60}",
    "\\sin(x^x)^{x^x}",
    "100000000!x",
)
KILLS = "reward_worker_kills_total "


def main(output: Path | None = None, cases: Path | None = None) -> None:
    """Measures and prints the slowest."""
    rows = [json.loads(line) for line in cases.read_text().splitlines()] if cases else _classics()
    taken = []
    memory: dict[int, int] = {}
    with reward_server() as (url, pid):
        for row in rows:
            body = {"completions": [row["completion"]], "ground_truths": [row["ground_truth"]]}
            started = time.perf_counter()
            with urlopen(Request(url + "/score/verifier", json.dumps(body).encode())) as reply:
                outcome = json.load(reply)["outcomes"][0]
            taken.append((time.perf_counter() - started, outcome, str(row.get("id", row["completion"]))[:40]))
            memory |= {worker: peak_mb(worker) for worker in children(pid)}  # one that is killed is missing later
        with urlopen(url + "/metrics") as page:
            kills = next(line.split()[-1] for line in page.read().decode().splitlines() if line.startswith(KILLS))
    taken.sort(reverse=True)
    lines = [[f"{seconds:.2f}", outcome, f"`{name}`"] for seconds, outcome, name in taken[:8]]
    show("Answers made to hang: the slowest", ["s", "outcome", "answer"], lines)
    outcomes = {outcome: sum(found == outcome for _, found, _ in taken) for _, outcome, _ in taken}
    peaks = list(memory.values())
    print(
        f"\n{len(taken)} answers: {outcomes}; {float(kills):.0f} kills; peak memory of workers {peaks} MB", flush=True
    )
    record(output, "pathological", {"slowest_s": taken[0][0], "outcomes": outcomes, "kills": kills, "peak_mb": peaks})


def _classics() -> list[dict[str, str]]:
    return [{"completion": f"\\boxed{{{answer}}}", "ground_truth": "x^2+1"} for answer in CLASSICS]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, help="JSONL with completion and ground_truth")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.cases)
