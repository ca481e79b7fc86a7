"""OpenRLHF: `query` (older: `queries`), `prompts`, `labels` in; `rewards`, `scores`, `extra_logs` out.

`query` is prompt and completion in one text, the decoded ids of both, so it need not begin with the prompt as it was
(`completion.py`). Where the completion cannot be told from the prompt the outcome is `error`. Without `prompts` the
query is taken for the completion. The trainer crashes on null, on text, and on keys that differ between samples, so
every list here holds floats and `extra_logs` has the same keys for every sample of a reward. It sends empty lists too
and wants empty lists back.
"""

from __future__ import annotations

from collections.abc import Collection

from typing_extensions import TypedDict

from reward_server.dialects.completion import without_prompt
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.label import all_labelled
from reward_server.dialects.reply import Echo, Reply, only_these, to_json
from reward_server.errors import InvalidRequest
from reward_server.types import Sample

NAME = "openrlhf"
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["query"],
    "properties": {
        "query": {"type": "array", "items": {"type": "string"}, "description": "Prompt and completion."},
        "prompts": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "array", "items": {}},
    },
    "example": {"query": ["3+3? \\boxed{6}"], "prompts": ["3+3?"], "labels": ["6"]},
}


@only_these
class OpenrlhfReply(TypedDict):
    """Lists in the order of the request. `scores`: what the trainer may filter groups by, in 0 … 1. `extra_logs`: what
    it logs; it counts samples without a reward in `unscored`, which are paid `fallback_reward`."""

    rewards: list[float]
    scores: list[float]
    extra_logs: dict[str, list[float]]


REPLIES = (OpenrlhfReply,)


def matches(keys: Collection[str]) -> bool:
    return "query" in keys or "queries" in keys


def parse(body: JsonBody) -> tuple[list[Sample], Echo]:
    key = "query" if "query" in body else "queries"
    queries = body.column(key, str)
    samples = [Sample(query) for query in queries]
    if "prompts" in body:
        prompts = body.column("prompts", str)
        if len(prompts) != len(queries):
            raise InvalidRequest(f"prompts: {len(prompts)} entries for {len(queries)} of {key}")
        samples = [_sample(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
    if "labels" not in body:
        return samples, {}
    labels = body.labels("labels")
    if len(labels) != len(queries):
        raise InvalidRequest(f"labels: {len(labels)} entries for {len(queries)} of {key}")
    return all_labelled(samples, labels, "labels"), {}


def render(reply: Reply, _echo: Echo) -> bytes:
    numbers = [reply.numbers(score) for score in reply.scores]
    names = numbers[0] if numbers else ()
    answer: OpenrlhfReply = {
        "rewards": [reply.reward(score) for score in reply.scores],
        "scores": [reply.shown(score) for score in reply.scores],
        "extra_logs": {name: [row[name] for row in numbers] for name in names},
    }
    return to_json(answer).encode()


def _sample(query: str, prompt: str) -> Sample:
    completion = without_prompt(query, prompt)
    return Sample(completion or "", prompt=prompt, is_lost=completion is None)
