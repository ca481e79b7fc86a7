"""What a request costs in two checkouts of this repository: CPU time in one process each, in turns, without a network.

    git worktree add ../before COMMIT
    python -m benchmarks.two_checkouts ../before

The app is called as uvicorn calls it, with its logging, in a process of each checkout. A turn is some hundred requests
of one, then of the other. Each cost is a median over the turns, each ratio the median of the turns' ratios, so other
work on the machine falls on both.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rollouts import Rollouts, make_rollouts
from benchmarks.rounds import show

LOADS = {
    "one sample, verdict kept": ("/score/verifier", b"", 1, 400, False),
    "one sample, new answer": ("/score/verifier", b"", 1, 400, True),
    "one sample to flip, verdict kept": ("/score/flip", b"flip_prob=0.4", 1, 400, False),
    "128 samples, new answers": ("/score/verifier", b"", 128, 4, True),
    "1,024 samples, verdicts kept": ("/score/verifier", b"", 1024, 2, False),
    "1,024 samples to flip, verdicts kept": ("/score/flip", b"flip_prob=0.4", 1024, 2, False),
}
"""Path, query string, samples a request, requests a turn, is each answer new?"""


def bodies(samples: int, requests: int, is_new: bool, turn: int) -> list[bytes]:
    """The bodies of one turn, answers that are integers; those that are not new are the same in every turn."""
    rollouts = _rollouts()
    integers = [k for k, truth in enumerate(rollouts.ground_truths) if truth.isdigit()]
    made = []
    for request in range(requests):
        rows = [integers[(request * samples + row) % len(integers)] for row in range(samples)]
        texts, truths = [rollouts.completions[k] for k in rows], [rollouts.ground_truths[k] for k in rows]
        if is_new:
            truths = [str(10**8 + (turn * requests + request) * samples + row) for row in range(samples)]
            texts = [f"{text} So it is $\\boxed{{{truth}}}$." for text, truth in zip(texts, truths, strict=True)]
        groups = [f"q-{row // 8}" for row in range(samples)]
        made.append(json.dumps({"completions": texts, "ground_truths": truths, "groups": groups}).encode())
    return made


@cache
def _rollouts() -> Rollouts:
    return make_rollouts(64)


async def call(app: Callable[..., Any], path: str, query: bytes, body: bytes) -> int:
    """One request; its status."""
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        for part in parts:
            return part
        return await asyncio.Future()  # the caller stays

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": query, "headers": headers, "state": {}}
    await app({**scope, "client": ("127.0.0.1", 1), "http_version": "1.1", "scheme": "http"}, receive, send)
    return int(sent[0]["status"])


async def work() -> None:
    """The process of one checkout: reads the name of a load and a turn, prints microseconds a sample."""
    from reward_server import logs
    from reward_server.settings import Settings
    from reward_server.web.app import create_app

    settings = Settings(verifier_workers=1)
    app, service = create_app(settings)
    logs.configure(settings)
    async with service.scorer.running():
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, turn = json.loads(line)
            path, query, samples, requests, is_new = LOADS[name]
            asked = bodies(samples, requests, is_new, turn)
            await call(app, path, query, asked[-1])
            gc.collect()
            started = time.process_time()
            statuses = {await call(app, path, query, body) for body in asked}
            seconds = time.process_time() - started
            if statuses != {200}:
                raise AssertionError(statuses)
            print(1e6 * seconds / (samples * requests), flush=True)


class Worker:
    """A process that runs the code of a checkout. Raises RuntimeError where it ended."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout.resolve()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--worker"],
            cwd=self._checkout,
            env={**os.environ, "PYTHONPATH": str(self._checkout)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the log, a line a request
            text=True,
        )

    def __enter__(self) -> Worker:
        self._line()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def microseconds(self, load: str, turn: int) -> float:
        """CPU time of a sample of that load."""
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - it is a pipe
        pipe.write(json.dumps([load, turn]) + "\n")
        pipe.flush()
        return float(self._line())

    def _line(self) -> str:
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101 - it is a pipe
        line = pipe.readline()
        if not line:
            raise RuntimeError(f"the code of {self._checkout} failed: run {Path(__file__).name} --worker there")
        return line


def main(before: Path, turns: int) -> None:
    """Measures and prints the table. The first turn does not count."""
    lines = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(checkout)) for checkout in (before, Path.cwd())]
        for name in LOADS:
            took: list[list[float]] = []
            for turn in range(turns + 1):
                took.append([worker.microseconds(name, turn) for worker in workers])
            old, new = zip(*took[1:], strict=True)
            ratio = median(after / earlier for earlier, after in took[1:])
            lines.append([name, f"{median(old):.1f}", f"{median(new):.1f}", f"{ratio:.3f}"])
    show(f"CPU us a sample, {turns} turns", ["load", "before", "now", "ratio"], lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, nargs="?", help="the other checkout")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        asyncio.run(work())
    elif arguments.before is None:
        parser.error("name the other checkout")
    else:
        main(arguments.before, arguments.turns)
