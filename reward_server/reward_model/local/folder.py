"""A reward model on disk, loaded only if it can give right scores.

transformers would serve most broken models without an exception: a missing head is initialised at random, a bias or a
layer that its class does not have is left aside, labels that nobody trained are returned as they are, a text beyond the
rotary cache is scaled by what came before it. No code of the folder is ever run.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.find_head import find_head, named_labels, refuse_unused
from reward_server.reward_model.local.folder_config import refuse_config
from reward_server.reward_model.local.head import Head
from reward_server.reward_model.local.stored_weights import StoredWeights
from reward_server.reward_model.model_folder import read_config
from reward_server.types import WantedHead

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

_STATELESS_ROTARY = {"default", "linear", "llama3", "yarn", "proportional"}
"""Rotary types whose frequencies do not depend on the length of the text, nor on the text before it."""

_WHOLE_ROTARY = {"longrope"}
"""Their frequencies depend on the length of the text, but not on the text before it."""

_LAYERS = {"full_attention", "sliding_attention"}
"""Layers whose state is a KV cache, which can be shared without being changed."""

_WHOLE_LAYERS = {"linear_attention"}
"""Layers of Qwen3-Next and Qwen3.5, whose state changes with every token."""


class LoadedFolder(NamedTuple):
    """The model and where its head was. `can_share`: may a prompt be computed once for several completions? Without
    it a text is read whole, in one pass."""

    model: PreTrainedModel
    head: Head
    can_share: bool


def read_model(folder: Path, dtype: torch.dtype, device: torch.device, head_at: WantedHead = "auto") -> LoadedFolder:
    """The model: body in `dtype`, head in float32 as it is stored, in inference mode. Raises UnfitModel."""
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    raw = read_config(folder)
    refuse_config(folder, raw)
    config, hidden = _checked_structure(folder, raw)
    weights = StoredWeights(folder)
    head = find_head(folder, raw, weights, hidden, head_at)
    model: PreTrainedModel
    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=weights.is_safetensors,
            weights_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise UnfitModel(f"{folder} cannot be loaded as a sequence classifier: {error}") from error
    _refuse_missing(folder, loading, weights)
    refuse_unused(folder, head, map(str, loading["unexpected_keys"]), weights)
    for parameter in model.base_model.parameters():
        parameter.data = parameter.data.to(dtype)  # not `.to` of the module: it would round the rotary frequencies too
    model.score = head.load(weights)
    model.to(device)  # type: ignore[arg-type]  # its wrapper hides the argument from mypy
    model.requires_grad_(False).train(False)
    return LoadedFolder(model, head, _can_share(config))


def longest_text(config: PretrainedConfig) -> int | None:
    """Tokens the positions of the model reach; None when it does not say."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def label_names(config: PretrainedConfig, labels: int) -> tuple[str, ...]:
    """What config.json calls the numbers that the model says of a text."""
    named = {str(n): str(name) for n, name in (config.id2label or {}).items()}
    return tuple(named.get(str(n), f"LABEL_{n}") for n in range(labels))


def _checked_structure(folder: Path, raw: Mapping[str, Any]) -> tuple[PretrainedConfig, int]:
    """The configuration, with one label where it names none, and the length H of a hidden state.

    The model is built without memory for its numbers, so that a folder is refused before gigabytes are read.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if named_labels(raw) is None:
            config.num_labels = 1
        with torch.device("meta"):
            skeleton: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
                copy.deepcopy(config), trust_remote_code=False
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise UnfitModel(f"{folder} cannot be loaded as a sequence classifier: {error}") from error
    _refuse_bad_structure(folder, skeleton)
    return config, cast("torch.nn.Linear", skeleton.score).in_features


def _refuse_missing(folder: Path, loading: Mapping[str, Any], weights: StoredWeights) -> None:
    """`score.weight` may be missing under that name: the head is loaded by `Head`."""
    missing = sorted(set(loading["missing_keys"]) - {"score.weight"}) + sorted(map(str, loading["mismatched_keys"]))
    if missing:
        raise UnfitModel(
            f"{folder} lacks weights: {', '.join(missing[:5])}; without them the scores would be random (its files hold"
            f" {', '.join(sorted(weights.tensors)[:3])}, …: are they of another model, or cut off?)"
        )


def _refuse_bad_structure(folder: Path, model: PreTrainedModel) -> None:
    head = getattr(model, "score", None)
    if getattr(head, "out_features", None) != model.config.num_labels:
        raise UnfitModel(f"{type(model).__name__} is not a decoder with a linear head `score`")
    config = model.config.get_text_config()
    strange = _layer_types(config) - _LAYERS - _WHOLE_LAYERS
    if strange:
        raise UnfitModel(f"{folder} has layers of type {', '.join(sorted(strange))}, which are not served here")
    strange = _rotary_types(config) - _STATELESS_ROTARY - _WHOLE_ROTARY
    if strange:
        raise UnfitModel(
            f"{folder} has rotary embeddings of type {', '.join(sorted(strange))}: a score would depend on the length"
            " of other texts"
        )


def _can_share(config: PretrainedConfig) -> bool:
    config = config.get_text_config()
    return _layer_types(config) <= _LAYERS and _rotary_types(config) <= _STATELESS_ROTARY


def _layer_types(config: PretrainedConfig) -> set[str]:
    return set(getattr(config, "layer_types", None) or ())


def _rotary_types(config: PretrainedConfig) -> set[str]:
    """`rope_parameters` is one table, or one for each type of layer."""
    parameters = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    tables = [parameters] if "rope_type" in parameters else [t for t in parameters.values() if isinstance(t, dict)]
    return {str(table.get("rope_type", "default")) for table in tables}
