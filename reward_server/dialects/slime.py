"""slime and miles: one flat sample in (`prompt`, `response`, `label`), the reward itself out.

The reply is a bare JSON number, or with `?reply=object` an object for `--reward-key`. The trainer dies on null.
"""

from __future__ import annotations

from collections.abc import Collection

from typing_extensions import TypedDict

from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.label import checked_prompt, labelled
from reward_server.dialects.messages import PROMPT_SCHEMA
from reward_server.dialects.reply import Echo, Reply, only_these, to_json
from reward_server.types import Sample

NAME = "slime"
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["response"],
    "properties": {
        "response": {"type": "string"},
        "prompt": PROMPT_SCHEMA,
        "label": {},
    },
    "example": {"prompt": "3+3?", "response": "\\boxed{6}", "label": "6"},
}


@only_these
class SlimeReply(TypedDict):
    """With `reply=object`; else the reply is the reward itself. `unscored`: 1 where the fallback was paid."""

    reward: float
    score: float
    clean: float
    unscored: float


REPLIES = (SlimeReply, float)


def matches(keys: Collection[str]) -> bool:
    return "response" in keys


def parse(body: JsonBody) -> tuple[list[Sample], Echo]:
    prompt = body.label("prompt") if "prompt" in body else None
    sample = Sample(body.field("response", str), prompt=None if prompt is None else checked_prompt(prompt))
    return [labelled(sample, body.label("label")) if "label" in body else sample], {}


def render(reply: Reply, _echo: Echo) -> bytes:
    (score,) = reply.scores
    reward = reply.reward(score)
    if reply.plan.reward.reply == "number":
        return to_json(reward).encode()
    clean = score.parts.get("clean")
    answer: SlimeReply = {
        "reward": reward,
        "score": reply.shown(score),
        "clean": reward if clean is None else clean,
        "unscored": float(score.reward is None),
    }
    return to_json(answer).encode()
