"""Where in a text the score is read: at the last token that the template writes, or at the end-of-turn token.

A reward model is right only at the token at which it was trained. TRL's conversations and Skywork's models end where
their template ends: in ChatML that is the newline behind `<|im_end|>`. OpenRLHF drops newlines at the end, appends the
end-of-turn token where the text does not end in it, and trains and serves there (`datasets/reward_dataset.py`).

A class of transformers reads at the last token that is not its padding token, in training and afterwards. TRL takes the
end-of-turn token for that where a tokenizer has no padding token (Llama 3, Mistral). Such a model was never trained at
the template's last token, and says nothing there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.model_folder import TWO_LAYERS
from reward_server.types import EndsAt, WantedEndsAt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def trained_by_openrlhf(config: Mapping[str, Any]) -> bool:
    """True for a config.json as only OpenRLHF's `train_rm` writes it."""
    return "value_head_prefix" in config or config.get("architectures") == ["RewardModel"]


def ends_at(config: Mapping[str, Any], wanted: WantedEndsAt) -> EndsAt:
    """What is wanted; `auto` goes by who trained the model that config.json describes."""
    if wanted == "auto":
        return "eos" if trained_by_openrlhf(config) else "template"
    return wanted


def dropped_at_end(config: Mapping[str, Any], pad: int | None, last: int, wanted: WantedEndsAt) -> int | None:
    """The model's padding token `pad`, where texts end with it (in `last`) and its class reads before it."""
    return pad if pad == last and _reads_before_padding(config, wanted) else None


def unknown_padding(
    config: Mapping[str, Any], pad: int | None, last: int, wanted: WantedEndsAt, tokenizer: PreTrainedTokenizerBase
) -> str | None:
    """What to say of a model without a padding token, or with another, where the tokenizer's is the `last` of a text.

    transformers reads such a text at its end. But TRL pads with the tokenizer's, and an adapter forgets the model's.
    """
    if pad == last or tokenizer.pad_token_id != last or not _reads_before_padding(config, wanted):
        return None
    return (
        f"the reward model's chat template ends with the tokenizer's pad_token {tokenizer.pad_token!r}, and in"
        f" config.json pad_token_id is {'absent' if pad is None else pad}. The score is read at that token. Trained"
        " with it as padding (TRL, then merged from an adapter), the model was read before it: then set pad_token_id to"
        f" {last} in config.json"
    )


def refuse_early_end(config: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises UnfitModel where a class with two layers would be read elsewhere than at the end.

    Those classes read before the first `pad_token_id` of config.json, wherever it stands, and otherwise at the end. So
    their authors' scores are of another token where the template itself writes that one.
    """
    pad = config.get("pad_token_id")
    if not isinstance(pad, int) or not _architectures(config) & TWO_LAYERS:
        return
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=False)
    if pad in tokenizer(text, add_special_tokens=False)["input_ids"]:
        raise UnfitModel(
            "the reward model's class reads before the first pad_token_id of config.json"
            f" ({tokenizer.decode([pad])!r}), which its chat template writes too. So its authors' scores are of another"
            " token than the last: it is not served"
        )


def ended(text: str, eos_token: str) -> str:
    """The text as OpenRLHF ends it: newlines dropped, and `eos_token` behind a blank unless it is there."""
    text = text.rstrip("\n")
    return text if text.endswith(eos_token) else f"{text} {eos_token}"


VALUE_HEAD = (
    "the reward model has a value head (v_head.summary), as reward models of LLaMA-Factory have, and as the critics of"
    " PPO have, whose values are no rewards: make sure that it is not the folder of a PPO run"
)


def remarks(
    config: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, where: EndsAt, dropped: int | None = None
) -> list[str]:
    """What whoever starts the server should know of how the model is read."""
    said = []
    if dropped is not None:
        said.append(
            f"the reward model's score is read before {tokenizer.decode([dropped])!r}, with which its chat template"
            " ends: that is the model's pad_token_id, and its class never reads there (rm_ends_at=template does)"
        )
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


def _reads_before_padding(config: Mapping[str, Any], wanted: WantedEndsAt) -> bool:
    """True for a class of transformers that was trained by its own pooling, unless the settings say where to read."""
    is_of_transformers = any(name.endswith("ForSequenceClassification") for name in _architectures(config))
    return wanted == "auto" and is_of_transformers and not trained_by_openrlhf(config)


def _architectures(config: Mapping[str, Any]) -> set[str]:
    return set(map(str, config.get("architectures") or ()))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
