"""Models that say several numbers of a text: attributes such as helpfulness and verbosity, or an ensemble's heads.

Which of them is the score has to be said: `label` takes one, `label_weights` a weighted sum. The numbers are the
model's raw ones: no softmax is taken over them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reward_server.errors import InvalidRequest
from reward_server.reward_model.engine import RawScore

_SHOWN = 10
"""Names of labels in an error."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`label`: counted from 0. `weights`: one a label. At most one of the two is given."""

    label: int | None = None
    weights: tuple[float, ...] | None = None

    def check(self, labels: Sequence[str]) -> None:
        """Raises InvalidRequest where the choice does not fit a model with these labels."""
        count = len(labels)
        listed = ", ".join(f"{n} {name}" for n, name in enumerate(labels[:_SHOWN])) + (", …" if count > _SHOWN else "")
        has = f"the reward model has {'one label' if count == 1 else f'{count} labels ({listed})'}"
        if self.weights is not None and len(self.weights) != count:
            raise InvalidRequest(f"label_weights: {len(self.weights)} numbers are given, and {has}")
        if self.label is not None and self.label >= count:
            raise InvalidRequest(f"label: {self.label} is given, and {has}, counted from 0")
        if count > 1 and self.label is None and self.weights is None:
            raise InvalidRequest(f"{has}: say which is the score by label, or weigh them by label_weights")

    def score(self, said: RawScore) -> float:
        """The one number that counts, of those that the model said."""
        values = values_of(said)
        if self.weights is not None:
            return math.fsum(weight * value for weight, value in zip(self.weights, values, strict=True))
        return values[self.label or 0]


@dataclass(frozen=True, slots=True)
class Spread:
    """How the labels of one text differ. `std`: over all labels, divided by their number."""

    mean: float
    min: float
    std: float


def spread(said: RawScore) -> Spread:
    """Of an ensemble `min`, or `mean` less some `std`, is a cautious score."""
    values = values_of(said)
    mean = math.fsum(values) / len(values)
    return Spread(mean, min(values), math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)))


def values_of(said: RawScore) -> tuple[float, ...]:
    return said if isinstance(said, tuple) else (said,)
