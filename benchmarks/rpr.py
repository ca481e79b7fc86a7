"""The RPR function against its direct definition, one thread, on completions of 6,000 characters."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.rollouts import CHARACTERS, reasoning
from benchmarks.rounds import Cost, report, take_turns
from reward_server.rewards.reasoning import PhraseList, load_phrases, rpr


def direct(text: str, phrases: PhraseList) -> float:
    """The formula, written down."""
    lowered = text.lower()
    hits = sum(phrase in lowered for phrase in phrases.phrases)
    words = lowered.split()
    grams = Counter(tuple(words[i : i + 20]) for i in range(len(words) - 19))
    repetition = sum(1 for times in grams.values() if times > 1) / max(1, len(words) - 19)
    return min(1.0, max(0.0, min(1.0, hits / 20) - repetition - lowered.count("user: ")))


def measure(score: Callable[[str], object], texts: list[str]) -> Cost:
    """The cost of scoring each text once."""
    cpu, wall = time.process_time(), time.perf_counter()
    for text in texts:
        score(text)
    return Cost(time.process_time() - cpu, time.perf_counter() - wall, len(texts))


def main(output: Path | None = None, completions: int = 1000, rounds: int = 5) -> None:
    """Measures and prints the table."""
    phrases = load_phrases("math")
    texts = [reasoning(np.random.default_rng(seed), CHARACTERS) for seed in range(completions)]
    if any(rpr(text, phrases).value != direct(text, phrases) for text in texts):
        raise AssertionError("the two functions disagree: the figures would mean nothing")
    contenders = {
        "direct definition": lambda: measure(lambda text: direct(text, phrases), texts),
        "rpr": lambda: measure(lambda text: rpr(text, phrases), texts),
    }
    report("RPR, the pure function", take_turns(contenders, rounds), "direct definition", output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--completions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="append the figures to this JSONL file")
    arguments = parser.parse_args()
    main(arguments.output, arguments.completions, arguments.rounds)
