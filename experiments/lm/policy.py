"""The base policy: tokenizer and a two-layer transformer of 0.47 M parameters, trained on the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from experiments.lm.task import REASONED, Question, corpus_text, reasoned

PAD, END = "<pad>", "<|endoftext|>"
VOCABULARY = 180
BATCH = 128
SCHOOL = 0.6
"""Share of the training in which half of the texts are reasoned, so that adding is learned; then `REASONED` of them."""

CHAT = (
    "{% for m in messages %}{% if m['role'] == 'user' %}User: {{ m['content'] }}{% else %}"
    "Assistant: <think></think> <answer>{{ m['content'] }}</answer><|endoftext|>{% endif %}{% endfor %}"
)
"""For the reward model, which reads a question and an answer without its reasoning."""


def tokenizer(questions: Sequence[Question]) -> PreTrainedTokenizerFast:
    """A small BPE: single digits and signs, everything else merged as the corpus suggests."""
    rng = np.random.default_rng(1)
    texts = [text for q in questions for text in (q.prompt, reasoned(q, rng), corpus_text(q, rng))]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Split(Regex(r"\d|[+=]|[^\d+=]+"), "isolated")
    bpe.decoder = decoders.Fuse()
    bpe.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[PAD, END]))
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, pad_token=PAD, eos_token=END, chat_template=CHAT, clean_up_tokenization_spaces=False
    )


def configuration(words: Any, **more: Any) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(words), hidden_size=128, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=128, tie_word_embeddings=False, bos_token_id=None,
        pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id, **more,
    )  # fmt: skip


def pretrain(
    questions: Sequence[Question], folder: Path, steps: int, *, words: Any = None, share: float = REASONED
) -> None:
    """Next-token training on completions, prompts given; saves model and tokenizer into `folder`. One thread.

    `words`: another tokenizer than that of `questions`. `share`: of reasoned texts after `SCHOOL`.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    words = words or tokenizer(questions)
    model = LlamaForCausalLM(configuration(words))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    for step in track(range(steps), "pretraining the policy"):
        chosen = [questions[n] for n in rng.integers(len(questions), size=BATCH)]
        mixed = 0.5 if step < steps * SCHOOL else share
        ids, labels = encoded(words, [(q.prompt, corpus_text(q, rng, mixed) + END) for q in chosen])
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def encoded(words: Any, rows: list[tuple[str, str]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels [B, T], padded on the right; labels are -100 where nothing is learned."""
    prompts = words([prompt for prompt, _ in rows], add_special_tokens=False)["input_ids"]
    completions = words([completion for _, completion in rows], add_special_tokens=False)["input_ids"]
    longest = max(len(p) + len(c) for p, c in zip(prompts, completions, strict=True))
    ids = torch.full((len(rows), longest), words.pad_token_id)
    labels = torch.full((len(rows), longest), -100)
    for b, (p, c) in enumerate(zip(prompts, completions, strict=True)):
        ids[b, : len(p) + len(c)] = torch.tensor(p + c)
        labels[b, len(p) : len(p) + len(c)] = torch.tensor(c)
    return ids, labels
