"""The shape of an explanation, for programs that read one: the OpenAPI page, generated clients.

`explanation.py` makes it. A test holds both together, reward by reward.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import NotRequired, TypedDict

from reward_server.dialects.reply import only_these
from reward_server.types import Outcome


@only_these
class Turn(TypedDict):
    """The policy's own turn, and what was written after its end."""

    characters: int
    ignored_characters: int


@only_these
class FoundAnswer(TypedDict):
    """The answer, as a slice of the completion. `boxes`: those side by side that were compared as one list."""

    text: str
    start: int
    end: int
    boxes: NotRequired[str]


@only_these
class ShownVerdict(TypedDict):
    """What the verifier said. `tier`: the rule that decided. The forms: both texts as it compared them.

    `check`, `score` and `reason`: of a check of one's own.
    """

    outcome: Outcome
    tier: str
    ground_truth_form: str
    answer_form: str
    check: NotRequired[str]
    score: NotRequired[float | None]
    reason: NotRequired[str]


@only_these
class ShownNoise(TypedDict):
    """What was drawn for the sample: as in `Noise` of types.py. `holds`, `at`: only where noise follows a feature."""

    seed: int
    group: str
    visit: int
    scope: str
    draw: float
    threshold: float
    exposed: bool
    flipped: bool
    holds: NotRequired[bool]
    at: NotRequired[tuple[int, int]]


@only_these
class WrongLabel(TypedDict):
    """Of a row that is paid by its wrong ground truth."""

    wrong_ground_truths: list[str] | None
    outcome: Outcome


@only_these
class Phrase(TypedDict):
    """A phrase of reasoning, as a slice of the turn."""

    phrase: str
    start: int
    end: int


@only_these
class ShownRpr(TypedDict):
    """The reasoning-pattern reward: `value` of `hits` distinct phrases, less penalties."""

    value: float
    hits: int
    saturation: int
    repetition: float
    user_turns: int
    phrases: list[Phrase]


@only_these
class ShownModel(TypedDict):
    """What the reward model read (`text`) and said."""

    text: str
    tokens: int
    prompt_tokens: int
    truncated: bool
    read_at: str | None
    score: float | None
    transformed: float | None
    calibrated: float | None


@only_these
class Explanation(TypedDict):
    """Why a sample was paid `value`. A step that the reward does not take is left out.
    `made_of`: of a reward that is made of others, what each part came to."""

    reward: str
    value: float | None
    outcome: Outcome
    meaning: str
    why: str
    parts: dict[str, float | None]
    turn: Turn
    answer: NotRequired[FoundAnswer | None]
    ground_truths: NotRequired[list[str] | None]
    verdict: NotRequired[ShownVerdict]
    noise: NotRequired[ShownNoise]
    wrong_label: NotRequired[WrongLabel]
    reference: NotRequired[dict[str, Any]]
    rpr: NotRequired[ShownRpr]
    model: NotRequired[ShownModel]
    mix: NotRequired[dict[str, Any]]
    route: NotRequired[dict[str, Any]]
    components: NotRequired[dict[str, float | None]]
    made_of: NotRequired[dict[str, Any]]
    milliseconds: dict[str, float]
    warnings: list[str]
    parameters: dict[str, Any]
    version: str
    config: str
