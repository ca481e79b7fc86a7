"""A noisy reward model for the task: the policy's body under a scalar head, mean squared error to labels 1 and 0.

As the reward models of Lv et al. 2025, it reads a question and an answer without its reasoning, and must judge at a
glance what the policy works out in two steps. Training stops at an accuracy, so that it stays as wrong as that. It is
trained on one half of the training questions, and judges the policy on the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from transformers import AutoTokenizer, LlamaForCausalLM, LlamaForSequenceClassification

from experiments.lm.policy import configuration, encoded
from experiments.lm.task import Question

BATCH = 128
NEAR_SHARE, NEAR = 0.5, 5
"""So many of the wrong answers are within this much of the right one; the others are guesses, as the policy's."""


def train_reward_model(
    base: Path, training: list[Question], judged: list[Question], folder: Path, accuracy: float, steps: int
) -> float:
    """Saves the model into `folder` and returns its accuracy at the threshold 0.5 on answers to `judged`, half of them
    right. `accuracy`: where training stops; `steps`: where it stops at the latest."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    words: Any = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    model: Any = LlamaForSequenceClassification(  # type: ignore[no-untyped-call]
        configuration(words, num_labels=1)
    )
    model.model.load_state_dict(LlamaForCausalLM.from_pretrained(base, trust_remote_code=False).model.state_dict())
    torch.nn.init.zeros_(model.score.weight)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    exam = answers(judged, np.random.default_rng(1))
    reached = 0.0
    for step in track(range(1, steps + 1), "training the reward model"):
        chosen = [training[n] for n in rng.integers(len(training), size=BATCH // 2)]
        chats, labels = answers(chosen, rng)
        loss = (scores(model, words, chats) - labels).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 20 == 0:
            with torch.inference_mode():
                reached = float(((scores(model, words, exam[0]) >= 0.5) == (exam[1] > 0.5)).float().mean())
            if reached >= accuracy:
                break
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return reached


def answers(
    questions: list[Question], rng: np.random.Generator, near_share: float = NEAR_SHARE
) -> tuple[list[tuple[str, str]], torch.Tensor]:
    """A right and a wrong answer to each question, and their labels [2N]."""
    chats = []
    for question in questions:
        right, many = int(question.ground_truth), question.answers
        near = right + rng.choice((-1, 1)) * rng.integers(1, NEAR + 1)
        wrong = near if rng.random() < near_share else (right + rng.integers(1, many)) % many
        chats += [(question.text, f"\\boxed{{{answer}}}") for answer in (right, wrong)]
    return chats, torch.tensor([1.0, 0.0]).repeat(len(questions))


def scores(model: Any, words: Any, chats: list[tuple[str, str]]) -> torch.Tensor:
    """The model's score of each chat [B], read at its last token."""
    rendered = [
        words.apply_chat_template(
            [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], tokenize=False
        )
        for question, answer in chats
    ]
    ids, _ = encoded(words, [("", text) for text in rendered])
    logits: torch.Tensor = model(input_ids=ids, attention_mask=(ids != words.pad_token_id).long()).logits
    return logits[:, 0]
