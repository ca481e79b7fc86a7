"""What adapters have in common: where a row keeps its ground truth, and what is paid for a sample without a reward."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from trainer_client import AsyncRewardClient, BadBatch, BadConfiguration, RewardClient, Rewards, Unscored
from trainer_client._json import as_column, without_nan
from trainer_client._types import mean_of

log = logging.getLogger("trainer_client")
OnUnscored = Literal["raise", "fallback"]
GROUND_TRUTH_KEYS = ("ground_truth", "solution", "answer", "expected_answer", "label")
"""The first of these that a row has is its ground truth, unless the adapter is told another."""
DRAWS = ("flip_draw",)
"""Parts that are uniform draws: the mean of one says nothing, so trainers are not given it."""
OPINIONS = ("reference", "reference_share")
"""Parts that most samples lack. Where a trainer cannot read null, a 0 in its place would be an opinion."""
FATES = ("unanswered", "timeout")
"""Outcomes that trainers log: where all completions are cut off, a reward of 0 alone looks like a failing policy."""
SOURCE_KEYS = ("source", "data_source", "datasource")
"""What a row may call its data set: the first that is a text."""
ROW_KEYS = {"group": "groups", "visit": "visits", "flip": "flips"}
"""What a row may say beside its ground truth, and the column it becomes."""


@lru_cache(maxsize=16)
def sync_client(url: str | None, deadline_s: float = 600.0, *, adapter: str = "") -> RewardClient:
    """One client for each URL of this process; without a URL, REWARD_URL as it is at the first call."""
    return RewardClient(url, deadline_s=deadline_s, adapter=adapter)


@lru_cache(maxsize=16)
def async_client(url: str | None, deadline_s: float = 600.0, *, adapter: str = "") -> AsyncRewardClient:
    """As `sync_client`."""
    return AsyncRewardClient(url, deadline_s=deadline_s, adapter=adapter)


def ground_truths_of(row: Mapping[str, Any], key: str | None = None) -> list[Any]:
    """What the row has under `key`, by default the first of GROUND_TRUTH_KEYS that is neither null nor NaN: [value], or
    [] where it has no such key. An empty text is a value.

    The difference matters: a missing value is one sample that cannot be graded, a missing key is a wrong configuration,
    which the server refuses.
    """
    names = GROUND_TRUTH_KEYS if key is None else (key,)
    values = without_nan(row[name] for name in names if name in row)
    return ([value for value in values if not _is_null(value)] or values)[:1]


def one_text(name: str, text: Any) -> str:
    """What a trainer that asks for one sample a call calls `name`. Raises BadBatch for a list, or anything else."""
    if not isinstance(text, str):
        raise BadBatch(f"{name}: expected the text of one sample, got {type(text).__name__}; call once for each sample")
    return text


def one_sample(prompt: Any, ground_truths: list[Any], row: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The columns of one sample, without its completion; those that would hold nothing are left out."""
    given = {column: row.get(name) for name, column in ROW_KEYS.items()}
    given |= {"prompts": prompt, "sources": source_of(row)}
    columns = {column: [value] for column, value in given.items() if value is not None}
    return {**columns, "ground_truths": ground_truths} if ground_truths else columns


def table(columns: Mapping[str, Any], ground_truth_column: str | None) -> dict[str, Any]:
    """The same of a batch, from a dataset's columns: each row has the first ground truth that is not null in it."""
    sent = {column: columns[name] for name, column in ROW_KEYS.items() if columns.get(name) is not None}
    if sources := {name: as_column(name, columns[name]) for name in SOURCE_KEYS if columns.get(name) is not None}:
        sent["sources"] = [source_of(dict(zip(sources, row, strict=True))) for row in _rows(sources)]
    names = GROUND_TRUTH_KEYS if ground_truth_column is None else (ground_truth_column,)
    there = [name for name in names if columns.get(name) is not None]
    if there:
        sent["ground_truths"] = _first_of_each_row({name: as_column(name, columns[name]) for name in there})
    return sent


def source_of(row: Mapping[str, Any]) -> str | None:
    """The data set that a row is from, which `route` goes by."""
    return next((str(row[name]) for name in SOURCE_KEYS if isinstance(row.get(name), str)), None)


def with_step(columns: dict[str, Any], step: int | None, size: int) -> dict[str, Any]:
    """The columns of a batch of `size`, with the trainer's step, which is also the visit of rows that have none."""
    if step is None:
        return columns
    visits = without_nan(as_column("visit", columns.get("visits", [None] * size)))
    return {**columns, "visits": [step if visit is None else visit for visit in visits], "steps": [step] * size}


def _first_of_each_row(columns: Mapping[str, list[Any]]) -> list[Any]:
    rows = _rows({name: without_nan(column) for name, column in columns.items()})
    return [next((value for value in row if not _is_null(value)), None) for row in rows]


def _rows(columns: dict[str, list[Any]]) -> Iterator[tuple[Any, ...]]:
    first, *others = columns
    for name in others:
        if len(columns[name]) != len(columns[first]):
            raise BadBatch(f"{name}: {len(columns[name])} entries for {len(columns[first])} of {first}")
    return zip(*columns.values(), strict=True)


def _is_null(cell: object) -> bool:
    """Null, or an object of nulls, which is how Arrow writes a missing one."""
    return cell is None or (isinstance(cell, Mapping) and all(value is None for value in cell.values()))


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


def fates_of(rewards: Rewards) -> tuple[str, ...]:
    """The outcomes to log: of a reward model `bad_format` too, which a text that is cut off becomes there."""
    return (*FATES, "bad_format") if any(_last(name) == "rm" for name in rewards.parts) else FATES


def logged(rewards: Rewards) -> dict[str, list[float | None]]:
    """The parts of which a mean says something, and the components (`components/right`)."""
    parts = {name: column for name, column in rewards.parts.items() if _last(name) not in DRAWS}
    return parts | {f"components/{name}": column for name, column in rewards.components.items()}


def _last(name: str) -> str:
    """Of a part of a part its own name: `right/clean` is a `clean`."""
    return name.rpartition("/")[2]


def numbers(rewards: Rewards, row: int) -> dict[str, float]:
    """The parts of one sample and what became of it: the same keys for every sample of a reward, never None."""
    read = {name: values for name, values in logged(rewards).items() if _last(name) not in OPINIONS}
    parts = {name: values[row] or 0.0 for name, values in read.items()}
    outcome = rewards.outcomes[row]
    fates = {name: float(outcome == name) for name in fates_of(rewards)}
    return {**parts, "unscored": float(rewards.rewards[row] is None), **fates}


def means(rewards: Rewards) -> dict[str, float | None]:
    """The same of a batch of at least one sample: the mean of each part over the samples that have it, None where none
    has, and shares of all samples."""
    parts = {name: mean_of(values) for name, values in logged(rewards).items()}
    fates = {name: rewards.outcomes.count(name) / len(rewards) for name in fates_of(rewards)}
    return {**parts, "unscored": len(rewards.unscored) / len(rewards), **fates}


def shown(rewards: Rewards, row: int, reward: float) -> float:
    """What a trainer may filter by, in 0 … 1: the noisy outcome of `flip`, so that clean labels do not leak."""
    parts = rewards.parts
    if rewards.scores:
        score = rewards.scores[row]
        return min(1.0, max(0.0, reward)) if score is None else score
    if rewards.rewards[row] is not None and "flipped" in parts:
        return abs((parts["clean"][row] or 0.0) - (parts["flipped"][row] or 0.0))
    return min(1.0, max(0.0, reward))
