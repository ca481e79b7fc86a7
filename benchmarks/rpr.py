"""Completions per second of the RPR function against its direct definition, one thread, taking turns."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from reward_server.rewards.rpr import PhraseList, load_phrases, rpr

SENTENCES = (
    "Let me check whether $x = {a}$ satisfies the equation $x^2 - {b}x + {c} = 0$.",
    "Since we have \\frac{{{a}}}{{{b}}} = {c}, it follows that the ratio is fixed.",
    "Wait, I assumed that $n$ is even, but for $n = {a}$ this gives ${b}$.",
    "Therefore the sum of the first {a} terms is \\sum_{{k=1}}^{{{b}}} k^2 = {c}.",
    "We know that the triangle has sides {a}, {b} and {c}, so its area comes from Heron's formula.",
    "Alternatively, count the ways to choose {a} of {b} objects: \\binom{{{b}}}{{{a}}}.",
    "So the remainder of {c} divided by {a} must be {b}, which is what the problem asks.",
)


def reasoning(seed: int, length: int) -> str:
    """English and LaTeX as a policy writes them: sentences that come back with other numbers."""
    rng = np.random.default_rng(seed)
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        a, b, c = rng.integers(2, 999, 3)
        parts.append(SENTENCES[rng.integers(len(SENTENCES))].format(a=a, b=b, c=c) + "\n")
    return "".join(parts)[:length]


def direct(text: str, phrases: PhraseList) -> float:
    """The formula, written down."""
    lowered = text.lower()
    hits = sum(phrase in lowered for phrase in phrases.phrases)
    words = lowered.split()
    grams = Counter(tuple(words[i : i + 20]) for i in range(len(words) - 19))
    repetition = sum(1 for times in grams.values() if times > 1) / max(1, len(words) - 19)
    return min(1.0, max(0.0, min(1.0, hits / 20) - repetition - lowered.count("user: ")))


def per_second(score: Callable[[str], object], texts: list[str]) -> float:
    start = time.perf_counter()
    for text in texts:
        score(text)
    return len(texts) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--characters", type=int, default=6000, help="length of each completion")
    parser.add_argument("--completions", type=int, default=1000, help="different completions scored in each run")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each function, alternating")
    options = parser.parse_args()
    phrases = load_phrases("math")
    texts = [reasoning(seed, options.characters) for seed in range(options.completions)]
    if any(rpr(text, phrases).value != direct(text, phrases) for text in texts):
        sys.exit("the two functions disagree")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, ahocorasick-rs {version('ahocorasick-rs')}")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {sum(len(t.split()) for t in texts) // len(texts)} words a text"
    )
    functions = {"rpr": lambda text: rpr(text, phrases), "direct": lambda text: direct(text, phrases)}
    runs = [[per_second(score, texts) for score in functions.values()] for _ in range(options.repeats)]
    for name, rates in zip(functions, zip(*runs, strict=True), strict=True):
        print(f"{name:7} {statistics.median(rates):7.0f} completions/s  (from {min(rates):.0f} to {max(rates):.0f})")


if __name__ == "__main__":
    main()
