"""How long a text may be, in tokens: no longer than the model was trained for, as far as that is known.

A model's positions say what it can compute. What it was trained for is often less: a score beyond that means nothing,
and nothing shows it. The tokenizer's `model_max_length` is the nearest thing to a record of it that a folder has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reward_server.reward_model.engine import UnfitModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_UNLIMITED = 2**31
"""Where a tokenizer says nothing, transformers puts 10^30."""


def text_limit(wanted: int | None, tokenizer: PreTrainedTokenizerBase, positions: int | None) -> int:
    """Tokens of the longest text that is scored. `wanted`: the setting. `positions`: of the model, None if unknown.

    Raises UnfitModel where more is wanted than the model has positions.
    """
    most = positions or _UNLIMITED
    if wanted is None:
        return min(most, tokenizer_limit(tokenizer) or most)
    if wanted > most:
        raise UnfitModel(f"rm_max_tokens={wanted} is more than the {most} positions of the reward model: lower it")
    return wanted


def tokenizer_limit(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """What its `model_max_length` says; None where it says nothing."""
    limit = tokenizer.model_max_length
    return int(limit) if limit is not None and 0 < limit < _UNLIMITED else None


def limit_remark(config: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> str | None:
    """What to say at start where the tokenizer allows less than config.json's positions."""
    limit, positions = tokenizer_limit(tokenizer), config.get("max_position_embeddings")
    if limit is None or not isinstance(positions, int) or limit >= positions:
        return None
    return (
        f"the reward model scores texts of up to {limit} tokens, as its tokenizer says (model_max_length), though it"
        f" has {positions} positions. A longer text is too_long. If it was trained for more, set"
        f" rm_max_tokens={positions}"
    )
