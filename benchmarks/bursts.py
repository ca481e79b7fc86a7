"""A GRPO step as trainers send it, all at once: is every sample answered, and with its own reward?

    openrlhf    16,384 one-sample POSTs, each on a fresh connection, unbounded: OpenRLHF's own client (.venv-trainers)
    slime       as many over 64 connections that are kept alive, one sample a request
    native      128 groups of 8 in one request of about 6 MB

to `verifier`, `flip` and `rpr`, and 2,048 (native: 1,024) to `rm` on a tiny random model. A sample is wrong when its
reward is not its own: every flip has a draw of its own, every completion another number of phrases, half of the answers
are wrong in no order. The reward model's are compared with those that another server gives for all in one batch.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.answers import ordinary
from benchmarks.processes import cpu_seconds, peak_mb, reward_server, tree
from benchmarks.rollouts import make_rollouts
from benchmarks.rounds import record, show
from benchmarks.rpr import direct
from benchmarks.wire import Connection, percentile, raise_file_limit
from reward_server.rewards.noise import flip_draw
from reward_server.rewards.reasoning import load_phrases

HERE = Path(__file__).parent
TRAINERS_PYTHON = HERE.parent / ".venv-trainers" / "bin" / "python"
PATHS = {
    "verifier": "/score/verifier",
    "flip": "/score/flip?flip_prob=0.4",
    "rpr": "/score/rpr",
    "rm": "/score/rm?format=plain",
}
FLIP_PROB = 0.4
CONNECTIONS = 64
WORKER_SHARE = 33
"""One answer in so many needs Math-Verify: 3 %."""


@dataclass(frozen=True)
class Row:
    """One sample and what it must be paid; None where only asking again can tell."""

    prompt: str
    completion: str
    label: dict[str, Any]
    reward: float | None


@dataclass(frozen=True)
class Burst:
    """What came back, in the rows' order: rewards (None: none came), and seconds for each request."""

    rewards: list[float | None]
    seconds: list[float]
    failed_tries: int = 0


def rows_for(reward: str, number: int) -> list[Row]:
    """`number` rows, every one another."""
    texts = make_rollouts(16).completions
    return [_row(reward, k, texts[k % len(texts)]) for k in range(number)]


def _row(reward: str, k: int, text: str) -> Row:
    truth, answer = ordinary(k) if k % WORKER_SHARE == 0 else (str(k), f"{k}.0")
    is_right = hash((k, 7)) % 2 == 0  # integers: the same in every process
    length = 200 if reward == "rm" else 300 + k * 61 % 5700
    completion = f"{k}: {text[:length]} so \\boxed{{{answer if is_right else f'{k + 1}'}}}"
    prompt = f"<|im_start|>user\nQuestion {k // 8}?<|im_end|>\n<|im_start|>assistant\n"
    label = {"ground_truth": truth, "group": f"q{k // 8}", "visit": k}
    return Row(prompt, completion, label, _expected(reward, completion, float(is_right), k))


def _expected(reward: str, completion: str, clean: float, k: int) -> float | None:
    if reward == "rm":
        return None
    if reward == "rpr":
        return round(1024 * direct(completion, load_phrases("math"))) / 1024
    is_flipped = reward == "flip" and flip_draw(seed=0, group=f"q{k // 8}", visit=k) < FLIP_PROB
    return 1.0 - clean if is_flipped else clean


def openrlhf(url: str, rows: list[Row]) -> Burst:
    """OpenRLHF's own request function, in its own environment."""
    sent = [{"query": row.prompt + row.completion, "prompt": row.prompt, "label": row.label} for row in rows]
    command = [str(TRAINERS_PYTHON), str(HERE / "trainers" / "openrlhf_burst.py"), url]
    done = subprocess.run(command, input=json.dumps(sent), capture_output=True, text=True, check=True)
    got = json.loads(done.stdout.splitlines()[-1])
    rewards = [answer["rewards"][0] if answer else None for answer, _ in got["answers"]]
    return Burst(rewards, [seconds for _, seconds in got["answers"]], got["failed_tries"])


def slime(url: str, rows: list[Row]) -> Burst:
    """64 connections, as slime's session has; its retries are left out, so that every failure is seen."""
    bodies = [
        json.dumps({"prompt": row.prompt, "response": row.completion, "label": row.label}).encode() for row in rows
    ]
    return asyncio.run(_over_connections(url, bodies))


