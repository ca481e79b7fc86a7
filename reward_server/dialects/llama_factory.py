"""LLaMA-Factory's reward API (PPO, `reward_model_type: api`): `messages`, texts of prompt and response; `scores` out.

Each text is the decoded ids of both, special tokens included, so it is parted by its chat template (`whole_text.py`).
Where that is not certain the outcome is `error`. No ground truth travels: the rewards are `rm` and `rpr`. `model` is
always `model`. The trainer makes a tensor of `scores` and looks at nothing else: null would end it as well as an error
does, and says less. So what has no reward makes the whole request a 422, unless `fallback_reward` is in the URL.
"""

from __future__ import annotations

from collections.abc import Collection

from typing_extensions import TypedDict

from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.reply import Echo, Reply, only_these, to_json
from reward_server.dialects.whole_text import parted
from reward_server.errors import InvalidRequest
from reward_server.types import Sample

NAME = "llama_factory"
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["messages"],
    "properties": {
        "model": {"description": "Always `model`."},
        "messages": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Prompt and completion in one text, in the policy's chat template.",
        },
    },
    "example": {"messages": ["<|im_start|>user\n3+3?<|im_end|>\n<|im_start|>assistant\n\\boxed{6}<|im_end|>\n"]},
}


@only_these
class LlamaFactoryReply(TypedDict):
    """One score a text, in the order of the request."""

    scores: list[float]


REPLIES = (LlamaFactoryReply,)


def matches(keys: Collection[str]) -> bool:
    return "messages" in keys


def parse(body: JsonBody) -> tuple[list[Sample], Echo]:
    try:
        texts = body.column("messages", str)
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{error.message} (LLaMA-Factory's messages are texts of prompt and response; chat messages belong into"
            " `prompts`, beside `completions`)"
        ) from None
    return [_sample(text) for text in texts], {}


def render(reply: Reply, _echo: Echo) -> bytes:
    answer: LlamaFactoryReply = {"scores": reply.chosen_rewards()}
    return to_json(answer).encode()


def _sample(text: str) -> Sample:
    found = parted(text)
    prompt, completion = found or ("", "")
    return Sample(completion, prompt=prompt, is_lost=found is None)
