"""Verifier throughput: this server over HTTP, against trainers' own functions in process and one process per check.

In process, from .venv-trainers: TRL's `accuracy_reward`, and OpenRLHF's grading as its example reward function calls
it; and a plain loop of Math-Verify's parse(whole completion) and verify. One process per check is NeMo-Gym's way of
surviving answers that hang; it runs a part of the samples, since it takes long. All get the ground truth in a box but
OpenRLHF's, which takes it bare. How many rewards of each are wrong is printed too, but for the last.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.processes import cpu_seconds, reward_server
from benchmarks.rollouts import Rollouts, make_rollouts
from benchmarks.rounds import Cost, report, take_turns

Pairs = list[tuple[str, str]]
"""(completion, ground truth)."""
HERE = Path(__file__).parent
TRAINERS_PYTHON = HERE.parent / ".venv-trainers" / "bin" / "python"
SAMPLES_A_REQUEST = 1024
PART_OF_PROCESS_PER_CHECK = 9
"""One sample in so many; 9, since groups have 8 in a fixed order, and all kinds of answers should have their turn."""


def ours(rollouts: Rollouts) -> Cost:
    """Native batches over HTTP; a fresh server each time, so that nothing is cached from the round before."""
    with reward_server() as (url, pid):
        cpu, wall = cpu_seconds(pid), time.perf_counter()
        rewards: list[float] = []
        for begin in range(0, len(rollouts.completions), SAMPLES_A_REQUEST):
            part = slice(begin, begin + SAMPLES_A_REQUEST)
            body = {"completions": rollouts.completions[part], "ground_truths": rollouts.ground_truths[part]}
            with urlopen(Request(url + "/score/verifier", json.dumps(body).encode())) as reply:
                rewards += json.load(reply)["rewards"]
        cost = Cost(cpu_seconds(pid) - cpu, time.perf_counter() - wall, len(rewards))
    wrong = sum(got != want for got, want in zip(rewards, rollouts.rewards, strict=True))
    if wrong:
        raise AssertionError(f"{wrong} of {len(rewards)} rewards are wrong: the figures would mean nothing")
    return cost


def plain_loop(rollouts: Rollouts) -> Cost:
    """math_verify.parse and verify over everything, in a process of its own."""
    pairs = list(zip(rollouts.completions, rollouts.ground_truths, strict=True))
    cost, rewards = _in_child(_check_all, pairs)
    _print_wrong("plain loop", rewards, rollouts)
    return cost


def trainers_own(function: str, rollouts: Rollouts) -> Cost:
    """A trainer's reward function, in its own environment: CPU time of that process."""
    pairs = list(zip(rollouts.completions, rollouts.ground_truths, strict=True))
    command = [str(TRAINERS_PYTHON), str(HERE / "trainers" / "in_process.py"), function]
    done = subprocess.run(command, input=json.dumps(pairs), capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    _print_wrong(function, result["rewards"], rollouts)
    return Cost(result["cpu_s"], result["wall_s"], len(pairs))


def process_per_check(rollouts: Rollouts) -> Cost:
    """A fork for each sample, from a process that has imported everything."""
    pairs = list(zip(rollouts.completions, rollouts.ground_truths, strict=True))[::PART_OF_PROCESS_PER_CHECK]
    cost, exit_codes = _in_child(_fork_for_each, pairs)
    if any(exit_codes):
        raise AssertionError("a check died: the figures would mean nothing")
    return cost


def _print_wrong(name: str, rewards: list[float], rollouts: Rollouts) -> None:
    wrong = sum(got != want for got, want in zip(rewards, rollouts.rewards, strict=True))
    print(f"  {name}: {wrong} of {len(rewards)} rewards are wrong", file=sys.stderr)


def _in_child(run: Callable[[Connection, Pairs], None], pairs: Pairs) -> tuple[Cost, list[Any]]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=run, args=(sender, pairs))
    child.start()
    cost, found = receiver.recv()
    child.join()
    return cost, found


def _check(completion: str, ground_truth: str) -> float:
    from math_verify import parse, verify

    return float(verify(parse(f"\\boxed{{{ground_truth}}}"), parse(completion)))


def _check_all(sender: Connection, pairs: Pairs) -> None:
    _check("\\boxed{1}", "1")
    begin, wall = _own_cpu(), time.perf_counter()
    rewards = [_check(*pair) for pair in pairs]
    sender.send((Cost(_own_cpu() - begin, time.perf_counter() - wall, len(pairs)), rewards))


def _fork_for_each(sender: Connection, pairs: Pairs) -> None:
    _check("\\boxed{1}", "1")
    fork = multiprocessing.get_context("fork")
    begin, wall = _own_cpu(), time.perf_counter()
    exit_codes = []
    for pair in pairs:
        child = fork.Process(target=_check, args=pair)
        child.start()
        child.join()
        exit_codes.append(child.exitcode)
    sender.send((Cost(_own_cpu() - begin, time.perf_counter() - wall, len(pairs)), exit_codes))


def _own_cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main(output: Path | None = None, questions: int = 500, rounds: int = 3) -> None:
    """Measures and prints the table."""
    logging.disable(logging.WARNING)
    rollouts = make_rollouts(questions)
    contenders = {
        "reward-server, HTTP included": lambda: ours(rollouts),
        "TRL accuracy_reward, in process": lambda: trainers_own("trl", rollouts),
        "OpenRLHF's example, in process": lambda: trainers_own("openrlhf", rollouts),
        "plain math_verify loop": lambda: plain_loop(rollouts),
        "one process per check": lambda: process_per_check(rollouts),
    }
    costs = take_turns(contenders, rounds)
    title = f"verifier: {questions} questions x 8 completions of about 6,000 characters"
    report(title, costs, "reward-server, HTTP included", output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.questions, arguments.rounds)
