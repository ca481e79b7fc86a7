"""What adapters have in common: where a row keeps its ground truth, and what is paid for a sample without a reward."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from trainer_client import AsyncRewardClient, BadConfiguration, RewardClient, Rewards, Unscored

log = logging.getLogger("trainer_client")
OnUnscored = Literal["raise", "fallback"]
GROUND_TRUTH_KEYS = ("ground_truth", "solution", "answer", "expected_answer", "label")
"""The first of these that a row has is its ground truth, unless the adapter is told another."""
ROW_KEYS = {"group": "groups", "visit": "visits", "flip": "flips"}
"""What a row may say beside its ground truth, and the column it becomes."""


@lru_cache(maxsize=16)
def sync_client(url: str | None, deadline_s: float = 600.0) -> RewardClient:
    """One client for each URL of this process; without a URL, REWARD_URL as it is at the first call."""
    return RewardClient(url, deadline_s=deadline_s)


@lru_cache(maxsize=16)
def async_client(url: str | None, deadline_s: float = 600.0) -> AsyncRewardClient:
    """As `sync_client`."""
    return AsyncRewardClient(url, deadline_s=deadline_s)


def ground_truths_of(row: Mapping[str, Any], key: str | None = None) -> list[Any]:
    """What the row has under `key`, by default under GROUND_TRUTH_KEYS: [value], or [] where it has no such key.

    The difference matters: a missing value is one sample that cannot be graded, a missing key is a wrong configuration,
    which the server refuses.
    """
    names = GROUND_TRUTH_KEYS if key is None else (key,)
    values = [row[name] for name in names if name in row]
    return ([value for value in values if value is not None] or values)[:1]


def one_sample(prompt: Any, ground_truths: list[Any], row: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The columns of one sample, without its completion; those that would hold nothing are left out."""
    given = {"prompts": prompt, **{column: row.get(name) for name, column in ROW_KEYS.items()}}
    columns = {column: [value] for column, value in given.items() if value is not None}
    return {**columns, "ground_truths": ground_truths} if ground_truths else columns


def table(columns: Mapping[str, Any], ground_truth_column: str | None) -> dict[str, Any]:
    """The same of a batch, from a dataset's columns."""
    sent = {column: columns[name] for name, column in ROW_KEYS.items() if columns.get(name) is not None}
    for ground_truths in ground_truths_of(columns, ground_truth_column):
        sent["ground_truths"] = ground_truths
    return sent


def paid(rewards: Rewards, fallback_reward: float, on_unscored: OnUnscored) -> list[float]:
    """Every reward as a number. Raises Unscored where one is missing and `on_unscored` is "raise"."""
    if on_unscored not in ("raise", "fallback"):
        raise BadConfiguration(f"on_unscored={on_unscored!r}; it is raise or fallback")
    if rewards.unscored:
        row = rewards.unscored[0]
        message = (
            f"{len(rewards.unscored)} of {len(rewards)} samples have no reward; row {row}: {rewards.outcomes[row]}"
        )
        if on_unscored == "raise":
            raise Unscored(f'{message} (on_unscored="fallback" pays fallback_reward instead)')
        log.warning("%s; paid fallback_reward=%g", message, fallback_reward)
    return [fallback_reward if reward is None else reward for reward in rewards.rewards]


def numbers(rewards: Rewards, row: int) -> dict[str, float]:
    """The parts of one sample and `unscored`: the same keys for every sample of a reward, never None."""
    parts = {name: values[row] or 0.0 for name, values in rewards.parts.items()}
    return {**parts, "unscored": float(rewards.rewards[row] is None)}


def shown(rewards: Rewards, row: int, reward: float) -> float:
    """What a trainer may filter by, in 0 … 1: the noisy outcome of `flip`, so that clean labels do not leak."""
    parts = rewards.parts
    if rewards.rewards[row] is not None and "flipped" in parts:
        return abs((parts["clean"][row] or 0.0) - (parts["flipped"][row] or 0.0))
    return min(1.0, max(0.0, reward))
