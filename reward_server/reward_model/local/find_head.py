"""Which of the weights of a folder are its head. Refused by name is what would be another model's score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.head import VALUE_HEAD, Head, Layer
from reward_server.reward_model.local.stored_weights import StoredWeights
from reward_server.reward_model.model_folder import TWO_LAYERS
from reward_server.types import WantedHead

_BODY = re.compile(
    r"(^|\.)(layers?|h|blocks?)\.\d+\.|embed|(^|\.)(wte|wpe|norm|ln_f|final_\w*norm|lm_head)(_f)?\.|rotary|inv_freq"
)
"""Names of what every language model has: layers, embeddings, the last norm, its own head."""
_HARMLESS = re.compile(r"^lm_head\.weight$|\.inv_freq$|rotary_emb")
"""Left aside without loss: the head of the language model, and tables that are computed anyway."""
_LANGUAGE_HEAD = re.compile(r"^(lm_head|embed_out)\.(weight|bias)$")
"""The same in the weights of a whole language model, beside which a value head stands."""
_WHAT_TO_DO = (
    "Served is one linear head, `score.weight` [1, H] and perhaps `score.bias` [1], read at the last token. A head of"
    " one row under another name can be renamed; several layers, several rows or a gate cannot be served here"
)
_LANGUAGE_MODEL = (
    "It has no head at all: is it a language model, or one that judges in words? Where the reward is row 0 of its"
    " lm_head, as in Llama-3.1-Nemotron-70B-Reward-HF, set rm_head=lm_head"
)


def named_labels(config: Mapping[str, Any]) -> int | None:
    """How many labels `config.json` names; None where it names none, and transformers would take two."""
    labels = config.get("id2label")
    if isinstance(labels, Mapping):
        return len(labels)
    count = config.get("num_labels")
    return count if isinstance(count, int) else None


def find_head(
    folder: Path, config: Mapping[str, Any], weights: StoredWeights, hidden: int, wanted: WantedHead = "auto"
) -> Head:
    """The head in the folder, whose config.json is `config`. Raises UnfitModel where it is none of those above."""
    names = [name for name in _names(config) if f"{name}.weight" in weights.tensors] or _wrapped(weights)
    has_two = _is_double(config) and {"score.0.weight", "score.2.weight"} <= weights.tensors.keys()
    if wanted == "lm_head":
        names.append("lm_head")
    elif has_two:
        names.append("score.0")
    if wanted == "lm_head" and config.get("tie_word_embeddings"):
        raise UnfitModel(f"{folder}: its lm_head is its embeddings (tie_word_embeddings), so no row of it is a reward")
    if not names or (names == ["lm_head"] and "lm_head.weight" not in weights.tensors):
        missing = "lm_head.weight" if names else "score.weight"
        raise UnfitModel(
            f"{folder} lacks weights: {missing}; without them the scores would be random. {_found(weights)}"
        )
    if len(names) > 1:
        raise UnfitModel(f"{folder} holds several heads ({', '.join(names)}): delete those that are not meant")
    head = (
        _double(folder, weights, hidden) if names == ["score.0"] else _single(folder, config, weights, names[0], hidden)
    )
    left = sorted(weights.apart - set(head.keys))
    if left:
        raise UnfitModel(f"{folder} keeps {', '.join(left[:5])} in a file of its own, which the model would not use")
    return head


def refuse_unused(folder: Path, head: Head, unused: Iterable[str], weights: StoredWeights) -> None:
    """Raises UnfitModel where the model would leave weights aside that may count. `unused`: as transformers says."""
    used = {*head.keys, *(key.partition(".")[2] for key in head.keys if key.count(".") > 1)}  # without `model.` too
    left = sorted(key for key in unused if key not in used and not _HARMLESS.search(key))
    if head.is_value_head:
        left = [key for key in left if not _LANGUAGE_HEAD.search(key)]
    if left:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        raise UnfitModel(
            f"{folder} holds weights that the model would not use: {', '.join(left[:5])}{more}; the scores would be"
            f" those of another model. {_found(weights)}"
        )


def _single(folder: Path, config: Mapping[str, Any], weights: StoredWeights, name: str, hidden: int) -> Head:
    shape, bias = weights.tensors[f"{name}.weight"].shape, weights.tensors.get(f"{name}.bias")
    labels = _labels(config, name)
    rows = shape[0] if name == "lm_head" and len(shape) == 2 else labels
    if len(shape) == 2 and shape[0] != rows:
        raise UnfitModel(
            f"{folder} has {shape[0]} labels ({name}.weight has so many rows), {_why_not(config, shape[0])}"
        )
    if shape != (rows, hidden) or (bias is not None and bias.shape != (rows,)):
        raise UnfitModel(
            f"{folder}: {name}.weight has the shape {list(shape)}{f', its bias {list(bias.shape)}' if bias else ''}; a"
            f" linear head on this model has [{rows}, {hidden}] and [{rows}]"
        )
    return Head((Layer(name, bias is not None, labels),))


def _why_not(config: Mapping[str, Any], rows: int) -> str:
    """Why a head with so many rows is not served."""
    named = named_labels(config)
    if named is None:
        return (
            "and its config.json names none. transformers adds such a head to a language model at random. If these were"
            " trained, name them in id2label"
        )
    if named != rows:
        return f"and its config.json names {named}: which is right cannot be told"
    return "and a reward model of this kind has one. Several are served from a *ForSequenceClassification"


def _labels(config: Mapping[str, Any], name: str) -> int:
    """How many labels the head may have: as many as are named, where they are of a whole text."""
    is_sequence = any(each.endswith("ForSequenceClassification") for each in _architectures(config))
    return named_labels(config) or 1 if is_sequence and name not in (VALUE_HEAD, "lm_head") else 1


def _double(folder: Path, weights: StoredWeights, hidden: int) -> Head:
    shapes = {key: stored.shape for key, stored in weights.tensors.items() if key.startswith("score.")}
    width = shapes["score.0.weight"][0] if shapes["score.0.weight"] else 0
    wanted = {
        "score.0.weight": (width, hidden),
        "score.0.bias": (width,),
        "score.2.weight": (1, width),
        "score.2.bias": (1,),
    }
    if shapes != wanted:
        listed = ", ".join(f"{key} {list(shape)}" for key, shape in sorted(shapes.items()))
        raise UnfitModel(
            f"{folder}: its head is {listed}; a head of two layers on this model has score.0.weight [W, {hidden}],"
            " score.0.bias [W], score.2.weight [1, W] and score.2.bias [1]"
        )
    return Head((Layer("score.0", has_bias=True, rows=width), Layer("score.2", has_bias=True, rows=1)))


def _names(config: Mapping[str, Any]) -> list[str]:
    prefix = config.get("value_head_prefix")
    names = [prefix] if isinstance(prefix, str) else []
    names += ["score", VALUE_HEAD]
    architectures = _architectures(config)
    if architectures == ["RewardModel"]:
        names.append("value_head")  # OpenRLHF's, before its configurations named it
    if any(each.endswith("ForTokenClassification") for each in architectures):
        names.append("classifier")
    return list(dict.fromkeys(names))


def _is_double(config: Mapping[str, Any]) -> bool:
    architectures = _architectures(config)
    return len(architectures) == 1 and architectures[0] in TWO_LAYERS


def _architectures(config: Mapping[str, Any]) -> list[str]:
    return [str(each) for each in config.get("architectures") or ()]


def _wrapped(weights: StoredWeights) -> list[str]:
    """`model.score`, of a model that was saved inside another module; transformers knows it too."""
    found = [key.removesuffix(".weight") for key in weights.tensors if re.fullmatch(r"\w+\.score\.weight", key)]
    return found if len(found) == 1 else []


def _found(weights: StoredWeights) -> str:
    """What else may be a head in these weights, and what to do."""
    others = [key for key in weights.tensors if not _BODY.search(key)]
    if not others:
        return _LANGUAGE_MODEL
    listed = ", ".join(f"{key} {list(weights.tensors[key].shape)}" for key in others[:6])
    return f"Beside a language model's the file holds {listed}{', …' if len(others) > 6 else ''}. {_WHAT_TO_DO}"
