"""The policy and its questions: those of `experiments.lm`, behind the launcher's own prompt.

The launcher's instruction is one token of this tokenizer: a model of half a million parameters would read nothing in
its hundred others. The corpus has more reasoned texts than that of `experiments.lm`, so the policy begins well above
chance, and a few dozen steps show whether it learns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.lm.policy import pretrain, tokenizer
from experiments.lm.task import Question, questions
from trainer_client.openrlhf_grpo.template import PAPER_INSTRUCTION, render

REASONED = 0.2
"""Share of reasoned texts in the corpus, and so about what the policy is paid at the start."""
PRETRAINING_STEPS = 500


@dataclass(frozen=True)
class Prompted(Question):
    """A question as the launcher puts it."""

    @property
    def prompt(self) -> str:
        text = render(self.text, "paper")
        if not isinstance(text, str):
            raise TypeError("the template `paper` gives one text")
        return text


def make_policy(folder: Path, steps: int = PRETRAINING_STEPS) -> None:
    """Trains it into `folder`, unless it is there."""
    if (folder / "config.json").exists():
        return
    torch.set_num_threads(1)  # the sums, and so the weights, depend on it
    _, first, second = questions()
    words: Any = tokenizer(first + second)
    words.add_tokens([PAPER_INSTRUCTION])
    pretrain([Prompted(question.terms) for question in first + second], folder, steps, words=words, share=REASONED)


def write_questions(training: Path, evaluation: Path, *, count: int, evaluated: int) -> None:
    """As the launcher reads them. No question of the evaluation is trained on, here or before."""
    held_out, first, _ = questions()
    for path, some in ((training, first[:count]), (evaluation, held_out[:evaluated])):
        rows = [{"question": each.text, "answer": each.ground_truth} for each in some]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
