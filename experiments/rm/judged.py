"""What a reward model pays for, measured before any training, and what a policy will therefore learn from it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.lm.task import Question, reasoned, tagged
from trainer_client import RewardClient

THRESHOLD, ALPHA = 0.5, 0.1


@dataclass(frozen=True)
class Judged:
    """Means over questions. `favourite`: of the answers, the one with the highest score; `constant`: one answer to all
    questions, the best one. `rpr`: of reasoned texts, 0 … 1."""

    false_negatives: float
    false_positives: float
    right: float
    wrong: float
    favourite: float
    favourite_is_right: float
    constant: float
    rpr: float

    @property
    def bonus(self) -> float:
        """What RPR adds to a reasoned right answer: it is added below the threshold only."""
        return ALPHA * self.rpr * self.false_negatives

    @property
    def shortcut(self) -> float:
        """What the dearest habit without reasoning is paid."""
        return max(self.favourite, self.constant)

    @property
    def fate(self) -> str:
        """The habit that is paid more wins. RPR decides only where it lifts reasoning over the shortcut."""
        gap = self.right - self.shortcut
        if gap > 0:
            return "reasons"
        return "reasons with RPR alone" if gap > -self.bonus else "takes the shortcut"


def judged(scores_QA: NDArray[np.float64], right_Q: NDArray[np.int64], rpr: float) -> Judged:
    """Of the scores of every answer to every question. `right_Q`: which answer is right."""
    is_right = np.arange(scores_QA.shape[1]) == right_Q[:, None]
    right, wrong = scores_QA[is_right], scores_QA[~is_right]
    return Judged(
        false_negatives=float((right < THRESHOLD).mean()),
        false_positives=float((wrong >= THRESHOLD).mean()),
        right=float(right.mean()),
        wrong=float(wrong.mean()),
        favourite=float(scores_QA.max(axis=1).mean()),
        favourite_is_right=float((scores_QA.argmax(axis=1) == right_Q).mean()),
        constant=float(scores_QA.mean(axis=0).max()),
        rpr=rpr,
    )


def ask(server: str, questions: Sequence[Question], phrases: str) -> Judged:
    """Asks a live server, whose reward model it is, for the score of every answer to every question."""
    every = [(question, answer) for question in questions for answer in range(question.answers)]
    prompts = [question.prompt for question, _ in every]
    paid = RewardClient(f"{server}/score/rm?alpha=0&{phrases}").score([tagged(a) for _, a in every], prompts=prompts)
    rng = np.random.default_rng(0)
    texts = [reasoned(question, rng) for question in questions]
    rpr = RewardClient(f"{server}/score/rpr?{phrases}").score(texts).mean("rpr")
    if paid.unscored or rpr is None:
        raise RuntimeError(f"{len(paid.unscored)} answers have no score")
    scores = np.array(paid.rewards, dtype=float).reshape(len(questions), -1)
    return judged(scores, np.array([int(question.ground_truth) for question in questions]), rpr)


def calibrate(questions: Sequence[Question], rows: Path, *options: str) -> str:
    """What `reward-server calibrate`, with these options, says of the right and one wrong answer to each question."""
    rng = np.random.default_rng(2)
    with rows.open("w") as file:
        for question in questions:
            right = int(question.ground_truth)
            for answer in (right, (right + rng.integers(1, question.answers)) % question.answers):
                row = {"prompt": question.prompt, "completion": tagged(answer), "correct": bool(answer == right)}
                file.write(json.dumps(row) + "\n")
    command = [sys.executable, "-m", "reward_server", "calibrate", str(rows), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
