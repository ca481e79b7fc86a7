"""Rows that are written to the index together, and what they add to its other tables."""

from __future__ import annotations

from collections import defaultdict

from reward_server.view.facts import WRONG, Facts
from reward_server.view.meetings import Met
from reward_server.view.sums import Key

SCORE_BINS = 20


class Batch:
    """`samples`: their lines of the table. `answers`: rows and wrong rows by (run, question, answer).

    `scores`: rows and the sum of their scores by (run, config, bin of the score, is it right). `met`: see there.
    """

    def __init__(self) -> None:
        self.samples: list[tuple[object, ...]] = []
        self.answers: defaultdict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
        self.scores: defaultdict[tuple[int, int, int, int], list[float]] = defaultdict(lambda: [0, 0.0])
        self.met = Met()

    def count(self, key: Key, facts: Facts, arrival: int) -> None:
        run, config, _, _ = key
        self.met.add(key, facts, arrival)
        if facts.clean is not None:
            counts = self.answers[run, facts.question, facts.answer]
            counts[0] += 1
            counts[1] += facts.outcome in WRONG
        if facts.score is not None and facts.clean is not None:
            totals = self.scores[run, config, bin_of(facts.score), int(facts.clean == 1)]
            totals[0] += 1
            totals[1] += facts.score


def bin_of(score: float) -> int:
    """The bin of a model's score; what is outside 0 … 1 is in the first or the last."""
    return min(SCORE_BINS - 1, max(0, int(score * SCORE_BINS)))
