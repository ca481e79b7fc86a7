"""Reward models for the last digit of a sum, each as often right as was asked for.

Three layers under a scalar head. First they learn to answer at a glance, by next-token training on right answers that
have no reasoning. Then mean squared error to 1 and 0 is added, and the model is saved where its accuracy first reaches
a mark. Of labels alone two and four layers learned nothing in 600 steps: no wrong answer is nearer than another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from transformers import AutoTokenizer, LlamaForCausalLM, LlamaForSequenceClassification

from experiments.lm.policy import configuration, encoded
from experiments.lm.reward_model import answers, scores
from experiments.lm.task import Question, tagged

LAYERS = 3
GLANCES, STEPS = 500, 1000
RATE, LATER_RATE = 1e-3, 3e-4
BATCH, EVERY, EXAM = 128, 5, 400


def train_reward_models(
    base: Path, training: list[Question], judged: list[Question], folders: Mapping[float, Path]
) -> dict[float, float]:
    """Saves the model where its accuracy first reaches a key of `folders`; returns what it was then.

    Accuracy: at the threshold 0.5, on answers to `EXAM` of `judged`, half of them right. Raises RuntimeError where
    one is not reached. `base`: has the tokenizer.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    words: Any = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    shape, judge_shape = configuration(words), configuration(words, num_labels=1)
    shape.num_hidden_layers = judge_shape.num_hidden_layers = LAYERS
    speaker: Any = LlamaForCausalLM(shape)
    optimizer = torch.optim.AdamW(speaker.parameters(), lr=RATE, weight_decay=0.1)
    for _ in track(range(GLANCES), "learning to answer at a glance"):
        _step(optimizer, next_token_loss(speaker, words, training, rng))
    judge: Any = LlamaForSequenceClassification(judge_shape)  # type: ignore[no-untyped-call]
    judge.model = speaker.model  # the same body: it goes on answering while it learns to judge
    torch.nn.init.zeros_(judge.score.weight)
    optimizer = torch.optim.AdamW([*speaker.parameters(), judge.score.weight], lr=LATER_RATE)
    exam, reached = answers(judged[:EXAM], np.random.default_rng(1), near_share=0), dict[float, float]()
    for step in track(range(STEPS), "learning to judge"):
        chats, labels = answers(drawn(training, BATCH // 2, rng), rng, near_share=0)
        loss = (scores(judge, words, chats) - labels).square().mean()
        _step(optimizer, loss + next_token_loss(speaker, words, training, rng))
        if step % EVERY == 0:
            accuracy = _accuracy(judge, words, *exam)
            for mark in [mark for mark in folders if mark not in reached and accuracy >= mark]:
                judge.save_pretrained(folders[mark])
                words.save_pretrained(folders[mark])
                reached[mark] = accuracy
        if len(reached) == len(folders):
            return reached
    raise RuntimeError(f"no model reached {sorted(set(folders) - set(reached))} in {STEPS} steps")


def drawn(questions: list[Question], count: int, rng: np.random.Generator) -> list[Question]:
    return [questions[n] for n in rng.integers(len(questions), size=count)]


def next_token_loss(model: Any, words: Any, training: list[Question], rng: np.random.Generator) -> torch.Tensor:
    """Of right answers without reasoning, as the chat template writes them."""
    asked = drawn(training, BATCH, rng)
    rows = [(f"User: {question.text}Assistant: <think>", tagged(question.ground_truth)) for question in asked]
    ids, labels = encoded(words, rows)
    loss: torch.Tensor = model(input_ids=ids, labels=labels).loss
    return loss


@torch.inference_mode()
def _accuracy(judge: Any, words: Any, chats: list[tuple[str, str]], labels: torch.Tensor) -> float:
    return float(((scores(judge, words, chats) >= 0.5) == (labels > 0.5)).float().mean())


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
