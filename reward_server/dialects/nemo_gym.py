"""The NeMo-Gym family (NeMo-Gym, NeMo-RL, verifiers, prime-rl, axolotl): `POST …/verify`, an OpenAI Responses object.

The body is the dataset row plus `response`; the reply echoes it all, with a float `reward` and the parts as numbers.
These callers cannot send a query string, so a variant of `rewards.toml` carries the parameters. Null breaks them. So
what could not be scored is paid `fallback_reward`, has none of the parts, and says so to each of them:
`_ng_failure_class` keeps it out of Gym's metrics, `instance_config.mask_sample` and `mask_sample` out of NeMo-RL's
loss, `failure_kind` and `failure_reason` are for people. verifiers and prime-rl read none of these: for them
`unscored=error` answers 422, which makes the rollout an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pydantic import ConfigDict, with_config
from typing_extensions import NotRequired, TypedDict

from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.label import (
    check_alternatives,
    checked_flip,
    checked_group,
    checked_visit,
    is_null,
    labelled,
    source_of,
)
from reward_server.dialects.reply import COMPONENTS, REASONS, Echo, Reply, to_json
from reward_server.dialects.rollout import completion_of, prompt_of_params
from reward_server.errors import shortened
from reward_server.types import Outcome, Sample, Score

NAME = "nemo_gym"
GROUND_TRUTH_KEYS = ("ground_truth", "expected_answer", "answer", "label")
FAILURE_CLASS = "_ng_failure_class"
FLIP = "flip"
"""A column of the row, and what a mix may call a part: of that the reply has the parts of the part, `flip/clean`."""
_OURS = "reward_"
_MARKS = (FAILURE_CLASS, "mask_sample", "failure_kind", "failure_reason")
REVERIFY_MODE = "stateless"
"""NeMo-Gym 0.5's word for a server whose rewards depend on the row and its rollout alone."""
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["response"],
    "properties": {
        "responses_create_params": {"description": "What was asked: its `input` is the prompt."},
        "response": {
            "type": "object",
            "required": ["output"],
            "properties": {"output": {"type": "array", "items": {}}},
            "description": "An OpenAI Responses object.",
        },
        **{key: {} for key in GROUND_TRUTH_KEYS},
        "group": {"type": ["string", "integer", "null"]},
        "visit": {"type": ["integer", "null"]},
        "flip": {"type": ["boolean", "null"]},
    },
    "example": {
        "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "\\boxed{6}"}]}]},
        "ground_truth": "6",
    },
}
ROLLOUT_PREFIX = re.compile(
    r"(/score/[^/]+)?/ng-rollout/[A-Za-z0-9][A-Za-z0-9._-]*((?:/score/[^/]+)?/(?:verify|seed_session|reverify_mode))"
)


@with_config(ConfigDict(extra="allow"))
class NemoGymReply(TypedDict):
    """The row as it was sent, with its reward, and the parts as numbers. `mask_sample` and `failure_…` are there only
    where a sample has no reward: the fallback is paid then."""

    reward: float
    unscored: float
    mask_sample: NotRequired[bool]
    failure_kind: NotRequired[str]
    failure_reason: NotRequired[str]


REPLIES = (NemoGymReply,)


def plain_path(path: str) -> str:
    """A path of the family without the rollout's id that NeMo-Gym 0.5 puts into it; any other path as it is."""
    found = ROLLOUT_PREFIX.fullmatch(path) if "/ng-rollout/" in path else None
    return f"{found[1] or ''}{found[2]}" if found else path


def matches(_keys: Collection[str]) -> bool:
    """False: a row looks like many things, and the path says who asks."""
    return False


def parse(body: JsonBody) -> tuple[list[Sample], Echo]:
    """The one sample of the row, and the row. Raises InvalidRequest."""
    row: Echo = body.whole()
    sample = Sample(
        completion_of(row.get("response")),
        prompt=prompt_of_params(row.get("responses_create_params")),
        group=None if row.get("group") is None else checked_group(row["group"]),
        visit=None if row.get("visit") is None else checked_visit(row["visit"]),
        flip=True if row.get("flip") is None else checked_flip(row["flip"]),
        source=source_of(row),
    )
    key = ground_truth_key(row)
    if key is None:
        return [sample], row
    check_alternatives(row[key])  # before it is read a second time, numbers as they are written
    return [labelled(sample, body.label(key))], row


def render(reply: Reply, row: Echo) -> bytes:
    (score,) = reply.scores
    row = _without_old_marks(row, reply, score)
    paid = {**row, "reward": reply.reward(score)}
    if score.reward is not None:
        return to_json(paid | {name: value for name, value in reply.numbers(score).items() if name != FLIP}).encode()
    config = row.get("instance_config")
    failure = {
        **reply.flags(score),
        "mask_sample": True,
        "instance_config": {**(config if isinstance(config, dict) else {}), "mask_sample": True},
        FAILURE_CLASS: f"{_OURS}{score.outcome}",
        "failure_kind": score.outcome,
        "failure_reason": _reason(reply, score, row),
    }
    return to_json(paid | failure).encode()


def ground_truth_key(row: dict[str, Any]) -> str | None:
    """The first of GROUND_TRUTH_KEYS that is not null, or else that is there; an empty text is one that is not null."""
    there = [key for key in GROUND_TRUTH_KEYS if key in row]
    return next((key for key in there if not is_null(row[key])), there[0] if there else None)


def _without_old_marks(row: dict[str, Any], reply: Reply, score: Score) -> dict[str, Any]:
    """The row without what an earlier verification left in it: `gym eval reverify` sends rows with their old replies.

    A mask that stands beside no mark of ours is the row's own and stays.
    """
    ours = {*score.parts, *(f"{COMPONENTS}/{name}" for name in reply.components(score))} - {FLIP}
    kept = {key: value for key, value in row.items() if key not in ours}
    if not str(row.get(FAILURE_CLASS)).startswith(_OURS):
        return kept
    kept = {key: value for key, value in kept.items() if key not in _MARKS}
    if isinstance(kept.get("instance_config"), dict):
        kept["instance_config"] = {k: v for k, v in kept["instance_config"].items() if k != "mask_sample"}
    return kept


def _reason(reply: Reply, score: Score, row: dict[str, Any]) -> str:
    key, reason = ground_truth_key(row), reply.reason(score)
    if reason != REASONS[Outcome.UNGRADABLE] or key is None:
        return reason
    return f"{reason}: {key} is {shortened(to_json(row[key]), 100)}"
