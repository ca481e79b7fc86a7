"""The nouns that every layer speaks: a sample comes in, a score goes out.

Those of which there is one for every sample are frozen structs of msgspec: like frozen dataclasses, and made in an
eighth of the time. None is ever in a circle, so the garbage collector need not know of them (`gc=False`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from msgspec import Struct, field

Message = dict[str, object]
"""One chat message: `{"role": …, "content": …}`."""


Dtype = Literal["auto", "bfloat16", "float32"]
Packing = Literal["auto", "on", "off"]
"""Numbers of a reward model's body. `auto`: bfloat16 where the device multiplies it in hardware."""

EndsAt = Literal["template", "eos"]
"""Where the text ends that a reward model reads, and so at which token its score is read. `template`: where its chat
template ends. `eos`: at the tokenizer's `eos_token`."""

WantedEndsAt = Literal["auto", EndsAt]
"""`auto` goes by who trained the model."""

WantedHead = Literal["auto", "lm_head"]
"""Where the head of a reward model is: `auto` by its name in the weights, or `lm_head` row 0 of the language model's.
"""


class JsonTruth(str):
    """A ground truth that is a JSON object or list, as canonical text. Only checks of one's own can read it: for all
    others it is unusable."""

    __slots__ = ()

    @classmethod
    def of(cls, value: object) -> JsonTruth:
        """Sorted keys, no spaces. Raises TypeError, ValueError, RecursionError for what is no JSON."""
        return cls(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


class Outcome(StrEnum):
    """What became of one sample: the closed set of the reply's `outcomes` and of a metric's labels."""

    CORRECT = "correct"
    PARTIAL = "partial"
    """A check of one's own gave a score strictly between 0 and 1."""
    INCORRECT = "incorrect"
    UNPARSEABLE = "unparseable"
    """The answer cannot be parsed, or is longer than 1,000 characters."""
    UNANSWERED = "unanswered"
    """No box, or an empty one."""
    TIMEOUT = "timeout"
    """The answer exhausts the verifier's budget of time or memory."""
    UNGRADABLE = "ungradable"
    """The ground truth itself is unusable; the reward is null."""
    ERROR = "error"
    """Our fault; the reward is null."""
    SCORED = "scored"
    BAD_FORMAT = "bad_format"
    """rm: the completion has not the format that was asked for, or writes control tokens; the model's score is 0."""
    TOO_LONG = "too_long"
    """rm: more tokens than the model takes; the reward is null."""

    @property
    def is_unscored(self) -> bool:
        """True where there is no reward to give: null, never a silent 0.0."""
        return self in _UNSCORED

    @property
    def is_exposed(self) -> bool:
        """True where a usable answer was graded: noise may flip it, and RPR may top it up.

        A `timeout` is neither: a policy must not be paid for bombs.
        """
        return self in _EXPOSED


_UNSCORED = (Outcome.UNGRADABLE, Outcome.ERROR, Outcome.TOO_LONG)
_EXPOSED = (Outcome.CORRECT, Outcome.PARTIAL, Outcome.INCORRECT, Outcome.UNPARSEABLE)
CHECK_TIER = "check:"
"""What the tier of a check of one's own begins with; its name follows."""


class Verdict(Struct, frozen=True, gc=False):
    """What the verifier says of one (ground truth, answer).

    `tier` names the rule that decided. The forms are the two texts as that rule compared them, or, where a worker
    graded them, as they came: always text, since turning a SymPy object into a string can hang for ever.
    `score`: of a `partial` outcome, strictly between 0 and 1. `reason`: what a check of one's own said, for people.
    """

    outcome: Outcome
    tier: str
    ground_truth_form: str
    answer_form: str
    score: float | None = None
    reason: str = ""

    @property
    def clean(self) -> float | None:
        """The verifier's own score: 1, 0, what is between them for `partial`, or None where it could not grade."""
        if self.outcome is Outcome.PARTIAL:
            return self.score
        return None if self.outcome.is_unscored else float(self.outcome is Outcome.CORRECT)


class Sample(Struct, frozen=True, gc=False):
    """One row to score, whoever sent it.

    `ground_truths`: any of them matches; None when the caller gave none, empty when what it gave is unusable.
    `group`: the question's id, None when the caller gave none (it then defaults to the prompt).
    `visit`: which visit of the question, None when the caller gave none (noise then takes 0).
    `flip`: False pays the clean score, for evaluation: no noise, no bonus from RPR.
    `ordered`: must lists of values have the ground truth's order? None: as the plan says.
    `wrong_ground_truths`: what the row is graded against where its label is made wrong on purpose; as `ground_truths`.
    `source`: the data set that the row is from, which `route` goes by.
    `is_lost`: the completion cannot be told from its prompt; it is empty then, and the outcome is `error`.
    `step`: of the training, None where nobody knows it. It is recorded, and changes no reward.
    """

    completion: str
    prompt: str | list[Message] | None = None
    ground_truths: tuple[str, ...] | None = None
    group: str | None = None
    visit: int | None = None
    flip: bool = True
    is_lost: bool = False
    ordered: bool | None = None
    wrong_ground_truths: tuple[str, ...] | None = None
    step: int | None = None
    source: str | None = None


class Noise(Struct, frozen=True, gc=False):
    """What was drawn for one sample.

    `draw`: u in [0, 1), keyed by seed, group and visit, and in scope `sample` by the completion. `threshold`: the
    probability that its clean score is inverted. `exposed`: may noise flip it at all? `flipped`: it is exposed, and u
    is below the threshold. `holds`: has it the feature that noise follows, and `at` which characters of the own turn?
    None: the noise follows none.
    """

    seed: int
    group: str
    visit: int
    scope: str
    draw: float
    threshold: float
    exposed: bool
    flipped: bool
    holds: bool | None = None
    at: tuple[int, int] | None = None


class Score(Struct, frozen=True, gc=False):
    """What one sample earned.

    `reward` goes to the trainer: on the 1/1024 grid, None where the sample could not be scored. `shown` is what a
    trainer may filter groups by, in 0 … 1: for `flip` the noisy outcome, so that clean labels do not leak.
    `parts` has the same keys for every sample of one reward; its numbers are unrounded.
    `unrounded`: the reward before it came to the grid, which a mix adds up; None as `reward`.
    """

    outcome: Outcome
    reward: float | None
    shown: float | None
    parts: dict[str, float | None]
    noise: Noise | None = None
    """None where the reward draws nothing."""
    unrounded: float | None = None


class JoinedScore(Score, frozen=True):
    """What a sample earned of a reward that is made of others.

    `components`: by name, what each adds to the reward; their sum is the reward before it came to the grid. Every
    sample of one reward has the same; None where the sample has no reward, or the component is another source's.
    `reason`: why there is no reward, where the outcome alone does not say it.
    """

    components: dict[str, float | None] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What one batch of the reward model cost, for metrics.

    `tokens_computed`: tokens of texts that went through the model. `tokens_saved`: those of prompts that did not have
    to, again. `padding_tokens`: computed for nothing. `queue_s`: seconds from arrival to the start of the batch, one a
    distinct sample. `dropped`: samples taken out of the queue before this batch, because their callers had left. A
    remote engine does not say what it saved or padded: 0.
    """

    samples: int
    tokens_computed: int
    tokens_saved: int
    padding_tokens: int
    not_finite: int
    forward_s: float
    queue_s: tuple[float, ...]
    dropped: int = 0
