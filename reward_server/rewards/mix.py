"""`mix`: several rewards as one.

    reward = Σ weight · part,  0 where the gate is closed        in float64, then once on the grid

A part is what that reward pays, before its own rounding. The gate is one of the parts, and it is closed where that is
paid 0 (after its noise). Range: that of the sum. A part without a reward leaves the sample without one, whatever the
gate says: a part that is left out would change the scale, and a gate that hides it would pay a silent 0.

The outcome is the gate's. Without a gate it is that of the first part that grades an answer, and else `scored`. Where
parts have no reward it is that of the first such part. Evaluation rows are paid the same sum of what each part pays
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum
from typing import Self

from pydantic import Field, PrivateAttr

from reward_server.rewards.composite import Composite, scores_of
from reward_server.rewards.found import Found
from reward_server.rewards.grid import to_grid
from reward_server.types import JoinedScore, Outcome, Sample, Score

GRADED = ("clean", "flipped")
"""Parts of a part that the mix has under their own name too: is the answer right, and was that inverted?"""


class MixReward(Composite):
    """Several rewards as one: the weighted sum of its parts (`PART=WEIGHT`, `PART.PARAMETER=VALUE`), or 0 where the
    gate is paid 0."""

    gate: str = Field("", description="The part without which nothing is earned: where it is paid 0, so is the sample.")

    _weights: dict[str, float] = PrivateAttr(default_factory=dict)

    @property
    def weights(self) -> Mapping[str, float]:
        """What each part is worth, by its name."""
        return self._weights

    def of(self, weights: Mapping[str, float]) -> Self:
        """The same with its parts. Raises ValueError where they make no reward."""
        if self.gate and self.gate not in weights:
            raise ValueError(f"gate: no part is called {self.gate!r}; parts: {', '.join(weights)}")
        if not any(weights.values()):
            raise ValueError("every weight is 0, so every reward would be")
        self._weights = dict(weights)
        return self

    def made_of(self) -> Mapping[str, object]:
        """Part and weight."""
        return self._weights

    def rows(self, samples: Sequence[Sample]) -> dict[str, list[int]]:
        """Every part is asked about every sample."""
        everything = list(range(len(samples)))
        return dict.fromkeys(self.total.weights, everything)

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """Penalties that make it pay to stay before a closed gate."""
        penalties = fsum(weight for weight in self._weights.values() if weight < 0)
        if not self.gate or self._weights[self.gate] + penalties >= 0:
            return ()
        return (
            f"gate={self.gate}: its weight is less than the penalties together ({penalties:g}), so a sample that passes"
            " may be paid less than one that does not, which is paid 0",
        )

    def settle(self, sample: Sample, found: Found) -> JoinedScore:
        """The weighted sum; null where a part is."""
        return self.total.settled(scores_of(found))

    def is_closed(self, scores: Mapping[str, Score]) -> bool:
        """True where the gate is paid 0: on the grid, as it would be paid alone."""
        return self.total.is_closed(scores)

    @cached_property
    def total(self) -> Total:
        """What adds the parts up."""
        return Total(self._weights, self.gate)


@dataclass(frozen=True, slots=True)
class Total:
    """A sum of parts. An object of its own, since an attribute of a pydantic model takes a microsecond.

    `names`: of each part, those of its own parts as the mix has them; the same for every sample.
    """

    weights: Mapping[str, float]
    gate: str
    names: dict[str, list[str]] = field(default_factory=dict)

    def is_closed(self, scores: Mapping[str, Score]) -> bool:
        """True where the gate is paid 0."""
        return bool(self.gate) and scores[self.gate].reward == 0

    def settled(self, scores: Mapping[str, Score]) -> JoinedScore:
        """What the parts come to together."""
        graded = self._graded(scores)
        parts = self._parts(scores, graded)
        for name, score in scores.items():
            if score.reward is None:
                said = score.reason if isinstance(score, JoinedScore) else ""
                reason = f"its part {name}: {said}" if said else ""
                return JoinedScore(score.outcome, None, None, parts, components=dict.fromkeys(scores), reason=reason)
        is_closed = self.is_closed(scores)
        components = self._components(scores, is_closed)
        unrounded = fsum(components.values())
        reward = to_grid(unrounded)
        shown = reward if graded is None else 0.0 if is_closed else graded.shown
        outcome = self._outcome(scores, graded)
        return JoinedScore(outcome, reward, shown, parts, unrounded=unrounded, components={**components})

    def _graded(self, scores: Mapping[str, Score]) -> Score | None:
        """That of the part that says whether the answer is right: the gate, or else the first that does."""
        if self.gate and "clean" in scores[self.gate].parts:
            return scores[self.gate]
        for score in scores.values():
            if "clean" in score.parts:
                return score
        return None

    def _parts(self, scores: Mapping[str, Score], graded: Score | None) -> dict[str, float | None]:
        """Each part's pay under its name, and its own parts behind that: `right`, `right/clean`."""
        parts = {} if graded is None else {name: graded.parts[name] for name in GRADED if name in graded.parts}
        for name, score in scores.items():
            names = self.names.get(name)
            if names is None:
                names = self.names[name] = [f"{name}/{inner}" for inner in score.parts]
            parts[name] = score.unrounded
            parts.update(zip(names, score.parts.values(), strict=True))
        return parts

    def _components(self, scores: Mapping[str, Score], is_closed: bool) -> dict[str, float]:
        if is_closed:
            return dict.fromkeys(scores, 0.0)
        return {name: self.weights[name] * _paid(score) + 0.0 for name, score in scores.items()}  # never -0.0

    def _outcome(self, scores: Mapping[str, Score], graded: Score | None) -> Outcome:
        if self.gate:
            return scores[self.gate].outcome
        return Outcome.SCORED if graded is None else graded.outcome


def _paid(score: Score) -> float:
    if score.unrounded is None:
        raise LookupError("a part has a reward, and not what it was before it came to the grid")
    return score.unrounded
