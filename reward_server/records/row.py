"""One line of a record: a sample as it was scored, what it was paid, and under which configuration.

A line is one JSON object. It is a row that `reward-server score` reads (`completion`, `prompt`, `ground_truth`,
`group`, `visit`, `flip`) with what came of it. What is absent is left out, but for `paid`, which is null where there
is no reward. Fields may be added to version 1; none is renamed or gets another meaning. A reader skips what it does not
know. `completion`, `prompt`, `ground_truth` and, unless it looks like an id, `group` are left out where texts are not
recorded; their digests stand there instead.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from reward_server import __version__
from reward_server.grading.reading import Reading
from reward_server.kit.clock import utc
from reward_server.records.noise import Facts as NoiseFacts
from reward_server.records.noise import noise_of
from reward_server.rewards.found import Derivation, leaves_of
from reward_server.rewards.noise import group_of_prompt
from reward_server.rewards.plan import Plan
from reward_server.types import JsonTruth, Message, Sample

VERSION = 1
DEFAULT_RUN = "default"
"""The run of what names none."""
ANSWER_CHARS = 1000
"""So much of an answer is kept beside its completion, or without it. A longer one is not graded."""
_ID = re.compile(r"[A-Za-z0-9._:/@-]{1,64}")
"""A group that is kept without texts: anything else may be a question."""
GroundTruth = str | list[object] | dict[str, object] | None
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A number of 64 bits, as the wire takes them: a line with a greater one is no row."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class NoText(ValueError):
    """The line was recorded without texts, so its sample cannot be made again."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the lines of one request share.

    `time`: seconds since 1970, when it was paid. `query`: the URL's query string. `variant`: what `rewards.toml` sets
    for the reward, and its `base`; None for a reward of the server's own. `step`: the URL's, for samples without one.
    """

    time: float
    run: str
    request_id: str
    dialect: str
    query: str
    step: int | None = None
    variant: dict[str, object] | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line, its fields in the order of the line.

    `id`: one of each line, whoever wrote it. `time`: UTC, ISO 8601 with milliseconds. `query`: the query string of the
    URL, as it was sent. `config`: the digest of all that can change a value. `variant`: see Facts.
    `ground_truth`: a text or a list of texts of which any matches; null where it was unusable; a label object where the
    row also has a wrong ground truth, or says whether order counts. Left out: none was given.
    `flip`: false in evaluation rows. `source`: the data set, which `route` goes by.
    `lost`: the completion could not be told from its prompt, and is empty here.
    `chars`, `turn_chars`: characters of the completion, and of the policy's own turn in it.
    `answer`: the text that was read as the answer, at most ANSWER_CHARS of it. `tier`: the rule that decided.
    `paid`: the reward, null where there is none. `parts`: as in the reply. `noise`: the rate that the draw was compared
    with (`threshold`), and whether noise could flip the sample at all (`exposed`). `part_noise`: the same of each part
    of a mix that draws, by its name.
    `digest`: of the whole sample. `prompt_digest` is of what noise is keyed by where there is no group.
    `exact`: see `records/text.py`.
    """

    v: int
    id: str
    time: str
    run: str
    step: Whole | None = None
    request_id: str
    dialect: str
    reward: str
    variant: dict[str, object] | None = None
    query: str
    config: str
    version: str
    completion: str | None = None
    prompt: str | list[Message] | None = None
    ground_truth: GroundTruth | UnsetType = UNSET
    group: str | None = None
    visit: Whole | None = None
    flip: bool
    source: str | None = None
    lost: bool = False
    chars: Count
    turn_chars: Count
    answer: str | None = None
    paid: float | None
    outcome: str
    parts: dict[str, float | None]
    noise: NoiseFacts | None = None
    part_noise: dict[str, NoiseFacts] | None = None
    tier: str | None = None
    digest: str | None = None
    completion_digest: str | None = None
    prompt_digest: str | None = None
    group_digest: str | None = None
    exact: str | None = None

    @property
    def has_text(self) -> bool:
        """False where the server recorded without texts."""
        return self.completion is not None

    @property
    def sample(self) -> Sample:
        """The sample that was scored, equal to what it was then. Raises NoText."""
        if self.completion is None:
            raise NoText(f"line {self.id} was recorded without its texts (record_text=false)")
        label = self.ground_truth
        told = label if isinstance(label, dict) else {"ground_truth": label}
        return Sample(
            self.completion,
            prompt=self.prompt,
            ground_truths=None if label is UNSET else _truths(told.get("ground_truth")),
            group=self.group,
            visit=self.visit,
            flip=self.flip,
            is_lost=self.lost,
            ordered=_flag(told.get("ordered")),
            wrong_ground_truths=_truths(told["wrong_ground_truth"]) if "wrong_ground_truth" in told else None,
            source=self.source,
            step=self.step,
        )

    @property
    def question(self) -> str:
        """Which question it is, the same at every visit, with and without texts: a group, or a digest."""
        key = None if self.prompt is None else group_of_prompt(self.prompt)
        if self.group is not None:
            return self.group if _is_id(self.group, key) else text_digest(self.group)
        return (self.group_digest or self.prompt_digest or "") if key is None else text_digest(key)


