"""What a reward asks about a sample, what was found out, and what it came to. `/explain` shows the same objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct, field

from reward_server.grading.places import Place
from reward_server.grading.reading import Check, Reading
from reward_server.grading.turn import Turn
from reward_server.reward_model.request import ModelAnswer, ModelQuestion
from reward_server.rewards.reasoning import Rpr
from reward_server.types import Score, Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Needs:
    """`check`: the rule by which the answer is graded. `place`: where it stands. `ordered`: must bare lists have the
    ground truth's order? `turn`: what of the completion is read. `reference`: a rule that gives a second opinion, and
    where it reads its answer: None is `place`."""

    check: Check | None = None
    place: Place = "box"
    ordered: bool = False
    turn: Turn = "own"
    rpr: bool = False
    model: ModelQuestion | None = None
    reference: Check | None = None
    reference_place: Place | None = None


class Found(Struct, frozen=True, gc=False):
    """All that was found out about one sample; None: the reward did not ask.

    `wrong_verdict`: against the wrong ground truth, of a sample that the reward mislabels. `reference`: what the second
    opinion says, of a sample of which it was asked.
    """

    reading: Reading
    verdict: Verdict | None = None
    rpr: Rpr | None = None
    model: ModelAnswer | None = None
    wrong_verdict: Verdict | None = None
    reference: Verdict | None = None


class Joined(Found, frozen=True):
    """The same of a reward that is made of others: how each of them that was asked came to its score."""

    parts: Mapping[str, Derivation] = field(default_factory=dict)


def asked(found: T | None) -> T:
    """What the reward's `needs` asked for. Raises LookupError where it did not."""
    if found is None:
        raise LookupError("`settle` reads what `needs` does not ask for")
    return found


class Derivation(Struct, frozen=True, gc=False):
    """How one sample came to its score."""

    found: Found
    score: Score


def parts_of(derivation: Derivation) -> Mapping[str, Derivation]:
    """Of a reward that is made of others, those of the parts that were asked; none of any other."""
    return derivation.found.parts if isinstance(derivation.found, Joined) else {}


def leaves_of(derivations: Sequence[Derivation]) -> Sequence[Derivation]:
    """Those of rewards that are not made of others: themselves, or in their place those of their parts."""
    if not derivations or not isinstance(derivations[0].found, Joined):
        return derivations
    leaves: list[Derivation] = []
    for each in derivations:
        _add_leaves(each, leaves)
    return leaves


def _add_leaves(derivation: Derivation, leaves: list[Derivation]) -> None:
    found = derivation.found
    if isinstance(found, Joined):
        for part in found.parts.values():
            _add_leaves(part, leaves)
    else:
        leaves.append(derivation)
