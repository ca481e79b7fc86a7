"""The head of a reward model: found by name in the weights, computed in float32 at the last token's hidden state h [H].

    one layer       weight [k, H] · h (+ bias [k]), one number for each of k labels, mostly one
    two layers      weight₂ [1, W] · relu(weight₁ [W, H] · h + bias₁ [W]) + bias₂ [1]
    row 0           row 0 of the language model's own head, lm_head.weight [V, H], where the settings ask for it

One layer is called `score`, as transformers has it; `value_head_prefix` of the configuration or `value_head`, as
OpenRLHF has it; `classifier`, as the token classifiers of some architectures have it; or `v_head.summary`, as the value
heads of TRL (until 0.24) and LLaMA-Factory have it. Two layers are `score.0` and `score.2`. What is between them is not
in the weights, so they are taken from the classes whose code is known to have a ReLU there. A bias is used where there
is one. Several labels are taken from sequence classifiers whose configuration names as many. Not covered: several
labels that nobody named, which transformers adds at random, several a token, other classes of several layers, gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reward_server.reward_model.engine import UnfitModel
from reward_server.reward_model.local.stored_weights import StoredWeights

if TYPE_CHECKING:
    import torch

VALUE_HEAD = "v_head.summary"


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
