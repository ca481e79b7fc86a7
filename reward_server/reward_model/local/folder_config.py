"""What in a model folder's `config.json`, as it is written, makes a right score impossible here.

transformers passes over most of this in silence: it drops the scales of quantised weights, and takes its own class of
a model where the folder names another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.model_folder import TWO_LAYERS

_DTYPES = {"float64", "float32", "float16", "bfloat16", "auto"}
_QUANTISED = ("quantization_config", "compression_config", "quantization")
_QUANTISED_FILES = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")


def refuse_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises UnfitModel for weights that are quantised or elsewhere, and for code that would have to run."""
    _refuse_quantised(folder, config)
    for table in _tables(config):
        for name in ("dtype", "torch_dtype"):
            if isinstance(table.get(name), str) and table[name].removeprefix("torch.") not in _DTYPES:
                raise UnfitModel(
                    f"{folder}: config.json has {name} {table[name]}; served are {', '.join(sorted(_DTYPES))}: save the"
                    " model in one of them"
                )
    if config.get("transformers_weights") is not None:
        raise UnfitModel(
            f"{folder}: config.json names other weights ({config['transformers_weights']}, transformers_weights): name"
            " the file model.safetensors and delete that entry"
        )
    own = _own_code(config)
    if own is not None:
        raise UnfitModel(
            f"{folder} computes its score by code of its own ({own}, auto_map in config.json), which is never run"
            " (trust_remote_code stays off); serve it by the program that its authors name"
        )


def _refuse_quantised(folder: Path, config: Mapping[str, Any]) -> None:
    for table in _tables(config):
        for name in _QUANTISED:
            found = table.get(name)
            if found:
                method = found.get("quant_method", "some method") if isinstance(found, Mapping) else found
                raise UnfitModel(f"{folder} is quantised ({name} in config.json, {method}): {_INSTEAD}")
    for name in _QUANTISED_FILES:
        if (folder / name).exists():
            raise UnfitModel(f"{folder} is quantised ({name}): {_INSTEAD}")


_INSTEAD = (
    "its scores here would be those of another model. Serve it by vLLM (rm_engine=vllm), or take the model as it was"
    " before, or save it dequantised in bfloat16 without that entry"
)


def _own_code(config: Mapping[str, Any]) -> str | None:
    """The class in the folder that would score. What is left of a base model's own code (`AutoModelForCausalLM` of
    Phi-3, `AutoConfig`) names another class than `architectures`, and does not count. Nor does a class whose
    computation is known here."""
    classes = config.get("auto_map")
    if not isinstance(classes, Mapping):
        return None
    architectures = [str(each) for each in config.get("architectures") or ()]
    for auto, code in classes.items():
        named = str(code[0] if isinstance(code, list) and code else code)
        is_scoring = auto in ("AutoModelForSequenceClassification", "AutoModelForTokenClassification")
        if architectures == [named.rpartition(".")[2]] and architectures[0] in TWO_LAYERS:
            continue
        if is_scoring or (auto.startswith("AutoModel") and named.rpartition(".")[2] in architectures):
            return named
    return None


def _tables(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The configuration and those inside it (`text_config`)."""
    yield config
    for value in config.values():
        if isinstance(value, Mapping):
            yield from _tables(value)
