"""What every reward is: one class, whose fields are its parameters and whose methods say what it asks and what it pays.

The fields are the query string, the command line, the OpenAPI page and the check. A parameter that is unknown, given
twice, or out of range is a 422 that names the valid ones.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reward_server.grading.turn import Turn
from reward_server.rewards.found import Found, Needs
from reward_server.rewards.reasoning import PhraseList, Repetition, Rpr, Scope, rpr
from reward_server.types import Sample, Score

ANSWER = (
    "Where the answer stands: in the last box, in the last `<answer>…</answer>`, behind the last `####` at a line's"
    " start, in the first of these that there is, or everywhere."
)
"""What the parameter `answer` of several rewards means."""
CHECK = "How answers are graded: math, string (the paper's rule), or a check that rewards.toml names in [checks]."
"""What the parameter `check` means."""


RUN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)
"""A run is the name of a folder."""


def _run_name(name: str) -> str:
    if not RUN_NAME.fullmatch(name):
        raise ValueError("expected at most 100 letters, digits, `.`, `_` and `-`, the first no `.` and no `-`")
    return name


def _step(step: int) -> int:
    if not -(2**63) <= step < 2**63:
        raise ValueError("expected an integer of 64 bits")
    return step


class AnyReward(BaseModel):
    """What all rewards have, also those that are made of others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    reply: Literal["number", "object"] = Field(
        "number", description="What slime and miles get for a sample: a bare number, or an object."
    )
    fallback_reward: float = Field(
        0.0, description="Sent in place of null, to trainers that cannot read null, for a sample without a reward."
    )
    unscored: Literal["fallback", "error"] = Field(
        "fallback",
        description="For a sample without a reward: null or fallback_reward, or a 422 for the whole request.",
    )
    run: Annotated[str, AfterValidator(_run_name)] | None = Field(
        None, description="Name of the run, under which its samples are recorded. It changes no reward."
    )
    step: Annotated[int, AfterValidator(_step)] | None = Field(
        None, description="Step of the training that is recorded, for samples that name none. It changes no reward."
    )

    changes_no_score: ClassVar[frozenset[str]] = frozenset({"reply", "unscored", "run", "step"})
    """Parameters that are not in the digest. `fallback_reward` is: it is paid."""
    came_later: ClassVar[frozenset[str]] = frozenset()
    """Parameters that are in the digest only where they are set, so that digests of older runs stay."""
    asks_checks: ClassVar[tuple[str, ...]] = ()
    """Parameters that name a check: a built-in one, or one of `[checks]` in rewards.toml."""

    @abstractmethod
    def needs(self) -> Needs:
        """What must be found out about every sample."""

    @abstractmethod
    def settle(self, sample: Sample, found: Found) -> Score:
        """What a sample earns; pure. `found` holds what `needs` asked for."""

    def mislabels(self, sample: Sample) -> bool:
        """Is the sample graded against its wrong ground truth too, to be paid by it?"""
        return False

    def refers(self, samples: Sequence[Sample], texts: Sequence[str]) -> list[int]:
        """The numbers of the samples that are graded by the second opinion too. `texts`: their own turns."""
        return []

    @property
    def work_of_a_char(self) -> int:
        """What `settle` costs for each character of a completion, as a multiple of what the other steps cost."""
        return 1

    @property
    def tells_scores(self) -> bool:
        """Does a native reply need what may be filtered by? Else it is the reward, or `clean` and `flipped` say it."""
        return False

    def lacks(self, sample: Sample) -> str | None:
        """Why the sample cannot be scored at all: a sentence with `{name}` and `{row}` to fill in."""
        return None

    def warnings(self, sample: Sample) -> tuple[str, ...]:
        """What is allowed and seldom meant, of the parameters and of how the sample was sent."""
        return ()

    @classmethod
    def merged(cls, defaults: dict[str, object], given: Mapping[str, object]) -> dict[str, object]:
        """What was given over what was set before: the query string over what a variant sets."""
        return {**defaults, **given}

    def counted(self) -> dict[str, object]:
        """The parameters that can change a value: their part of the digest. The phrases count by what they are."""
        dumped = self.model_dump(exclude={"phrases", *self.changes_no_score})
        unset = {name for name in self.came_later if dumped[name] == type(self).model_fields[name].default}
        return {name: _unsigned(value) for name, value in dumped.items() if name not in unset}

    def given(self) -> dict[str, object]:
        """The parameters in the digest that are not at their defaults."""
        return {**self.made_of(), **self.model_dump(exclude=set(self.changes_no_score), exclude_defaults=True)}

    def made_of(self) -> Mapping[str, object]:
        """Of a reward that is made of others, what a query string says of them."""
        return {}


class Reward(AnyReward):
    """A reward with its parameters set. A new one is a file of this folder and a line in `table.py`."""

    phrases: str = Field("math", description="Phrase list: math, open_ended, or one named in rewards.toml.")
    saturation: int = Field(20, ge=1, description="Distinct phrases that earn an RPR of 1 (authors' code: 20).")
    repetition: Repetition = Field(
        "paper", description="Penalty for repeated 20-grams: as published, or one that only grows as a loop goes on."
    )
    rpr_scope: Scope = Field("all", description="What RPR reads: everything, or what precedes `</think>`.")
    turn: Turn = Field(
        "own",
        description="What is read: what precedes an end-of-turn token and `User: ` at a line's start, or all (paper).",
    )

    counts_turns: ClassVar[bool] = True
    """Does an invented turn of the user cost RPR?"""
    came_later: ClassVar[frozenset[str]] = frozenset({"turn"})

    def reasoning(self, text: str, phrases: PhraseList) -> Rpr:
        """RPR of one completion's own turn."""
        return rpr(
            text,
            phrases,
            saturation=self.saturation,
            repetition=self.repetition,
            scope=self.rpr_scope,
            counts_turns=self.counts_turns,
        )

    def reasoning_key(self) -> tuple[object, ...]:
        """What two rewards have alike to whom RPR of one text is the same."""
        return self.phrases, self.saturation, self.repetition, self.rpr_scope, self.counts_turns


def _unsigned(value: object) -> object:
    """-0.0 means 0.0, and is written otherwise."""
    return 0.0 if isinstance(value, float) and value == 0 else value


def small_alpha(alpha: float) -> tuple[str, ...]:
    """The warning of rewards that add alpha · RPR."""
    if 0 < alpha < 0.01:
        return ("alpha below 0.01: rewards are rounded to 1/1024, which swallows bonuses under 0.0005",)
    return ()
