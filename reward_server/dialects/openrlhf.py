"""OpenRLHF: `query` (older: `queries`), `prompts`, `labels` in; `rewards`, `scores`, `extra_logs` out.

`query` is prompt and completion in one text. The prompt is dropped when it is a prefix; when the trainer cut it at
the left, see `without_prompt`. The trainer crashes on null, on text, and on keys that differ between samples, so
every list here holds floats and `extra_logs` has the same keys for every sample of a reward. It sends empty lists
too and wants empty lists back.
"""

from __future__ import annotations

from collections.abc import Collection

from reward_server.dialects.label import labelled
from reward_server.dialects.reply import Reply, to_json
from reward_server.errors import InvalidRequest
from reward_server.json_body import JsonBody
from reward_server.types import Sample

NAME = "openrlhf"
ASSISTANT_MARKERS = (
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<start_of_turn>model\n",
    "[/INST]",
    "<|assistant|>\n",
    "Assistant: <think>",
)
_ENDS = 64
_CANDIDATES = 1000
"""Places in the prompt that are compared: a bound for a prompt such as a million equal letters."""
SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["query"],
    "properties": {
        "query": {"type": "array", "items": {"type": "string"}, "description": "Prompt and completion."},
        "prompts": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "array", "items": {}},
    },
}


def matches(keys: Collection[str]) -> bool:
    return "query" in keys or "queries" in keys


def parse(body: JsonBody) -> list[Sample]:
    key = "query" if "query" in body else "queries"
    queries = body.column(key, str)
    prompts = body.column("prompts", str) if "prompts" in body else [""] * len(queries)
    if len(prompts) != len(queries):
        raise InvalidRequest(f"prompts: {len(prompts)} entries for {len(queries)} of {key}")
    samples = [
        Sample(without_prompt(query, prompt), prompt=prompt if "prompts" in body else None)
        for query, prompt in zip(queries, prompts, strict=True)
    ]
    if "labels" not in body:
        return samples
    labels = body.labels("labels")
    if len(labels) != len(queries):
        raise InvalidRequest(f"labels: {len(labels)} entries for {len(queries)} of {key}")
    return [labelled(sample, label) for sample, label in zip(samples, labels, strict=True)]


def render(reply: Reply) -> bytes:
    numbers = [reply.numbers(score) for score in reply.scores]
    names = numbers[0] if numbers else ()
    answer = {
        "rewards": [reply.reward(score) for score in reply.scores],
        "scores": [reply.shown(score) for score in reply.scores],
        "extra_logs": {name: [row[name] for row in numbers] for name in names},
    }
    return to_json(answer).encode()


def without_prompt(query: str, prompt: str) -> str:
    """The completion in `query`.

    A prompt that the trainer cut at the left is no prefix any more. Then, in this order: where the prompt ends with
    a chat template's assistant marker, the end of the prompt that the query begins with (exact: a marker that the
    policy writes itself does not move it); else what follows the last known assistant marker; else the longest
    overlap of the prompt's end with the query's beginning.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    overlap = _overlap(prompt, query)
    if overlap and any(prompt[-overlap:].endswith(marker) for marker in ASSISTANT_MARKERS):
        return query[overlap:]
    marked = [query.rfind(marker) + len(marker) for marker in ASSISTANT_MARKERS if marker in query]
    return query[max(marked) :] if marked else query[overlap:]


def _overlap(prompt: str, query: str) -> int:
    """Length of the longest end of `prompt` that `query` begins with; of a prompt that repeats itself, perhaps less."""
    head, tail = query[:_ENDS], prompt[-_ENDS:]
    start = prompt.find(head, max(0, len(prompt) - len(query))) if head else -1
    for _ in range(_CANDIDATES):
        if start < 0:
            break
        size = len(prompt) - start
        if query.endswith(tail, 0, size) and query.startswith(prompt[start:]):  # the tail first: the rest is a copy
            return size
        start = prompt.find(head, start + 1)
    return next((size for size in range(len(head), 0, -1) if prompt.endswith(head[:size])), 0)
