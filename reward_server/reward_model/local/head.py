"""The head of a reward model: one linear layer with one row, found by name in the weights, computed in float32.

    score = weight [1, H] · hidden state [H] at the last token (+ bias [1])

Its name is `score`, as transformers has it; `value_head_prefix` of the configuration or `value_head`, as OpenRLHF has
it; or `classifier`, as the token classifiers of some architectures have it. A bias is used: token classifiers and
critics have one. Not covered: heads of several layers, of several rows, and those with other layers beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.stored_weights import StoredWeights

if TYPE_CHECKING:
    import torch

_BODY = re.compile(
    r"(^|\.)(layers?|h|blocks?)\.\d+\.|embed|(^|\.)(wte|wpe|norm|ln_f|final_\w*norm|lm_head)(_f)?\.|rotary|inv_freq"
)
"""Names of what every language model has: layers, embeddings, the last norm, its own head."""
_HARMLESS = re.compile(r"^lm_head\.weight$|\.inv_freq$|rotary_emb")
"""Left aside without loss: the head of the language model, and tables that are computed anyway."""
_WHAT_TO_DO = (
    "Served is one linear head, `score.weight` [1, H] and perhaps `score.bias` [1], read at the last token. A head of"
    " one row under another name can be renamed; several layers, several rows or a gate cannot be served here"
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the head is stored. `name`: of its module."""

    name: str
    has_bias: bool

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{part}" for part in (("weight", "bias") if self.has_bias else ("weight",)))

    def load(self, weights: StoredWeights) -> torch.nn.Linear:
        """The layer in float32, in the numbers in which it is stored: often float32 where the body is bfloat16."""
        import torch

        weight = weights.tensor(f"{self.name}.weight").float()
        layer = torch.nn.Linear(weight.shape[1], 1, bias=self.has_bias)
        layer.weight.data = weight
        if self.has_bias:
            layer.bias.data = weights.tensor(f"{self.name}.bias").float()
        if not all(parameter.isfinite().all() for parameter in layer.parameters()):
            raise UnfitModel(
                f"{self.name} holds numbers that are not finite, so every score would be: was the training broken?"
            )
        return layer


def named_labels(config: Mapping[str, Any]) -> int | None:
    """How many labels `config.json` names; None where it names none, and transformers would take two."""
    labels = config.get("id2label")
    if isinstance(labels, Mapping):
        return len(labels)
    count = config.get("num_labels")
    return count if isinstance(count, int) else None


def find_head(folder: Path, config: Mapping[str, Any], weights: StoredWeights, hidden: int) -> Head:
    """The head in the folder, whose config.json is `config`. Raises UnfitModel where it is not one such layer."""
    names = [name for name in _names(config) if f"{name}.weight" in weights.tensors] or _wrapped(weights)
    if not names:
        raise UnfitModel(
            f"{folder} lacks weights: score.weight; without them the scores would be random. {_found(weights)}"
        )
    if len(names) > 1:
        raise UnfitModel(f"{folder} holds several heads ({', '.join(names)}): delete those that are not meant")
    (name,) = names
    shape, bias = weights.tensors[f"{name}.weight"].shape, weights.tensors.get(f"{name}.bias")
    if len(shape) == 2 and shape[0] != 1:
        raise UnfitModel(f"{folder} has {shape[0]} labels ({name}.weight has so many rows); a reward model has one")
    if shape != (1, hidden) or (bias is not None and bias.shape != (1,)):
        raise UnfitModel(
            f"{folder}: {name}.weight has the shape {list(shape)}{f', its bias {list(bias.shape)}' if bias else ''}; a"
            f" linear head on this model has [1, {hidden}] and [1]"
        )
    return Head(name, bias is not None)


def refuse_unused(folder: Path, head: Head, unused: Iterable[str], weights: StoredWeights) -> None:
    """Raises UnfitModel where the model would leave weights aside that may count. `unused`: as transformers says."""
    used = {*head.keys, *(key.partition(".")[2] for key in head.keys if key.count(".") > 1)}  # without `model.` too
    left = sorted(key for key in unused if key not in used and not _HARMLESS.search(key))
    if left:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        raise UnfitModel(
            f"{folder} holds weights that the model would not use: {', '.join(left[:5])}{more}; the scores would be"
            f" those of another model. {_found(weights)}"
        )


def _names(config: Mapping[str, Any]) -> list[str]:
    prefix = config.get("value_head_prefix")
    names = [prefix] if isinstance(prefix, str) else []
    names.append("score")
    architectures = [str(each) for each in config.get("architectures") or ()]
    if architectures == ["RewardModel"]:
        names.append("value_head")  # OpenRLHF's, before its configurations named it
    if any(each.endswith("ForTokenClassification") for each in architectures):
        names.append("classifier")
    return list(dict.fromkeys(names))


def _wrapped(weights: StoredWeights) -> list[str]:
    """`model.score`, of a model that was saved inside another module; transformers knows it too."""
    found = [key.removesuffix(".weight") for key in weights.tensors if re.fullmatch(r"\w+\.score\.weight", key)]
    return found if len(found) == 1 else []


def _found(weights: StoredWeights) -> str:
    """What else may be a head in these weights, and what to do."""
    others = [key for key in weights.tensors if not _BODY.search(key)]
    if not others:
        return "It has no head at all: is it a language model, or one that judges in words?"
    listed = ", ".join(f"{key} {list(weights.tensors[key].shape)}" for key in others[:6])
    return f"Beside a language model's the file holds {listed}{', …' if len(others) > 6 else ''}. {_WHAT_TO_DO}"
