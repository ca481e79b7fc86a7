"""Where in a text the score is read: at the last token that the template writes, or at the end-of-turn token.

A reward model is right only at the token at which it was trained. TRL's conversations and Skywork's models end where
their template ends: in ChatML that is the newline behind `<|im_end|>`. OpenRLHF drops newlines at the end, appends the
end-of-turn token where the text does not end in it, and trains and serves there (`datasets/reward_dataset.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from reward_server.reward_model.engine import UnfitModel
from reward_server.types import EndsAt, WantedEndsAt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def trained_by_openrlhf(config: Mapping[str, Any]) -> bool:
    """True for a config.json as only OpenRLHF's `train_rm` writes it."""
    return "value_head_prefix" in config or config.get("architectures") == ["RewardModel"]


def ends_at(config: Mapping[str, Any], wanted: WantedEndsAt) -> EndsAt:
    """What is wanted; `auto` goes by who trained the model that config.json describes.

    Raises UnfitModel where that does not tell: two published models have the class of Qwen2.5-Math-RM, and WorldPM's
    card reads at a `<|endoftext|>` behind the text, which is not served here.
    """
    if wanted == "auto" and config.get("architectures") == ["Qwen2ForRewardModel"]:
        raise UnfitModel(
            "config.json names Qwen2ForRewardModel, and its models are not all read at the same token. For"
            " Qwen2.5-Math-RM set rm_ends_at=template. WorldPM is not served: it is read at a token behind the template"
        )
    if wanted == "auto":
        return "eos" if trained_by_openrlhf(config) else "template"
    return wanted


def ended(text: str, eos_token: str) -> str:
    """The text as OpenRLHF ends it: newlines dropped, and `eos_token` behind a blank unless it is there."""
    text = text.rstrip("\n")
    return text if text.endswith(eos_token) else f"{text} {eos_token}"


VALUE_HEAD = (
    "the reward model has a value head (v_head.summary), as reward models of LLaMA-Factory have, and as the critics of"
    " PPO have, whose values are no rewards: make sure that it is not the folder of a PPO run"
)


def remarks(config: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, where: EndsAt) -> list[str]:
    """What whoever starts the server should know of how the model is read."""
    said = []
    if where == "eos":
        said.append(
            f"the reward model's score is read at its end-of-turn token {tokenizer.eos_token!r}, where OpenRLHF trains"
            " (rm_ends_at=template reads it at the template's last token)"
        )
    mean, std = config.get("mean"), config.get("std")
    if trained_by_openrlhf(config) and _is_number(mean) and _is_number(std) and std > 0:
        said.append(
            f"config.json keeps the mean {mean:.6g} and deviation {std:.6g} of the reward model's scores, which nothing"
            f" applies here; as a map to 0 … 1 they are ?transform=affine&mean={mean:.6g}&sigma={std:.6g}"
        )
    return said


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
