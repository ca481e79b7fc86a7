"""Our own wire format: columns in, columns out, in request order.

Request: `completions` and, all of the same length, `prompts`, `ground_truths`, `groups`, `visits`, `flips`, `steps`,
`sources`.
Reply: `reward`, `rewards` (null where unscored), `outcomes`, `parts`, `version`, `config`. Of a reward that is made of
others also `components`, whose sum is the reward. `scores`, what may be filtered by: of such a one, with wrong labels,
and in a warm-up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import repeat
from typing import Any

from msgspec.structs import replace
from typing_extensions import NotRequired, TypedDict

from reward_server import __version__
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.label import all_labelled, checked_group, checked_step, checked_visit, truths_of_text
from reward_server.dialects.messages import PROMPT_SCHEMA, without_media
from reward_server.dialects.reply import Echo, Reply, only_these, to_json
from reward_server.errors import InvalidRequest
from reward_server.types import Message, Outcome, Sample

NAME = "native"
COLUMNS = ("completions", "prompts", "ground_truths", "groups", "visits", "flips", "steps", "sources")
_KNOWN = frozenset(COLUMNS)
_PROMPT, _GROUP, _INTEGER, _FLIP = str | list[Message] | None, str | int | None, int | None, bool | None
_SOURCE = str | None
"""Types of the columns' entries. Made once: each takes longer than a short column's reading."""
SCHEMA: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["completions"],
    "properties": {
        "completions": {"type": "array", "items": {"type": "string"}},
        "prompts": {"type": "array", "items": PROMPT_SCHEMA},
        "ground_truths": {"type": "array", "items": {}, "description": "Text, number, list of those, or label object."},
        "groups": {"type": "array", "items": {"type": ["string", "integer", "null"]}},
        "visits": {"type": "array", "items": {"type": ["integer", "null"]}},
        "flips": {"type": "array", "items": {"type": ["boolean", "null"]}},
        "steps": {"type": "array", "items": {"type": ["integer", "null"]}},
        "sources": {"type": "array", "items": {"type": ["string", "null"]}, "description": "For route: data sets."},
    },
    "example": {"completions": ["2 + 2 is \\boxed{4}"], "ground_truths": ["4"], "groups": ["q-17"]},
}


@only_these
class NativeReply(TypedDict):
    """Columns, in the order of the request. `rewards`: null where a sample has no reward, and its outcome says why.
    `parts`: what a reward is made of, the same for every sample. `config`: digest of all that can change a score.
    `components`: of a reward that is made of others. `scores`: of such a one, with wrong labels, and with a warm-up."""

    reward: str
    rewards: list[float | None]
    outcomes: list[Outcome]
    parts: dict[str, list[float | None]]
    version: str
    config: str
    components: NotRequired[dict[str, list[float | None]]]
    scores: NotRequired[list[float | None]]


REPLIES = (NativeReply,)


def matches(keys: Collection[str]) -> bool:
    return "completions" in keys


def parse(body: JsonBody) -> tuple[list[Sample], Echo]:
    if not body.keys <= _KNOWN:
        raise InvalidRequest(f"{min(body.keys - _KNOWN)}: no such field (fields: {', '.join(COLUMNS)})")
    completions = body.column("completions", str)
    samples = _samples(body, completions)
    return (_with_steps(body, samples, completions) if "steps" in body.keys else samples), {}


def _samples(body: JsonBody, completions: list[str]) -> list[Sample]:
    if "ground_truths" not in body.keys:
        return _rows(body, completions, repeat(None))
    labels = _same_length("ground_truths", body.labels("ground_truths"), completions)
    truths = [truths_of_text(label) for label in labels]
    samples = _rows(body, completions, truths)
    return samples if None not in truths else all_labelled(samples, labels, "ground_truths")


def _with_steps(body: JsonBody, samples: list[Sample], completions: list[str]) -> list[Sample]:
    """A step in a label wins."""
    steps = _column(body, "steps", _INTEGER, completions)
    return [
        sample if step is None or sample.step is not None else replace(sample, step=checked_step(step))
        for sample, step in zip(samples, steps, strict=True)
    ]


def _rows(body: JsonBody, completions: list[str], truths: Iterable[tuple[str, ...] | None]) -> list[Sample]:
    prompts = _column(body, "prompts", _PROMPT, completions)
    groups = _column(body, "groups", _GROUP, completions)
    visits = _column(body, "visits", _INTEGER, completions)
    flips = _column(body, "flips", _FLIP, completions)
    rows = [
        Sample(
            completion,
            prompt=without_media(prompt) if isinstance(prompt, list) else prompt,
            ground_truths=truth,
            group=None if group is None else checked_group(group),
            visit=None if visit is None else checked_visit(visit),
            flip=flip is not False,
        )
        for completion, prompt, truth, group, visit, flip in zip(completions, prompts, truths, groups, visits, flips)  # noqa: B905 - repeat() is endless
    ]
    if "sources" not in body.keys:
        return rows
    sources = _column(body, "sources", _SOURCE, completions)
    return [replace(row, source=source) for row, source in zip(rows, sources, strict=True)]


def _column(body: JsonBody, key: str, kind: Any, completions: list[str]) -> Iterable[Any]:
    """The column, checked to be of `kind`, a union that mypy cannot follow; None for every row where it is not sent."""
    if key not in body.keys:
        return repeat(None)
    return _same_length(key, body.column(key, kind), completions)


def _same_length(key: str, values: list[object], completions: list[str]) -> list[object]:
    if len(values) != len(completions):
        raise InvalidRequest(f"{key}: {len(values)} entries for {len(completions)} completions")
    return values


def render(reply: Reply, _echo: Echo) -> bytes:
    names = reply.scores[0].parts if reply.scores else ()
    columns: NativeReply = {
        "reward": reply.plan.name,
        "rewards": [score.reward for score in reply.scores],
        "outcomes": [score.outcome for score in reply.scores],
        "parts": {name: [score.parts[name] for score in reply.scores] for name in names},
        "version": __version__,
        "config": reply.plan.config,
    }
    if reply.plan.parts:
        rows = [reply.components(score) for score in reply.scores]
        columns["components"] = {name: [row[name] for row in rows] for name in reply.component_names}
    if reply.plan.reward.tells_scores:
        columns["scores"] = [None if score.reward is None else reply.shown(score) for score in reply.scores]
    return to_json(columns).encode()
