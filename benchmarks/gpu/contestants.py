"""Ways to score the same texts: the engine in its modes, and what people do without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from reward_server.reward_model.engine import Group, Mode, SampleError
from reward_server.reward_model.labels import values_of
from reward_server.reward_model.local.model import TransformersModel
from reward_server.types import Dtype, Packing

Contestant = Callable[[Sequence[Group]], list[float]]
SERVE_RM_BATCH = 16


def engine(folder: Path, device: torch.device, packing: Packing, dtype: Dtype = "bfloat16") -> TransformersModel:
    """On one CPU thread, so that a tiny run does not take a shared machine."""
    return TransformersModel(folder, dtype=dtype, device=str(device), packing=packing, threads=1)


def by(model: TransformersModel, mode: Mode = "deterministic") -> Contestant:
    """Scores of all completions in order. Raises the first error that stands in the place of one."""

    def run(groups: Sequence[Group]) -> list[float]:
        found: list[float] = []
        for result in (result for group in model.score(groups, mode).results for result in group):
            if isinstance(result, SampleError):
                raise result
            found += values_of(result)
        return found

    return run


def plain(model: PreTrainedModel, device: torch.device) -> Contestant:
    """One whole text after another, the head in float32."""

    @torch.inference_mode()
    def run(groups: Sequence[Group]) -> list[float]:
        weight: torch.Tensor = model.score.weight  # type: ignore[union-attr,assignment]
        scores = []
        for text in _whole(groups):
            hidden = model.base_model(input_ids=torch.tensor([text], device=device), use_cache=False).last_hidden_state
            scores.append(hidden[0, -1].float() @ weight[0].float())
        return torch.stack(scores).tolist()

    return run


def serve_rm(model: PreTrainedModel, device: torch.device) -> Contestant:
    """As OpenRLHF's serve_rm computes: whole texts in batches of 16, padded on the left, the head in bfloat16."""

    @torch.inference_mode()
    def run(groups: Sequence[Group]) -> list[float]:
        rows = _whole(groups)
        scores: list[float] = []
        for start in range(0, len(rows), SERVE_RM_BATCH):
            part = rows[start : start + SERVE_RM_BATCH]
            width = max(map(len, part))
            ids = torch.tensor([[0] * (width - len(row)) + row for row in part], device=device)
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in part], device=device)
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            out = model.base_model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False)
            scores += model.score(out.last_hidden_state[:, -1]).float()[:, 0].tolist()  # type: ignore[operator]
        return scores

    return run


def _whole(groups: Sequence[Group]) -> list[list[int]]:
    return [[*group.prompt, *completion] for group in groups for completion in group.completions]
