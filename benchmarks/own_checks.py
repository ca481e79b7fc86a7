"""What a Python check of one's own costs over its own time, for each sample that is not cached.

    python -m benchmarks.own_checks

One request of 2,000 distinct answers through the Scorer, its workers in processes of their own, beside the same calls
in a plain loop here. CPU time of all processes, since other work may be on the machine; medians of the rounds.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import Tables
from reward_server.checks.question import parsed
from reward_server.counting.metrics import Metrics
from reward_server.scoring import Scorer
from reward_server.settings import Settings
from reward_server.types import Sample

SAMPLES = 2000
ROUNDS = 5
WORDS = 300
SOURCE = '''
def words(answer, ground_truth):
    """The share of the wanted words that the answer has."""
    wanted = ground_truth["words"]
    return sum(word in answer for word in wanted) / len(wanted)
'''
TABLE = '[checks.words]\npython = "words_check:words"\nreads = "turn"\n'
TRUTH = '{"words":["alpha","w17","omega","w3"]}'


def answers(number: int) -> list[str]:
    """Texts of 300 words, none like another."""
    text = " ".join(f"w{place}" for place in range(WORDS))
    return [f"{number} {row} {text}" for row in range(SAMPLES)]


def seconds_here(texts: list[str]) -> float:
    """CPU seconds of the calls alone."""
    from words_check import words  # type: ignore[import-not-found]  # written at run time

    started = time.process_time()
    for text in texts:
        words(text, parsed(TRUTH))
    return time.process_time() - started


async def measure(settings: Settings) -> None:
    tables = Tables.read(settings)
    scorer = Scorer(settings, Metrics(), checks=tables.checks)
    plan = Catalog(settings, tables=tables).resolve("verifier", "check=words")
    async with scorer.running():
        over, alone = [], []
        for number in range(ROUNDS + 1):
            texts = answers(number)
            samples = [Sample(text, ground_truths=(TRUTH,)) for text in texts]
            before = cpu_seconds()
            await scorer.derive(plan, samples)
            if number:  # the first warms up
                alone.append(seconds_here(texts) / SAMPLES * 1000)
                over.append((cpu_seconds() - before) / SAMPLES * 1000 - 2 * alone[-1])
    print(f"{SAMPLES} samples a request, {settings.verifier_workers} workers, {len(over)} rounds")
    print(f"the call itself     {statistics.median(alone):.4f} ms")
    print(f"over its own time   {statistics.median(over):.4f} ms [{min(over):.4f} … {max(over):.4f}] a sample")


def cpu_seconds() -> float:
    """Of this process and its workers."""
    own = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    ticks = 0
    for pid in (str(os.getpid()), *own):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "words_check.py").write_text(SOURCE)
        (Path(folder) / "rewards.toml").write_text(TABLE)
        os.chdir(folder)
        sys.path.insert(0, folder)
        uvloop.run(measure(Settings(config=Path(folder) / "rewards.toml")))


if __name__ == "__main__":
    main()
