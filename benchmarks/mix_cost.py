"""What a mix costs beside its parts: CPU time a sample, in one process, of texts that were not seen before.

    python -m benchmarks.mix_cost

A completion is read, graded and searched once, so the mix of verifier and rpr may cost 1.1 times the dearer of them and
the cheaper at most. Without HTTP: what a request costs beside is the same for all.

The three take turns request by request, and each is shown by its median. In a loop of its own each would find the
processor's caches full of itself, as no server's requests do: the parts would seem cheaper than they are in the mix.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from statistics import median

from reward_server.catalog.catalog import Catalog
from reward_server.counting.metrics import Metrics
from reward_server.scoring import Scorer
from reward_server.settings import Settings
from reward_server.types import Sample

MIX = "mix?verifier=0.8&rpr=0.2&gate=verifier"
ASKED = ("verifier", "rpr", MIX)
TEXT = "so we have the sum of two numbers wait let me check again then x plus y hence it follows"
WORDS = TEXT.split()
LENGTH = 500
REQUESTS = {1: 1000, 64: 40, 1024: 7}
"""So many of each, by their size."""


def samples(random: Random, size: int) -> list[Sample]:
    """Completions of LENGTH words with a wrong number in a box, which needs no worker."""
    return [
        Sample(
            f"{' '.join(random.choices(WORDS, k=LENGTH))} \\boxed{{{random.randrange(10**6)}}}",
            ground_truths=(str(random.randrange(10**6)),),
            group=str(row // 8),
        )
        for row in range(size)
    ]


async def measure() -> None:
    settings, random = Settings(), Random(1)
    catalog, scorer = Catalog(settings), Scorer(settings, Metrics())
    plans = {asked: catalog.resolve(*asked.partition("?")[::2]) for asked in ASKED}
    async with scorer.running():
        for size, requests in REQUESTS.items():
            seconds: dict[str, list[float]] = {asked: [] for asked in ASKED}
            for _ in range(requests):
                for asked, plan in plans.items():
                    batch = samples(random, size)
                    started = time.process_time()
                    await scorer.derive(plan, batch)
                    seconds[asked].append(time.process_time() - started)
            cost = {asked: 1e6 * median(each) / size for asked, each in seconds.items()}
            parts = sorted((cost["verifier"], cost["rpr"]))
            shown = ", ".join(f"{asked} {value:.0f}" for asked, value in cost.items())
            print(f"{size} a request: {shown} us a sample; at most {1.1 * parts[1] + parts[0]:.0f}")


if __name__ == "__main__":
    asyncio.run(measure())
