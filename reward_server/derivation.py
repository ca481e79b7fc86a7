"""The steps from a sample to its score, without waiting, logging or knowing where they run.

`Derivation` keeps what each step found, so that `/explain` shows what `/score` did, not a second implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reward_server.catalog import Plan
from reward_server.errors import InvalidRequest
from reward_server.grading.answer import Answer, last_box
from reward_server.grading.string_check import last_box_string
from reward_server.grading.text.damaged import repaired
from reward_server.grading.tiers import MAX_GROUND_TRUTH_CHARS
from reward_server.parameters import FlipParameters, RmParameters, RprParameters, VerifierParameters
from reward_server.reward_model.model import ModelScore
from reward_server.rewards.flip import flip_draw, group_of_prompt
from reward_server.rewards.rpr import Rpr, rpr
from reward_server.rewards.settlement import settle_flip, settle_rpr, settle_verifier
from reward_server.rewards.turn import has_eaten_escape, own_turn
from reward_server.types import Message, Outcome, Sample, Score, Verdict


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from one completion: the policy's own turn, the answer in it, and whether a backslash was eaten."""

    text: str
    answer: Answer | None
    lost_backslash: bool


@dataclass(frozen=True, slots=True)
class Derivation:
    """How one sample came to its score; None: the reward has no such step."""

    reading: Reading
    score: Score
    verdict: Verdict | None = None
    rpr: Rpr | None = None
    draw: float | None = None
    model: ModelScore | None = None


def check_inputs(plan: Plan, samples: list[Sample]) -> None:
    """Raises InvalidRequest where a reward lacks a column that it cannot do without."""
    if not isinstance(plan.parameters, VerifierParameters):
        return
    for row, sample in enumerate(samples):
        if sample.ground_truths is None:
            raise InvalidRequest(f"{plan.name} needs a ground truth (ground_truths, labels, label): row {row} has none")
        if plan.base == "flip":
            _check_key(plan, sample, row)


def _check_key(plan: Plan, sample: Sample, row: int) -> None:
    """All rows of one key share their noise: a blank one is a mistake, and would flip a whole data set at once."""
    if sample.group is not None and not sample.group.strip():
        raise InvalidRequest(
            f"{plan.name}: the group of row {row} is blank, and rows of one group share their noise;"
            " name the question, or leave the group out where there is a prompt"
        )
    if sample.group is None and not _asks_something(sample.prompt):
        raise InvalidRequest(
            f"{plan.name} needs a group or a prompt, which its noise is keyed by: row {row} has neither"
        )


def _asks_something(prompt: str | Sequence[Message] | None) -> bool:
    """False for no prompt, a blank one, and messages of which none has a content."""
    contents = [prompt] if isinstance(prompt, str) else [message.get("content") for message in prompt or ()]
    return any(content.strip() if isinstance(content, str) else content for content in contents)


def read(plan: Plan, samples: list[Sample]) -> list[Reading]:
    """The own turn and the answer of each completion."""
    find = _string_box if getattr(plan.parameters, "check", "math") == "string" else last_box
    texts = [own_turn(sample.completion) for sample in samples]
    return [Reading(text, find(text), has_eaten_escape(text)) for text in texts]


def repairs(plan: Plan, sample: Sample) -> list[str]:
    """The ground truths that are read otherwise than they stand, as they are read; `check=string` repairs none."""
    if getattr(plan.parameters, "check", "string") == "string":
        return []
    read_as = [(truth, repaired(truth)) for truth in sample.ground_truths or () if len(truth) <= MAX_GROUND_TRUTH_CHARS]
    return [meant for truth, meant in read_as if meant is not None and meant != truth]


def rprs(plan: Plan, readings: list[Reading]) -> list[Rpr | None]:
    """RPR of each completion; None where the plan does not pay for it."""
    parameters = plan.parameters
    if isinstance(parameters, VerifierParameters) and parameters.alpha == 0:
        return [None] * len(readings)
    return [
        rpr(
            reading.text,
            plan.phrases,
            saturation=parameters.saturation,
            repetition=parameters.repetition,
            scope=parameters.rpr_scope,
            counts_turns=not isinstance(parameters, RmParameters),
        )
        for reading in readings
    ]


def settle(
    plan: Plan, sample: Sample, reading: Reading, verdict: Verdict | None, paid_phrases: Rpr | None
) -> Derivation:
    """The last steps of one sample: noise, RPR, grid."""
    derivation = _settled(plan, sample, reading, verdict, paid_phrases)
    if not sample.is_lost:
        return derivation
    return Derivation(reading, Score(Outcome.ERROR, None, shown=None, parts=dict.fromkeys(derivation.score.parts)))


def _settled(
    plan: Plan, sample: Sample, reading: Reading, verdict: Verdict | None, paid_phrases: Rpr | None
) -> Derivation:
    match plan.parameters, verdict, paid_phrases:
        case FlipParameters() as parameters, Verdict(), _:
            draw = draw_of(sample, reading, parameters)
            score = settle_flip(verdict.outcome, draw, sample.flip, paid_phrases, parameters)
            return Derivation(reading, score, verdict, paid_phrases, draw)
        case VerifierParameters() as parameters, Verdict(), _:
            score = settle_verifier(verdict.outcome, paid_phrases, parameters, wanted=sample.flip)
            return Derivation(reading, score, verdict, paid_phrases)
        case RprParameters() as parameters, None, Rpr():
            score = settle_rpr(paid_phrases, is_answered(reading), parameters)
            return Derivation(reading, score, rpr=paid_phrases)
    raise AssertionError(f"no way to settle {plan.base}")


def is_answered(reading: Reading) -> bool:
    """True when there is a box with something in it."""
    return reading.answer is not None and bool(reading.answer.text.strip())


def group_of(sample: Sample) -> str:
    """The question's id; by default its prompt."""
    return sample.group if sample.group is not None else group_of_prompt(sample.prompt or "")


def draw_of(sample: Sample, reading: Reading, parameters: FlipParameters) -> float:
    """The noise draw u, keyed by the question and its visit, and in scope `sample` by the own turn too."""
    text = reading.text if parameters.flip_scope == "sample" else None
    return flip_draw(seed=parameters.seed, group=group_of(sample), visit=sample.visit, completion=text)


def _string_box(text: str) -> Answer | None:
    content = last_box_string(text)
    if content is None:
        return None
    box = text.rfind("\\boxed")
    box = box if box >= 0 else text.rfind("\\fbox")
    start = box if content and text.startswith(content, box) else box + len("\\boxed{")
    return Answer(content, start, start + len(content))
