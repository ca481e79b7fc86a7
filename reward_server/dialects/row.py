"""One sample as a JSON object, or as plain text: what `/explain` is asked, and a row of the offline command.

`/explain` also takes a completion as plain text, with the rest in the query string:

    curl -d '{"completion": "\\\\boxed{4}", "ground_truth": "4"}' …/explain/verifier
    curl --data-binary @out.txt '…/explain/verifier' --url-query 'ground_truth=x+1'

curl labels both as a form. So: `application/json` is JSON, `text/plain` is text, and anything else is JSON when it is
an object with the key `completion`, or with `query` and `prompt`: OpenRLHF's prompt and completion in one text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

from msgspec.structs import replace

from reward_server.dialects.completion import without_prompt
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.json_text import JsonNumber
from reward_server.dialects.label import (
    checked_flip,
    checked_group,
    checked_prompt,
    checked_source,
    checked_visit,
    labelled,
)
from reward_server.dialects.messages import PROMPT_SCHEMA
from reward_server.errors import InvalidRequest, shortened
from reward_server.types import Sample

SAMPLE_KEYS = ("completion", "prompt", "ground_truth", "group", "visit", "flip", "source")
_QUERY = "query"
"""In place of `completion`, where there is a prompt."""
_NUMBER = re.compile(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?", re.ASCII)
_PLUS = re.compile(r"(?:^|&)ground_truth=[^&]*\+")
SCHEMA: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "anyOf": [
        {"required": ["completion"], "not": {"required": [_QUERY]}},
        {
            "required": [_QUERY, "prompt"],
            "not": {"required": ["completion"]},
            "properties": {"prompt": {"type": "string"}},
        },
    ],
    "properties": {
        "completion": {"type": "string"},
        _QUERY: {
            "type": "string",
            "description": "OpenRLHF: prompt and completion in one text, instead of the latter.",
        },
        "prompt": PROMPT_SCHEMA,
        "ground_truth": {"description": "Text, number, list of those, or label object."},
        "group": {"type": ["string", "integer", "null"]},
        "visit": {"type": ["integer", "null"]},
        "flip": {"type": ["boolean", "null"]},
        "source": {"type": ["string", "null"]},
    },
    "example": {"completion": "2 + 2 is \\boxed{4}", "ground_truth": "4"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What `/explain` is asked. `query`: the query string of the reward's own parameters."""

    sample: Sample
    query: str
    warnings: tuple[str, ...] = ()


def parse_explain(raw: bytes, content_type: str, query: str) -> Asked:
    """The sample, from the body or from body and query string. Raises InvalidRequest."""
    kind = content_type.partition(";")[0].strip().lower()
    body = None if kind == "text/plain" else _json_sample(raw, is_certain=kind == "application/json")
    if body is not None:
        _refuse_unknown(body)
        return Asked(sample_of(body), query)
    given: dict[str, str] = {}
    rest = []
    for field in query.split("&"):
        told = {key: value for key, value in parse_qsl(field, keep_blank_values=True) if _is_of_sample(key, value)}
        given |= told
        rest += [] if told else [field]
    return Asked(_from_text(raw, given), "&".join(rest), tuple(_blanks(query, given)))


def _is_of_sample(key: str, value: str) -> bool:
    """`flip=0.8` is a part of a mix, and its weight."""
    return key in SAMPLE_KEYS and not (key == "flip" and _NUMBER.fullmatch(value))


def _blanks(query: str, given: dict[str, str]) -> Iterator[str]:
    """`?ground_truth=1+1` arrives as `1 1`, which is another ground truth."""
    if _PLUS.search(query):
        yield (
            f"a + in a query string is a blank, so the ground truth is {shortened(given['ground_truth'], 100)!r}:"
            " write %2B for a plus, or let curl do it: --url-query 'ground_truth=1+1'"
        )


def sample_of(row: JsonBody) -> Sample:
    """The sample in a JSON object; other keys are the caller's own. Raises InvalidRequest."""
    values = {key: row.label(key) for key in SAMPLE_KEYS if key in row}
    completion = values.get("completion")
    if completion is None and _is_query(row):
        found = without_prompt(row.field(_QUERY, str), row.field("prompt", str))
        return replace(_sample(found or "", values), is_lost=found is None)
    if not isinstance(completion, str) or isinstance(completion, JsonNumber):
        raise InvalidRequest("completion: missing, or not a text")
    sample = _sample(completion, values)
    return replace(sample, is_lost=True) if not completion and _is_lost(row) else sample


def _is_lost(row: JsonBody) -> bool:
    """True for the recorded line of a completion that could not be told from its prompt."""
    return "lost" in row and row.label("lost") is True


def _is_query(row: JsonBody) -> bool:
    return _QUERY in row and "prompt" in row


def _json_sample(raw: bytes, *, is_certain: bool) -> JsonBody | None:
    try:
        body = JsonBody(raw)
    except InvalidRequest:
        if is_certain:
            raise
        return None
    return body if is_certain or "completion" in body or _is_query(body) else None


def _refuse_unknown(body: JsonBody) -> None:
    unknown = sorted(body.keys - set(SAMPLE_KEYS) - ({_QUERY} if "completion" not in body else set()))
    if unknown:
        raise InvalidRequest(f"{unknown[0]}: no such field (fields: {', '.join(SAMPLE_KEYS)})")


def _from_text(raw: bytes, given: dict[str, str]) -> Sample:
    values: dict[str, object] = dict(given)
    if "visit" in given:
        values["visit"] = JsonNumber(given["visit"])
    if "flip" in given:
        values["flip"] = {"true": True, "false": False}.get(given["flip"].lower(), given["flip"])
    return _sample(raw.decode("utf-8", "replace"), values)


def _sample(completion: str, values: dict[str, object]) -> Sample:
    present = {key: value for key, value in values.items() if value is not None}
    sample = Sample(
        completion,
        prompt=checked_prompt(present["prompt"]) if "prompt" in present else None,
        group=checked_group(present["group"]) if "group" in present else None,
        visit=checked_visit(present["visit"]) if "visit" in present else None,
        flip=checked_flip(present["flip"]) if "flip" in present else True,
        source=checked_source(present["source"]) if "source" in present else None,
    )
    return labelled(sample, values["ground_truth"]) if "ground_truth" in values else sample
