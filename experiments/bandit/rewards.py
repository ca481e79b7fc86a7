"""Rewards of sampled completions: over HTTP, and by the server's pure functions in this process.

Completions of one group that are the same text are asked once: in one visit they share their reward, whatever the
scope of the noise (T2 tests that they do). Labels carry the wrong ground truth too, which only `label_noise` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from experiments.bandit.canned import Canned
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.found import Found
from reward_server.types import Sample
from trainer_client import RewardClient

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """Distinct samples of one step: run, question and strategy, [N] each, and the visit that all of them share."""

    runs: Ints
    questions: Ints
    strategies: Ints
    visit: int

    @property
    def groups(self) -> list[str]:
        """The question's id, one a run: so a request holds all runs of a step, and their noise is independent."""
        return [f"run {run}, question {question}" for run, question in zip(self.runs, self.questions, strict=True)]


class Compared:
    """Rewards of one reward's URL, each compared with the in-process one; `samples` counts them."""

    def __init__(self, server: str, query: str, answers: Canned) -> None:
        self.samples = 0
        self._client = RewardClient(f"{server}/score/flip?{query}")
        self._answers = answers
        self._in_process = InProcess(query, answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, asked: Asked) -> Floats:
        """Rewards [N]. Raises RuntimeError where one differs in any bit, or could not be scored."""
        rewards, expected = self._fetched(asked), self._in_process(asked)
        if rewards.tobytes() != expected.tobytes():
            row = int(np.flatnonzero(rewards != expected)[0])
            raise RuntimeError(f"{asked.groups[row]}: {rewards[row]} over HTTP, {expected[row]} in process")
        self.samples += len(rewards)
        return rewards

    def _fetched(self, asked: Asked) -> Floats:
        pairs = list(zip(asked.questions, asked.strategies, strict=True))
        scored = self._client.score(
            [self._answers.completions[q][s] for q, s in pairs],
            ground_truths=[self._label(q) for q, _ in pairs],
            groups=asked.groups,
            visits=[asked.visit] * len(pairs),
        )
        return np.array(scored.rewards, float)  # an unscored None becomes NaN, which equals nothing

    def _label(self, question: int) -> dict[str, str]:
        return {
            "ground_truth": self._answers.ground_truths[question],
            "wrong_ground_truth": self._answers.wrong_ground_truths[question],
        }


class InProcess:
    """The same by the pure functions; the verdicts are made once."""

    def __init__(self, query: str, answers: Canned) -> None:
        self._reward = FlipReward.model_validate(dict(parse_qsl(query)))
        rows, columns = answers.is_right.shape
        self._truths = [
            ((true,), (wrong,)) for true, wrong in zip(answers.ground_truths, answers.wrong_ground_truths, strict=True)
        ]
        self._found, self._mislabelled = (
            [[_found(answers, q, s, is_mislabelled) for s in range(columns)] for q in range(rows)]
            for is_mislabelled in (False, True)
        )

    def __call__(self, asked: Asked) -> Floats:
        rewards = []
        for group, q, s in zip(asked.groups, asked.questions, asked.strategies, strict=True):
            true, wrong = self._truths[q]
            sample = Sample("", ground_truths=true, wrong_ground_truths=wrong, group=group, visit=asked.visit)
            found = self._mislabelled if self._reward.mislabels(sample) else self._found
            rewards.append(self._reward.settle(sample, found[q][s]).reward)
        return np.array(rewards, float)


def _found(answers: Canned, question: int, strategy: int, is_mislabelled: bool) -> Found:
    wrong = answers.verdict(question, strategy, by_wrong_label=True) if is_mislabelled else None
    return Found(answers.reading(question, strategy), answers.verdict(question, strategy), wrong_verdict=wrong)
