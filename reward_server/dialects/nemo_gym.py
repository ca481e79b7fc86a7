"""The NeMo-Gym family (NeMo-Gym, NeMo-RL, verifiers, prime-rl, axolotl): `POST …/verify`, an OpenAI Responses object.

The body is the dataset row plus `response`; the reply echoes it all, with a float `reward` and the parts as numbers.
These callers cannot send a query string, so a variant of `rewards.toml` carries the parameters. Null breaks them: what
could not be scored carries `_ng_failure_class`, which they leave out of their metrics.
"""

from __future__ import annotations

from typing import Any

from reward_server.dialects.label import flip_of, group_of, labelled, visit_of
from reward_server.dialects.messages import without_media
from reward_server.dialects.reply import Reply, to_json
from reward_server.errors import InvalidRequest
from reward_server.json_body import JsonBody, read_object
from reward_server.types import Sample

NAME = "nemo_gym"
GROUND_TRUTH_KEYS = ("ground_truth", "expected_answer", "answer", "label")
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["response"],
    "properties": {
        "responses_create_params": {"type": "object"},
        "response": {"type": "object", "description": "An OpenAI Responses object."},
        **{key: {} for key in GROUND_TRUTH_KEYS},
        "group": {"type": ["string", "integer"]},
        "visit": {"type": "integer"},
        "flip": {"type": "boolean"},
    },
}


def parse(raw: bytes) -> tuple[dict[str, Any], Sample]:
    """The row as sent, to echo, and its one sample. Raises InvalidRequest."""
    row: dict[str, Any] = read_object(raw)
    sample = Sample(
        _completion(row.get("response")),
        prompt=_prompt(row.get("responses_create_params")),
        group=None if row.get("group") is None else group_of(row["group"]),
        visit=0 if row.get("visit") is None else visit_of(row["visit"]),
        flip=True if row.get("flip") is None else flip_of(row["flip"]),
    )
    key = next((key for key in GROUND_TRUTH_KEYS if key in row), None)
    return row, sample if key is None else labelled(sample, JsonBody(raw).label(key))


def render(reply: Reply, row: dict[str, Any]) -> bytes:
    (score,) = reply.scores
    answer = {**row, **reply.numbers(score), "reward": reply.reward(score)}
    if score.reward is None:
        answer["_ng_failure_class"] = f"reward_{score.outcome}"
    return to_json(answer).encode()


def _completion(response: object) -> str:
    """The text of the messages; what the reasoning items say stands before it, between think tags."""
    output = response.get("output") if isinstance(response, dict) else None
    if not isinstance(output, list):
        raise InvalidRequest("response: expected an OpenAI Responses object with a list `output`")
    items = [item for item in output if isinstance(item, dict)]
    reasoning = "".join(_texts(item.get("summary")) for item in items if item.get("type") == "reasoning")
    answer = "".join(_texts(item.get("content")) for item in items if item.get("type") == "message")
    return f"<think>{reasoning}</think>{answer}" if reasoning else answer


def _texts(parts: object) -> str:
    """A text, or the joined `text` of a list of content parts."""
    if isinstance(parts, str):
        return parts
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def _prompt(params: object) -> str | list[dict[str, object]] | None:
    """The input as a text, or as messages of role and content: what else a row carries does not change its group."""
    given = params.get("input") if isinstance(params, dict) else None
    if isinstance(given, list):
        turns = without_media([item for item in given if isinstance(item, dict) and "role" in item])
        return [{"role": turn["role"], "content": _text_or_parts(turn.get("content"))} for turn in turns]
    return given if isinstance(given, str) else None


def _text_or_parts(content: object) -> str | list[object]:
    return content if isinstance(content, str | list) else ""
