"""One URL, understood."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NamedTuple
from urllib.parse import urlencode

from reward_server.grading.reading import Reading
from reward_server.reward_model.request import ModelAnswer
from reward_server.rewards.composite import Composite
from reward_server.rewards.found import Derivation, Found, Joined, Needs
from reward_server.rewards.reasoning import PhraseList, Rpr
from reward_server.rewards.reward import AnyReward, Reward
from reward_server.types import Outcome, Sample, Score, Verdict

MAX_SHOWN_CHARS = 200
_NOTHING = Reading("", None, has_eaten_escape=False)


class Questions(NamedTuple):
    """What is asked about a completion. Where two plans have the same, one answer serves both."""

    read: Hashable
    grade: Hashable
    rpr: Hashable
    model: Hashable


@dataclass(frozen=True)
class Plan:
    """A reward with its parameters set, under the name that the URL gives it.

    `config`: 12 hex digits over all that can change a value. `parts`: of a reward that is made of others, the plan of
    each, by the part's name or by the source of the route. `is_parallel`: they wait for different things, so they are
    asked side by side.
    """

    name: str
    reward: AnyReward
    needs: Needs
    phrases: PhraseList
    config: str
    parts: Mapping[str, Plan] = field(default_factory=dict)
    needs_of_parts: tuple[Needs, ...] = ()
    is_parallel: bool = False

    def shown(self) -> str:
        """The parameters in the digest that are not at their defaults, as a query string.

        In alphabetical order, 200 characters at most.
        """
        given = [(key, _as_given(value)) for key, value in sorted(self._given())]
        text = urlencode(given, safe=",@", errors="backslashreplace")
        return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"

    def _given(self) -> Iterator[tuple[str, object]]:
        yield from self.reward.given().items()
        for name, part in self.parts.items():
            yield from ((f"{name}.{key}", value) for key, value in part._given())

    def all_needs(self) -> tuple[Needs, ...]:
        """What it needs, or what its parts do, each once."""
        return self.needs_of_parts if self.parts else (self.needs,)

    @cached_property
    def composite(self) -> Composite | None:
        """The reward, where it is made of others. (To ask a pydantic model what it is takes a microsecond.)"""
        return self.reward if isinstance(self.reward, Composite) else None

    @cached_property
    def grades_mathematics(self) -> bool:
        """Does it, or one of its parts, grade by `check=math`?"""
        return any(needs.check == "math" for needs in self.all_needs())

    @cached_property
    def asks_a_model(self) -> bool:
        """Does it, or one of its parts, need a reward model's score?"""
        return any(needs.model is not None for needs in self.all_needs())

    @cached_property
    def asks_an_opinion(self) -> bool:
        """Does it, or one of its parts, ask a second opinion?"""
        return any(needs.reference is not None for needs in self.all_needs())

    @cached_property
    def questions(self) -> Questions:
        """Of a reward that is not made of others: what it asks, where its `needs` say that it does."""
        needs = self.needs
        read = needs.check == "string", needs.place, needs.turn
        reasoning = self.reward.reasoning_key() if isinstance(self.reward, Reward) else None
        return Questions(
            read=("read", read),
            grade=("grade", read, needs.check, needs.ordered),
            rpr=("rpr", needs.turn, reasoning),
            model=("model", needs.turn, needs.model),
        )

    @cached_property
    def rpr(self) -> Callable[[str], Rpr]:
        """What gives RPR of a completion's own turn. Raises LookupError for a reward that is made of others."""
        if not isinstance(self.reward, Reward):
            raise LookupError("RPR is asked of the parts")
        return partial(self.reward.reasoning, phrases=self.phrases)


def _as_given(value: object) -> str:
    """A parameter's value as a query string has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def joined_needs(parts: Iterable[Plan]) -> tuple[Needs, ...]:
    """What the parts need, each once."""
    return tuple(dict.fromkeys(needs for part in parts for needs in part.all_needs()))


def wait_for_several(parts: Collection[Plan], is_route: bool) -> bool:
    """Do they wait for more than one thing: for workers, a reward model, graders of one's own?

    Parts of a mix share what they ask alike. Routes ask for other samples each.
    """
    waiting = [[needs for needs in part.all_needs() if _waits(needs)] for part in parts]
    if is_route:
        return len({part.config for part, asked in zip(parts, waiting, strict=True) if asked}) > 1
    return len({replace(needs, rpr=False) for asked in waiting for needs in asked}) > 1


def _waits(needs: Needs) -> bool:
    return needs.model is not None or any(check not in (None, "string") for check in (needs.check, needs.reference))


def blank(plan: Plan) -> Score:
    """The score of a sample of which nothing could be found out: it has the keys that every other score of it has."""
    sample = Sample("", prompt="", ground_truths=(), group="")
    if plan.parts:
        parts = {name: Derivation(Found(_NOTHING), blank(part)) for name, part in plan.parts.items()}
        return plan.reward.settle(sample, Joined(_NOTHING, parts=parts))
    needs = plan.needs
    verdict = Verdict(Outcome.UNGRADABLE, "", "", "") if needs.check else None
    rpr = Rpr(0.0, 0, 0.0, 0) if needs.rpr else None
    answer = ModelAnswer(Outcome.ERROR) if needs.model else None
    return plan.reward.settle(sample, Found(_NOTHING, verdict, rpr, answer))