async def _over_connections(url: str, bodies: list[bytes]) -> Burst:
    base, path = _split(url)
    left = iter(enumerate(bodies))
    rewards: list[float | None] = [None] * len(bodies)
    seconds = [0.0] * len(bodies)

    async def one() -> None:
        connection = Connection(base)
        for k, body in left:
            answer = await connection.post(path, body)
            rewards[k] = answer.json() if answer.status == 200 else None
            seconds[k] = answer.seconds
        connection.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return Burst(rewards, seconds)


def native(url: str, rows: list[Row]) -> Burst:
    """All rows in one request."""
    columns = {
        "prompts": [row.prompt for row in rows],
        "completions": [row.completion for row in rows],
        "ground_truths": [row.label for row in rows],
    }
    base, path = _split(url)
    answer = asyncio.run(Connection(base).post(path, json.dumps(columns).encode()))
    rewards = answer.json()["rewards"] if answer.status == 200 else [None] * len(rows)
    return Burst(rewards, [answer.seconds])


def _split(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", f"/{path}"


CLIENTS: dict[str, Callable[[str, list[Row]], Burst]] = {"openrlhf": openrlhf, "slime": slime, "native": native}


def measure(client: str, reward: str, number: int, options: list[str]) -> dict[str, Any]:
    """One burst against a fresh server."""
    rows = rows_for(reward, number)
    with reward_server(*options) as (url, pid):
        cpu, wall = cpu_seconds(pid), time.perf_counter()
        burst = CLIENTS[client](url + PATHS[reward], rows)
        wall, cpu = time.perf_counter() - wall, cpu_seconds(pid) - cpu
        memory = sum(peak_mb(process) for process in tree(pid))
    expected = [row.reward for row in rows]
    if reward == "rm":
        with reward_server(*options) as (url, _):
            expected = native(url + PATHS[reward], rows).rewards
    wrong = sum(got is not None and got != want for got, want in zip(burst.rewards, expected, strict=True))
    return {
        "client": client,
        "reward": reward,
        "samples": number,
        "failed": sum(got is None for got in burst.rewards),
        "failed_tries": burst.failed_tries,
        "wrong": wrong,
        "distinct": len(set(expected)),
        "p50_s": percentile(burst.seconds, 0.5),
        "p99_s": percentile(burst.seconds, 0.99),
        "drain_s": max(burst.seconds) if client == "openrlhf" else wall,
        "cpu_s": cpu,
        "peak_mb": memory,
    }


def make_tiny_model(folder: Path) -> None:
    """A random Qwen2 of two layers with a tokenizer, as the tests make it."""
    tiny = import_module("tests.tiny_models")
    tiny.new_model().save_pretrained(folder)
    tiny.make_tokenizer().save_pretrained(folder)


def main(output: Path | None = None, samples: int = 16_384, only: list[str] | None = None) -> None:
    """Measures and prints the table. Raises AssertionError where a sample failed or has another's reward."""
    raise_file_limit()
    results = []
    with tempfile.TemporaryDirectory() as name:
        for reward in only or list(PATHS):
            options = []
            if reward == "rm":
                make_tiny_model(Path(name))
                options = ["--rm-model", name]
            number = max(8, samples // 8) if reward == "rm" else samples
            for client in CLIENTS:
                results.append(measure(client, reward, min(number, 1024) if client == "native" else number, options))
    lines = [
        [
            *(row[key] for key in ("client", "reward", "samples", "failed", "failed_tries", "wrong")),
            *(f"{row[key]:.2f}" for key in ("p50_s", "p99_s", "drain_s", "cpu_s")),
            row["peak_mb"],
        ]
        for row in results
    ]
    header = ["client", "reward", "samples", "failed", "failed tries", "wrong", "p50 s", "p99 s", "drained after s"]
    show("Bursts", [*header, "server CPU s", "peak memory, MiB"], lines)
    record(output, "bursts", {"rows": results})
    if any(row["failed"] or row["wrong"] for row in results):
        raise AssertionError("a sample failed or has another's reward")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=16_384)
    parser.add_argument("--only", nargs="+", choices=list(PATHS), help="rewards (default: all)")
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.samples, arguments.only)