def row_of(id: str, facts: Facts, plan: Plan, sample: Sample, derivation: Derivation, *, text: bool = True) -> Row:
    """The line of one sample. `text`: with its texts, or with their digests."""
    reading, score = derivation.found.reading, derivation.score
    noise, part_noise = noise_of(plan, derivation)
    row = Row(
        v=VERSION,
        id=id,
        time=_stamp(facts.time),
        run=facts.run,
        step=facts.step if sample.step is None else sample.step,
        request_id=facts.request_id,
        dialect=facts.dialect,
        reward=plan.name,
        variant=facts.variant,
        query=facts.query,
        config=plan.config,
        version=__version__,
        completion=sample.completion,
        prompt=sample.prompt,
        ground_truth=_ground_truth(sample),
        group=sample.group,
        visit=sample.visit,
        flip=sample.flip,
        source=sample.source,
        lost=sample.is_lost,
        chars=len(sample.completion),
        turn_chars=len(reading.text),
        answer=answer_of(reading),
        paid=score.reward,
        outcome=score.outcome,
        parts=score.parts,
        noise=noise,
        part_noise=part_noise,
        tier=tier_of(derivation),
    )
    return row if text else _without_texts(row, sample, reading)


def _without_texts(row: Row, sample: Sample, reading: Reading) -> Row:
    """Digests in their place, and what is an id."""
    key = None if sample.prompt is None else group_of_prompt(sample.prompt)
    group, source = sample.group, sample.source
    is_id = group is not None and _is_id(group, key)
    return replace(
        row,
        completion=None,
        prompt=None,
        ground_truth=UNSET,
        group=group if is_id else None,
        source=source if source is not None and _is_id(source, None) else None,
        answer=answer_of(reading, text=False),
        digest=sample_digest(sample),
        completion_digest=text_digest(sample.completion),
        prompt_digest=None if key is None else text_digest(key),
        group_digest=None if group is None or is_id else text_digest(group),
    )


def sample_digest(sample: Sample) -> str:
    """32 hex digits over all of a sample that can change what it is paid."""
    all_of_it = [
        *(sample.completion, sample.prompt, sample.ground_truths, sample.wrong_ground_truths),
        *(sample.group, sample.visit, sample.flip, sample.is_lost, sample.ordered, sample.source),
    ]
    return text_digest(json.dumps(all_of_it, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def text_digest(text: str) -> str:
    """32 hex digits over a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_stamp = lru_cache(maxsize=1)(utc)  # the rows of one request have one time


def tier_of(derivation: Derivation) -> str | None:
    """The rule that decided, of a reward that is made of others the first of theirs."""
    if (verdict := derivation.found.verdict) is not None:
        return verdict.tier
    return next((leaf.found.verdict.tier for leaf in leaves_of([derivation]) if leaf.found.verdict), None)


def answer_of(reading: Reading, text: bool = True) -> str | None:
    """Without texts none that is all of the turn, as with `answer=turn`."""
    answer = reading.answer
    if answer is None or (not text and answer.text.strip() == reading.text.strip()):
        return None
    return answer.text[:ANSWER_CHARS]


def texts_of(sample: Sample) -> dict[str, object]:
    return {
        "completion": sample.completion,
        "prompt": sample.prompt,
        "ground_truth": _ground_truth(sample),
        "group": sample.group,
    }


def _is_id(group: str, key: str | None) -> bool:
    """A group that is an id, and not the question itself."""
    return _ID.fullmatch(group) is not None and group != key


def _ground_truth(sample: Sample) -> GroundTruth | UnsetType:
    """As a row of `score` has it: read there, it is the same again."""
    if sample.ground_truths is None:
        return UNSET
    truths = _alternatives(sample.ground_truths)
    if sample.ordered is None and sample.wrong_ground_truths is None and not isinstance(truths, dict):
        return truths
    label: dict[str, object] = {"ground_truth": truths}
    if sample.wrong_ground_truths is not None:
        # null would say nothing there, and an unusable one is a list without texts
        label["wrong_ground_truth"] = _alternatives(sample.wrong_ground_truths) or []
    return label if sample.ordered is None else {**label, "ordered": sample.ordered}


def _alternatives(truths: tuple[str, ...]) -> GroundTruth:
    """A list, too, for what would be read as an object that a text holds. JSON that is a ground truth is itself."""
    if not truths:
        return None
    if isinstance(truths[0], JsonTruth):
        value: GroundTruth = json.loads(truths[0])
        return value
    return truths[0] if len(truths) == 1 and not truths[0].lstrip().startswith("{") else [*truths]


def _truths(value: object) -> tuple[str, ...]:
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value)):
        return (JsonTruth.of(value),)
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else ()


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
