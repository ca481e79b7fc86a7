"""The head of a reward model: found by name in the weights, computed in float32 at the last token's hidden state h [H].

    one layer       weight [k, H] · h (+ bias [k]), one number for each of k labels, mostly one
    two layers      weight₂ [1, W] · relu(weight₁ [W, H] · h + bias₁ [W]) + bias₂ [1]
    row 0           row 0 of the language model's own head, lm_head.weight [V, H], where the settings ask for it

One layer is called `score`, as transformers has it; `value_head_prefix` of the configuration or `value_head`, as
OpenRLHF has it; `classifier`, as the token classifiers of some architectures have it; or `v_head.summary`, as the value
heads of TRL (until 0.11) and LLaMA-Factory have it. Two layers are `score.0` and `score.2`. What is between them is not
in the weights, so they are taken from the classes whose code is known to have a ReLU there. A bias is used where there
is one. Several labels are taken from sequence classifiers whose configuration names as many. Not covered: several
labels that nobody named, which transformers adds at random, several a token, other classes of several layers, gates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.stored_weights import StoredWeights
from reward_server.reward_model.model_folder import TWO_LAYERS
from reward_server.types import WantedHead

if TYPE_CHECKING:
    import torch

VALUE_HEAD = "v_head.summary"

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


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer on disk. `name`: of its module. `rows`: how many of its rows count, the first ones."""

    name: str
    has_bias: bool
    rows: int

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{part}" for part in (("weight", "bias") if self.has_bias else ("weight",)))

    def load(self, weights: StoredWeights) -> torch.nn.Linear:
        import torch

        weight = weights.tensor(f"{self.name}.weight", self.rows).float()
        layer = torch.nn.Linear(weight.shape[1], self.rows, bias=self.has_bias)
        layer.weight.data = weight
        if self.has_bias:
            layer.bias.data = weights.tensor(f"{self.name}.bias", self.rows).float()
        if not all(parameter.isfinite().all() for parameter in layer.parameters()):
            raise UnfitModel(
                f"{self.name} holds numbers that are not finite, so every score would be: was the training broken?"
            )
        return layer


@dataclass(frozen=True, slots=True)
class Head:
    """Where the head is stored: one layer, or two with a ReLU between them."""

    layers: tuple[Layer, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for layer in self.layers for key in layer.keys)

    @property
    def labels(self) -> int:
        """How many numbers it says of a text."""
        return self.layers[-1].rows

    @property
    def is_value_head(self) -> bool:
        """True for what a critic has too: nothing in the files tells whether it was trained to be a reward."""
        return self.layers[0].name == VALUE_HEAD

    @property
    def kind(self) -> str | None:
        """For `config`; None for the usual one, without a bias."""
        if len(self.layers) > 1:
            return "two layers with a ReLU"
        if self.layers[0].name == "lm_head":
            return "row 0 of lm_head"
        return "weight + bias" if self.layers[0].has_bias else None

    def load(self, weights: StoredWeights) -> torch.nn.Module:
        """The layers in float32, in the numbers in which they are stored: often float32 where the body is bfloat16."""
        import torch

        first, *others = [layer.load(weights) for layer in self.layers]
        return torch.nn.Sequential(first, torch.nn.ReLU(), *others) if others else first


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
