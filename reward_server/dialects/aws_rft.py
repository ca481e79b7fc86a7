"""AWS's reinforcement fine-tuning (Amazon Nova, Bedrock): a list of samples in, a list of scores out.

Its Lambda functions get `[{"id", "messages", "metadata": {"reference_answer", …}}]` and return `[{"id",
"aggregate_reward_score", "metrics_list": [{"name", "value", "type"}]}]`. Here the same lists go over HTTP. The last
message is the policy's (`assistant`, or `nova_assistant`), those before it are the prompt. `reference_answer` and the
columns of one's own (`group`, `visit`, `flip`) stand in `metadata` or beside it. The first has to be a text or an
object there: of an object without `ground_truth` the first of ANSWER_KEYS that is not null counts.

A score must be a number. What happens to a sample that has none is not documented, so such a sample makes the whole
request a 422, unless `fallback_reward` is in the URL. Sources: the Amazon Bedrock user guide, "Setting up reward
functions", and amzn-nova-forge 1.4.10.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, cast

from typing_extensions import TypedDict

from reward_server.dialects.json_body import LIST, LIST_KEYS, JsonBody
from reward_server.dialects.json_text import JsonNumber, read_json
from reward_server.dialects.label import (
    check_alternatives,
    checked_flip,
    checked_group,
    checked_prompt,
    checked_visit,
    is_null,
    labelled,
    object_in,
    source_of,
)
from reward_server.dialects.reply import Echo, Reply, only_these, to_json
from reward_server.errors import InvalidRequest
from reward_server.types import Message, Sample, Score

NAME = "aws_rft"
REFERENCE = "reference_answer"
ANSWER_KEYS = ("answer", "expected_answer", "solution", "label")
ROLES = ("assistant", "nova_assistant")
SCHEMA: dict[str, object] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["messages"],
        "properties": {
            "id": {"type": ["string", "number", "null"]},
            "messages": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "object"},
                "description": "The last is the policy's.",
            },
            "metadata": {
                "type": ["object", "null"],
                "description": f"Columns of the data set: {REFERENCE}, group, visit, flip.",
            },
            REFERENCE: {"description": "Text, number, list of those, or object."},
        },
    },
    "example": [
        {
            "id": "123",
            "messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "\\boxed{4}"}],
            "metadata": {REFERENCE: "4"},
        }
    ],
}
Row = dict[str, object]


@only_these
class AwsMetric(TypedDict):
    """The reward itself (type Reward), or one of its parts."""

    name: str
    value: float
    type: Literal["Reward", "Metric"]


@only_these
class AwsScore(TypedDict):
    """One sample's; `id` as it was sent."""

    id: str | float | None
    aggregate_reward_score: float
    metrics_list: list[AwsMetric]


REPLIES = (list[AwsScore],)


def matches(keys: Collection[str]) -> bool:
    return keys is LIST_KEYS


def parse(body: JsonBody) -> tuple[list[Sample], Echo]:
    rows = [_row(row, entry) for row, entry in enumerate(body.labels(LIST))]
    is_labelled = any(REFERENCE in row for row in rows)
    samples, ids = [], []
    for number, row in enumerate(rows):
        try:
            ids.append(_id(row["id"]))
            sample = _sample(row)
            samples.append(labelled(sample, _label(row.get(REFERENCE))) if is_labelled else sample)
        except InvalidRequest as error:
            raise InvalidRequest(f"[{number}].{error.message}") from None
    return samples, {"ids": ids}


def render(reply: Reply, echo: Echo) -> bytes:
    rows = zip(echo["ids"], reply.chosen_rewards(), reply.scores, strict=True)
    answer: list[AwsScore] = [
        {"id": id, "aggregate_reward_score": reward, "metrics_list": _metrics(reply, reward, score)}
        for id, reward, score in rows
    ]
    return to_json(answer).encode()


def _metrics(reply: Reply, reward: float, score: Score) -> list[AwsMetric]:
    """The reward itself, and its parts."""
    paid: AwsMetric = {"name": reply.plan.name, "value": reward, "type": "Reward"}
    parts: list[AwsMetric] = [{"name": n, "value": v, "type": "Metric"} for n, v in reply.numbers(score).items()]
    return [paid, *parts]


def _row(number: int, entry: object) -> Row:
    """A sample with what stands in its `metadata`, which wins."""
    if not isinstance(entry, dict) or "messages" not in entry:
        raise InvalidRequest(f"[{number}]: expected a sample of AWS's, an object with `messages`")
    metadata = entry.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise InvalidRequest(f"[{number}].metadata: expected an object")
    columns = {key: value for key, value in (metadata or {}).items() if not (is_null(value) and key in entry)}
    return {**entry, **columns, "id": entry.get("id"), "messages": entry["messages"]}


def _sample(row: Row) -> Sample:
    messages = row["messages"]
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise InvalidRequest("messages: expected a list of messages, the last of them the policy's")
    *prompt, written = cast(list[Message], checked_prompt(messages))
    if written.get("role") not in ROLES:
        raise InvalidRequest(f"messages: the last must be the policy's (role {' or '.join(ROLES)})")
    return Sample(
        _text(written.get("content")),
        prompt=prompt,
        group=None if row.get("group") is None else checked_group(row["group"]),
        visit=0 if row.get("visit") is None else checked_visit(row["visit"]),
        flip=True if row.get("flip") is None else checked_flip(row["flip"]),
        source=source_of(row),
    )


def _text(content: object) -> str:
    """The text of a content in its one form; none where there are calls of tools only."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise InvalidRequest("messages: the content of the last is no text and no list of parts")
    return "".join(part["text"] for part in content if part["type"] == "text")


def _label(reference: object) -> object:
    """A label as every dialect has it. An object of one's own becomes the answer in it, or stays: unusable."""
    check_alternatives(reference)
    value = object_in(reference)
    if not isinstance(value, dict) or not is_null(value.get("ground_truth")):
        return reference
    return next((value[key] for key in ANSWER_KEYS if not is_null(value.get(key))), value)


def _id(value: object) -> object:
    """As it was sent."""
    if value is not None and not isinstance(value, str):
        raise InvalidRequest("id: expected a text or a number")
    return read_json(value) if isinstance(value, JsonNumber) else value
