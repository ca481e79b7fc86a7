"""Which waiting samples the device computes next: a decision without clock, lock or model, which changes nothing."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass

from reward_server.reward_model.engine import Mode
from reward_server.reward_model.local.waiting import Waiting, WaitingPrompt

_CANDIDATES = 64
"""Prompts looked at to fill a batch; a bound on the work for each batch when thousands wait."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes to the device in one call: prompts of one mode, the lead first, with chosen ones of their samples."""

    mode: Mode
    parts: list[tuple[WaitingPrompt, list[Waiting]]]


def next_batch(
    prompts: Collection[WaitingPrompt],
    now: float,
    *,
    max_tokens: int,
    max_age_s: float,
    last_lead: WaitingPrompt | None = None,
) -> Batch:
    """The samples of the prompt that leads, then further prompts of its mode, longest first: of all, or once somebody
    has waited longer than `max_age_s`, of those that came first.

    Of each its samples, longest first, while a prompt's tokens (once) and its completions' fit into `max_tokens`. The
    first sample is taken whatever its length: of a lead that has waited longer than `max_age_s` that is the oldest, so
    that longer ones that keep coming cannot hold it back. Longest first, since a long text that starts last is what
    everybody waits for.
    """
    oldest = min(prompts, key=_arrived)
    lead = _lead(prompts, oldest, last_lead, now, max_age_s)
    others: Collection[WaitingPrompt] = [p for p in prompts if p.mode == lead.mode and p is not lead]
    if now - oldest.arrived > max_age_s:  # else short texts wait as long as longer ones keep coming, but for the lead
        others = sorted(others, key=_arrived)[:_CANDIDATES]  # quick, since they are nearly sorted
    first = lead.samples[0] if now - lead.arrived > max_age_s else max(lead.samples, key=_length)
    parts: list[tuple[WaitingPrompt, list[Waiting]]] = []
    left = max_tokens
    for prompt in [lead, *heapq.nlargest(_CANDIDATES, others, key=_longest)]:
        chosen, left = _fitting(prompt, left, first if prompt is lead else None)
        if chosen:
            parts.append((prompt, chosen))
    return Batch(lead.mode, parts)


def _lead(
    prompts: Collection[WaitingPrompt],
    oldest: WaitingPrompt,
    last_lead: WaitingPrompt | None,
    now: float,
    max_age_s: float,
) -> WaitingPrompt:
    """The one that led the last batch, while it has samples; else the one with the longest text.

    A group that does not fit into one batch is so computed in a row, while the state after its prompt is kept. But the
    oldest prompt leads where it arrived more than `max_age_s` before the samples of the last lead, or, where that has
    none left, once it has waited so long.
    """
    if last_lead is not None and last_lead.samples:
        return oldest if last_lead.arrived - oldest.arrived > max_age_s else last_lead
    return oldest if now - oldest.arrived > max_age_s else max(prompts, key=_longest)


def _arrived(prompt: WaitingPrompt) -> float:
    return prompt.samples[0].arrived  # a property would double the time of a choice among thousands


def _longest(prompt: WaitingPrompt) -> int:
    return prompt.longest


def _length(sample: Waiting) -> int:
    return len(sample.completion)


def _fitting(prompt: WaitingPrompt, left: int, first: Waiting | None) -> tuple[list[Waiting], int]:
    """`first`, whatever its length, and the samples that fit into the `left` tokens; and what is then left."""
    after_prompt = left - len(prompt.prompt)
    chosen: list[Waiting] = []
    if first is not None:
        chosen.append(first)
        after_prompt -= len(first.completion)
    for sample in sorted(prompt.samples, key=_length, reverse=True):
        if sample is not first and len(sample.completion) <= after_prompt:
            chosen.append(sample)
            after_prompt -= len(sample.completion)
    return (chosen, after_prompt) if chosen else ([], left)
