"""A reward model on disk, loaded only if it can give right scores.

transformers would serve most broken models without an exception: a missing head is initialised at random, several
labels are returned as they are, a text beyond the rotary cache is scaled by what came before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from reward_server.workers.engine import EngineRefused

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_COUNTS = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt")
"""Endings of the files that can change a score: weights, configurations, templates, vocabularies."""

_STATELESS_ROTARY = {"default", "linear", "llama3", "yarn", "proportional"}
"""Rotary types whose frequencies do not depend on the length of the text, nor on the text before it."""

_LAYERS = {"full_attention", "sliding_attention"}
"""Layers whose state is a KV cache, which can be shared without being changed."""


def load_model(folder: Path, dtype: torch.dtype, device: torch.device) -> PreTrainedModel:
    """The model: body in `dtype`, head in float32 as it is stored, in inference mode. Raises EngineRefused.

    Of weights that are not safetensors the head is rounded to the type that the configuration names.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    if not (folder / "config.json").is_file():
        raise EngineRefused(
            f"{folder} is not a model folder: it has no config.json (`hf download ID --local-dir DIR` makes one)"
        )
    model: PreTrainedModel
    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise EngineRefused(f"{folder} cannot be loaded as a sequence classifier: {error}") from error
    _refuse_bad_weights(folder, loading)
    _refuse_bad_structure(folder, model)
    for parameter in model.base_model.parameters():
        parameter.data = parameter.data.to(dtype)  # not `.to` of the module: it would round the rotary frequencies too
    head = cast("torch.nn.Module", model.score).float()
    head.load_state_dict(_stored_head(folder, head.state_dict()), strict=False)
    model.to(device)  # type: ignore[arg-type]  # its wrapper hides the argument from mypy
    model.requires_grad_(False).train(False)
    return model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer. Raises EngineRefused when there is none, or when it has no chat template."""
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise EngineRefused(f"{folder} is not a folder")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineRefused(f"{folder} has no usable tokenizer: {error}") from error
    if tokenizer.chat_template is None:
        raise EngineRefused(f"the tokenizer of {folder} has no chat template: the model's input cannot be rendered")
    return tokenizer


def digest(folder: Path) -> str:
    """12 hex digits over the names and bytes of all files of the folder that can change a score; reads them whole."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _COUNTS:
            with path.open("rb") as file:
                whole.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:12]


def longest_text(config: PretrainedConfig) -> int | None:
    """Tokens the positions of the model reach; None when it does not say."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def _stored_head(folder: Path, names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Those parameters of `score` in the numbers in which they are stored: transformers rounds to the type that the
    configuration names, and a head is often float32 where the body is bfloat16."""
    from safetensors import safe_open

    index = folder / "model.safetensors.index.json"
    shards = {} if (folder / "model.safetensors").is_file() or not index.is_file() else json.loads(index.read_text())
    head = {}
    for name in names:
        key = f"score.{name}"
        path = folder / shards.get("weight_map", {}).get(key, "model.safetensors")
        if path.is_file():
            with safe_open(path, framework="pt") as file:
                if key in file.keys():  # noqa: SIM118 - no dict
                    head[name] = file.get_tensor(key)
    return head


def _refuse_bad_weights(folder: Path, loading: dict[str, Any]) -> None:
    missing = sorted(loading["missing_keys"]) + sorted(str(key) for key in loading["mismatched_keys"])
    if missing:
        raise EngineRefused(
            f"{folder} lacks weights: {', '.join(missing[:5])}; without them the scores would be random"
            " (is it a language model without a reward head?)"
        )


def _refuse_bad_structure(folder: Path, model: PreTrainedModel) -> None:
    labels = model.config.num_labels
    if labels != 1:
        raise EngineRefused(f"{folder} has {labels} labels; a reward model has one")
    head = getattr(model, "score", None)
    if getattr(head, "out_features", None) != 1:
        raise EngineRefused(f"{type(model).__name__} is not a decoder with a linear head `score`")
    config = model.config.get_text_config()
    strange = set(getattr(config, "layer_types", None) or ()) - _LAYERS
    if strange:
        raise EngineRefused(f"{folder} has layers of type {', '.join(sorted(strange))}, whose state cannot be shared")
    strange = _rotary_types(config) - _STATELESS_ROTARY
    if strange:
        raise EngineRefused(
            f"{folder} has rotary embeddings of type {', '.join(sorted(strange))}: a score would depend on the length"
            " of other texts"
        )


def _rotary_types(config: PretrainedConfig) -> set[str]:
    """`rope_parameters` is one table, or one for each type of layer."""
    parameters = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    tables = [parameters] if "rope_type" in parameters else [t for t in parameters.values() if isinstance(t, dict)]
    return {str(table.get("rope_type", "default")) for table in tables}
